//! A running change stream source whose log is the test.

use crate::mongodb::Mongo;
use mongodb::Database;
use mongodb::bson::{RawDocumentBuf, doc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::error::Result;
use tidings::event::{Mark, Operation, ResourceEvent};
use tidings::mongodb::address::Address;
use tidings::source::mongodb::{MongoSource, Settings};
use tidings::source::{Batch, End, Feed, Health, Source, State};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What was handed over, and the newest place and mark that came with it.
#[derive(Default)]
pub struct Kept {
    pub events: Vec<ResourceEvent>,
    pub place: Option<Vec<u8>>,
    pub reached: Option<Mark>,
}

/// A run, and what it hands over.
pub struct Follower {
    pub kept: Arc<Mutex<Kept>>,
    health: Arc<Health>,
    run: JoinHandle<Result<End>>,
    log: JoinHandle<()>,
}

impl Follower {
    /// Follows from now on.
    pub async fn start(mongo: &Mongo, settings: Settings) -> Follower {
        let follower = Follower::resume(&mongo.url(), settings, Arc::default());
        follower.until_live().await;
        follower
    }

    /// Goes on from the place that was kept.
    pub fn resume(url: &str, settings: Settings, kept: Arc<Mutex<Kept>>) -> Follower {
        let health = Arc::new(Health::default());
        let (sender, mut batches) = mpsc::channel::<Batch>(1);
        let feed = Feed::new("mongo".into(), sender, health.clone(), Arc::default());
        let source = MongoSource::new(Address::parse(url).unwrap(), settings);
        let place = kept.lock().unwrap().place.clone();
        let shared = kept.clone();
        let log = tokio::spawn(async move {
            while let Some(batch) = batches.recv().await {
                let mut kept = shared.lock().unwrap();
                kept.events.extend(batch.events);
                kept.place = batch.place.or(kept.place.take());
                kept.reached = batch.reached.or(kept.reached.take());
                let offset = kept.events.len() as u64;
                if let Some(logged) = batch.logged {
                    let _ = logged.send(offset);
                }
            }
        });
        let run = tokio::spawn(async move { source.run(place, &feed).await });
        Follower { kept, health, run, log }
    }

    /// Waits until something holds of the events.
    pub async fn until(&self, what: &str, holds: impl Fn(&[ResourceEvent]) -> bool) {
        self.wait(what, || holds(&self.kept.lock().unwrap().events)).await;
    }

    /// Waits until everything contained in a mark has been handed over.
    pub async fn until_reached(&self, mark: &Mark) {
        let reached = || self.kept.lock().unwrap().reached.as_ref().is_some_and(|reached| reached.covers(mark));
        self.wait("the mark", reached).await;
    }

    /// Waits until it is connected, has read everything, and has a place.
    pub async fn until_live(&self) {
        let is_live = || matches!(self.health.state(), State::Live { .. }) && self.kept.lock().unwrap().place.is_some();
        self.wait("the start", is_live).await;
    }

    async fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            let told = || words(&self.kept.lock().unwrap().events).into_iter().rev().take(20).collect::<Vec<_>>();
            assert!(start.elapsed() < Duration::from_secs(40), "waited too long: {what}; the last were {:?}", told());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Rings as a barrier does.
    pub fn ring(&self) {
        self.health.ring();
    }

    /// Cuts the source off wherever it is; what it had handed over still reaches the log.
    pub async fn kill(self) -> Arc<Mutex<Kept>> {
        self.run.abort();
        let _ = self.run.await;
        self.log.await.unwrap();
        self.kept
    }

    /// Waits for the end that somebody else makes.
    pub async fn ended(self) -> (Result<End>, Arc<Mutex<Kept>>) {
        let end = tokio::time::timeout(Duration::from_secs(30), self.run).await.expect("it ends").unwrap();
        self.log.await.unwrap();
        (end, self.kept)
    }

    pub async fn stop(self) -> End {
        self.health.stop();
        self.run.await.unwrap().unwrap()
    }

    /// Ends it; what it told of the nodes must lead to what is in the database once nobody writes.
    pub async fn ends_with_what_is_there(self, database: &Database) {
        let expected = records(database, "nodes").await;
        database.collection("nodes").insert_one(doc! { "_id": "end" }).await.unwrap();
        self.until("the end", |events| events.last().is_some_and(|event| &*event.id == "end")).await;
        let mut state = BTreeMap::new();
        replay(&mut state, &self.take());
        state.remove("end");
        assert_eq!(state, expected);
        self.stop().await;
    }

    pub fn take(&self) -> Vec<ResourceEvent> {
        std::mem::take(&mut self.kept.lock().unwrap().events)
    }
}

/// The records of a collection as everybody sees them.
pub async fn records(database: &Database, collection: &str) -> BTreeMap<String, Value> {
    let mut cursor = database.collection::<RawDocumentBuf>(collection).find(doc! {}).await.unwrap();
    let mut found = BTreeMap::new();
    while cursor.advance().await.unwrap() {
        let record = cursor.current();
        let key = tidings::mongodb::form::key(record.get("_id").unwrap().unwrap());
        found.insert(key, tidings::mongodb::form::document(record));
    }
    found
}

/// `created 5`, `reset Epoch nodes`: an event in words.
pub fn words(events: &[ResourceEvent]) -> Vec<String> {
    let word = |event: &ResourceEvent| match event.operation {
        Operation::Reset(reason) => format!("reset {reason:?} {}", event.resource),
        operation => format!("{operation:?} {}", event.id).to_lowercase(),
    };
    events.iter().map(word).collect()
}

/// The ids of the events with this operation.
pub fn identified(events: &[ResourceEvent], operation: Operation) -> Vec<String> {
    events.iter().filter(|event| event.operation == operation).map(|event| event.id.to_string()).collect()
}

/// Applies events as a client would; panics when one does not fit the state before it.
pub fn replay(state: &mut BTreeMap<String, Value>, events: &[ResourceEvent]) {
    for event in events {
        let id = event.id.to_string();
        let before = event.before.as_ref().map(|document| document.value().clone());
        assert_eq!(state.get(&id), before.as_ref(), "before of {id} {:?}", event.operation);
        match event.after.as_ref() {
            Some(after) => state.insert(id, after.value().clone()),
            None => state.remove(&id),
        };
    }
}
