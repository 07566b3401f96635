//! The slot against a real server: exact under everything that writers and restarts do.

use crate::follower::{Follower, Kept, replay, words};
use crate::postgres_outbox::{documents, write_at_random};
use crate::postgres_parts::{Database, binding, name};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::event::{Mark, Operation, Stamp};
use tidings::postgres::publication;
use tidings::postgres::slot;
use tidings::postgres::table::Binding;
use tidings::reading::Reading;
use tidings::source::postgres_slot::{PostgresSlot, Settings};
use tidings::source::{End, State};
use tokio_postgres::Client;

/// The settings of a test: everything goes a little quicker.
pub async fn settings(client: &Client, bindings: Vec<Binding>) -> Settings {
    let name: String = client.query_one("select current_database()::text", &[]).await.unwrap().get(0);
    let quick = Settings::new(bindings, &slot::default_name(&name), "tidings");
    Settings { check: Duration::from_millis(200), ..quick }
}

/// Publishes the tables of these settings.
pub async fn publish(client: &Client, settings: &Settings) {
    let tables: Vec<_> = settings.bindings.iter().map(|binding| binding.table.clone()).collect();
    publication::install(client, &settings.publication, &tables).await.unwrap();
}

/// Goes on from the place that was kept.
pub fn follow(database: &Database, settings: &Settings, kept: Arc<Mutex<Kept>>) -> Follower {
    Follower::start(PostgresSlot::new(database.address(), settings.clone()), kept)
}

/// What the server may forget.
pub async fn confirmed(client: &Client, settings: &Settings) -> u64 {
    slot::find(client, &settings.slot).await.unwrap().map_or(0, |slot| slot.confirmed)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_is_exact_under_writers_that_commit_out_of_order() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key, n int not null, note text)").await.unwrap();
    let items = binding("items", "item");
    let settings = Settings { batch: 3, ..settings(&setup, vec![items.clone()]).await };
    publish(&setup, &settings).await;
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let mut follower = follow(&database, &settings, kept.clone());
    follower.until_started().await;

    let ends = Instant::now() + Duration::from_secs(8);
    let mut writers = Vec::new();
    for writer in 0..8u32 {
        let client = database.client().await;
        writers.push(tokio::spawn(write_at_random(client, writer, ends)));
    }
    // Meanwhile the reader is cut off again and again, as by kill -9, wherever it happens to be: what was handed over
    // and not confirmed comes again, and batches of three end in the middle of transactions.
    let (mut restarts, mut within) = (0, 0);
    while Instant::now() < ends {
        let enough = kept.lock().unwrap().batches + usize::from(rand::random::<u8>());
        while kept.lock().unwrap().batches < enough && Instant::now() < ends {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let kept = follower.kill().await;
        let place: serde_json::Value = serde_json::from_slice(kept.lock().unwrap().place.as_ref().unwrap()).unwrap();
        within += i32::from(!place["part"].is_null());
        follower = follow(&database, &settings, kept);
        restarts += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    setup.batch_execute("insert into item values (1000, 0)").await.unwrap();
    follower.until("the last change", |kept| kept.events.last().is_some_and(|event| &*event.id == "1000")).await;
    let events = follower.take();
    println!("{} changes, {restarts} restarts, {within} of them within a transaction", events.len());
    assert!(events.len() > 1000 && restarts > 2, "{} changes, {restarts} restarts", events.len());
    let mut state = BTreeMap::new();
    replay(&mut state, &events);
    assert_eq!(state, documents(&database, &items).await);
    assert_eq!(follower.stop().await, End::Stopped);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_goes_on_where_it_was() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key)").await.unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    publish(&setup, &settings).await;
    let first = follow(&database, &settings, Arc::default());
    first.until_started().await;
    setup.batch_execute("insert into item values (1)").await.unwrap();
    first.until("the first change", |kept| kept.events.len() == 1).await;
    let kept = first.kept.clone();
    let cut = "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1";
    setup.execute(cut, &[&settings.slot]).await.unwrap();
    assert_eq!(first.run.await.unwrap().unwrap(), End::Disconnected);
    setup.batch_execute("insert into item values (2); insert into item values (3)").await.unwrap();
    let second = follow(&database, &settings, kept);
    let events = second.events(3).await;
    assert_eq!(words(&events), ["Created 1", "Created 2", "Created 3"]);
    // A connection that was left without a goodbye may still have the slot; the same installation takes it over.
    let third = follow(&database, &settings, second.kill().await);
    setup.batch_execute("insert into item values (4)").await.unwrap();
    assert_eq!(words(&third.events(1).await), ["Created 4"]);
    // Another installation is told who has it.
    let other = follow(&database, &settings, Arc::default());
    let error = other.run.await.unwrap().unwrap_err();
    assert!(error.chain().contains("is in use by \"tidings-"), "{}", error.chain());
    third.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reached_contains_what_was_committed_before_and_idle_wal_is_let_go() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key); create table other (id int)").await.unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    let settings = Settings { heartbeat: Duration::from_millis(300), ..settings };
    publish(&setup, &settings).await;
    let follower = follow(&database, &settings, Arc::default());
    follower.until_started().await;
    assert!(matches!(follower.health.state(), State::Live { .. }));
    let open = database.client().await;
    open.batch_execute("begin; insert into item values (1)").await.unwrap();
    setup.batch_execute("insert into item values (2)").await.unwrap();
    let row = setup.query_one("select pg_current_snapshot()::text", &[]).await.unwrap();
    let now: Mark = tidings::postgres::snapshot::mark(row.get(0)).unwrap();
    let rung = Instant::now();
    follower.health.ring();
    follower.until("the snapshot", |kept| kept.reached.as_ref().is_some_and(|mark| mark.covers(&now))).await;
    println!("reached after {:?}", rung.elapsed());
    let events = follower.take();
    assert_eq!(words(&events), ["Created 2"]);
    assert!(now.contains(events[0].stamp), "{:?}", events[0].stamp);
    open.batch_execute("commit").await.unwrap();
    let late = follower.events(1).await.remove(0);
    assert!(!now.contains(late.stamp) && matches!(late.stamp, Stamp::Transaction(_)));
    // Nothing happens to our tables any more, but the WAL grows.
    let before = confirmed(&setup, &settings).await;
    setup.batch_execute("insert into other select generate_series(1, 1000)").await.unwrap();
    let row = setup.query_one("select (pg_current_wal_lsn() - '0/0')::bigint", &[]).await.unwrap();
    let written = row.get::<_, i64>(0) as u64;
    assert!(before < written);
    let begun = Instant::now();
    while confirmed(&setup, &settings).await < written {
        assert!(begun.elapsed() < Duration::from_secs(10), "the slot does not advance");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(follower.take().is_empty());
    follower.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_the_wal_are_events_of_their_resource() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key)").await.unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    let settings = Settings { messages: vec![("audit".into(), Reading::Messages { keyed: false })], ..settings };
    publish(&setup, &settings).await;
    let follower = follow(&database, &settings, Arc::default());
    follower.until_started().await;
    setup
        .batch_execute(
            "begin; select pg_logical_emit_message(true, 'tidings:audit', '{\"who\": \"ann\", \"id\": \"a1\"}'); \
             insert into item values (1); commit; \
             begin; select pg_logical_emit_message(true, 'tidings:audit', '{\"who\": \"bob\"}'); rollback; \
             select pg_logical_emit_message(true, 'tidings:audit', '{broken'); \
             select pg_logical_emit_message(true, 'tidings:nobody', '{}'); \
             select pg_logical_emit_message(true, 'tidings.reached', 'forged 1:999999999:'); \
             select pg_logical_emit_message(false, 'tidings:audit', '{\"who\": \"eve\"}'); \
             insert into item values (2)",
        )
        .await
        .unwrap();
    let events = follower.events(4).await;
    let told: Vec<_> = events.iter().map(|event| (&*event.resource, event.operation, &*event.id)).collect();
    assert_eq!(
        told,
        [
            ("audit", Operation::Appended, "a1"),
            ("items", Operation::Created, "1"),
            ("audit", Operation::Appended, ""),
            ("items", Operation::Created, "2"),
        ]
    );
    assert_eq!(events[0].stamp, events[1].stamp, "they are of one transaction");
    assert_eq!(*events[2].after.as_ref().unwrap().value(), json!({"who": "eve"}));
    // They are not told again.
    let kept = follower.kill().await;
    let again = follow(&database, &settings, kept);
    again.until_started().await;
    assert_eq!(words(&again.take()), Vec::<String>::new());
    again.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_no_slot_is_made_in_vain() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key)").await.unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    let error = follow(&database, &settings, Arc::default()).run.await.unwrap().unwrap_err();
    assert_eq!(error.chain(), "there is no publication tidings: run `tidings sql install`");
    publish(&setup, &settings).await;
    setup.batch_execute("alter publication tidings drop table item").await.unwrap();
    let error = follow(&database, &settings, Arc::default()).run.await.unwrap().unwrap_err();
    assert_eq!(error.chain(), "item is not published: run `tidings sql install`");
    setup
        .batch_execute("alter publication tidings add table item; alter table item replica identity nothing")
        .await
        .unwrap();
    let error = follow(&database, &settings, Arc::default()).run.await.unwrap().unwrap_err();
    assert_eq!(error.chain(), "item has no replica identity: run `tidings sql install`");
    assert_eq!(slot::find(&setup, &settings.slot).await.unwrap(), None, "no slot was made in vain");
    publish(&setup, &settings).await;
    let state = publication::state(&setup, "tidings", &[name("item")]).await.unwrap();
    assert_eq!((state.lacks(), &state.tables[0].without_before), (vec![], &vec![]));
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_reaches_the_log_without_waiting_for_any_timer() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key)").await.unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    publish(&setup, &settings).await;
    let follower = follow(&database, &settings, Arc::default());
    follower.until_started().await;
    let mut times = Vec::new();
    for id in 0..100 {
        setup.batch_execute(&format!("insert into item values ({id})")).await.unwrap();
        let committed = Instant::now();
        while follower.kept.lock().unwrap().events.len() <= id {
            tokio::task::yield_now().await;
        }
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    println!("from commit to log, one after another: median {:?}, 99th of 100 {:?}", times[50], times[98]);
    assert!(times[50] < Duration::from_millis(100), "it waits for something: {:?}", times[50]);
    follower.stop().await;
    database.drop().await;
}
