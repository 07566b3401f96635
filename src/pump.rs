//! The one way into the log: takes batches from all sources, presents their documents, appends them, shows
//! them to the hub, and only then lets the source be acknowledged.
//!
//! Promise: an entry is in the log before anyone sees it.

use crate::catalog::Catalog;
use crate::document::Document;
use crate::event::{Audience, Entry, Operation, ResourceEvent};
use crate::hub::Hub;
use crate::log::{Bookmark, Log};
use crate::metrics::Metrics;
use crate::source::Batch;
use crate::store::tail::Tail;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Batches that may wait for the pump. Full means the sources wait.
pub const WAITING: usize = 64;

/// How often retention is looked after while changes come.
const TRIM_EVERY: Duration = Duration::from_secs(1);

/// What the pump works with.
pub struct Pump {
    pub catalog: Arc<Catalog>,
    pub log: Arc<dyn Log>,
    pub hub: Arc<Hub>,
    /// The held lines of append-only resources.
    pub tails: HashMap<Arc<str>, Arc<Tail>>,
    pub metrics: Arc<Metrics>,
}

impl Pump {
    /// Works until every source has let go of its feed; runs on a thread of its own, for the log may block.
    pub fn run(self, mut batches: mpsc::Receiver<Batch>) {
        let mut trimmed = Instant::now();
        while let Some(batch) = batches.blocking_recv() {
            self.take(batch);
            if trimmed.elapsed() >= TRIM_EVERY {
                trimmed = Instant::now();
                self.trim();
            }
        }
    }

    fn take(&self, batch: Batch) {
        let Batch { source, events, place, reached, logged } = batch;
        let events: Vec<_> = events.into_iter().filter_map(|event| self.present(event)).collect();
        let bookmark = place.map(|place| Bookmark { source: source.clone(), place });
        let entries = if events.is_empty() && bookmark.is_none() {
            Vec::new()
        } else {
            match self.log.append(events, bookmark) {
                Ok(entries) => entries,
                Err(error) => {
                    // The source is not told, so it begins again where the log ends.
                    return tracing::error!(source = %source, error = %error.chain(), "the log did not take a batch");
                }
            }
        };
        for entry in &entries {
            self.count(&source, entry);
            if let Some(tail) = self.tails.get(&entry.event.resource) {
                tail.push(entry);
            }
        }
        self.hub.publish(&entries, reached.as_ref().map(|mark| (&source, mark)));
        if let Some(last) = entries.last() {
            self.tails.values().for_each(|tail| tail.advance(last.offset));
        }
        if let Some(mark) = &reached {
            for tail in self.tails_of(&source) {
                tail.reach(mark);
            }
        }
        if let Some(logged) = logged {
            let _ = logged.send(self.log.last());
        }
    }

    fn tails_of(&self, source: &str) -> impl Iterator<Item = &Arc<Tail>> {
        self.tails.iter().filter_map(move |(name, tail)| {
            self.catalog.resource(name).filter(|served| *served.resource.source == *source).map(|_| tail)
        })
    }

    /// The event as viewers may know it; `None` when nobody serves its resource.
    fn present(&self, mut event: ResourceEvent) -> Option<(ResourceEvent, Audience)> {
        let served = self.catalog.resource(&event.resource)?;
        let resource = &served.resource;
        let shown = |document: Document| resource.present(&event.id, document.into_value());
        let (before, after) = (event.before.take(), event.after.take());
        let (before, after) = (before.map(shown), after.map(shown));
        if event.operation == Operation::Updated && before.is_some() && before == after {
            // What changed is hidden.
            return None;
        }
        (event.before, event.after) = (before, after);
        Some((event, Audience::Everyone))
    }

    fn count(&self, source: &str, entry: &Entry) {
        let operation = match entry.event.operation {
            Operation::Created => "created",
            Operation::Updated => "updated",
            Operation::Removed => "removed",
            Operation::Appended => "appended",
            Operation::Reset(_) => "reset",
        };
        self.metrics.entries(source, operation).inc();
    }

    fn trim(&self) {
        if let Err(error) = self.log.trim() {
            tracing::error!(error = %error.chain(), "the log could not let go of old entries");
        }
    }
}
