//! The rows of rooms and messages: read whatever their columns are called, and written back.

use crate::cells::rows::{Names, Part};
use crate::dialect::cells::chat::{Kind, Message, Room, RoomKey};
use crate::document::Document;
use serde_json::{Map, Value, json};

/// The row of a room.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomRow {
    pub room: Room,
    /// Login → node of the program → when it said so last, in seconds.
    pub presence: Map<String, Value>,
    document: Document,
}

/// The row of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    pub message: Message,
    document: Document,
}

impl RoomRow {
    /// Reads a row; `None`: it is no room of a kind that is known.
    pub fn read(names: &Names, id: &str, row: &Document) -> Option<RoomRow> {
        let fields = names.fields(Part::ChatRooms, id, row)?;
        let key = RoomKey { kind: Kind::of(fields.text("type"))?, object: fields.text("object").into() };
        let mut users: Vec<String> = fields.texts("users").iter().map(|login| login.to_string()).collect();
        users.sort();
        users.dedup();
        let room = Room {
            uuid: fields.key(),
            key,
            label: fields.text("label").to_owned(),
            users,
            last_updated: fields.number("last_updated"),
        };
        Some(RoomRow { room, presence: fields.object("presence"), document: row.clone() })
    }

    /// The row as it is stored.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The stored row with others in it.
    pub fn with(&self, names: &Names, users: &[String], presence: &Map<String, Value>) -> Value {
        let mut row = self.document.value().clone();
        put(&mut row, names.of(Part::ChatRooms, "users"), users.into());
        put(&mut row, names.of(Part::ChatRooms, "presence"), presence.clone().into());
        row
    }
}

/// A new room with one user in it.
pub fn new_room(names: &Names, uuid: &str, key: &RoomKey, label: &str, login: &str, node: &str, now: i64) -> Value {
    let mut row = json!({});
    let columns = [
        ("uuid", uuid.into()),
        ("type", key.kind.name().into()),
        ("object", (*key.object).into()),
        ("users", json!([login])),
        ("presence", json!({login: {node: now}})),
        ("last_updated", 0.into()),
    ];
    let label = (!label.is_empty()).then(|| ("label", label.into()));
    for (column, value) in columns.into_iter().chain(label) {
        put(&mut row, names.of(Part::ChatRooms, column), value);
    }
    row
}

impl MessageRow {
    /// Reads a row; `None` when it is no object.
    pub fn read(names: &Names, id: &str, row: &Document) -> Option<MessageRow> {
        let fields = names.fields(Part::ChatMessages, id, row)?;
        let message = Message {
            uuid: fields.key(),
            room: fields.text("room_uuid").into(),
            text: fields.text("message").to_owned(),
            author: fields.text("author").to_owned(),
            timestamp: fields.number("timestamp"),
            activity: fields.object("activity").into(),
            info: fields.object("info").into_iter().filter(|(_, text)| text.is_string()).collect(),
        };
        Some(MessageRow { message, document: row.clone() })
    }

    /// The row as it is stored.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The stored row with another text and what became of it.
    pub fn with(&self, names: &Names, text: &str, activity: Value) -> Value {
        let mut row = self.document.value().clone();
        put(&mut row, names.of(Part::ChatMessages, "message"), text.into());
        put(&mut row, names.of(Part::ChatMessages, "activity"), activity);
        row
    }
}

/// The place of a message in its room.
pub fn seq_of(names: &Names, id: &str, row: &Document) -> i64 {
    names.fields(Part::ChatMessages, id, row).map(|fields| fields.number("seq")).unwrap_or_default()
}

/// A new message at a place of its room.
pub fn new_message(names: &Names, message: &Message, seq: i64) -> Value {
    let mut row = json!({});
    let columns = [
        ("uuid", (*message.uuid).into()),
        ("room_uuid", (*message.room).into()),
        ("seq", seq.into()),
        ("author", message.author.clone().into()),
        ("timestamp", message.timestamp.into()),
        ("message", message.text.clone().into()),
    ];
    let info = (!message.info.is_empty()).then(|| ("info", message.info.clone().into()));
    for (column, value) in columns.into_iter().chain(info) {
        put(&mut row, names.of(Part::ChatMessages, column), value);
    }
    row
}

/// What became of a message once its text was another one: the last texts are kept.
pub fn edited(activity: &Value, old: &str, updated: &str) -> Value {
    const KEPT: usize = 20;
    let mut fields = activity.as_object().cloned().unwrap_or_default();
    let mut items = fields.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    items.push(json!({"updated": updated, "markdown": old}));
    items.drain(..items.len().saturating_sub(KEPT));
    fields.insert("items".to_owned(), items.into());
    fields.into()
}

fn put(row: &mut Value, column: &str, value: Value) {
    if let Value::Object(fields) = row {
        fields.insert(column.to_owned(), value);
    }
}
