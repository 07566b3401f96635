//! The message that is measured: numbered, stamped with its time, and as long as asked.

use std::time::{SystemTime, UNIX_EPOCH};

/// The resource, and so the channel, that is written and watched.
pub const RESOURCE: &str = "events";

const KEY: &[u8] = b"\"mark\":\"";
const NUMBER: usize = 12;
const TIME: usize = 17;

/// What a subscriber checks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Counts the messages to one subscriber, from 1.
    pub number: u64,
    /// When it was sent, in microseconds since 1970.
    pub sent: u64,
}

impl Mark {
    /// The mark of a message that is sent now.
    pub fn now(number: u64) -> Mark {
        Mark { number, sent: micros_now() }
    }
}

/// Microseconds since 1970.
pub fn micros_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64)
}

/// The id of a record that a subscriber watches, by the number of the watch.
pub fn record_id(subscriber: usize, watch: u64) -> String {
    format!("s{subscriber:07}.{watch:03}")
}

/// The record to write, so that the message told of it has `size` bytes.
pub fn record(id: &str, mark: Mark, size: usize) -> String {
    let bare = padded(id, mark, 0);
    padded(id, mark, size.saturating_sub(item(id, &bare).len()))
}

fn padded(id: &str, Mark { number, sent }: Mark, padding: usize) -> String {
    format!(r#"{{"id":"{id}","mark":"{number:0NUMBER$}.{sent:0TIME$}","pad":"{:x<padding$}"}}"#, "")
}

/// The message that tells of the record, as the monorail protocol has it.
pub fn item(id: &str, record: &str) -> String {
    format!(r#"{{"handler":"item","resource":"{RESOURCE}","id":["updated","{id}"],"data":{record}}}"#)
}

/// Finds the mark in a message; `place` is where it was the last time, which saves the search.
pub fn find_mark(message: &[u8], place: &mut usize) -> Option<Mark> {
    if !message.get(*place..).is_some_and(|rest| rest.starts_with(KEY)) {
        *place = message.windows(KEY.len()).position(|window| window == KEY)?;
    }
    let mark = message.get(*place + KEY.len()..)?.get(..NUMBER + 1 + TIME)?;
    let mark = std::str::from_utf8(mark).ok()?;
    let (number, sent) = mark.split_once('.')?;
    Some(Mark { number: number.parse().ok()?, sent: sent.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_size_that_was_asked_and_its_mark_is_found() {
        let mark = Mark { number: 17, sent: 1_700_000_000_000_000 };
        let record = record("s0000001", mark, 256);
        let message = item("s0000001", &record);
        assert_eq!(message.len(), 256);
        let mut place = 0;
        assert_eq!(find_mark(message.as_bytes(), &mut place), Some(mark));
        assert_eq!(find_mark(message.as_bytes(), &mut place), Some(mark));
        assert_eq!(find_mark(b"{\"handler\":\"barrier\"}", &mut place), None);
        let parsed: serde_json::Value = serde_json::from_str(&message).expect("JSON");
        assert_eq!(parsed["data"]["id"], "s0000001");
    }
}
