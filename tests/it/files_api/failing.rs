//! A store that is away, or in which others always come first.

use super::world::World;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings::document::Document;
use tidings::error::{Error, Kind, Result};
use tidings::event::Mark;
use tidings::files::rows::{Part, Shape};
use tidings::query::{Query, Row};
use tidings::resource::Resource;
use tidings::store::embedded::Embedded;
use tidings::store::transaction::{Committed, Intent, Lock, Transaction};
use tidings::store::{Condition, Snapshot, Store, Write, Written};

/// How many times a change of a file is tried.
const TRIES: usize = 20;

/// A store whose transactions fail once they are to change something.
struct Failing {
    store: Arc<Embedded>,
    kind: Kind,
    /// Changes that will fail; those after them succeed.
    left: AtomicUsize,
}

#[async_trait]
impl Store for Failing {
    async fn query(&self, resource: &Resource, query: &Query) -> Result<Snapshot> {
        self.store.query(resource, query).await
    }

    async fn mark(&self) -> Result<Mark> {
        self.store.mark().await
    }

    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        self.store.write(resource, id, write, condition).await
    }

    fn has_transactions(&self) -> bool {
        true
    }

    async fn begin<'a>(&'a self, intent: Intent) -> Result<Box<dyn Transaction + 'a>> {
        let transaction = self.store.begin(intent).await?;
        let fails = intent == Intent::Change
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        Ok(if fails { Box::new(Doomed { transaction, kind: self.kind }) } else { transaction })
    }
}

/// A transaction that is not committed.
struct Doomed<'a> {
    transaction: Box<dyn Transaction + 'a>,
    kind: Kind,
}

#[async_trait]
impl Transaction for Doomed<'_> {
    async fn get(&mut self, resource: &Resource, id: &str, lock: Lock) -> Result<Option<Document>> {
        self.transaction.get(resource, id, lock).await
    }

    async fn find(&mut self, resource: &Resource, query: &Query) -> Result<Vec<Row>> {
        self.transaction.find(resource, query).await
    }

    async fn insert(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()> {
        self.transaction.insert(resource, id, document).await
    }

    async fn update(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()> {
        self.transaction.update(resource, id, document).await
    }

    async fn delete(&mut self, resource: &Resource, id: &str) -> Result<()> {
        self.transaction.delete(resource, id).await
    }

    async fn commit(self: Box<Self>) -> Result<Committed> {
        Err(Error::new(self.kind, "it is not to be"))
    }
}

/// A world in which so many changes fail, with a file of u1.
async fn world(kind: Kind, failing: usize) -> World {
    let store = Embedded::open(None).expect("a store");
    let store = Arc::new(Failing { store, kind, left: AtomicUsize::new(failing) });
    let world = World::serve("failing", store, Shape::Flat, Box::new(())).await;
    world.put(Part::Files, json!({"key": "P1", "kind": "Core#Project", "owner": "u1"})).await;
    world
}

fn labelled() -> Value {
    super::world::patch(json!([{"op": "add", "path": "/labels", "value": ["x"]}]))
}

#[tokio::test]
async fn a_change_is_tried_twenty_times_and_then_its_sender_is_asked_to_try_again() {
    let patient = world(Kind::Conflict, TRIES - 1).await;
    patient.done("u1", "PATCH /files/P1", labelled()).await;
    let late = world(Kind::Conflict, TRIES).await;
    let told = late.json("u1", "PATCH /files/P1", &labelled()).await.failure();
    assert_eq!(told, (409, "The file is being changed by others. Try again.".to_owned()));
    assert_eq!(late.file("u1", "P1").await.get("labels"), None, "nothing of it has happened");
}

#[tokio::test]
async fn while_the_store_is_away_everybody_is_asked_to_come_back() {
    let away = world(Kind::Unreachable, 1).await;
    let answer = away.json("u1", "PATCH /files/P1", &labelled()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
    away.done("u1", "PATCH /files/P1", labelled()).await;
}
