//! Histories that are broken behind our back: noticed, owned up to, and followed on from there.

use crate::cluster::Cluster;
use crate::follower::{Follower, Kept, words};
use crate::postgres_parts::{Database, binding};
use crate::postgres_slot::{follow, publish, settings};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::event::Operation;
use tidings::postgres::{publication, slot};
use tidings::source::postgres_slot::Settings;
use tokio_postgres::Client;

/// Two published tables, and a follower that has seen a row of one of them.
async fn followed(database: &Database) -> (Client, Settings, Follower) {
    let setup = database.client().await;
    setup
        .batch_execute("create table item (id int primary key, n int); create table other (id int primary key)")
        .await
        .unwrap();
    let settings = settings(&setup, vec![binding("items", "item"), binding("others", "other")]).await;
    publish(&setup, &settings).await;
    let follower = follow(database, &settings, Arc::default());
    follower.until_started().await;
    setup.batch_execute("insert into item values (1, 1)").await.unwrap();
    assert_eq!(words(&follower.events(1).await), ["Created 1"]);
    (setup, settings, follower)
}

async fn drop_slot(client: &Client, settings: &Settings) {
    client.batch_execute(&slot::removal(&settings.slot)).await.unwrap();
}

/// Changes what was kept of the place.
fn forge(kept: &Mutex<Kept>, change: impl FnOnce(&mut Value)) {
    let mut kept = kept.lock().unwrap();
    let mut place: Value = serde_json::from_slice(kept.place.as_ref().unwrap()).unwrap();
    change(&mut place);
    kept.place = Some(serde_json::to_vec(&place).unwrap());
}

/// After a start over, everything that comes is told.
async fn starts_over(database: &Database, settings: &Settings, setup: &Client, kept: Arc<Mutex<Kept>>, why: &str) {
    let follower = follow(database, settings, kept);
    let mut resets: Vec<_> =
        follower.events(2).await.iter().map(|event| format!("{:?} {}", event.operation, event.resource)).collect();
    resets.sort();
    assert_eq!(resets, ["Reset(Epoch) items", "Reset(Epoch) others"], "{why}");
    follower.until_started().await;
    setup.batch_execute("insert into item values (99, 0); delete from item where id = 99").await.unwrap();
    assert_eq!(words(&follower.events(2).await), ["Created 99", "Removed 99"], "{why}");
    follower.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_gone_made_anew_or_another_ones_means_to_start_over() {
    let Some(database) = Database::create().await else { return };
    let (setup, settings, follower) = followed(&database).await;
    let kept = follower.kill().await;

    drop_slot(&setup, &settings).await;
    setup.batch_execute("insert into item values (2, 2)").await.unwrap();
    starts_over(&database, &settings, &setup, kept.clone(), "gone").await;

    drop_slot(&setup, &settings).await;
    setup.batch_execute("insert into item values (3, 3)").await.unwrap();
    slot::create(&setup, &settings.slot).await.unwrap();
    starts_over(&database, &settings, &setup, kept.clone(), "made anew").await;

    let advance = "select pg_replication_slot_advance($1, pg_current_wal_lsn())";
    setup.batch_execute("insert into item values (4, 4)").await.unwrap();
    // The walsender of the reader that was killed may be there for a moment.
    while setup.query(advance, &[&settings.slot]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    starts_over(&database, &settings, &setup, kept.clone(), "read by somebody else").await;

    forge(&kept, |place| {
        let identity = place["identity"].as_str().unwrap().to_owned();
        let (_, rest) = identity.split_once('/').unwrap();
        place["identity"] = json!(format!("7000000000000000000/{rest}"));
    });
    starts_over(&database, &settings, &setup, kept.clone(), "another server").await;

    forge(&kept, |place| place["seen"] = json!(u64::MAX / 4));
    starts_over(&database, &settings, &setup, kept.clone(), "set back").await;

    // A copy of the server that was restored and went on: everything fits but what was read last.
    forge(&kept, |place| place["last"]["xid"] = json!(3));
    starts_over(&database, &settings, &setup, kept.clone(), "restored and written since").await;

    let other =
        setup.query_one("select pg_create_logical_replication_slot('tidings_not_ours', 'test_decoding')::text", &[]);
    if other.await.is_ok() {
        let foreign = Settings { slot: "tidings_not_ours".to_owned(), ..settings.clone() };
        let error = follow(&database, &foreign, Arc::default()).run.await.unwrap().unwrap_err();
        assert!(error.chain().contains("is somebody else's"), "{}", error.chain());
        drop_slot(&setup, &foreign).await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_vanishes_while_it_is_read_means_to_start_over() {
    let Some(database) = Database::create().await else { return };
    let (setup, settings, follower) = followed(&database).await;
    let kept = follower.kept.clone();
    drop_slot(&setup, &settings).await;
    follower.run.await.unwrap().unwrap();
    starts_over(&database, &settings, &setup, kept, "vanished").await;
    // And when everything was removed, nothing is made again.
    let follower = follow(&database, &Settings { install: true, ..settings.clone() }, Arc::default());
    follower.until_started().await;
    setup.batch_execute(&publication::removal(&settings.publication)).await.unwrap();
    drop_slot(&setup, &settings).await;
    let _ = follower.run.await.unwrap();
    let again = follow(&database, &Settings { install: true, ..settings.clone() }, follower.kept.clone());
    let error = again.run.await.unwrap().unwrap_err();
    assert_eq!(error.chain(), "there is no publication tidings: run `tidings sql install`");
    assert_eq!(slot::find(&setup, &settings.slot).await.unwrap(), None);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_that_is_altered_means_to_start_over_with_the_tables_concerned() {
    let Some(database) = Database::create().await else { return };
    let (setup, settings, follower) = followed(&database).await;
    let kept = follower.kill().await;
    let mending = Settings { install: true, ..settings.clone() };
    let follower = follow(&database, &mending, kept);
    follower.until_started().await;
    let alterations = [
        "alter publication tidings drop table item; insert into item values (2, 2)",
        "alter publication tidings set (publish = 'insert')",
        "alter publication tidings drop table item; alter publication tidings add table item where (id > 5)",
        "alter publication tidings drop table item; alter publication tidings add table item (id)",
        "alter publication tidings drop table item; insert into item values (3, 3); alter publication tidings add table item",
    ];
    let whole = async || {
        let tables = ["item".parse().unwrap(), "other".parse().unwrap()];
        publication::state(&setup, "tidings", &tables).await.unwrap().lacks().is_empty()
    };
    for alteration in alterations {
        setup.batch_execute(alteration).await.unwrap();
        follower.until("a reset", |kept| words(&kept.events).contains(&"Reset(Epoch) ".to_owned())).await;
        // The reset may be the second one of the alteration before it.
        while !whole().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let all = alteration != alterations[0];
        assert!(follower.take().iter().all(|event| all || &*event.resource == "items"), "{alteration}");
        setup.batch_execute("delete from item where id > 1; insert into item values (7, 7)").await.unwrap();
        follower.until("what comes after", |kept| kept.events.iter().any(|event| &*event.id == "7")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        follower.take();
    }
    // One that may not be mended is named, and once it is right again the watchers start over.
    let kept = follower.kill().await;
    let follower = follow(&database, &settings, kept.clone());
    follower.until_started().await;
    setup.batch_execute("alter publication tidings drop table item").await.unwrap();
    let error = follower.run.await.unwrap().unwrap_err();
    assert_eq!(error.chain(), "item is not published: run `tidings sql install`");
    setup.batch_execute("update item set n = 8 where id = 7; alter publication tidings add table item").await.unwrap();
    let follower = follow(&database, &settings, kept);
    let events = follower.events(1).await;
    assert_eq!((words(&events), &*events[0].resource), (vec!["Reset(Epoch) ".to_owned()], "items"));
    follower.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_unseen_by_a_transaction_that_was_open_is_owned_up_to_when_it_ends() {
    let Some(database) = Database::create().await else { return };
    let (setup, settings, follower) = followed(&database).await;
    setup.batch_execute("alter publication tidings drop table item").await.unwrap();
    let open = database.client().await;
    open.batch_execute("begin; insert into item values (2, 2)").await.unwrap();
    setup.batch_execute("alter publication tidings add table item").await.unwrap();
    let is_reset = |kept: &Kept| words(&kept.events).contains(&"Reset(Epoch) ".to_owned());
    // The follower may have looked in between; then it has ended, and goes on from its place.
    let follower = match tokio::time::timeout(Duration::from_millis(600), follower.until("a reset", is_reset)).await {
        Ok(()) if !follower.run.is_finished() => follower,
        _ => follow(&database, &settings, follower.kept.clone()),
    };
    follower.until("a reset", is_reset).await;
    follower.take();
    open.batch_execute("commit").await.unwrap();
    follower.until("another reset", is_reset).await;
    follower.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_replaced_means_to_start_over_with_it() {
    let Some(database) = Database::create().await else { return };
    let (setup, settings, follower) = followed(&database).await;
    let kept = follower.kill().await;
    let follower = follow(&database, &Settings { install: true, ..settings.clone() }, kept);
    follower.until_started().await;
    setup
        .batch_execute("begin; drop table item; create table item (id int primary key, name text); insert into item values (5, 'new'); commit")
        .await
        .unwrap();
    follower.until("a reset", |kept| words(&kept.events).contains(&"Reset(Epoch) ".to_owned())).await;
    follower.take();
    setup.batch_execute("insert into item values (6, 'six')").await.unwrap();
    follower.until("the new table", |kept| kept.events.iter().any(|event| &*event.id == "6")).await;
    // One with the same name takes its place.
    follower.take();
    setup
        .batch_execute(
            "begin; alter table item rename to old_item; create table item (like old_item including all); commit",
        )
        .await
        .unwrap();
    follower.until("another reset", |kept| words(&kept.events).contains(&"Reset(Epoch) ".to_owned())).await;
    // Its key is renamed, and columns come and go, while rows are written.
    setup.batch_execute("insert into item values (1, 'one')").await.unwrap();
    follower.until("its rows", |kept| kept.events.iter().any(|event| &*event.id == "1")).await;
    follower.take();
    setup
        .batch_execute("alter table item rename id to number; update item set name = 'first'; alter table item add column n int default 4, drop column name; update item set n = 5")
        .await
        .unwrap();
    follower
        .until("the updates", |kept| words(&kept.events).iter().filter(|word| *word == "Updated 1").count() == 2)
        .await;
    let mut events = follower.take();
    // The replacement may be owned up to once more, when all transactions that were open then have ended.
    events.retain(|event| event.operation == Operation::Updated);
    assert_eq!(*events[0].after.as_ref().unwrap().value(), json!({"number": 1, "name": "first"}));
    assert_eq!(*events[1].after.as_ref().unwrap().value(), json!({"number": 1, "n": 5}));
    follower.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wal_that_was_removed_means_to_start_over() {
    let Some(cluster) = Cluster::start() else { return };
    let database = Database::create_on(&cluster.url()).await;
    let (setup, settings, follower) = followed(&database).await;
    let kept = follower.kill().await;
    setup.batch_execute("insert into item values (2, 2)").await.unwrap();
    setup.batch_execute("alter system set max_slot_wal_keep_size = '1MB'").await.unwrap();
    setup.batch_execute("select pg_reload_conf()").await.unwrap();
    let lost = async || slot::find(&setup, &settings.slot).await.unwrap().is_some_and(|slot| slot.lost);
    for _ in 0..20 {
        let write = "select pg_logical_emit_message(false, 'x', repeat('x', 1000000)) from generate_series(1, 4)";
        for statement in [write, "select pg_switch_wal()", "checkpoint"] {
            setup.batch_execute(statement).await.unwrap();
        }
        if lost().await {
            break;
        }
    }
    assert!(lost().await, "the server keeps its WAL");
    starts_over(&database, &settings, &setup, kept, "lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_stopped_at_once_and_one_that_was_restored_means_to_start_over() {
    let Some(cluster) = Cluster::start() else { return };
    let database = Database::create_on(&cluster.url()).await;
    let (setup, settings, follower) = followed(&database).await;
    drop(setup);
    let begun = Instant::now();
    cluster.stop();
    assert!(begun.elapsed() < Duration::from_secs(10), "it waited for the follower: {:?}", begun.elapsed());
    let kept = follower.kept.clone();
    follower.run.await.unwrap().unwrap();
    cluster.back_up();
    cluster.go_on();
    let setup = database.client().await;
    setup.batch_execute("insert into item values (2, 2)").await.unwrap();
    let follower = follow(&database, &settings, kept);
    assert_eq!(words(&follower.events(1).await), ["Created 2"], "it goes on where it was");
    setup.batch_execute("insert into item values (3, 3)").await.unwrap();
    assert_eq!(words(&follower.events(1).await), ["Created 3"]);
    let kept = follower.kill().await;
    drop(setup);
    cluster.stop();
    cluster.restore();
    cluster.go_on();
    // It goes on past what was read of it before.
    let setup = database.client().await;
    setup.batch_execute("insert into item select n, n from generate_series(100, 2000) as n").await.unwrap();
    starts_over(&database, &settings, &setup, kept, "restored").await;
}
