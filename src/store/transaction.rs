//! Several records read and written as one: all of it is committed, and told in the order it was written, or
//! nothing is.
//!
//! Documents are whole and as they are stored: what a resource hides is in them, and no `id` is put into them.

use crate::document::Document;
use crate::error::Result;
use crate::event::Stamp;
use crate::query::{Query, Row};
use crate::resource::Resource;
use async_trait::async_trait;
use serde_json::Value;

/// What a transaction is begun for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Only to read, all of it from one state. Takes no locks and refuses to write.
    Read,
    Change,
}

/// What others may do with a record that was read, until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Anything.
    No,
    /// Read it, and lock it in the same way.
    Share,
    /// Nothing but read what was there before.
    Change,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The stamp that the last of the events will carry; `None` where nothing was written.
    pub stamp: Stamp,
}

/// Reads and writes that come to be together. Dropped without a commit, nothing has happened.
///
/// Any call may end with `Conflict`: others came between, and the whole transaction is to be done again. After an
/// error it can only be dropped.
#[async_trait]
pub trait Transaction: Send {
    /// One record, with what was written to it here.
    ///
    /// # Errors
    /// `Unreachable` when the database cannot be reached.
    async fn get(&mut self, resource: &Resource, id: &str, lock: Lock) -> Result<Option<Document>>;

    /// The matching records, with what was written here. Others may add some to them before the commit.
    ///
    /// # Errors
    /// As [`Store::query`](crate::store::Store::query).
    async fn find(&mut self, resource: &Resource, query: &Query) -> Result<Vec<Row>>;

    /// A new record.
    ///
    /// # Errors
    /// `Conflict` also when there is one with this id; `Malformed` or `Refused` when the database does not take it.
    async fn insert(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()>;

    /// Makes an existing record this one; what the document leaves out is gone. The same record again is no change.
    ///
    /// # Errors
    /// `Missing` when there is none; otherwise as `insert`.
    async fn update(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()>;

    /// Removes a record.
    ///
    /// # Errors
    /// `Missing` when there is none.
    async fn delete(&mut self, resource: &Resource, id: &str) -> Result<()>;

    /// Lets all of it have happened.
    ///
    /// # Errors
    /// `Conflict` when others came between; nothing has happened then.
    async fn commit(self: Box<Self>) -> Result<Committed>;
}
