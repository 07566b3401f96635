//! Server-sent events (`text/event-stream`): what a watch is told, one event each, with its position as the event's
//! id. It only tells; nothing is heard from its clients.
//!
//! ```text
//! event: list                         event: resumed
//! id: e1:7                            id: e1:7
//! data: [{"id":"n1"}]                 data: {"complete":false,"reason":"epoch"}
//!
//! event: item                         event: remove
//! id: e1:8                            id: e1:9
//! data: {"id":"n1","event":"updated","data":{"id":"n1"}}
//! ```

use crate::dialect::{Dialect, Heard};
use crate::event::{Position, Reason};
use crate::message::{Address, Code, Notice, Refusal, Transition};
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

/// The dialect of an event stream.
pub struct Events;

impl Dialect for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn decode(&self, _channel: &Arc<str>, _text: &str) -> Heard {
        Heard::Nothing
    }

    fn encode(&self, _address: &Address, notice: &Notice<'_>) -> Option<String> {
        Some(match notice {
            Notice::List { rows, position } => {
                let documents: Vec<&str> = rows.iter().map(|row| row.document.text()).collect();
                event("list", position.as_ref(), &format!("[{}]", documents.join(",")))
            }
            Notice::Change { entry, transition, position, .. } => {
                let (word, change, document) = match transition {
                    Transition::Left => ("remove", "removed", entry.event.before.as_ref()),
                    Transition::Created | Transition::Appended => ("item", "created", entry.event.after.as_ref()),
                    Transition::Entered | Transition::Updated => ("item", "updated", entry.event.after.as_ref()),
                };
                let id = Value::from(&*entry.event.id);
                let document = document.map_or("null", |document| document.text());
                let data = format!("{{\"id\":{id},\"event\":\"{change}\",\"data\":{document}}}");
                event(word, position.as_ref(), &data)
            }
            Notice::Resumed { position, broken } => event("resumed", Some(position), &verdict(*broken)),
            // Only the id is taken note of.
            Notice::Progress { position, time } => format!(": {time}\nid: {position}\n\n"),
            Notice::Refused(refusal) => event("refused", None, &refused(refusal)),
            Notice::Announced { data } => event("announced", None, data),
            _ => return None,
        })
    }
}

fn event(word: &str, position: Option<&Position>, data: &str) -> String {
    let mut text = format!("event: {word}\n");
    if let Some(position) = position {
        let _ = writeln!(text, "id: {position}");
    }
    // JSON needs no line of its own, and yet may have some.
    for line in data.split(['\n', '\r']) {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
    text
}

fn verdict(broken: Option<Reason>) -> String {
    match broken {
        None => "{\"complete\":true}".to_owned(),
        Some(reason) => format!("{{\"complete\":false,\"reason\":\"{}\"}}", reason.word()),
    }
}

fn refused(refusal: &Refusal) -> String {
    let word = match refusal.code {
        Code::Resource => "E_RESOURCE",
        Code::TooMany => "E_TOO_MANY",
        Code::Store => "E_STORE",
        _ => "E_REFUSED",
    };
    serde_json::json!({"error": word, "message": refusal.summary}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_lines_and_an_empty_one() {
        let position = "e1:8".parse().expect("a position");
        assert_eq!(event("item", Some(&position), "{\"a\":1}"), "event: item\nid: e1:8\ndata: {\"a\":1}\n\n");
        assert_eq!(event("list", None, "[\n1]"), "event: list\ndata: [\ndata: 1]\n\n");
        let broken = Notice::Resumed { position, broken: Some(Reason::Epoch) };
        let address = Address { channel: "nodes".into(), reference: None };
        let told = Events.encode(&address, &broken).expect("a text");
        assert_eq!(told, "event: resumed\nid: e1:8\ndata: {\"complete\":false,\"reason\":\"epoch\"}\n\n");
    }
}
