//! What is posted, changed and deleted, and the count of comments that follows from it.

use crate::cells::chat::clerk::{Clerk, TRIES, now, too_often};
use crate::cells::chat::place::{Done, Slice};
use crate::cells::chat::row::{MessageRow, edited, new_message, seq_of};
use crate::cells::rows::Part;
use crate::dialect::cells::chat::{Kind, Message, RoomKey};
use crate::error::{self, Result};
use crate::event::Timestamp;
use crate::query::{Direction, Row};
use crate::store::Write;
use crate::store::transaction::{Intent, Lock};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

const MICROS: i64 = 1000;

impl Clerk {
    /// Stores a new message of a room, behind all that the room has.
    ///
    /// # Errors
    /// As those of the store; `Conflict` when others came between too often.
    pub async fn post(&self, room: &str, author: &str, text: String, info: Map<String, Value>) -> Result<()> {
        let message = Message {
            uuid: Uuid::new_v4().to_string().into(),
            room: room.into(),
            text,
            author: author.to_owned(),
            timestamp: now(),
            activity: Value::Null,
            info,
        };
        for _ in 0..TRIES {
            let stored = match self.messages.store.has_transactions() {
                true => self.insert(&message).await,
                false => self.insert_plainly(&message).await,
            };
            match stored {
                Err(error) if error.kind() == error::Kind::Conflict => {}
                stored => return stored,
            }
        }
        Err(too_often())
    }

    /// Nobody else posts in the room between the look at what it has and the commit.
    async fn insert(&self, message: &Message) -> Result<()> {
        let mut transaction = self.messages.store.begin(Intent::Change).await?;
        if self.rooms.resource.source == self.messages.resource.source {
            transaction.get(&self.rooms.resource, &message.room, Lock::Change).await?;
        }
        let (values, sort, last) = newest(&message.room);
        let rows = transaction.find(&self.messages.resource, &self.messages.query(&values, &sort, last)).await?;
        let row = new_message(&self.names, message, self.next(rows.first()));
        transaction.insert(&self.messages.resource, &message.uuid, row).await?;
        transaction.commit().await.map(drop)
    }

    async fn insert_plainly(&self, message: &Message) -> Result<()> {
        let (values, sort, last) = newest(&message.room);
        let (rows, _) = self.messages.rows(&values, &sort, last).await?;
        let row = new_message(&self.names, message, self.next(rows.first()));
        match self.messages.insert(&message.uuid, row).await? {
            Done::Written(_) => Ok(()),
            Done::Lost => Err(too_often()),
        }
    }

    /// The place behind a message.
    fn next(&self, last: Option<&Row>) -> i64 {
        let last = last.map(|row| seq_of(&self.names, &row.id, &row.document)).unwrap_or_default();
        (Timestamp::now().0 * MICROS).max(last.saturating_add(1))
    }

    /// Gives a message of a room another text, if this is its author.
    ///
    /// # Errors
    /// As those of the store; `Conflict` when others came between too often.
    pub async fn edit(&self, room: &str, uuid: &str, author: &str, text: &str) -> Result<()> {
        for _ in 0..TRIES {
            let Some(row) = self.message(uuid).await? else { return Ok(()) };
            let Message { room: own, author: of, text: old, activity, .. } = &row.message;
            if **own != *room || of != author || old == text {
                return Ok(());
            }
            let activity = edited(activity, old, &seconds_of(now()));
            let write = Write::Put(row.with(&self.names, text, activity));
            if self.messages.change(uuid, row.document(), write).await? != Done::Lost {
                return Ok(());
            }
        }
        Err(too_often())
    }

    /// Deletes a message, if this is its author and it is in one of these rooms; tells in which.
    ///
    /// # Errors
    /// As those of the store; `Conflict` when others came between too often.
    pub async fn delete(
        &self,
        uuid: &str,
        author: &str,
        rooms: &HashMap<Arc<str>, RoomKey>,
    ) -> Result<Option<(Arc<str>, RoomKey)>> {
        for _ in 0..TRIES {
            let Some(row) = self.message(uuid).await? else { return Ok(None) };
            let Some((room, key)) = rooms.get_key_value(&row.message.room) else { return Ok(None) };
            if row.message.author != author {
                return Ok(None);
            }
            if self.messages.change(uuid, row.document(), Write::Delete).await? != Done::Lost {
                return Ok(Some((room.clone(), key.clone())));
            }
        }
        Err(too_often())
    }

    /// Writes to the node that a room is about how many messages the room has, if that is wanted.
    ///
    /// # Errors
    /// As those of the store; `Conflict` when others came between too often.
    pub async fn count(&self, room: &str, key: &RoomKey) -> Result<()> {
        let Some(nodes) = self.nodes.as_ref().filter(|_| self.counts && key.kind == Kind::Node) else {
            return Ok(());
        };
        for _ in 0..TRIES {
            let Some(row) = nodes.row(&key.object).await? else { return Ok(()) };
            // Counted after the node was read: whoever changes the number later does so on another node.
            let (messages, _) = self.messages.rows(&[("room_uuid", room)], &[], Slice::default()).await?;
            let count = if messages.is_empty() { String::new() } else { messages.len().to_string() };
            let Some(fields) = self.names.fields(Part::TreeNodes, &row.id, &row.document) else { return Ok(()) };
            let mut meta = fields.object("meta");
            if meta.insert(COUNT.to_owned(), count.clone().into()).is_some_and(|old| old == *count) {
                return Ok(());
            }
            let write = Write::MergePatch(json!({self.names.of(Part::TreeNodes, "meta"): meta}));
            if nodes.change(&key.object, &row.document, write).await? != Done::Lost {
                return Ok(());
            }
        }
        Err(too_often())
    }

    async fn message(&self, uuid: &str) -> Result<Option<MessageRow>> {
        let row = self.messages.row(uuid).await?;
        Ok(row.and_then(|row| MessageRow::read(&self.names, &row.id, &row.document)))
    }
}

/// Where in a node's metadata the number is.
const COUNT: &str = "has_comments";

type Newest<'a> = ([(&'static str, &'a str); 1], [(&'static str, Direction); 1], Slice);

/// The last message of a room.
fn newest(room: &str) -> Newest<'_> {
    ([("room_uuid", room)], [("seq", Direction::Descending)], Slice { skip: 0, limit: Some(1) })
}

/// RFC 3339 in UTC: `2023-11-14T22:14:00Z`.
fn seconds_of(time: i64) -> String {
    jiff::Timestamp::from_second(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
