//! Reads and writes the rows of the chat. Rows are compared before they are replaced, so several nodes can do it at
//! once; on this node one room is changed by one at a time.

use crate::cells::chat::column::{Look, Present};
use crate::cells::chat::place::{Done, Place, Slice};
use crate::cells::chat::row::{MessageRow, RoomRow, new_room};
use crate::cells::rows::{Names, Part};
use crate::dialect::cells::chat::{Draft, Page, RoomKey};
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Timestamp};
use crate::query::{Direction, Row};
use crate::store::Write;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// So often something is tried while others change the same row.
pub const TRIES: usize = 5;

/// A client's own uuid for a room has at most so many bytes.
const MAX_UUID_BYTES: usize = 64;

/// The rows of the chat.
pub struct Clerk {
    pub names: Arc<Names>,
    pub rooms: Place,
    pub messages: Place,
    /// `None`: nobody knows where a node is.
    pub nodes: Option<Place>,
    /// The nodes have a count of the comments on them.
    pub counts: bool,
    /// This node of the program.
    pub node: Arc<str>,
    pub history_max: usize,
    locks: Locks,
}

type Locks = Mutex<HashMap<RoomKey, Weak<tokio::sync::Mutex<()>>>>;

/// A room that somebody came into.
pub struct Room {
    pub row: RoomRow,
    /// The state in which it was read; `None` when it was written.
    pub mark: Option<Mark>,
    /// What was written is told by the feed.
    pub is_told: bool,
}

/// What a room's history has.
pub struct History {
    /// The oldest first.
    pub messages: Vec<MessageRow>,
    pub mark: Mark,
}

impl Clerk {
    /// Works with these rows.
    pub fn new(names: Arc<Names>, rooms: Place, messages: Place, node: Arc<str>, history_max: usize) -> Clerk {
        Clerk { names, rooms, messages, nodes: None, counts: false, node, history_max, locks: Mutex::default() }
    }

    /// The same, with nodes in rows; `counts`: and a count of comments is kept in them.
    pub fn with_nodes(self, nodes: Place, counts: bool) -> Clerk {
        Clerk { nodes: Some(nodes), counts, ..self }
    }

    /// Where a node is.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn path(&self, node: &str) -> Result<Option<String>> {
        let Some(nodes) = &self.nodes else { return Ok(None) };
        let row = nodes.row(node).await?;
        let path = row.as_ref().and_then(|row| self.names.fields(Part::TreeNodes, &row.id, &row.document));
        Ok(path.map(|fields| fields.text("path").trim_matches('/').to_owned()))
    }

    /// The room that is about this, and the state in which it was read.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn room(&self, key: &RoomKey) -> Result<Option<(RoomRow, Mark)>> {
        let values = [("type", key.kind.name()), ("object", &*key.object)];
        let one = Slice { skip: 0, limit: Some(1) };
        let (rows, mark) = self.rooms.rows(&values, &[("uuid", Direction::Ascending)], one).await?;
        let row = rows.first().and_then(|row| RoomRow::read(&self.names, &row.id, &row.document));
        Ok(row.map(|row| (row, mark)))
    }

    /// Lets a login be seen in a room, or not, as `has` says by then. Where there is none it is made by the draft;
    /// without a draft there is none then.
    ///
    /// # Errors
    /// As those of the store; `Conflict` when others came between too often.
    pub async fn settle(
        &self,
        key: &RoomKey,
        about: Option<&str>,
        draft: Option<&Draft>,
        has: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Option<Room>> {
        let _turn = self.turn(key).await;
        for attempt in 0..TRIES {
            let done = match self.room(key).await? {
                Some((row, mark)) => match self.settled(&row, about, has) {
                    None => return Ok(Some(Room { row, mark: Some(mark), is_told: false })),
                    Some(after) => {
                        let is_told = after.users != row.room.users;
                        let write = Write::Put(row.with(&self.names, &after.users, &after.presence));
                        (self.rooms.change(&row.room.uuid, row.document(), write).await?, row.room.uuid, is_told)
                    }
                },
                None => {
                    let (Some(draft), Some(login)) = (draft, about.filter(|login| has(login))) else { return Ok(None) };
                    let uuid = uuid_of(key, draft, attempt);
                    let row = new_room(&self.names, &uuid, key, &draft.label, login, &self.node, now());
                    (self.make(&uuid, row).await?, uuid, true)
                }
            };
            if let (Done::Written(document), uuid, is_told) = done
                && let Some(row) = RoomRow::read(&self.names, &uuid, &document)
            {
                return Ok(Some(Room { row, mark: None, is_told }));
            }
        }
        Err(too_often())
    }

    /// A part of the history of a room.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn history(&self, room: &str, page: Page) -> Result<History> {
        let limit = if page.limit == 0 { self.history_max } else { page.limit.min(self.history_max) };
        let sort = [("seq", Direction::Descending), ("uuid", Direction::Descending)];
        let part = Slice { skip: page.offset, limit: Some(limit) };
        let (rows, mark) = self.messages.rows(&[("room_uuid", room)], &sort, part).await?;
        let read = |row: &Row| MessageRow::read(&self.names, &row.id, &row.document);
        Ok(History { messages: rows.iter().rev().filter_map(read).collect(), mark })
    }

    /// Who is in the room by now; `None` when that is what is there.
    pub fn settled(&self, row: &RoomRow, about: Option<&str>, has: &dyn Fn(&str) -> bool) -> Option<Present> {
        let before = Present { users: row.room.users.clone(), presence: row.presence.clone() };
        Look { node: &self.node, now: now(), about, has }.settle(&before)
    }

    /// A room that is about what another one is about is not made; that one is found at the next look.
    async fn make(&self, uuid: &str, row: serde_json::Value) -> Result<Done> {
        match self.rooms.insert(uuid, row).await {
            Err(error) if error.kind() == Kind::Refused => {
                tracing::debug!(error = %error.chain(), "a room was not made");
                Ok(Done::Lost)
            }
            done => done,
        }
    }

    /// The only one on this node who changes a room.
    pub async fn turn(&self, key: &RoomKey) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let known = locks.get(key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let lock = Arc::default();
                locks.insert(key.clone(), Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

/// The uuid of a new room: the client's own at the first try, if it can be one.
fn uuid_of(key: &RoomKey, draft: &Draft, attempt: usize) -> Arc<str> {
    let own = draft.uuid.as_ref().filter(|uuid| attempt == 0 && uuid.len() <= MAX_UUID_BYTES);
    own.cloned().unwrap_or_else(|| key.uuid().into())
}

/// Seconds since 1970.
pub fn now() -> i64 {
    Timestamp::now().0 / 1000
}

/// Others changed the same row again and again.
pub fn too_often() -> Error {
    Error::new(Kind::Conflict, format!("others changed the same row {TRIES} times"))
}
