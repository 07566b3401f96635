//! The embedded store in memory.

use crate::document::Document;
use crate::error::Result;
use crate::event::{Offset, Operation, ResourceEvent};
use crate::store::embedded::Shelf;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Documents by collection and id, and changes by their number.
#[derive(Default)]
pub(super) struct MemoryShelf(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    last: Offset,
    collections: HashMap<Arc<str>, BTreeMap<Arc<str>, Document>>,
    changes: BTreeMap<Offset, ResourceEvent>,
}

impl MemoryShelf {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf for MemoryShelf {
    fn last(&self) -> Result<Offset> {
        Ok(self.read().last)
    }

    fn get(&self, collection: &str, id: &str) -> Result<(Option<Document>, Offset)> {
        let inner = self.read();
        let document = inner.collections.get(collection).and_then(|documents| documents.get(id)).cloned();
        Ok((document, inner.last))
    }

    fn each(&self, collection: &str, see: &mut dyn FnMut(&str, Document)) -> Result<Offset> {
        // Taken in one go, so that writers do not wait for whoever looks at the documents.
        let (documents, last) = {
            let inner = self.read();
            let documents = inner.collections.get(collection).into_iter().flatten();
            let documents: Vec<_> = documents.map(|(id, document)| (id.clone(), document.clone())).collect();
            (documents, inner.last)
        };
        documents.into_iter().for_each(|(id, document)| see(&id, document));
        Ok(last)
    }

    fn put(&self, first: Offset, events: &[ResourceEvent]) -> Result<()> {
        let mut inner = self.write();
        for (number, event) in (first..).zip(events) {
            inner.last = number;
            inner.changes.insert(number, event.clone());
            if event.operation != Operation::Appended {
                let documents = inner.collections.entry(event.resource.clone()).or_default();
                match &event.after {
                    Some(document) => documents.insert(event.id.clone(), document.clone()),
                    None => documents.remove(&event.id),
                };
            }
        }
        Ok(())
    }

    fn changes(&self, after: Offset, limit: usize) -> Result<Vec<ResourceEvent>> {
        Ok(self.read().changes.range(after + 1..).take(limit).map(|(_, event)| event.clone()).collect())
    }

    fn forget(&self, upto: Offset) -> Result<()> {
        let mut inner = self.write();
        inner.changes = inner.changes.split_off(&(upto + 1));
        Ok(())
    }
}
