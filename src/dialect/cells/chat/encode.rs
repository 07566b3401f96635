//! What clients are told of rooms and messages.

use crate::dialect::cells::chat::{Message, Page, Room};
use crate::dialect::cells::shape::{Object, quoted};
use serde_json::Value;

/// `{"@type":"ROOM_UPDATE","Room":{…}}`
pub fn room_update(room: &Room) -> String {
    let mut told = Object::default();
    told.text("Uuid", &room.uuid);
    // The first kind is written too: without it clients could not tell of which room this is.
    told.text("Type", room.key.kind.name());
    told.text("RoomTypeObject", &room.key.object);
    told.text("RoomLabel", &room.label);
    if !room.users.is_empty() {
        told.json("Users", &Value::from(room.users.clone()).to_string());
    }
    told.number("LastUpdated", room.last_updated);
    typed("ROOM_UPDATE", "Room", told)
}

/// A new or changed message: `{"Uuid":…}`, without a type.
pub fn bare_message(message: &Message) -> String {
    object(message).end()
}

/// `{"@type":"DELETE_MSG","Message":{…}}`
pub fn message_deleted(message: &Message) -> String {
    typed("DELETE_MSG", "Message", object(message))
}

/// The end of a page that has as many messages as were asked for; `oldest` is the time of the first of them.
pub fn may_have_more(room: &str, oldest: i64, page: Page) -> String {
    let mut told = Object::default();
    told.text("@type", "MAY_HAVE_MORE");
    told.json("RoomUuid", &quoted(room));
    told.json("Timestamp", &oldest.to_string());
    told.json("Offset", &page.offset.saturating_add(page.limit).to_string());
    told.json("Limit", &page.limit.to_string());
    told.end()
}

fn typed(kind: &str, key: &str, inner: Object) -> String {
    let mut told = Object::default();
    told.text("@type", kind);
    told.object(key, inner);
    told.end()
}

fn object(message: &Message) -> Object {
    let mut told = Object::default();
    told.text("Uuid", &message.uuid);
    told.text("RoomUuid", &message.room);
    told.text("Message", &message.text);
    told.text("Author", &message.author);
    told.long("Timestamp", message.timestamp);
    if let Some(activity) = activity(&message.activity) {
        told.json("Activity", &activity);
    }
    if !message.info.is_empty() {
        told.json("Info", &Value::from(message.info.clone()).to_string());
    }
    told
}

/// What became of a message. Its edits tell the time before the text; all other keys are sorted.
fn activity(activity: &Value) -> Option<String> {
    let fields = activity.as_object().filter(|fields| !fields.is_empty())?;
    let mut told = Object::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("items", Value::Array(items)) => {
                let items: Vec<String> = items.iter().map(edit).collect();
                told.json(name, &format!("[{}]", items.join(",")));
            }
            _ => told.json(name, &value.to_string()),
        }
    }
    Some(told.end())
}

fn edit(item: &Value) -> String {
    const FIRST: [&str; 2] = ["updated", "markdown"];
    let Value::Object(fields) = item else { return item.to_string() };
    let first = FIRST.into_iter().filter_map(|name| fields.get_key_value(name));
    let rest = fields.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
    let mut told = Object::default();
    first.chain(rest).for_each(|(name, value)| told.json(name, &value.to_string()));
    told.end()
}
