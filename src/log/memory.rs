//! The log in memory: a ring that begins anew, with another epoch, at every start.

use crate::error::Result;
use crate::event::{Audience, Entry, Offset, ResourceEvent, Timestamp};
use crate::log::marks::Marks;
use crate::log::number::{new_epoch, number};
use crate::log::ring::{Ring, weight};
use crate::log::{Bookmark, Log, Retention, Stretch};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A log that is gone when the process ends.
pub struct MemoryLog {
    epoch: Arc<str>,
    retention: Retention,
    inner: RwLock<Inner>,
}

struct Inner {
    ring: Ring,
    marks: Marks,
    bookmarks: HashMap<Arc<str>, Vec<u8>>,
}

impl MemoryLog {
    /// An empty log. What retention no longer asks for is let go with every append, so it stays bounded.
    pub fn new(retention: Retention) -> MemoryLog {
        let inner = Inner { ring: Ring::after(0), marks: Marks::default(), bookmarks: HashMap::new() };
        MemoryLog { epoch: new_epoch(), retention, inner: RwLock::new(inner) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn trim(&mut self, retention: &Retention) {
        let floor = self.marks.floor(retention, Timestamp::now());
        self.ring.drop_upto(floor);
        self.marks.cut(floor);
    }
}

impl Log for MemoryLog {
    fn epoch(&self) -> Arc<str> {
        self.epoch.clone()
    }

    fn last(&self) -> Offset {
        self.read().ring.last()
    }

    fn floor(&self) -> Offset {
        self.read().ring.floor()
    }

    fn append(&self, events: Vec<(ResourceEvent, Audience)>, bookmark: Option<Bookmark>) -> Result<Vec<Arc<Entry>>> {
        let mut inner = self.write();
        let entries = number(&self.epoch, inner.ring.last(), events);
        let mut bytes = 0;
        for entry in &entries {
            let size = weight(&entry.event);
            bytes += size;
            inner.ring.push(entry.clone(), size);
        }
        let (next, keep) = inner.marks.next(entries.len() as u64, bytes, Timestamp::now());
        inner.marks.advance(next, keep);
        if let Some(Bookmark { source, place }) = bookmark {
            inner.bookmarks.insert(source, place);
        }
        inner.trim(&self.retention);
        Ok(entries)
    }

    fn between(&self, after: Offset, upto: Offset, bytes: usize) -> Result<Stretch> {
        Ok(self.read().ring.between(after, upto, bytes))
    }

    fn bookmark(&self, source: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read().bookmarks.get(source).cloned())
    }

    fn trim(&self) -> Result<()> {
        self.write().trim(&self.retention);
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let inner = self.read();
        inner.marks.bytes(inner.ring.floor())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}
