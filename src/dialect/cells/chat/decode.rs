//! What clients ask of the chat.
//!
//! ```text
//! {"@type":"JOIN","Room":{"Type":"WORKSPACE","RoomTypeObject":"ws-1"}}
//! {"@type":4,"Room":{"Type":1,"RoomTypeObject":"ws-1"},"Message":{"Message":"{\"Offset\":0,\"Limit\":40}"}}
//! ```
//!
//! Enums come by name or number, integers may be texts, null is absent, unknown keys are ignored. A frame with an
//! unknown name or a value of the wrong type says nothing.

use crate::dialect::cells::chat::{Kind, RoomKey, RoomName};
use crate::dialect::cells::shape::{Unreadable, long, word};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What a chat frame asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    Join {
        room: RoomName,
        draft: Draft,
        /// All messages are to follow.
        with_history: bool,
    },
    /// Still there; a room is not made for that.
    Ping(RoomName),
    Leave(RoomName),
    History(RoomName, Page),
    Post(Post),
    /// The message with this uuid.
    Delete(Arc<str>),
}

/// What a room is made with if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// What the client would call it; not empty.
    pub uuid: Option<Arc<str>>,
    pub label: String,
}

/// A part of a history, counted from the newest message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    pub offset: usize,
    /// 0: all of them.
    pub limit: usize,
}

/// A message to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub room: RoomName,
    /// The message that it replaces.
    pub edits: Option<Arc<str>>,
    /// As the client wrote it.
    pub text: String,
    pub info: Map<String, Value>,
}

pub(super) type Read<T> = Result<T, Unreadable>;

/// Reads a frame of the chat; `None`: it is to be ignored.
pub fn decode(frame: &Map<String, Value>) -> Option<Asked> {
    read(frame).ok().flatten()
}

fn read(frame: &Map<String, Value>) -> Read<Option<Asked>> {
    let named = present(frame, "@type").or_else(|| present(frame, "Type"));
    let kind = enumerated(named, &Asking::NAMES)?;
    let room = present(frame, "Room").map(RoomFrame::read).transpose()?;
    let message = present(frame, "Message").map(MessageFrame::read).transpose()?;
    let asked = match (Asking::of(kind), room, message) {
        (Asking::Join, Some(room), message) => room.name().map(|name| match message {
            Some(message) if message.text == "PING" => Asked::Ping(name),
            _ => room.join(name),
        }),
        (Asking::Leave, Some(room), _) => room.name().map(Asked::Leave),
        (Asking::History, Some(room), message) => {
            let page = message.map(|message| page(&message.text)).unwrap_or_default();
            room.name().map(|name| Asked::History(name, page))
        }
        (Asking::Post, room, Some(message)) => message.post(room).map(Asked::Post),
        (Asking::Delete, _, Some(message)) => message.uuid.map(Asked::Delete),
        _ => None,
    };
    Ok(asked)
}

/// The kinds of rooms, by their numbers; the last is none.
pub(super) const KINDS: [&str; 5] = ["GLOBAL", "WORKSPACE", "USER", "NODE", "ANY"];

/// The types of frames, by their numbers.
#[derive(Clone, Copy)]
enum Asking {
    Join,
    Leave,
    Post,
    History,
    Delete,
    Ignored,
}

impl Asking {
    const NAMES: [&'static str; 7] = ["JOIN", "LEAVE", "POST", "ROOM_UPDATE", "HISTORY", "DELETE_MSG", "DELETE_ROOM"];

    fn of(number: usize) -> Asking {
        match number {
            0 => Asking::Join,
            1 => Asking::Leave,
            2 => Asking::Post,
            4 => Asking::History,
            5 => Asking::Delete,
            _ => Asking::Ignored,
        }
    }
}

/// `Room` as it came.
struct RoomFrame {
    /// The key was there, even if it was empty.
    has_uuid: bool,
    uuid: Option<Arc<str>>,
    /// `None`: of any kind.
    kind: Option<Kind>,
    object: Arc<str>,
    label: String,
}

impl RoomFrame {
    fn read(room: &Value) -> Read<RoomFrame> {
        let room = room.as_object().ok_or(Unreadable)?;
        strings(present(room, "Users"))?;
        integer(present(room, "LastUpdated"))?;
        Ok(RoomFrame {
            has_uuid: room.contains_key("Uuid"),
            uuid: filled(text(present(room, "Uuid"))?),
            kind: Kind::ALL.get(enumerated(present(room, "Type"), &KINDS)?).copied(),
            object: text(present(room, "RoomTypeObject"))?.into(),
            label: text(present(room, "RoomLabel"))?.to_owned(),
        })
    }

    /// How the room is named; `None` when it is one of any kind.
    fn name(&self) -> Option<RoomName> {
        let kind = self.kind?;
        Some(match &self.uuid {
            Some(uuid) if self.object.is_empty() => RoomName::Uuid(uuid.clone()),
            _ => RoomName::Key(RoomKey { kind, object: self.object.clone() }),
        })
    }

    fn join(self, room: RoomName) -> Asked {
        let draft = Draft { uuid: self.uuid, label: self.label };
        Asked::Join { room, draft, with_history: self.has_uuid }
    }
}

/// `Message` as it came. Who wrote it and when is not asked of a client.
struct MessageFrame {
    uuid: Option<Arc<str>>,
    room: Option<Arc<str>>,
    text: String,
    info: Map<String, Value>,
}

impl MessageFrame {
    fn read(message: &Value) -> Read<MessageFrame> {
        let message = message.as_object().ok_or(Unreadable)?;
        text(present(message, "Author"))?;
        integer(present(message, "Timestamp"))?;
        if present(message, "Activity").is_some_and(|activity| !activity.is_object()) {
            return Err(Unreadable);
        }
        let info = present(message, "Info").and_then(Value::as_object);
        Ok(MessageFrame {
            uuid: filled(text(present(message, "Uuid"))?),
            room: filled(text(present(message, "RoomUuid"))?),
            text: text(present(message, "Message"))?.to_owned(),
            info: info.filter(|info| info.values().all(Value::is_string)).cloned().unwrap_or_default(),
        })
    }

    fn post(self, room: Option<RoomFrame>) -> Option<Post> {
        let room = self.room.map(RoomName::Uuid).or_else(|| room?.name())?;
        Some(Post { room, edits: self.uuid, text: self.text, info: self.info })
    }
}

/// What a client asks of a history: JSON in a text. What cannot be read is 0.
fn page(text: &str) -> Page {
    let Ok(Value::Object(asked)) = serde_json::from_str(text) else { return Page::default() };
    let number = |name: &str| {
        let (_, value) = asked.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        integer(Some(value)).ok().and_then(|number| usize::try_from(number).ok())
    };
    Page { offset: number("Offset").unwrap_or_default(), limit: number("Limit").unwrap_or_default() }
}

pub(super) fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

pub(super) fn text(value: Option<&Value>) -> Read<&str> {
    value.map_or(Ok(""), |value| value.as_str().ok_or(Unreadable))
}

fn filled(text: &str) -> Option<Arc<str>> {
    Some(text).filter(|text| !text.is_empty()).map(Arc::from)
}

pub(super) fn strings(value: Option<&Value>) -> Read<Vec<String>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let texts = value.as_array().ok_or(Unreadable)?.iter().map(|text| text.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or(Unreadable)
}

pub(super) fn integer(value: Option<&Value>) -> Read<i64> {
    value.map_or(Ok(0), long)
}

/// Which of some names; the first when it is absent.
pub(super) fn enumerated(value: Option<&Value>, names: &[&str]) -> Read<usize> {
    value.map_or(Ok(0), |value| word(names, value))
}
