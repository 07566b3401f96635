//! Transactions of the embedded store: what was read is remembered, what is written waits. At the commit the reads
//! are compared with what is there by then, and the writes are one step, with consecutive numbers.

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Offset, Stamp};
use crate::query::{Query, Row};
use crate::resource::Resource;
use crate::store::Write;
use crate::store::embedded::write::outcome;
use crate::store::embedded::{Change, Embedded};
use crate::store::select::select;
use crate::store::transaction::{Committed, Intent, Lock, Transaction};
use async_trait::async_trait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// Reads and writes of the embedded store that come to be together.
///
/// A transaction that changes something has its turn alone, so only plain writes can come between.
pub(super) struct EmbeddedTransaction<'a> {
    store: &'a Embedded,
    intent: Intent,
    /// The guard of its turn, held until the end.
    _turn: Box<dyn Send + 'a>,
    /// The newest write when it began.
    began: Offset,
    seen: BTreeMap<Key, Option<Document>>,
    found: Vec<Found>,
    /// Records as they are to be.
    written: BTreeMap<Key, Option<Document>>,
    changes: Vec<Change>,
}

type Key = (Arc<str>, Arc<str>);

/// What a query found, without what is written here.
struct Found {
    resource: Resource,
    query: Query,
    rows: Vec<Row>,
}

impl<'a> EmbeddedTransaction<'a> {
    pub(super) async fn begin(store: &'a Embedded, intent: Intent) -> Result<EmbeddedTransaction<'a>> {
        let turn: Box<dyn Send + 'a> = match intent {
            Intent::Read => Box::new(store.turns.read().await),
            Intent::Change => Box::new(store.turns.write().await),
        };
        Ok(EmbeddedTransaction {
            store,
            intent,
            _turn: turn,
            began: store.shelf.last()?,
            seen: BTreeMap::new(),
            found: Vec::new(),
            written: BTreeMap::new(),
            changes: Vec::new(),
        })
    }

    fn read(&mut self, resource: &Resource, id: &str) -> Result<Option<Document>> {
        let key = key(resource, id);
        if let Some(document) = self.written.get(&key).or_else(|| self.seen.get(&key)) {
            return Ok(document.clone());
        }
        let (document, _) = self.store.shelf.get(&resource.name, id)?;
        self.seen.insert(key, document.clone());
        Ok(document)
    }

    fn write(&mut self, resource: &Resource, id: &str, before: Option<Document>, write: Write) -> Result<()> {
        if self.intent == Intent::Read {
            return Err(Error::new(Kind::Refused, "this transaction only reads"));
        }
        let after = outcome(resource, id, before.as_ref(), write)?;
        self.written.insert(key(resource, id), after.clone());
        self.changes.extend(Change::between(resource, id, before, after));
        Ok(())
    }

    /// Whether everything that was read is still so.
    fn still_holds(&self) -> Result<bool> {
        for ((resource, id), document) in &self.seen {
            if self.store.shelf.get(resource, id)?.0 != *document {
                return Ok(false);
            }
        }
        for Found { resource, query, rows } in &self.found {
            if self.store.matching(resource, query)?.0 != *rows {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl Transaction for EmbeddedTransaction<'_> {
    async fn get(&mut self, resource: &Resource, id: &str, _lock: Lock) -> Result<Option<Document>> {
        self.read(resource, id)
    }

    async fn find(&mut self, resource: &Resource, query: &Query) -> Result<Vec<Row>> {
        let resource = resource.bare();
        let (rows, _) = self.store.matching(&resource, query)?;
        let mut shown: BTreeMap<Arc<str>, Row> = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
        self.found.push(Found { resource: resource.clone(), query: query.clone(), rows });
        for ((name, id), document) in &self.written {
            if *name == resource.name {
                shown.remove(id);
                shown.extend(document.clone().map(|document| (id.clone(), Row::new(id.clone(), document))));
            }
        }
        select(shown.into_values(), query)
    }

    async fn insert(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()> {
        match self.read(resource, id)? {
            Some(_) => Err(Error::new(Kind::Conflict, "there is such a record already")),
            None => self.write(resource, id, None, Write::Put(document)),
        }
    }

    async fn update(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()> {
        let before = self.read(resource, id)?.ok_or_else(missing)?;
        self.write(resource, id, Some(before), Write::Put(document))
    }

    async fn delete(&mut self, resource: &Resource, id: &str) -> Result<()> {
        let before = self.read(resource, id)?.ok_or_else(missing)?;
        self.write(resource, id, Some(before), Write::Delete)
    }

    async fn commit(self: Box<Self>) -> Result<Committed> {
        if self.changes.is_empty() {
            return Ok(Committed { stamp: Stamp::None });
        }
        let _writing = self.store.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.store.shelf.last()? != self.began && !self.still_holds()? {
            return Err(Error::new(Kind::Conflict, "others have changed what was read"));
        }
        Ok(Committed { stamp: self.store.record(self.changes)? })
    }
}

fn key(resource: &Resource, id: &str) -> Key {
    (resource.name.clone(), id.into())
}

fn missing() -> Error {
    Error::new(Kind::Missing, "there is no such record")
}
