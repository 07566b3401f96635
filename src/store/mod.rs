//! Reading and writing the records of a resource where they live.

pub mod embedded;
pub mod feed;
pub mod gather;
pub mod mongodb;
pub mod postgres;
pub mod select;
pub mod tail;
pub mod transaction;

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Stamp};
use crate::query::{Query, Row};
use crate::resource::Resource;
use crate::store::transaction::{Intent, Transaction};
use async_trait::async_trait;
use serde_json::Value;

/// The rows of one snapshot, with what that snapshot contains.
#[derive(Debug)]
pub struct Snapshot {
    pub rows: Vec<Row>,
    pub mark: Mark,
}

/// How a record is to be changed.
#[derive(Debug, Clone)]
pub enum Write {
    /// The whole record; it is created if there is none.
    Put(Value),
    /// RFC 6902.
    JsonPatch(Value),
    /// RFC 7396.
    MergePatch(Value),
    Delete,
    /// A line more, on an append-only resource; an empty id lets the log choose.
    Append(Value),
}

/// What a write requires of the record before it, from `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    None,
    /// The record exists (`If-Match: *`).
    Exists,
    /// The record does not exist (`If-None-Match: *`).
    Absent,
    /// The record's tag is one of these.
    Tag(Vec<String>),
}

impl Condition {
    /// Whether the record is as it should be; `None`: there is none.
    pub fn holds(&self, before: Option<&Document>) -> bool {
        match self {
            Condition::None => true,
            Condition::Exists => before.is_some(),
            Condition::Absent => before.is_none(),
            Condition::Tag(tags) => before.is_some_and(|document| tags.contains(&tag(document))),
        }
    }
}

/// What a write did.
#[derive(Debug, Clone)]
pub struct Written {
    /// The record before and after; equal when nothing changed.
    pub before: Option<Document>,
    pub after: Option<Document>,
    /// The stamp that the change's event will carry.
    pub stamp: Stamp,
}

/// The records of the resources of one source.
#[async_trait]
pub trait Store: Send + Sync {
    /// The matching rows at one snapshot, and the mark of that snapshot.
    ///
    /// # Errors
    /// `TooMany` past `max_items`; `Unreachable` when the database cannot be reached now.
    async fn query(&self, resource: &Resource, query: &Query) -> Result<Snapshot>;

    /// A mark that contains everything that was committed before the call, for barriers.
    async fn mark(&self) -> Result<Mark>;

    /// Changes one record and tells what was there before; the change itself arrives by the source.
    ///
    /// # Errors
    /// `Missing` when a patch or a delete finds no record, `Conflict` when the condition does not hold,
    /// `Refused` when the store does not take writes or the database refuses this one, `Malformed` when a
    /// patch does not apply.
    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written>;

    /// Whether it has transactions.
    fn has_transactions(&self) -> bool {
        false
    }

    /// Begins a transaction over any of the resources of this source.
    ///
    /// # Errors
    /// `Refused` when the store has none; `Unreachable` when the database cannot be reached now.
    async fn begin<'a>(&'a self, _intent: Intent) -> Result<Box<dyn Transaction + 'a>> {
        Err(Error::new(Kind::Refused, "this source has no transactions"))
    }
}

/// The entity tag of a record: a hash of its text, quoted, the same in every process.
pub fn tag(document: &Document) -> String {
    use sha1::{Digest, Sha1};
    let hash = Sha1::digest(document.text().as_bytes());
    let hex: String = hash.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
