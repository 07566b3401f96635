//! A source that is run against a stand-in for the log.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::error::Result;
use tidings::event::{Mark, ResourceEvent};
use tidings::metrics::Metrics;
use tidings::source::{Batch, End, Feed, Health, Source};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Stands for the log: keeps what was handed over, and the place that came with it.
#[derive(Default)]
pub struct Kept {
    pub events: Vec<ResourceEvent>,
    pub place: Option<Vec<u8>>,
    pub reached: Option<Mark>,
    pub batches: usize,
}

/// A running source.
pub struct Follower {
    pub kept: Arc<Mutex<Kept>>,
    pub health: Arc<Health>,
    pub run: JoinHandle<Result<End>>,
    log: JoinHandle<()>,
}

impl Follower {
    /// Goes on from the place that was kept.
    pub fn start(source: impl Source + 'static, kept: Arc<Mutex<Kept>>) -> Follower {
        let health = Arc::new(Health::default());
        let (sender, mut batches) = mpsc::channel::<Batch>(1);
        let feed = Feed::new("pg".into(), sender, health.clone(), Arc::new(Metrics::default()));
        let place = kept.lock().unwrap().place.clone();
        let shared = kept.clone();
        let log = tokio::spawn(async move {
            while let Some(batch) = batches.recv().await {
                let mut kept = shared.lock().unwrap();
                kept.events.extend(batch.events);
                kept.batches += 1;
                if batch.place.is_some() {
                    kept.place = batch.place;
                }
                if batch.reached.is_some() {
                    kept.reached = batch.reached;
                }
                let offset = kept.events.len() as u64;
                if let Some(logged) = batch.logged {
                    let _ = logged.send(offset);
                }
            }
        });
        let run = tokio::spawn(async move { source.run(place, &feed).await });
        Follower { kept, health, run, log }
    }

    /// Waits until something holds of what was kept.
    pub async fn until(&self, what: &str, holds: impl Fn(&Kept) -> bool) {
        let start = Instant::now();
        while !holds(&self.kept.lock().unwrap()) {
            assert!(start.elapsed() < Duration::from_secs(30), "waited too long: {what}");
            assert!(!self.run.is_finished() || start.elapsed() < Duration::from_secs(1), "it ended: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until it follows.
    pub async fn until_started(&self) {
        self.until("the start", |kept| kept.reached.is_some()).await;
    }

    /// Waits for so many events, and takes them.
    pub async fn events(&self, count: usize) -> Vec<ResourceEvent> {
        self.until(&format!("{count} events"), |kept| kept.events.len() >= count).await;
        self.take()
    }

    /// Takes the events that are there.
    pub fn take(&self) -> Vec<ResourceEvent> {
        std::mem::take(&mut self.kept.lock().unwrap().events)
    }

    /// Cuts the source off wherever it is; what it had handed over still reaches the log.
    pub async fn kill(self) -> Arc<Mutex<Kept>> {
        self.run.abort();
        let _ = self.run.await;
        self.log.await.unwrap();
        self.kept.lock().unwrap().reached = None;
        self.kept
    }

    /// Asks it to stop, and tells how it ended.
    pub async fn stop(self) -> End {
        self.health.stop();
        self.run.await.unwrap().unwrap()
    }
}

/// What happened, for comparing.
pub fn words(events: &[ResourceEvent]) -> Vec<String> {
    events.iter().map(|event| format!("{:?} {}", event.operation, event.id)).collect()
}

/// Applies events as a client would; panics when one does not fit the state before it.
pub fn replay(state: &mut BTreeMap<String, Value>, events: &[ResourceEvent]) {
    for event in events {
        let id = event.id.to_string();
        let before = event.before.as_ref().map(|document| document.value().clone());
        assert_eq!(state.get(&id), before.as_ref(), "before of {} {:?}", id, event.operation);
        match event.after.as_ref() {
            Some(after) => state.insert(id, after.value().clone()),
            None => state.remove(&id),
        };
    }
}
