//! The embedded store on the disk.
//!
//! ```text
//! documents   length of the collection's name u16 · name · id     JSON text
//! changes     number u64                                          the event (`record`)
//! changes     "last"                                              number u64
//! ```
//! Numbers are big-endian, so that they sort.

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Audience, Offset, Operation, ResourceEvent};
use crate::pairs;
use crate::record;
use crate::store::embedded::{MAX_ID_BYTES, Shelf};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sorts behind every number: "l" is greater than the first byte of any number that is ever reached.
const LAST: &str = "last";

/// Documents and changes in the embedded database.
pub(super) struct DiskShelf {
    database: Database,
    documents: Keyspace,
    changes: Keyspace,
    /// Changes up to this one are deleted; a scan over what is left of them would be slow.
    forgotten: AtomicU64,
}

impl DiskShelf {
    pub(super) fn open(dir: &Path) -> Result<DiskShelf> {
        let database = pairs::open(dir)?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default).map_err(failed("open the store"));
        let (documents, changes) = (keyspace("documents")?, keyspace("changes")?);
        Ok(DiskShelf { database, documents, changes, forgotten: AtomicU64::new(0) })
    }

    fn last_in(&self, snapshot: &Snapshot) -> Result<Offset> {
        let last = snapshot.get(&self.changes, LAST).map_err(failed("read the store"))?;
        last.map_or(Ok(0), |bytes| number(&bytes).ok_or_else(damaged))
    }
}

impl Shelf for DiskShelf {
    fn last(&self) -> Result<Offset> {
        self.last_in(&self.database.snapshot())
    }

    fn get(&self, collection: &str, id: &str) -> Result<(Option<Document>, Offset)> {
        let snapshot = self.database.snapshot();
        // The database does not even look for keys that are too long; it panics.
        let text = match id.len() {
            0..=MAX_ID_BYTES => snapshot.get(&self.documents, key(collection, id)).map_err(failed("read the store"))?,
            _ => None,
        };
        Ok((text.map(|text| document(&text)).transpose()?, self.last_in(&snapshot)?))
    }

    fn each(&self, collection: &str, see: &mut dyn FnMut(&str, Document)) -> Result<Offset> {
        let snapshot = self.database.snapshot();
        let prefix = key(collection, "");
        for pair in snapshot.prefix(&self.documents, &prefix) {
            let (key, text) = pair.into_inner().map_err(failed("read the store"))?;
            let id = key.get(prefix.len()..).and_then(|id| std::str::from_utf8(id).ok()).ok_or_else(damaged)?;
            see(id, document(&text)?);
        }
        self.last_in(&snapshot)
    }

    fn put(&self, first: Offset, events: &[ResourceEvent]) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        for (number, event) in (first..).zip(events) {
            if event.operation != Operation::Appended {
                let key = key(&event.resource, &event.id);
                match &event.after {
                    Some(document) => batch.insert(&self.documents, key, document.text().as_bytes()),
                    None => batch.remove(&self.documents, key),
                }
            }
            batch.insert(&self.changes, number.to_be_bytes(), record::encode(event, &Audience::Everyone));
            batch.insert(&self.changes, LAST, number.to_be_bytes());
        }
        batch.commit().map_err(failed("write to the store"))
    }

    fn changes(&self, after: Offset, limit: usize) -> Result<Vec<ResourceEvent>> {
        let recorded = self.changes.range((after + 1).to_be_bytes()..Offset::MAX.to_be_bytes());
        let mut changes = Vec::new();
        for pair in recorded {
            let (key, bytes) = pair.into_inner().map_err(failed("read the changes"))?;
            if changes.len() == limit || number(&key).is_none() {
                break;
            }
            changes.push(record::decode(&bytes)?.0);
        }
        Ok(changes)
    }

    fn forget(&self, upto: Offset) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        let forgotten = self.forgotten.load(Ordering::Acquire);
        if upto <= forgotten {
            return Ok(());
        }
        for pair in self.changes.range((forgotten + 1).to_be_bytes()..=upto.to_be_bytes()) {
            batch.remove(&self.changes, pair.key().map_err(failed("read the changes"))?);
        }
        batch.commit().map_err(failed("delete changes"))?;
        self.forgotten.fetch_max(upto, Ordering::AcqRel);
        Ok(())
    }
}

fn key(collection: &str, id: &str) -> Vec<u8> {
    let length = u16::try_from(collection.len()).expect("the name of a resource is shorter than 64 KiB");
    [&length.to_be_bytes()[..], collection.as_bytes(), id.as_bytes()].concat()
}

fn number(bytes: &[u8]) -> Option<Offset> {
    bytes.try_into().ok().map(Offset::from_be_bytes)
}

fn document(text: &[u8]) -> Result<Document> {
    serde_json::from_slice(text).map(Document::new).map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::new(Kind::Storage, "the store holds something that it cannot have written")
}

fn failed(what: &'static str) -> impl Fn(fjall::Error) -> Error {
    move |cause| Error::because(Kind::Storage, format!("cannot {what}"), cause)
}
