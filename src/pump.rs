//! The one way into the log: takes batches from all sources, presents their documents, lets replicas say who may
//! see them, appends them, shows them to the hub, and only then lets the source be acknowledged.
//!
//! Promise: an entry is in the log before anyone sees it.

use crate::catalog::Catalog;
use crate::document::Document;
use crate::event::{Audience, Entry, Mark, Offset, Operation, Reason, ResourceEvent, Timestamp};
use crate::hub::Hub;
use crate::log::{Bookmark, Log};
use crate::metrics::Metrics;
use crate::query::Query;
use crate::replica::{Logged, Replica};
use crate::source::Batch;
use crate::store::Snapshot;
use crate::store::tail::Tail;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Batches that may wait for the pump. Full means the sources wait.
pub const WAITING: usize = 64;

/// How often retention is looked after while changes come, and replicas are told of the time.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// No batch is added to a step that has so many events.
const STEP: usize = 1_000;

/// How often it is told that a replica is still being read.
const STILL_READING: Duration = Duration::from_secs(5);

/// Between two tries to load a replica.
const RELOAD_AFTER: Duration = Duration::from_millis(500);

/// What the pump works with.
pub struct Pump {
    pub catalog: Arc<Catalog>,
    pub log: Arc<dyn Log>,
    pub hub: Arc<Hub>,
    /// The held lines of append-only resources.
    pub tails: HashMap<Arc<str>, Arc<Tail>>,
    /// In the order in which they are shown an event; each is shown what the one before made of it.
    pub replicas: Vec<Box<dyn Replica>>,
    pub metrics: Arc<Metrics>,
    /// Where stores are asked.
    pub runtime: Handle,
    /// What followed from the time alone and the log did not take.
    pub owed: Vec<Logged>,
}

/// What one source has handed over, and is logged at once.
struct Step {
    source: Arc<str>,
    events: Vec<ResourceEvent>,
    place: Option<Vec<u8>>,
    reached: Option<Mark>,
    logged: Vec<oneshot::Sender<Offset>>,
}

impl From<Batch> for Step {
    fn from(batch: Batch) -> Step {
        let Batch { source, events, place, reached, logged } = batch;
        Step { source, events, place, reached, logged: logged.into_iter().collect() }
    }
}

impl Step {
    /// Adds the batch that comes next.
    fn add(&mut self, batch: Batch) {
        self.events.extend(batch.events);
        self.place = batch.place.or(self.place.take());
        self.reached = batch.reached.or(self.reached.take());
        self.logged.extend(batch.logged);
    }
}

impl Pump {
    /// Works until every source has let go of its feed; runs on a thread of its own, for the log may block.
    pub fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        let runtime = self.runtime.clone();
        for index in 0..self.replicas.len() {
            for resource in self.replicas[index].holds() {
                self.load(index, &resource, &batches);
            }
        }
        let mut looked_after = Instant::now();
        loop {
            // With nobody to tell of time, there is nothing to do but wait.
            let wait = if self.replicas.is_empty() { Duration::MAX } else { LOOK_AFTER };
            match runtime.block_on(async { tokio::time::timeout(wait, batches.recv()).await }) {
                Ok(Some(batch)) => self.take_all(batch, &mut batches),
                Ok(None) => return,
                Err(_) => {}
            }
            if looked_after.elapsed() >= LOOK_AFTER {
                looked_after = Instant::now();
                self.tick();
                self.trim();
            }
        }
    }

    /// Loads a replica, however long the store is away; gives up when the program ends.
    fn load(&mut self, index: usize, resource: &Arc<str>, batches: &mpsc::Receiver<Batch>) {
        while !batches.is_closed() {
            let Some(served) = self.catalog.resource(resource) else { return };
            let filter = Arc::new(self.replicas[index].wants(resource));
            let wanted = Query::all(filter);
            let reading = served.store.query(&served.resource, &wanted);
            match self.runtime.block_on(patiently(reading, resource, batches)) {
                None => return,
                Some(Ok(Snapshot { rows, mark })) => return self.replicas[index].load(resource, rows, mark),
                Some(Err(error)) => {
                    tracing::warn!(resource = %resource, error = %error.chain(), "a replica is not loaded")
                }
            }
            std::thread::sleep(RELOAD_AFTER);
        }
    }

    /// What follows from the time alone.
    fn tick(&mut self) {
        let (now, mut events) = (Timestamp::now(), std::mem::take(&mut self.owed));
        self.replicas.iter_mut().for_each(|replica| replica.tick(now, &mut events));
        // Nobody says these a second time, so they are kept until the log takes them.
        if !events.is_empty() && !self.log_all("time", events.clone(), None, None) {
            self.owed = events;
        }
    }

    /// Takes a batch, and in the same step those of its source that wait right behind it: a step costs the log as
    /// much for one change as for many.
    fn take_all(&mut self, first: Batch, batches: &mut mpsc::Receiver<Batch>) {
        let mut next = Some(first);
        while let Some(batch) = next.take() {
            let mut step = Step::from(batch);
            while step.events.len() < STEP {
                match batches.try_recv() {
                    Ok(batch) if batch.source == step.source => step.add(batch),
                    other => {
                        next = other.ok();
                        break;
                    }
                }
            }
            self.take(step, batches);
        }
    }

    fn take(&mut self, step: Step, batches: &mpsc::Receiver<Batch>) {
        // Whatever ended before these events does so in the log.
        self.tick();
        let Step { source, events, place, reached, logged } = step;
        let mut events: Vec<_> = events.into_iter().filter_map(|event| self.present(event)).collect();
        let resets = events.iter().filter(|(event, _)| matches!(event.operation, Operation::Reset(_)));
        let resets: Vec<_> = resets.map(|(event, _)| event.resource.clone()).collect();
        for replica in &mut self.replicas {
            let follows = replica.follows();
            let mut out = Vec::with_capacity(events.len());
            for (event, audience) in events {
                match follows.contains(&event.resource) {
                    true => replica.take(event, audience, &mut out),
                    false => out.push((event, audience)),
                }
            }
            events = out;
        }
        for index in 0..self.replicas.len() {
            let holds = self.replicas[index].holds();
            for resource in resets.iter().filter(|resource| holds.contains(resource)) {
                self.load(index, resource, batches);
            }
        }
        let bookmark = place.map(|place| Bookmark { source: source.clone(), place });
        if self.log_all(&source, events, bookmark, reached.as_ref().map(|mark| (&source, mark))) {
            let last = self.log.last();
            for logged in logged {
                let _ = logged.send(last);
            }
        }
    }

    /// Puts events into the log and shows them to everybody; whether the log took them.
    fn log_all(
        &mut self,
        source: &str,
        events: Vec<Logged>,
        bookmark: Option<Bookmark>,
        reached: Option<(&Arc<str>, &Mark)>,
    ) -> bool {
        let entries = if events.is_empty() && bookmark.is_none() {
            Vec::new()
        } else {
            match self.log.append(events, bookmark) {
                Ok(entries) => entries,
                Err(error) => {
                    // The source is not told, so it begins again where the log ends.
                    tracing::error!(source, error = %error.chain(), "the log did not take a batch");
                    return false;
                }
            }
        };
        for entry in &entries {
            self.count(source, entry);
            if let Some(tail) = self.tails.get(&entry.event.resource) {
                tail.push(entry);
            }
        }
        self.hub.publish(&entries, reached);
        if let Some(last) = entries.last() {
            self.tails.values().for_each(|tail| tail.advance(last.offset));
        }
        let last = self.log.last();
        self.replicas.iter_mut().for_each(|replica| replica.published(&entries, last));
        if let Some((source, mark)) = reached {
            for tail in self.tails_of(source) {
                tail.reach(mark);
            }
            self.replicas.iter_mut().for_each(|replica| replica.reached(source, mark));
        }
        true
    }

    fn tails_of(&self, source: &str) -> impl Iterator<Item = &Arc<Tail>> {
        self.tails.iter().filter_map(move |(name, tail)| {
            self.catalog.resource(name).filter(|served| *served.resource.source == *source).map(|_| tail)
        })
    }

    /// The event as viewers may know it; `None` when nobody serves its resource.
    fn present(&self, mut event: ResourceEvent) -> Option<Logged> {
        let served = self.catalog.resource(&event.resource)?;
        let resource = &served.resource;
        let shown = |document: Document| resource.present_document(&event.id, document);
        let (before, after) = (event.before.take(), event.after.take());
        let (before, after) = (before.map(shown), after.map(shown));
        if event.operation == Operation::Updated && before.is_some() && before == after {
            // What changed is hidden.
            return None;
        }
        (event.before, event.after) = (before, after);
        if served.access.is_limited() && event.lacks_before() {
            // Who saw the record until now is not known, so nobody is told of it by itself.
            return Some((ResourceEvent::reset(event.resource, Reason::Filter), Audience::Everyone));
        }
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

/// What is read, with a word about it now and then while that takes long; `None` when the program ends before.
async fn patiently<T>(reading: impl Future<Output = T>, resource: &str, batches: &mpsc::Receiver<Batch>) -> Option<T> {
    let (mut reading, begin) = (std::pin::pin!(reading), Instant::now());
    let mut spoken = begin;
    loop {
        tokio::select! {
            read = &mut reading => return Some(read),
            () = tokio::time::sleep(RELOAD_AFTER) => {}
        }
        if batches.is_closed() {
            return None;
        }
        if spoken.elapsed() >= STILL_READING {
            spoken = Instant::now();
            let seconds = begin.elapsed().as_secs();
            tracing::info!(resource, seconds, "the rows of a resource are still being read; its events wait");
        }
    }
}
