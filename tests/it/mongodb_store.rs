//! The store of a MongoDB database, against a real server: what a list contains, and what is discovered.

use crate::load::documents::is_exact;
use crate::mongodb::Mongo;
use futures_util::StreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidings::error::Kind;
use tidings::event::{Mark, Stamp};
use tidings::filter::Filter;
use tidings::mongodb::address::Address;
use tidings::mongodb::collection::Binding;
use tidings::mongodb::connect::connect;
use tidings::mongodb::discover::discover;
use tidings::mongodb::doctor::examine;
use tidings::query::Query;
use tidings::resource::Resource;
use tidings::store::mongodb::{MongoStore, Settings};
use tidings::store::{Snapshot, Store};

fn query(filter: serde_json::Value) -> Query {
    let filter = Arc::new(Filter::parse(&filter).unwrap());
    Query { filter, sort: Vec::new(), skip: 0, limit: None, max_items: 100_000 }
}

fn ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.rows.iter().map(|row| &*row.id).collect()
}

async fn store(mongo: &Mongo, bindings: &[Binding]) -> MongoStore {
    MongoStore::new(mongo.database().await, Settings::new(bindings.to_vec()))
}

#[tokio::test]
async fn a_server_that_is_there_answers_and_one_that_is_not_is_told_within_seconds() {
    let closed = Address::parse("mongodb://127.0.0.1:9/d").unwrap();
    let error = connect(&closed).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().ends_with("start the server, or correct the URL"), "{error}");

    let Some(mongo) = Mongo::create() else { return };
    let database = connect(&Address::parse(&mongo.url()).unwrap()).await.unwrap();
    assert_eq!(database.name(), mongo.name());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_contains_exactly_what_its_mark_says() {
    let Some(mongo) = Mongo::create() else { return };
    // A server that does not read at the time it is asked to may show a row ahead of the mark.
    let is_exact = is_exact(&mongo.database().await).await;
    for (row, contained, listed) in compare(&mongo, Duration::from_millis(100), 20).await {
        assert!(contained == listed || (!is_exact && contained < listed), "{row}: {contained} and {listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_heaviest_load_a_list_contains_all_that_its_mark_says() {
    let Some(mongo) = Mongo::create() else { return };
    for (row, contained, listed) in compare(&mongo, Duration::ZERO, 10).await {
        assert!(contained <= listed, "{row}: {contained} and {listed}");
    }
}

/// Writers go on, with pauses, while lists are read. For each row of each list: how many of its changes the list's
/// mark contains by the change stream, and how many the row shows.
async fn compare(mongo: &Mongo, pause: Duration, count: usize) -> Vec<(String, u64, u64)> {
    let database = mongo.database().await;
    let rows = database.collection::<Document>("nodes");
    // More than one batch of a cursor, so that a list is read in several pieces.
    rows.insert_many((0..400).map(|number| doc! { "_id": format!("n{number:03}"), "v": 0 })).await.unwrap();
    let mut changes = database.watch().await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (rows, ended) = (rows.clone(), ended.clone());
            tokio::spawn(async move {
                let mut number = writer;
                while !ended.load(Ordering::Relaxed) {
                    number = (number * 7 + 13) % 400;
                    let this = doc! { "_id": format!("n{number:03}") };
                    rows.update_one(this, doc! { "$inc": {"v": 1} }).await.unwrap();
                    tokio::time::sleep(pause).await;
                }
            })
        })
        .collect();
    let store = store(mongo, &[Binding::new("nodes", "nodes")]).await;
    let nodes = Resource::named("nodes");
    let mut lists = Vec::new();
    for _ in 0..count {
        lists.push(store.query(&nodes, &query(json!({}))).await.unwrap());
    }
    ended.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    rows.insert_one(doc! { "_id": "end" }).await.unwrap();

    let mut history: HashMap<String, Vec<u64>> = HashMap::new();
    while let Some(change) = changes.next().await {
        let change = change.unwrap();
        let key = change.document_key.unwrap().get_str("_id").unwrap().to_owned();
        if key == "end" {
            break;
        }
        let time = change.cluster_time.unwrap();
        history.entry(key).or_default().push(u64::from(time.time) << 32 | u64::from(time.increment));
    }
    let total: usize = history.values().map(Vec::len).sum();
    assert!(total > 20, "too little was written meanwhile: {total}");
    let mut compared = Vec::new();
    for (number, list) in lists.iter().enumerate() {
        assert_eq!(list.rows.len(), 400);
        for row in &list.rows {
            let times = history.get(&*row.id).map_or(&[][..], Vec::as_slice);
            let contained = times.iter().filter(|time| list.mark.contains(Stamp::Time(**time))).count();
            let listed = row.document.value()["v"].as_u64().unwrap();
            compared.push((format!("{} in list {number}, {}", row.id, list.mark), contained as u64, listed));
        }
    }
    compared
}

#[tokio::test]
async fn what_was_written_before_is_in_a_list_and_at_or_before_every_later_mark() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let rows = database.collection::<Document>("nodes");
    let store = store(&mongo, &[Binding::new("nodes", "nodes")]).await;
    let nodes = Resource::named("nodes");
    let empty = store.query(&nodes, &query(json!({}))).await.unwrap();
    assert!(empty.rows.is_empty());
    let mut last = empty.mark;
    for number in 0..50 {
        let mut session = database.client().start_session().await.unwrap();
        rows.insert_one(doc! { "_id": number.to_string() }).session(&mut session).await.unwrap();
        let time = session.operation_time().unwrap();
        let written = Stamp::Time(u64::from(time.time) << 32 | u64::from(time.increment));
        assert!(!last.contains(written));
        let list = store.query(&nodes, &query(json!({}))).await.unwrap();
        assert_eq!(list.rows.len(), number + 1);
        let nothing = store.query(&nodes, &query(json!({"$or": []}))).await.unwrap();
        last = store.mark().await.unwrap();
        for mark in [&list.mark, &nothing.mark, &last] {
            assert!(mark.contains(written), "{mark} and {written:?}");
        }
        assert!(last.covers(&list.mark) && matches!(last, Mark::Time(_)));
    }
}

#[tokio::test]
async fn an_object_id_is_found_by_its_text_and_a_string_by_the_same() {
    let Some(mongo) = Mongo::create() else { return };
    let text = "507f1f77bcf86cd799439011";
    let oid = ObjectId::parse_str(text).unwrap();
    let database = mongo.database().await;
    let own: [Bson; 3] = [oid.into(), text.into(), "other".into()];
    for (name, keys) in [("objects", &own[..1]), ("strings", &own[1..2]), ("both", &own[..])] {
        let documents = keys.iter().map(|key| doc! { "_id": key.clone() });
        database.collection::<Document>(name).insert_many(documents).await.unwrap();
    }
    database.collection::<Document>("named").insert_one(doc! { "instanceId": oid, "n": 1 }).await.unwrap();
    let mut bindings = ["objects", "strings", "both"].map(|name| Binding::new(name, name)).to_vec();
    bindings.push(Binding { key: "instanceId".into(), ..Binding::new("named", "named") });
    let store = store(&mongo, &bindings).await;
    for (name, found) in [("objects", 1), ("strings", 1), ("both", 2), ("named", 1)] {
        for filter in [json!({"id": text}), json!({"id": {"$in": ["x", text]}})] {
            let list = store.query(&Resource::named(name), &query(filter)).await.unwrap();
            assert_eq!(ids(&list), vec![text; found], "{name}");
        }
        let others = store.query(&Resource::named(name), &query(json!({"id": {"$ne": text}}))).await.unwrap();
        assert_eq!(others.rows.len(), usize::from(name == "both"));
    }
}

#[tokio::test]
async fn pages_ascend_by_code_point_whatever_the_keys_are() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let strings: Vec<Bson> = ["b", "B", "a", "é", "\u{10000}", "\u{ffff}", "10", "9"].map(Bson::from).to_vec();
    let numbers: Vec<Bson> = [9, 10, 1].map(Bson::from).to_vec();
    let mixed = [strings.clone(), numbers.clone()].concat();
    for (name, keys) in [("strings", strings), ("numbers", numbers), ("mixed", mixed[..mixed.len() - 2].to_vec())] {
        let documents: Vec<_> = keys.iter().map(|key| doc! { "_id": key.clone(), "even": true }).collect();
        database.collection::<Document>(name).insert_many(documents).await.unwrap();
        let store = store(&mongo, &[Binding::new(name, name)]).await;
        let resource = Resource::named(name);
        let whole = store.query(&resource, &query(json!({}))).await.unwrap();
        let mut sorted = ids(&whole);
        sorted.sort_unstable();
        assert_eq!(ids(&whole), sorted);
        for (skip, limit) in [(0, 1), (0, 3), (2, 2), (5, 100), (100, 1), (0, 0)] {
            let page = Query { skip, limit: Some(limit), ..query(json!({"even": true})) };
            let answered = store.query(&resource, &page).await.unwrap();
            let expected: Vec<&str> = sorted.iter().copied().skip(skip).take(limit).collect();
            assert_eq!(ids(&answered), expected, "{name} {skip} {limit}");
        }
    }
}

#[tokio::test]
async fn too_many_are_refused_before_they_are_read() {
    let Some(mongo) = Mongo::create() else { return };
    let rows = mongo.database().await.collection::<Document>("nodes");
    rows.insert_many((0..2_000).map(|number| doc! { "_id": format!("n{number}") })).await.unwrap();
    let store = store(&mongo, &[Binding::new("nodes", "nodes")]).await;
    let nodes = Resource::named("nodes");
    for (limit, max_items, found) in
        [(None, 1_999, None), (None, 2_000, Some(2_000)), (Some(7), 10, Some(7)), (Some(11), 10, None)]
    {
        let asked = Query { limit, max_items, ..query(json!({})) };
        let answer = store.query(&nodes, &asked).await;
        match found {
            Some(found) => assert_eq!(answer.unwrap().rows.len(), found),
            None => assert_eq!(answer.unwrap_err().kind(), Kind::TooMany),
        }
    }
}

async fn zoo(mongo: &Mongo) {
    let database = mongo.database().await;
    for options in [
        doc! { "create": "nodes", "changeStreamPreAndPostImages": {"enabled": true} },
        doc! { "create": "graphobjects" },
        doc! { "create": "lines", "capped": true, "size": 4096 },
        doc! { "create": "seen", "viewOn": "nodes", "pipeline": [] },
        doc! { "create": "measured", "timeseries": {"timeField": "t"} },
        doc! { "create": "with space" },
    ] {
        database.run_command(options).await.unwrap();
    }
}

#[tokio::test]
async fn every_collection_that_can_be_followed_is_discovered() {
    let Some(mongo) = Mongo::create() else { return };
    zoo(&mongo).await;
    let collections = discover(&mongo.database().await).await.unwrap();
    assert_eq!(collections.served, ["graphobjects", "nodes"]);
    let mut left: Vec<_> = collections.left_out.iter().map(|left| (&*left.collection, left.reason)).collect();
    left.retain(|(collection, _)| !collection.starts_with("system."));
    assert_eq!(
        left,
        [
            ("lines", "it is capped, and nobody tells what falls out of it"),
            ("measured", "it is a time series, and nobody tells of changes of one"),
            ("seen", "it is a view, and nobody tells of changes of one"),
            ("with space", "its name cannot stand in a path"),
        ]
    );
}

#[tokio::test]
async fn the_doctor_prints_the_line_that_mends_it() {
    let Some(mongo) = Mongo::create() else { return };
    zoo(&mongo).await;
    let address = Address::parse(&mongo.url()).unwrap();
    let by_instance = Binding { key: "instanceId".into(), ..Binding::new("graphObjs", "graphobjects") };
    let bindings = [Binding::new("nodes", "nodes"), by_instance, Binding::new("skus", "skus")];
    let findings = examine(&address, &bindings).await;
    let wrong: Vec<_> = findings.iter().filter(|finding| !finding.ok).collect();
    let fixes: Vec<&str> = wrong.iter().map(|finding| finding.fix.as_deref().unwrap()).collect();
    assert_eq!(
        fixes,
        [
            "db.runCommand({collMod: \"graphobjects\", changeStreamPreAndPostImages: {enabled: true}})",
            "db.getCollection(\"graphobjects\").createIndex({\"instanceId\": 1}, {unique: true})",
        ]
    );
    let images = doc! { "collMod": "graphobjects", "changeStreamPreAndPostImages": {"enabled": true} };
    let index =
        doc! { "createIndexes": "graphobjects", "indexes": [{"key": {"instanceId": 1}, "name": "k", "unique": true}] };
    for command in [images, index] {
        mongo.database().await.run_command(command).await.unwrap();
    }
    let findings = examine(&address, &bindings).await;
    assert!(findings.iter().all(|finding| finding.ok), "{findings:?}");
    assert!(findings.len() >= 7, "{findings:?}");

    let gone = examine(&Address::parse("mongodb://127.0.0.1:9/d").unwrap(), &bindings).await;
    assert!(matches!(&*gone, [finding] if !finding.ok && finding.sentence.contains("start the server")), "{gone:?}");
}
