//! A simulated chat: messages that come into rooms, are edited, move and go, and now and then a notice that is a push.

use crate::demo::{DemoWrite, Hint, Scene};
use crate::event::Timestamp;
use crate::store::Write;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::collections::VecDeque;

/// The rooms; examples name the first one.
const ROOMS: [&str; 2] = ["lobby", "workshop"];

/// Who chats, and what about.
const WRITERS: [&str; 3] = ["Ann", "Bob", "Cleo"];
const LINES: [&str; 5] = [
    "anybody here?",
    "the build is green again",
    "coffee in five minutes",
    "who has the key of the server room?",
    "that is what the tide does",
];

/// More messages than this are not kept.
const MOST: usize = 20;

/// The chat, and what is about to be said.
pub struct Chat {
    chance: StdRng,
    /// Ids of messages, the oldest first.
    messages: VecDeque<String>,
    /// How many there ever were.
    said: u64,
}

impl Default for Chat {
    fn default() -> Chat {
        Chat { chance: StdRng::from_rng(&mut rand::rng()), messages: VecDeque::new(), said: 0 }
    }
}

impl Scene for Chat {
    /// What was said before anybody listens.
    fn seeds(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        ROOMS.iter().map(|room| self.say(room, now)).collect()
    }

    /// Whatever happens next.
    fn step(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let room = ROOMS[self.chance.random_range(0..ROOMS.len())];
        let newest = self.messages.back().cloned();
        match (self.chance.random_range(0..10), newest) {
            (0, Some(id)) => {
                vec![DemoWrite::merge("messages", &id, json!({"text": "never mind", "edited": now.to_string()}))]
            }
            (1, Some(id)) => vec![DemoWrite::merge("messages", &id, json!({ "room": room }))],
            (2, _) => vec![notice(room, &format!("{} messages are kept", self.messages.len()))],
            _ => {
                let said = self.say(room, now);
                let oldest = (self.messages.len() > MOST).then(|| self.messages.pop_front()).flatten();
                let gone = oldest.map(|id| DemoWrite::delete("messages", &id));
                [said].into_iter().chain(gone).collect()
            }
        }
    }

    fn talk(&self) -> Hint {
        let say = r#"{"type":"walker","walker":"self_progress_notif","response":true}"#.to_owned();
        Hint { dialect: "jac", path: format!("/websocket?channel_id={}", ROOMS[0]), say }
    }
}

impl Chat {
    fn say(&mut self, room: &str, now: Timestamp) -> DemoWrite {
        self.said += 1;
        let id = format!("m{:x}-{}", now.0, self.said);
        self.messages.push_back(id.clone());
        let line = LINES[self.chance.random_range(0..LINES.len())];
        let writer = WRITERS[self.chance.random_range(0..WRITERS.len())];
        let message = json!({"id": id, "room": room, "from": writer, "text": line, "at": now.to_string()});
        DemoWrite::put("messages", &id, message)
    }
}

/// A line that is itself a push.
fn notice(room: &str, text: &str) -> DemoWrite {
    let data = json!({"type": "notice", "text": text});
    let line = json!({"kind": "channel", "ids": [room], "data": data});
    DemoWrite { resource: "notices", id: String::new(), write: Write::Append(line) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn only_what_is_there_is_changed_and_not_too_much_is_kept() {
        let mut chat = Chat::default();
        let mut there: HashSet<String> = HashSet::new();
        let now = Timestamp(1_795_248_786_949);
        let mut writes = chat.seeds(now);
        for _ in 0..1000 {
            writes.extend(chat.step(now));
        }
        for DemoWrite { resource, id, write } in writes {
            match write {
                Write::Put(_) => assert!(there.insert(id), "every message has an id of its own"),
                Write::Delete => assert!(there.remove(&id)),
                Write::Append(_) => assert_eq!(resource, "notices"),
                _ => assert!(there.contains(&id)),
            }
            assert!(there.len() <= MOST + 1);
        }
    }
}
