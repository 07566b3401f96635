//! What another service says of the chat: `{"Room":{…}}`, `{"Message":{…}}`, `{"Message":{…},"Details":"DELETE"}`.

use crate::dialect::cells::chat::decode::{KINDS, Read, enumerated, integer, present, strings, text};
use crate::dialect::cells::chat::{Kind, Message, Room, RoomKey};
use crate::dialect::cells::shape::Unreadable;
use serde_json::{Map, Value};

/// What an event of the chat says.
#[derive(Debug, Clone, PartialEq)]
pub enum Published {
    Room(Room),
    Message(Message),
    Deleted(Message),
    /// Nothing that anybody is told.
    Nothing,
}

/// Reads an event; `None` when something in it is of another type than it should be.
pub fn published(event: &Value) -> Option<Published> {
    read(event).ok()
}

fn read(event: &Value) -> Read<Published> {
    let event = event.as_object().ok_or(Unreadable)?;
    let is_deleted = text(present(event, "Details"))? == "DELETE";
    if let Some(message) = present(event, "Message") {
        let message = message_of(message)?;
        return Ok(if is_deleted { Published::Deleted(message) } else { Published::Message(message) });
    }
    let room = present(event, "Room").map(room_of).transpose()?;
    Ok(room.flatten().map_or(Published::Nothing, Published::Room))
}

/// A room; `None` when it is of no kind.
fn room_of(room: &Value) -> Read<Option<Room>> {
    let room = room.as_object().ok_or(Unreadable)?;
    let Some(kind) = Kind::ALL.get(enumerated(present(room, "Type"), &KINDS)?).copied() else { return Ok(None) };
    let mut users = strings(present(room, "Users"))?;
    users.sort();
    Ok(Some(Room {
        uuid: text(present(room, "Uuid"))?.into(),
        key: RoomKey { kind, object: text(present(room, "RoomTypeObject"))?.into() },
        label: text(present(room, "RoomLabel"))?.to_owned(),
        users,
        last_updated: integer(present(room, "LastUpdated"))?,
    }))
}

fn message_of(message: &Value) -> Read<Message> {
    let message = message.as_object().ok_or(Unreadable)?;
    let object = |key: &str| match present(message, key) {
        None => Ok(Map::new()),
        Some(value) => value.as_object().cloned().ok_or(Unreadable),
    };
    let info = object("Info")?;
    if !info.values().all(Value::is_string) {
        return Err(Unreadable);
    }
    Ok(Message {
        uuid: text(present(message, "Uuid"))?.into(),
        room: text(present(message, "RoomUuid"))?.into(),
        text: text(present(message, "Message"))?.to_owned(),
        author: text(present(message, "Author"))?.to_owned(),
        timestamp: integer(present(message, "Timestamp"))?,
        activity: object("Activity")?.into(),
        info,
    })
}
