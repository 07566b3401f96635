//! The change stream against a real server: exact under everything that writers, restarts and operators do.

use crate::mongodb::Mongo;
use crate::mongodb_follower::{Follower, Kept, identified, replay, words};
use mongodb::Database;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, Timestamp, Uuid, doc};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings::event::{Operation, Stamp};
use tidings::mongodb::collection::Binding;
use tidings::source::End;
use tidings::source::mongodb::Settings;

/// A collection that keeps pre-images.
pub async fn with_images(database: &Database, name: &str) {
    let options = doc! { "create": name, "changeStreamPreAndPostImages": { "enabled": true } };
    database.run_command(options).await.unwrap();
}

fn settings(bindings: &[Binding]) -> Settings {
    Settings::new(bindings.to_vec())
}

fn keyed(resource: &str, collection: &str, key: &str) -> Binding {
    Binding { key: key.to_owned(), ..Binding::new(resource, collection) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_is_told_with_the_record_before_and_after() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    with_images(&database, "nodes").await;
    let follower = Follower::start(&mongo, settings(&[Binding::new("nodes", "nodes")])).await;
    let nodes = database.collection::<Document>("nodes");
    nodes
        .insert_one(doc! { "_id": "a", "tags": ["x", "y"], "at": DateTime::from_millis(5), "n": { "d": 1 } })
        .await
        .unwrap();
    nodes
        .update_one(
            doc! { "_id": "a" },
            doc! { "$set": { "n.d": 2, "new": { "deep": [1] } }, "$push": { "tags": "z" } },
        )
        .await
        .unwrap();
    nodes.update_one(doc! { "_id": "a" }, doc! { "$unset": { "at": 1 }, "$pop": { "tags": -1 } }).await.unwrap();
    nodes.update_one(doc! { "_id": "a" }, vec![doc! { "$set": { "tags": ["only"] } }]).await.unwrap();
    nodes.replace_one(doc! { "_id": "a" }, doc! { "fresh": true }).await.unwrap();
    nodes.delete_one(doc! { "_id": "a" }).await.unwrap();
    follower.until("all six", |events| events.len() >= 6).await;
    let events = follower.take();
    let after: Vec<_> = events.iter().map(|event| event.after.as_ref().map(|after| after.value().clone())).collect();
    let new = json!({"deep": [1]});
    assert_eq!(
        after,
        [
            Some(json!({"id": "a", "tags": ["x", "y"], "at": "1970-01-01T00:00:00.005Z", "n": {"d": 1}})),
            Some(
                json!({"id": "a", "tags": ["x", "y", "z"], "at": "1970-01-01T00:00:00.005Z", "n": {"d": 2}, "new": new})
            ),
            Some(json!({"id": "a", "tags": ["y", "z"], "n": {"d": 2}, "new": new})),
            Some(json!({"id": "a", "tags": ["only"], "n": {"d": 2}, "new": new})),
            Some(json!({"id": "a", "fresh": true})),
            None,
        ]
    );
    assert_eq!(words(&events), ["created a", "updated a", "updated a", "updated a", "updated a", "removed a"]);
    replay(&mut BTreeMap::new(), &events);
    assert!(events.windows(2).all(|two| time(&two[0].stamp) <= time(&two[1].stamp)));
    assert_eq!(follower.stop().await, End::Stopped);
}

fn time(stamp: &Stamp) -> u64 {
    match stamp {
        Stamp::Time(time) => *time,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_may_be_of_any_type() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let follower = Follower::start(&mongo, settings(&[Binding::new("all", "all")])).await;
    let all = database.collection::<Document>("all");
    let oid = ObjectId::new();
    let uuid = Uuid::new();
    let ids: Vec<(Bson, String)> = vec![
        (oid.into(), oid.to_hex()),
        (uuid.into(), uuid.to_string()),
        ("text, with é".into(), "text, with é".into()),
        (7.into(), "7".into()),
        ((1i64 << 40).into(), (1i64 << 40).to_string()),
        (1.5.into(), "1.5".into()),
        (true.into(), "true".into()),
        (Bson::Null, "null".into()),
        (doc! { "b": 1, "a": 2 }.into(), r#"{"b":1,"a":2}"#.into()),
        (Timestamp { time: 1, increment: 2 }.into(), r#"{"$timestamp":{"t":1,"i":2}}"#.into()),
    ];
    for (id, _) in &ids {
        all.insert_one(doc! { "_id": id.clone(), "n": 1 }).await.unwrap();
        all.update_one(doc! { "_id": id.clone() }, doc! { "$set": { "n": 2 } }).await.unwrap();
        all.delete_one(doc! { "_id": id.clone() }).await.unwrap();
    }
    follower.until("all removed", |events| identified(events, Operation::Removed).len() == ids.len()).await;
    let expected: Vec<String> = ids.into_iter().map(|(_, text)| text).collect();
    let events = follower.take();
    assert_eq!(identified(&events, Operation::Created), expected);
    assert_eq!(identified(&events, Operation::Removed), expected);
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_images_the_record_is_looked_up_and_removals_have_their_key() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let bindings = [Binding::new("nodes", "nodes"), keyed("graphs", "graphs", "instanceId")];
    let follower = Follower::start(&mongo, settings(&bindings)).await;
    let nodes = database.collection::<Document>("nodes");
    nodes.insert_one(doc! { "_id": 1, "n": 1 }).await.unwrap();
    nodes.update_one(doc! {}, doc! { "$set": { "n": 2 } }).await.unwrap();
    follower.until("the update", |events| events.len() == 2).await;
    nodes.delete_one(doc! {}).await.unwrap();
    follower.until("the removal", |events| events.len() == 3).await;
    let events = follower.take();
    assert_eq!(words(&events), ["created 1", "updated 1", "removed 1"]);
    assert_eq!(events[1].after.as_ref().unwrap().value(), &json!({"id": 1, "n": 2}));
    assert!(events.iter().all(|event| event.before.is_none()));

    let graphs = database.collection::<Document>("graphs");
    graphs.insert_one(doc! { "_id": "g", "instanceId": "i" }).await.unwrap();
    graphs.update_one(doc! {}, doc! { "$set": { "_status": "running" } }).await.unwrap();
    follower.until("both", |events| events.len() == 2).await;
    assert_eq!(words(&follower.take()), ["created i", "updated i"]);
    graphs.update_one(doc! {}, doc! { "$set": { "instanceId": "j" } }).await.unwrap();
    follower.until("the new key", |events| events.len() == 2).await;
    assert_eq!(words(&follower.take()), ["reset Source graphs", "updated j"], "which key it had, nobody can tell");
    graphs.delete_one(doc! {}).await.unwrap();
    follower.until("the reset", |events| events.len() == 1).await;
    assert_eq!(words(&follower.take()), ["reset Source graphs"], "which record was removed, nobody can tell");
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_field_may_be_the_key_and_may_change() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    with_images(&database, "graphobjects").await;
    let bindings = [keyed("graphObjs", "graphobjects", "instanceId"), Binding::new("again", "graphobjects")];
    let follower = Follower::start(&mongo, settings(&bindings)).await;
    let graphs = database.collection::<Document>("graphobjects");
    graphs.insert_one(doc! { "_id": "6b01", "instanceId": "i" }).await.unwrap();
    graphs.update_one(doc! {}, doc! { "$set": { "instanceId": "j" } }).await.unwrap();
    graphs.replace_one(doc! {}, doc! { "instanceId": "k" }).await.unwrap();
    graphs.update_one(doc! {}, doc! { "$unset": { "instanceId": 1 } }).await.unwrap();
    graphs.delete_one(doc! {}).await.unwrap();
    follower.until("all", |events| identified(events, Operation::Removed).len() == 5).await;
    let events = follower.take();
    let of = |name: &str| {
        let mine: Vec<_> = events.iter().filter(|event| &*event.resource == name).cloned().collect();
        replay(&mut BTreeMap::new(), &mine);
        words(&mine)
    };
    assert_eq!(
        of("graphObjs"),
        ["created i", "removed i", "created j", "removed j", "created k", "removed k", "created 6b01", "removed 6b01"]
    );
    assert_eq!(of("again"), ["created 6b01", "updated 6b01", "updated 6b01", "updated 6b01", "removed 6b01"]);
    assert_eq!(events[0].after.as_ref().unwrap().value(), &json!({"id": "6b01", "instanceId": "i"}));
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_records_of_one_transaction_come_in_order_and_once() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    with_images(&database, "bulk").await;
    let bindings = [Binding::new("bulk", "bulk")];
    let mut follower = Follower::start(&mongo, settings(&bindings)).await;
    let mut session = database.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let bulk = database.collection::<Document>("bulk");
    for part in 0..10 {
        let some: Vec<_> = (0..1000).map(|number| doc! { "_id": part * 1000 + number }).collect();
        bulk.insert_many(some).session(&mut session).await.unwrap();
    }
    session.commit_transaction().await.unwrap();
    // Cut off twice in the middle.
    for seen in [1, 4000] {
        follower.until("a part", |events| events.len() > seen).await;
        follower = Follower::resume(&mongo.url(), settings(&bindings), follower.kill().await);
    }
    follower.until("all", |events| events.len() >= 10_000).await;
    let ids: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    assert_eq!(identified(&follower.take(), Operation::Created), ids);
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_ten_megabytes_comes_whole_and_so_does_a_change_of_it() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    with_images(&database, "big").await;
    let follower = Follower::start(&mongo, settings(&[Binding::new("big", "big")])).await;
    let big = database.collection::<Document>("big");
    big.insert_one(doc! { "_id": 1, "text": "x".repeat(10 << 20) }).await.unwrap();
    big.update_one(doc! {}, doc! { "$set": { "text": "y".repeat(10 << 20) } }).await.unwrap();
    big.update_one(doc! {}, doc! { "$set": { "n": 1 } }).await.unwrap();
    follower.until("all three", |events| events.len() == 3).await;
    let events = follower.take();
    replay(&mut BTreeMap::new(), &events);
    let last = events[2].after.as_ref().unwrap().value();
    assert_eq!((last["text"].as_str().map(str::len), &last["n"]), (Some(10 << 20), &json!(1)));
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drop_a_rename_and_the_end_of_the_database_start_watchers_over() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    for name in ["a", "b", "other"] {
        with_images(&database, name).await;
        database.collection(name).insert_one(doc! { "_id": name }).await.unwrap();
    }
    let follower = Follower::start(&mongo, settings(&[Binding::new("as", "a"), Binding::new("bs", "b")])).await;
    let a = database.collection::<Document>("a");
    a.insert_one(doc! { "_id": 1 }).await.unwrap();
    a.drop().await.unwrap();
    follower.until("the drop", |events| words(events).contains(&"reset Epoch as".to_owned())).await;
    follower.take();
    let admin = database.client().database("admin");
    let name = mongo.name();
    admin.run_command(doc! { "renameCollection": format!("{name}.b"), "to": format!("{name}.c") }).await.unwrap();
    follower.until("the rename away", |events| words(events) == ["reset Epoch bs"]).await;
    follower.take();
    admin.run_command(doc! { "renameCollection": format!("{name}.other"), "to": format!("{name}.a") }).await.unwrap();
    follower.until("the rename into it", |events| words(events) == ["reset Epoch as"]).await;
    follower.take();
    database.drop().await.unwrap();
    let both = |events: &[_]| {
        ["reset Epoch as", "reset Epoch bs"].iter().all(|word| words(events).iter().any(|one| one == word))
    };
    follower.until("the drop of everything", both).await;
    follower.take();
    a.insert_one(doc! { "_id": "later" }).await.unwrap();
    follower.until("what comes after", |events| words(events).contains(&"created later".to_owned())).await;
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_that_appear_later_begin_and_unknown_ones_are_asked_about() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let asking = asked.clone();
    let discover = Arc::new(move |name: &str| {
        asking.lock().unwrap().push(name.to_owned());
        (name != "private").then(|| Binding::new(name, name))
    });
    let settings = Settings { bindings: vec![Binding::new("later", "later")], discover: Some(discover) };
    let follower = Follower::start(&mongo, settings).await;
    for name in ["later", "new", "private", "new", "private", "later"] {
        database.collection(name).insert_one(doc! {}).await.unwrap();
    }
    follower.until("all four", |events| events.len() == 4).await;
    let resources: Vec<_> = follower.take().iter().map(|event| event.resource.to_string()).collect();
    assert_eq!(resources, ["later", "new", "new", "later"]);
    assert_eq!(*asked.lock().unwrap(), ["new", "private"]);
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_anywhere_it_goes_on_without_a_gap_or_a_repeat() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    with_images(&database, "nodes").await;
    let bindings = [Binding::new("nodes", "nodes")];
    let mut follower = Follower::start(&mongo, settings(&bindings)).await;
    let writers: Vec<_> = (0..4).map(|writer| tokio::spawn(write(database.clone(), writer, 150))).collect();
    for pause in [3, 40, 7, 0, 90, 15, 1, 60, 5, 33] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let kept = follower.kill().await;
        follower = Follower::resume(&mongo.url(), settings(&bindings), kept);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    follower.ends_with_what_is_there(&database).await;
}

/// Inserts, changes and removes records of its own.
async fn write(database: Database, writer: usize, rounds: usize) {
    let nodes = database.collection::<Document>("nodes");
    for round in 0..rounds {
        let id = format!("{writer}-{}", round % 20);
        let change = doc! { "$set": { "round": round as i32, "deep.list": [round as i32] }, "$inc": { "n": 1 } };
        match round % 5 {
            4 => drop(nodes.delete_one(doc! { "_id": &id }).await.unwrap()),
            3 => drop(nodes.update_one(doc! { "_id": &id }, doc! { "$push": { "deep.list": 1 } }).await.unwrap()),
            _ => drop(nodes.update_one(doc! { "_id": &id }, change).upsert(true).await.unwrap()),
        }
    }
}

/// The same until it is enough, on a server that may be away; what was not confirmed is not tried again.
pub async fn write_until(database: Database, writer: usize, enough: Arc<AtomicBool>) {
    let nodes = database.collection::<Document>("nodes");
    let mut round = 0;
    while !enough.load(Ordering::Relaxed) {
        round += 1;
        let id = format!("{writer}-{}", round % 20);
        let done = match round % 5 {
            4 => nodes.delete_one(doc! { "_id": &id }).await.map(drop),
            _ => {
                let change = doc! { "$set": { "round": round }, "$inc": { "n": 1 } };
                nodes.update_one(doc! { "_id": &id }, change).upsert(true).await.map(drop)
            }
        };
        if done.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_of_something_else_starts_watchers_over() {
    let Some(mongo) = Mongo::create() else { return };
    let kept = Arc::new(Mutex::new(Kept { place: Some(b"of another kind".to_vec()), ..Kept::default() }));
    let follower = Follower::resume(&mongo.url(), settings(&[Binding::new("nodes", "nodes")]), kept);
    follower.until("the reset", |events| words(events) == ["reset Epoch nodes"]).await;
    follower.until_live().await;
    mongo.database().await.collection("nodes").insert_one(doc! { "_id": 1 }).await.unwrap();
    follower.until("what comes after", |events| words(events) == ["reset Epoch nodes", "created 1"]).await;
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_in_another_database_starts_watchers_over() {
    let (Some(one), Some(other)) = (Mongo::create(), Mongo::create()) else { return };
    one.database().await.collection("nodes").insert_one(doc! { "_id": 1 }).await.unwrap();
    let bindings = [Binding::new("nodes", "nodes")];
    let kept = Follower::start(&one, settings(&bindings)).await.kill().await;
    let follower = Follower::resume(&other.url(), settings(&bindings), kept);
    follower.until("the reset", |events| words(events) == ["reset Epoch nodes"]).await;
    follower.stop().await;
}
