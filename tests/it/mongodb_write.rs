//! Writes to a MongoDB database through the store: one record, under its condition, with the types it had.

use crate::mongodb::Mongo;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::{Value, json};
use std::sync::Arc;
use tidings::error::{Kind, Result};
use tidings::event::Stamp;
use tidings::filter::Filter;
use tidings::mongodb::collection::Binding;
use tidings::query::Query;
use tidings::resource::Resource;
use tidings::store::mongodb::{MongoStore, Settings};
use tidings::store::{Condition, Store, Write, Written, tag};

struct Place {
    store: MongoStore,
    resource: Resource,
}

impl Place {
    async fn new(mongo: &Mongo, key: &str) -> Place {
        let binding = Binding { key: key.into(), ..Binding::new("nodes", "nodes") };
        let store = MongoStore::new(mongo.database().await, Settings::new(vec![binding]));
        Place { store, resource: Resource { hide: vec!["secret".into()], ..Resource::named("nodes") } }
    }

    async fn write(&self, id: &str, write: Write, condition: Condition) -> Result<Written> {
        self.store.write(&self.resource, id, write, &condition).await
    }

    async fn merge(&self, id: &str, changes: Value) -> Result<Written> {
        self.write(id, Write::MergePatch(changes), Condition::None).await
    }
}

fn kind(result: Result<Written>) -> Kind {
    result.unwrap_err().kind()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_change_one_record_under_its_condition() {
    let Some(mongo) = Mongo::create() else { return };
    let rows = mongo.database().await.collection::<Document>("nodes");
    let place = Place::new(&mongo, "_id").await;
    let body = json!({"name": "one", "tags": [1, {"a": null}], "big": 5_000_000_000_i64, "void": null});
    let made = place.write("n1", Write::Put(body), Condition::Absent).await.unwrap();
    assert!(made.before.is_none() && matches!(made.stamp, Stamp::Time(_)));
    let after = made.after.unwrap();
    assert_eq!(*after.value(), json!({"id": "n1", "name": "one", "tags": [1, {}], "big": 5_000_000_000_i64}));
    let again = place.write("n1", Write::Put(json!({"name": "x"})), Condition::Absent).await;
    assert_eq!(kind(again), Kind::Conflict);

    let same = place.write("n1", Write::Put(after.value().clone()), Condition::Tag(vec![tag(&after)])).await.unwrap();
    assert_eq!((same.before, same.stamp), (same.after, Stamp::None));
    let merged = place.write("n1", Write::MergePatch(json!({"name": "two", "tags": null})), Condition::Exists).await;
    let merged = merged.unwrap();
    assert_eq!(merged.before, Some(after.clone()));
    let Stamp::Time(time) = merged.stamp else { panic!("no time: {:?}", merged.stamp) };
    assert!(place.store.mark().await.unwrap().contains(Stamp::Time(time)));
    assert!(!place.store.mark().await.unwrap().contains(Stamp::Time(time + (1 << 40))));
    assert_eq!(*merged.after.unwrap().value(), json!({"id": "n1", "name": "two", "big": 5_000_000_000_i64}));
    assert_eq!(kind(place.write("n1", Write::Delete, Condition::Tag(vec![tag(&after)])).await), Kind::Conflict);
    let patch =
        json!([{"op": "test", "path": "/name", "value": "two"}, {"op": "add", "path": "/a", "value": {"b": 1}}]);
    let patched = place.write("n1", Write::JsonPatch(patch.clone()), Condition::None).await.unwrap().after.unwrap();
    assert_eq!(patched.value()["a"], json!({"b": 1}));
    assert_eq!(
        rows.find_one(doc! {}).await.unwrap().unwrap(),
        doc! { "_id": "n1", "name": "two", "big": 5_000_000_000_i64, "a": {"b": 1} }
    );

    for malformed in [
        json!({"id": "other"}),
        json!({"$set": {"a": 1}}),
        json!({"a.b": 1}),
        json!({"a": {"$where": "1"}}),
        json!({"_id": 5}),
    ] {
        assert_eq!(kind(place.merge("n1", malformed.clone()).await), Kind::Malformed, "{malformed}");
    }
    assert_eq!(kind(place.write("n1", Write::Put(json!([1])), Condition::None).await), Kind::Malformed);
    assert_eq!(kind(place.merge("n9", json!({})).await), Kind::Missing);
    assert_eq!(kind(place.write("n9", Write::Delete, Condition::None).await), Kind::Missing);
    assert_eq!(kind(place.write("n9", Write::Append(json!({})), Condition::None).await), Kind::Refused);

    rows.update_one(doc! {}, doc! { "$set": {"secret": "s"} }).await.unwrap();
    assert_eq!(kind(place.write("n1", Write::Put(json!({"name": "x"})), Condition::None).await), Kind::Refused);
    let kept = place.merge("n1", json!({"name": "three"})).await.unwrap().after.unwrap();
    assert_eq!(kept.value().get("secret"), None);
    assert_eq!(rows.find_one(doc! {}).await.unwrap().unwrap().get_str("secret").unwrap(), "s");
    let gone = place.write("n1", Write::Delete, Condition::None).await.unwrap();
    assert!(gone.after.is_none() && gone.before == Some(kept));
    assert_eq!(rows.count_documents(doc! {}).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_write_at_once_none_is_lost() {
    let Some(mongo) = Mongo::create() else { return };
    mongo.database().await.create_collection("nodes").await.unwrap();
    let place = Place::new(&mongo, "_id").await;
    let puts = (0..12).map(|number| place.write("hot", Write::Put(json!({"name": number})), Condition::None));
    let results = futures_util::future::join_all(puts).await;
    let created = results.iter().filter(|result| result.as_ref().unwrap().before.is_none()).count();
    assert_eq!(created, 1);
    let merges = (0..12).map(|number| place.merge("hot", json!({format!("f{number}"): number})));
    for merged in futures_util::future::join_all(merges).await {
        merged.unwrap();
    }
    let tag_of = |written: &Written| tag(written.after.as_ref().unwrap());
    let seen = place.merge("hot", json!({})).await.unwrap();
    assert_eq!(seen.after.as_ref().unwrap().value().as_object().unwrap().len(), 14);
    // Of many who saw the same, one may change it.
    let condition = Condition::Tag(vec![tag_of(&seen)]);
    let races = (0..8).map(|number| place.write("hot", Write::MergePatch(json!({"won": number})), condition.clone()));
    let results = futures_util::future::join_all(races).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.into_iter().filter_map(|result| result.err()).all(|error| error.kind() == Kind::Conflict));
}

#[tokio::test]
async fn what_is_not_changed_keeps_its_type_and_a_key_is_found_by_its_text() {
    let Some(mongo) = Mongo::create() else { return };
    let rows = mongo.database().await.collection::<Document>("nodes");
    let place = Place::new(&mongo, "_id").await;
    let (oid, sku) = (ObjectId::new(), ObjectId::new());
    let at = DateTime::from_millis(1_795_249_094_849);
    let price: Bson = Bson::Decimal128("1.50".parse().unwrap());
    let stored = doc! { "_id": oid, "at": at, "sku": sku, "price": price.clone(), "deep": {"at": at, "n": 1, "void": Bson::Null}, "list": [at, 5i64] };
    rows.insert_one(&stored).await.unwrap();
    let patched =
        place.merge(&oid.to_hex(), json!({"deep": {"n": 2}, "new": "2026-11-21T08:18:14.849Z"})).await.unwrap();
    assert_eq!(patched.after.unwrap().value()["deep"], json!({"at": "2026-11-21T08:18:14.849Z", "n": 2}));
    let expected = doc! { "_id": oid, "at": at, "sku": sku, "price": price, "deep": {"at": at, "n": 2, "void": Bson::Null}, "list": [at, 5i64], "new": "2026-11-21T08:18:14.849Z" };
    assert_eq!(rows.find_one(doc! {}).await.unwrap().unwrap(), expected);

    // A new one beside it has a key of the same kind, and is found by it.
    let other = ObjectId::new();
    place.write(&other.to_hex(), Write::Put(json!({"id": other.to_hex(), "n": 1})), Condition::Absent).await.unwrap();
    assert_eq!(rows.count_documents(doc! { "_id": other }).await.unwrap(), 1);
    for key in
        [Bson::Int32(7), Bson::from(1.5), Bson::Boolean(true), Bson::DateTime(at), Bson::Document(doc! { "a": 1 })]
    {
        rows.insert_one(doc! { "_id": key.clone() }).await.unwrap();
    }
    let filter = Arc::new(Filter::All);
    let all = Query { filter, sort: Vec::new(), skip: 0, limit: None, max_items: 100 };
    for row in place.store.query(&place.resource, &all).await.unwrap().rows {
        if [oid.to_hex(), other.to_hex()].contains(&row.id.to_string()) {
            continue;
        }
        let gone = place.write(&row.id, Write::Delete, Condition::None).await;
        assert_eq!(gone.unwrap_or_else(|error| panic!("{}: {error}", row.id)).before, Some(row.document));
    }
    assert_eq!(rows.count_documents(doc! {}).await.unwrap(), 2);
}

#[tokio::test]
async fn a_key_of_another_name_is_kept() {
    let Some(mongo) = Mongo::create() else { return };
    let rows = mongo.database().await.collection::<Document>("nodes");
    mongo.database().await.run_command(doc! { "createIndexes": "nodes", "indexes": [{"key": {"mac": 1}, "name": "mac", "unique": true, "sparse": true}] }).await.unwrap();
    let place = Place::new(&mongo, "instanceId").await;
    rows.insert_one(doc! { "_id": "6b01", "instanceId": "g1", "mac": "m1" }).await.unwrap();
    let merged = place.merge("g1", json!({"n": 1})).await.unwrap();
    assert_eq!(*merged.after.unwrap().value(), json!({"id": "6b01", "instanceId": "g1", "mac": "m1", "n": 1}));
    for changed in [json!({"instanceId": "g2"}), json!({"id": "6b02"})] {
        assert_eq!(kind(place.merge("g1", changed).await), Kind::Malformed);
    }
    let made = place.write("g2", Write::Put(json!({"n": 2})), Condition::None).await.unwrap().after.unwrap();
    assert_eq!(made.value()["instanceId"], "g2");
    assert_eq!(made.value()["id"].as_str().map(str::len), Some(24));
    // Another unique index, of which the refusal shows nothing that is stored.
    let refused = place.merge("g2", json!({"mac": "m1"})).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Refused);
    assert!(!refused.to_string().contains("m1"), "{refused}");
    rows.insert_one(doc! { "_id": "6b03" }).await.unwrap();
    let merged = place.merge("6b03", json!({"n": 3})).await.unwrap();
    assert_eq!(*merged.after.unwrap().value(), json!({"id": "6b03", "n": 3}));
}
