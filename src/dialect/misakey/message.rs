//! One message, as it stands in the log, and its texts: the keys in one order, people as the reader may know them.

use crate::document::Document;
use crate::event::Position;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// The type of a message about a new event of a box.
pub const EVENT: &str = "event.new";

/// The type of a message about an acknowledgement.
const ACK: &str = "ack";

/// What people are known by, in the order in which it is told. The last two are for the creator of a box.
const IDENTITY: [&str; 5] = ["id", "display_name", "avatar_url", "identifier_value", "identifier_kind"];
const IDENTIFIERS: [&str; 2] = ["identifier_value", "identifier_kind"];

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// `sender` and, in the content of a kick, `kicker` are whole identities. `creator` is that of the box.
    Event {
        object: Value,
        creator: Option<String>,
    },
    BoxDelete {
        id: String,
        sender: Option<String>,
        public_key: Value,
    },
    BoxSettings {
        object: Value,
    },
    FileSaved {
        file: String,
        is_saved: bool,
    },
    Notification {
        object: Value,
    },
    /// With the text that is given back, if that was this acknowledgement.
    Ack {
        identity: String,
        box_id: String,
        text: Option<String>,
    },
}

/// What is told of somebody: the fields of a record, for whoever may know all of it.
pub fn identity(id: &str, record: &Value) -> Value {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    json!({
        "id": id,
        "display_name": text("display_name"),
        "avatar_url": text("avatar_url"),
        "identifier_value": text("identifier_value").unwrap_or_default(),
        "identifier_kind": text("identifier_kind").unwrap_or_default(),
    })
}

/// What is told of somebody whom nobody knows.
pub fn anonymous() -> Value {
    identity("anonymous-user", &json!({"display_name": "Anonymous User"}))
}

impl Message {
    /// The entry's document.
    pub fn document(self) -> Document {
        Document::new(match self {
            Message::Event { object, creator } => json!({"type": EVENT, "object": object, "creator": creator}),
            Message::BoxDelete { id, sender, public_key } => {
                json!({"type": "box.delete", "object": {"id": id, "sender_id": sender, "public_key": public_key}})
            }
            Message::BoxSettings { object } => json!({"type": "box.settings", "object": object}),
            Message::FileSaved { file, is_saved } => {
                json!({"type": "file.saved", "object": {"encrypted_file_id": file, "is_saved": is_saved}})
            }
            Message::Notification { object } => json!({"type": "notification", "object": object}),
            Message::Ack { identity, box_id, text } => {
                json!({"type": ACK, "object": {"sender_id": identity, "box_id": box_id}, "text": text})
            }
        })
    }
}

/// Whose box an entry's event belongs to.
pub(super) fn creator(document: &Document) -> Option<&str> {
    document.value().get("creator").and_then(Value::as_str)
}

/// The text of an entry's document. With a position an acknowledgement has its own form, for the received text has no
/// place for it.
pub(super) fn text(document: &Document, is_open: bool, position: Option<&Position>) -> Option<String> {
    let message = document.value();
    let (kind, object) = (message.get("type")?.as_str()?, message.get("object")?.as_object()?);
    if position.is_none()
        && let Some(received) = message.get("text").and_then(Value::as_str)
    {
        return Some(received.to_owned());
    }
    let mut text = format!("{{\"type\":{},\"object\":", json!(kind));
    put_fields(&mut text, object, keys_of(kind), &|name, value| match (name, value) {
        ("sender", Value::Object(sender)) => person(sender, is_open),
        // Of whoever kicked, the content says nothing more than who it is.
        ("content", Value::Object(content)) if object.get("type").is_some_and(|kind| kind == "member.kick") => {
            match content.get("kicker") {
                Some(Value::Object(kicker)) => format!("{{\"kicker\":{}}}", person(kicker, is_open)),
                _ => "null".to_owned(),
            }
        }
        (_, value) => value.to_string(),
    });
    if let Some(position) = position {
        let _ = write!(text, ",\"position\":{}", json!(position.to_string()));
    }
    text.push('}');
    Some(text)
}

/// The keys of a message's object, in the order in which they are told.
fn keys_of(kind: &str) -> &'static [&'static str] {
    match kind {
        EVENT => {
            &["type", "content", "box_id", "id", "server_event_created_at", "referrer_id", "sender", "owner_org_id"]
        }
        "box.delete" => &["id", "sender_id", "public_key"],
        "box.settings" => &["identity_id", "box_id", "muted", "owner_org_id"],
        "file.saved" => &["encrypted_file_id", "is_saved"],
        "notification" => &["id", "type", "details", "created_at", "acknowledged_at"],
        ACK => &["sender_id", "box_id"],
        _ => &[],
    }
}

/// Somebody as told to a reader.
fn person(person: &Map<String, Value>, is_open: bool) -> String {
    let mut text = String::new();
    put_fields(&mut text, person, &IDENTITY, &|name, value| match is_open || !IDENTIFIERS.contains(&name) {
        true => value.to_string(),
        false => "\"\"".to_owned(),
    });
    text
}

/// Writes those of the fields that are there, in this order.
fn put_fields(
    text: &mut String,
    fields: &Map<String, Value>,
    keys: &'static [&'static str],
    written: &dyn Fn(&'static str, &Value) -> String,
) {
    let known = keys.iter().filter_map(|key| Some((*key, fields.get(*key)?)));
    let parts: Vec<String> = known.map(|(key, value)| format!("\"{key}\":{}", written(key, value))).collect();
    let _ = write!(text, "{{{}}}", parts.join(","));
}
