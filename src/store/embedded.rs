//! The store that Tidings brings along: documents in collections, on the disk or in memory.
//!
//! Every write is one step that leaves the document and a record of the change. The records wait for their
//! source, which deletes them once they are in the log, so that no moment of a crash loses a change.

mod disk;
mod memory;
#[cfg(test)]
mod tests;
mod transaction;
mod write;

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Offset, Operation, ResourceEvent, Stamp, Timestamp};
use crate::filter::{Filter, Test};
use crate::query::Query;
use crate::query::Row;
use crate::resource::Resource;
use crate::store::embedded::disk::DiskShelf;
use crate::store::embedded::memory::MemoryShelf;
use crate::store::embedded::transaction::EmbeddedTransaction;
use crate::store::embedded::write::{check, id_of_line, outcome};
use crate::store::select::select;
use crate::store::transaction::{Intent, Transaction};
use crate::store::{Condition, Snapshot, Store, Write, Written};
use async_trait::async_trait;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, RwLock};

/// Longer ids are refused.
const MAX_ID_BYTES: usize = 1_024;

/// Where documents and records of changes are kept. Every call sees one state; writes come one at a time.
trait Shelf: Send + Sync {
    /// The number of the newest write.
    fn last(&self) -> Result<Offset>;

    /// One document, with the number of the newest write that the answer knows of.
    fn get(&self, collection: &str, id: &str) -> Result<(Option<Document>, Offset)>;

    /// Shows every document of a collection, by id; the number as in `get`.
    fn each(&self, collection: &str, see: &mut dyn FnMut(&str, Document)) -> Result<Offset>;

    /// Leaves the documents that events carry after the change, unless they are lines, and the events, numbered on
    /// from `first`: all of it, or nothing.
    fn put(&self, first: Offset, events: &[ResourceEvent]) -> Result<()>;

    /// The changes after a write, in order, at most so many.
    fn changes(&self, after: Offset, limit: usize) -> Result<Vec<ResourceEvent>>;

    /// Deletes the records of changes up to and including a write.
    fn forget(&self, upto: Offset) -> Result<()>;
}

/// The embedded store.
pub struct Embedded {
    shelf: Box<dyn Shelf>,
    /// Held from reading a document to writing it.
    writing: Mutex<()>,
    /// Transactions that change something come one at a time; those that only read may be many meanwhile none does.
    turns: RwLock<()>,
    written: Notify,
}

impl Embedded {
    /// Opens or creates the store in a directory; without one it is in memory. A collection comes into being
    /// with the first write to it.
    ///
    /// # Errors
    /// `Storage` when another process has it open, or the files cannot be reached; `Malformed` when they are
    /// damaged.
    pub fn open(dir: Option<&Path>) -> Result<Arc<Embedded>> {
        let shelf: Box<dyn Shelf> = match dir {
            Some(dir) => Box::new(DiskShelf::open(dir)?),
            None => Box::new(MemoryShelf::default()),
        };
        Ok(Arc::new(Embedded { shelf, writing: Mutex::new(()), turns: RwLock::new(()), written: Notify::new() }))
    }

    /// The number of the newest write; 0 when there was none.
    ///
    /// # Errors
    /// `Storage` when it cannot be read.
    pub fn last(&self) -> Result<Offset> {
        self.shelf.last()
    }

    /// The changes after a write that are still recorded, in order, at most so many; each has the number of
    /// its write as its stamp.
    ///
    /// # Errors
    /// `Storage` when they cannot be read.
    pub fn changes(&self, after: Offset, limit: usize) -> Result<Vec<ResourceEvent>> {
        self.shelf.changes(after, limit)
    }

    /// Deletes the records of changes up to and including a write.
    ///
    /// # Errors
    /// `Storage` when they cannot be deleted.
    pub fn forget(&self, upto: Offset) -> Result<()> {
        self.shelf.forget(upto)
    }

    /// Completes when something was written since the last call. For one waiter: the source.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Records changes, in order, and leaves what they lead to; tells the stamp of the last one. The caller holds
    /// `writing`.
    fn record(&self, changes: Vec<Change>) -> Result<Stamp> {
        let last = self.shelf.last()?;
        let time = Timestamp::now();
        let numbered = (last + 1..).zip(changes);
        let events: Vec<_> = numbered.map(|(number, change)| change.event(time, Stamp::Offset(number))).collect();
        self.shelf.put(last + 1, &events)?;
        self.written.notify_one();
        Ok(events.last().map_or(Stamp::Offset(last), |event| event.stamp))
    }

    /// The rows that match a query, as they are shown, in no order; with the number of the newest write that is in
    /// them.
    fn matching(&self, resource: &Resource, query: &Query) -> Result<(Vec<Row>, Offset)> {
        let mut rows = Vec::new();
        let mut see = |id: &str, document: Document| {
            let document = resource.present_document(id, document);
            if query.filter.matches(id, document.value()) {
                rows.push(Row::new(id, document));
            }
        };
        let read = match named(&query.filter, resource) {
            Some(id) => {
                let (document, read) = self.shelf.get(&resource.name, &id)?;
                document.into_iter().for_each(|document| see(&id, document));
                read
            }
            None => self.shelf.each(&resource.name, &mut see)?,
        };
        Ok((rows, read))
    }

    fn append(&self, resource: &Resource, id: &str, body: Value, condition: &Condition) -> Result<Written> {
        check(resource, "", None, condition)?;
        let id = if id.is_empty() { id_of_line(&body) } else { id.into() };
        let after = Some(resource.present(&id, body.clone()));
        let (resource, operation) = (resource.name.clone(), Operation::Appended);
        let change = Change { resource, id, operation, before: None, after: Some(Document::new(body)) };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.record(vec![change])?;
        Ok(Written { before: None, after, stamp })
    }

    fn change(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, last) = self.shelf.get(&resource.name, id)?;
        check(resource, id, before.as_ref(), condition)?;
        let after = outcome(resource, id, before.as_ref(), write)?;
        let shown =
            |document: &Option<Document>| document.clone().map(|document| resource.present_document(id, document));
        let (shown_before, shown_after) = (shown(&before), shown(&after));
        let stamp = match Change::between(resource, id, before, after) {
            Some(change) => self.record(vec![change])?,
            None => Stamp::Offset(last),
        };
        Ok(Written { before: shown_before, after: shown_after, stamp })
    }
}

/// What happens to a record.
struct Change {
    resource: Arc<str>,
    id: Arc<str>,
    operation: Operation,
    before: Option<Document>,
    after: Option<Document>,
}

impl Change {
    /// What leads from one version of a record to another; `None` when they are the same.
    fn between(resource: &Resource, id: &str, before: Option<Document>, after: Option<Document>) -> Option<Change> {
        let operation = match (&before, &after) {
            (before, after) if before == after => return None,
            (None, _) => Operation::Created,
            (Some(_), Some(_)) => Operation::Updated,
            (Some(_), None) => Operation::Removed,
        };
        Some(Change { resource: resource.name.clone(), id: id.into(), operation, before, after })
    }

    fn event(self, time: Timestamp, stamp: Stamp) -> ResourceEvent {
        let Change { resource, id, operation, before, after } = self;
        ResourceEvent { resource, id, operation, before, after, time, stamp }
    }
}

#[async_trait]
impl Store for Embedded {
    async fn query(&self, resource: &Resource, query: &Query) -> Result<Snapshot> {
        let (rows, read) = self.matching(resource, query)?;
        Ok(Snapshot { rows: select(rows.into_iter(), query)?, mark: Mark::Offset(read) })
    }

    async fn mark(&self) -> Result<Mark> {
        self.last().map(Mark::Offset)
    }

    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        match (write, resource.append_only) {
            (Write::Append(body), true) => self.append(resource, id, body, condition),
            (Write::Append(_), false) => Err(refused(resource, "takes no lines")),
            (_, true) => Err(refused(resource, "takes lines only, and they are never changed")),
            (write, false) => self.change(resource, id, write, condition),
        }
    }

    fn has_transactions(&self) -> bool {
        true
    }

    async fn begin<'a>(&'a self, intent: Intent) -> Result<Box<dyn Transaction + 'a>> {
        Ok(Box::new(EmbeddedTransaction::begin(self, intent).await?))
    }
}

fn refused(resource: &Resource, why: &str) -> Error {
    Error::new(Kind::Refused, format!("{} {why}", resource.name))
}

/// The only id that a matching row can have, where the filter is about the key.
///
/// The `id` of a filter is compared with the document's `id` as well, so this holds only where that is the key.
fn named(filter: &Filter, resource: &Resource) -> Option<String> {
    let [key] = &*resource.key else { return None };
    match filter {
        Filter::And(all) => all.iter().find_map(|filter| named(filter, resource)),
        Filter::Field { path, test: Test::Equal(Value::String(text)) } if *path.0 == [key.clone()] => {
            Some(text.clone())
        }
        Filter::Field { path, test: Test::Equal(Value::Number(number)) }
            if *path.0 == [key.clone()] && &**key == "id" && !number.is_f64() =>
        {
            Some(number.to_string())
        }
        _ => None,
    }
}
