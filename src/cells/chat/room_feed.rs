//! What the feed shows of rooms and messages, and what is told of it.

use crate::cells::chat::attachment::{About, Live};
use crate::cells::chat::row::{MessageRow, RoomRow};
use crate::cells::chat::{Chat, Told, ToldBy};
use crate::cells::rows::Part;
use crate::dialect::cells::chat::{
    Message, Published, Room, RoomKey, bare_message, message_deleted, published, room_update,
};
use crate::document::Document;
use crate::event::{Entry, Operation, ResourceEvent, Stamp};
use crate::frame;
use crate::query::Row;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

impl Chat {
    /// All rows of a part. Of rooms that are others than before, everybody in them is told.
    pub fn rows(&mut self, part: Part, rows: &[Row]) -> Told {
        let mut told = Told::default();
        if part != Part::ChatRooms {
            return told;
        }
        let names = self.shared.names();
        let read = rows.iter().filter_map(|row| RoomRow::read(names, &row.id, &row.document));
        let now: HashMap<Arc<str>, RoomRow> = read.map(|row| (row.room.uuid.clone(), row)).collect();
        let before = std::mem::replace(&mut self.shared.state().rooms, now.clone());
        for row in before.values() {
            match now.get(&row.room.uuid) {
                None => self.room_removed(row.clone(), &mut told),
                Some(after) if differs(Some(row), after) => self.room_told(after, Stamp::None, &mut told),
                Some(_) => {}
            }
        }
        if self.swept.is_none() {
            self.sweep();
        }
        told
    }

    /// What was logged of a part. `is_known`: the rows that were shown last have it already.
    pub fn entry(&mut self, part: Part, entry: &Entry, is_known: bool) -> Told {
        let mut told = Told::default();
        match part {
            Part::ChatRooms => self.room(&entry.event, is_known, &mut told),
            Part::ChatMessages if self.settings.told_by == ToldBy::Rows => self.message(&entry.event, &mut told),
            _ => {}
        }
        told
    }

    /// An event that somebody sent of the chat; `None` when it cannot be read.
    pub fn event(&mut self, event: &Value) -> Option<Told> {
        let mut told = Told::default();
        match published(event)? {
            Published::Room(room) => self.tell_room(room, Stamp::None, &mut told),
            Published::Message(message) => self.tell_message(&message, bare_message, Stamp::None, &mut told),
            Published::Deleted(message) => self.tell_message(&message, message_deleted, Stamp::None, &mut told),
            Published::Nothing => {}
        }
        Some(told)
    }

    fn room(&mut self, event: &ResourceEvent, is_known: bool, told: &mut Told) {
        let names = self.shared.clerk.names.clone();
        let read = |row: &Option<Document>| RoomRow::read(&names, &event.id, row.as_ref()?);
        match event.operation {
            Operation::Created | Operation::Updated | Operation::Appended => {
                let Some(after) = read(&event.after) else { return };
                let known = if is_known {
                    None
                } else {
                    self.shared.state().rooms.insert(after.room.uuid.clone(), after.clone())
                };
                let before = read(&event.before).or(known).filter(|_| event.operation == Operation::Updated);
                if differs(before.as_ref(), &after) {
                    self.room_told(&after, event.stamp, told);
                }
            }
            Operation::Removed => {
                let known = if is_known { None } else { self.shared.state().rooms.remove(&*event.id) };
                if let Some(before) = read(&event.before).or(known) {
                    self.room_removed(before, told);
                }
            }
            // The rows follow.
            Operation::Reset(_) => {}
        }
    }

    fn room_told(&mut self, row: &RoomRow, stamp: Stamp, told: &mut Told) {
        if self.settings.told_by == ToldBy::Rows {
            self.tell_room(row.room.clone(), stamp, told);
        }
    }

    fn room_removed(&mut self, row: RoomRow, told: &mut Told) {
        let out = self.shared.state().dissolve(&row.room.uuid, &row.room.key);
        if self.settings.told_by == ToldBy::Rows {
            let frame = frame::text(room_update(&Room { users: Vec::new(), ..row.room }).as_bytes());
            told.frames.extend(out.into_iter().map(|seat| (seat, frame.clone())));
        }
    }

    fn message(&mut self, event: &ResourceEvent, told: &mut Told) {
        let names = self.shared.clerk.names.clone();
        let read = |row: &Option<Document>| MessageRow::read(&names, &event.id, row.as_ref()?);
        let (before, after) = (read(&event.before), read(&event.after));
        match (event.operation, before, after) {
            (Operation::Updated, Some(before), Some(after)) if before.message == after.message => {}
            (Operation::Created | Operation::Updated | Operation::Appended, _, Some(after)) => {
                self.tell_message(&after.message, bare_message, event.stamp, told);
            }
            (Operation::Removed, Some(before), _) => {
                self.tell_message(&before.message, message_deleted, event.stamp, told);
            }
            _ => {}
        }
    }

    fn tell_room(&mut self, room: Room, stamp: Stamp, told: &mut Told) {
        let mut state = self.shared.state();
        if !state.is_followed(&room.key) {
            return;
        }
        let frame = frame::text(room_update(&room).as_bytes());
        let (uuid, key) = (room.uuid.clone(), room.key.clone());
        state.tell(&uuid, &key, &Live { about: About::Room(Arc::new(room)), stamp, frame }, told);
    }

    fn tell_message(&mut self, message: &Message, write: fn(&Message) -> String, stamp: Stamp, told: &mut Told) {
        let mut state = self.shared.state();
        let key: Option<RoomKey> = state.key_of(&message.room).filter(|key| state.is_followed(key));
        let Some(key) = key else { return };
        let frame = frame::text(write(message).as_bytes());
        state.tell(&message.room, &key, &Live { about: About::Message(message.uuid.clone()), stamp, frame }, told);
    }
}

/// Whether a room looks different to clients, but for when it changed.
fn differs(before: Option<&RoomRow>, after: &RoomRow) -> bool {
    let Some(before) = before else { return true };
    Room { last_updated: after.room.last_updated, ..before.room.clone() } != after.room
}
