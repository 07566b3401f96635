//! Follows the embedded store: its records of changes, in the order of the writes.
//!
//! The place is the number of the last write that is in the log, eight bytes, big-endian.

use crate::error::Result;
use crate::event::{Mark, Offset, Reason, ResourceEvent, Stamp};
use crate::source::{End, Feed, Source};
use crate::store::embedded::Embedded;
use async_trait::async_trait;
use std::sync::Arc;

/// So many changes are handed over at once.
const BATCH: usize = 256;

/// The change feed of an embedded store.
pub struct EmbeddedSource {
    store: Arc<Embedded>,
    resources: Vec<Arc<str>>,
}

impl EmbeddedSource {
    /// The source of these resources, which are all that the store serves.
    pub fn new(store: Arc<Embedded>, resources: Vec<Arc<str>>) -> EmbeddedSource {
        EmbeddedSource { store, resources }
    }

    /// One event for each resource: what was known of it comes from another store.
    fn resets(&self) -> Vec<ResourceEvent> {
        self.resources.iter().map(|resource| ResourceEvent::reset(resource.clone(), Reason::Epoch)).collect()
    }
}

#[async_trait]
impl Source for EmbeddedSource {
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        // Without a place everything that is still recorded is new: records are deleted once they are logged.
        let mut after = match place.as_deref().map(|place| <[u8; 8]>::try_from(place).map(Offset::from_be_bytes)) {
            None => 0,
            Some(Ok(after)) if after <= self.store.last()? => after,
            Some(_) => {
                tracing::warn!("the store has fewer writes than were logged: it was replaced; its watchers start over");
                feed.push(self.resets(), bytes(0), None).await?;
                0
            }
        };
        let mut told = None;
        while !feed.health().is_stopping() {
            let last = self.store.last()?;
            let changes = self.store.changes(after, BATCH)?;
            let more = changes.len() == BATCH;
            // Without changes everything up to `last` was logged in an earlier run.
            after = changes.iter().map(number).max().unwrap_or(last);
            if told != Some(after) {
                feed.push(changes, bytes(after), Some(Mark::Offset(after))).await?;
                self.store.forget(after)?;
                told = Some(after);
            }
            if more {
                feed.health().behind();
                continue;
            }
            feed.health().caught_up();
            tokio::select! {
                () = self.store.written() => {}
                () = feed.health().rung() => {}
            }
        }
        Ok(End::Stopped)
    }
}

fn bytes(place: Offset) -> Option<Vec<u8>> {
    Some(place.to_be_bytes().to_vec())
}

fn number(event: &ResourceEvent) -> Offset {
    match event.stamp {
        Stamp::Offset(number) => number,
        _ => unreachable!("the store stamps every change with its number"),
    }
}

#[cfg(test)]
mod tests;
