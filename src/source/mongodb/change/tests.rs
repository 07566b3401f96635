use super::*;
use mongodb::bson::{Bson, Document as BsonDocument, RawDocumentBuf, Timestamp as BsonTimestamp, doc};
use serde_json::{Value, json};

fn raw(document: BsonDocument) -> RawDocumentBuf {
    RawDocumentBuf::try_from(&document).unwrap()
}

fn event(operation: &str, more: BsonDocument) -> RawDocumentBuf {
    let mut event = doc! {
        "_id": { "_data": "82" }, "operationType": operation, "clusterTime": BsonTimestamp { time: 5, increment: 6 },
        "ns": { "db": "d", "coll": "c" }, "documentKey": { "_id": "a" },
    };
    event.extend(more);
    raw(event)
}

fn keyed(key: &str) -> Binding {
    Binding { key: key.into(), ..Binding::new("r", "c") }
}

/// What an event tells: operation, id, the record before and after.
fn told(event: &RawDocument, key: &str, found: Option<BsonDocument>) -> Vec<(String, String, Value, Value)> {
    let found = found.map(raw);
    let events = Change::read(event).unwrap().events(&keyed(key), found.as_deref());
    let value =
        |document: &Option<Document>| document.as_ref().map_or(Value::Null, |document| document.value().clone());
    events
        .iter()
        .map(|event| {
            (format!("{:?}", event.operation), event.id.to_string(), value(&event.before), value(&event.after))
        })
        .collect()
}

fn one(operation: &str, id: &str, before: Value, after: Value) -> (String, String, Value, Value) {
    (operation.into(), id.into(), before, after)
}

#[test]
fn an_event_is_stamped_with_the_cluster_time_and_dated_by_the_wall_clock() {
    let insert = event("insert", doc! { "fullDocument": { "_id": "a" } });
    let change = Change::read(&insert).unwrap();
    let told = &change.events(&keyed("_id"), None)[0];
    assert_eq!((told.stamp, told.time), (Stamp::Time(5 << 32 | 6), Timestamp(5000)));
    let wall = mongodb::bson::DateTime::from_millis(77);
    let dated = event("insert", doc! { "fullDocument": { "_id": "a" }, "wallTime": wall });
    assert_eq!(Change::read(&dated).unwrap().events(&keyed("_id"), None)[0].time, Timestamp(77));
}

#[test]
fn the_key_is_followed_through_every_kind_of_update() {
    let before = doc! { "_id": "a", "k": "x", "n": 1 };
    let updated = |update: BsonDocument| {
        event("update", doc! { "fullDocumentBeforeChange": before.clone(), "updateDescription": update })
    };
    let old = json!({"id": "a", "k": "x", "n": 1});
    let plain = updated(doc! { "updatedFields": { "n": 2 } });
    assert_eq!(told(&plain, "k", None), [one("Updated", "x", old.clone(), json!({"id": "a", "k": "x", "n": 2}))]);
    assert_eq!(told(&plain, "_id", None)[0].1, "a");
    for (update, id) in [
        (doc! { "updatedFields": { "k": 7 } }, "7"),
        (doc! { "updatedFields": { "k": Bson::Null } }, "a"),
        (doc! { "removedFields": ["k"] }, "a"),
    ] {
        let events = told(&updated(update), "k", None);
        assert_eq!(events[0], one("Removed", "x", old.clone(), Value::Null));
        assert_eq!((events[1].0.as_str(), events[1].1.as_str(), &events[1].2), ("Created", id, &Value::Null));
    }
    let replaced =
        event("replace", doc! { "fullDocumentBeforeChange": before.clone(), "fullDocument": { "_id": "a", "k": "y" } });
    assert_eq!(
        told(&replaced, "k", None),
        [one("Removed", "x", old, Value::Null), one("Created", "y", Value::Null, json!({"id": "a", "k": "y"}))]
    );
}

#[test]
fn without_an_image_the_record_is_looked_up_or_left_to_its_removal() {
    let update = event("update", doc! { "updateDescription": { "updatedFields": { "n": 2 } } });
    let change = Change::read(&update).unwrap();
    assert_eq!(change.lacks().map(form::key).as_deref(), Some("a"));
    assert_eq!(told(&update, "_id", None), []);
    let found = doc! { "_id": "a", "k": "x", "n": 3 };
    let newer = json!({"id": "a", "k": "x", "n": 3});
    assert_eq!(told(&update, "k", Some(found.clone())), [one("Updated", "x", Value::Null, newer.clone())]);
    let moved = event("update", doc! { "updateDescription": { "updatedFields": { "k": "x" } } });
    let reset = one("Reset(Source)", "", Value::Null, Value::Null);
    assert_eq!(told(&moved, "k", Some(found)), [reset, one("Updated", "x", Value::Null, newer)]);
    // An image that does not fit what is said to have changed is not trusted.
    let odd = event(
        "update",
        doc! { "fullDocumentBeforeChange": { "_id": "a" },
        "updateDescription": { "updatedFields": { "none.x": 2 } } },
    );
    assert!(Change::read(&odd).unwrap().lacks().is_some());
}

#[test]
fn a_removal_that_nobody_can_name_resets_the_resource() {
    let known = event("delete", doc! { "fullDocumentBeforeChange": { "_id": "a", "k": "x" } });
    assert_eq!(told(&known, "k", None), [one("Removed", "x", json!({"id": "a", "k": "x"}), Value::Null)]);
    let unknown = event("delete", doc! { "fullDocumentBeforeChange": Bson::Null });
    assert_eq!(told(&unknown, "_id", None), [one("Removed", "a", Value::Null, Value::Null)]);
    assert_eq!(told(&unknown, "k", None), [one("Reset(Source)", "", Value::Null, Value::Null)]);
}

#[test]
fn what_is_no_change_of_a_record_is_told_apart() {
    let to = |db: &str| doc! { "to": { "db": db, "coll": "new" } };
    for (event, what) in [
        (event("drop", doc! {}), What::Dropped { collection: "c" }),
        (event("rename", to("d")), What::Renamed { from: "c", to: Some("new") }),
        (event("rename", to("elsewhere")), What::Renamed { from: "c", to: None }),
        (event("dropDatabase", doc! {}), What::DatabaseDropped),
        (event("invalidate", doc! {}), What::Invalidated),
        (event("createIndexes", doc! {}), What::Other),
        (event("something new", doc! {}), What::Other),
    ] {
        let change = Change::read(&event).unwrap();
        assert_eq!(change.what, what);
        assert!(change.events(&keyed("_id"), None).is_empty());
    }
}

#[test]
fn torn_events_are_refused_and_do_no_harm() {
    for lacking in ["_id", "operationType", "clusterTime", "ns", "documentKey", "fullDocument"] {
        let mut whole = BsonDocument::try_from(&*event("insert", doc! { "fullDocument": { "_id": 1 } })).unwrap();
        whole.remove(lacking);
        assert!(Change::read(&raw(whole)).is_err(), "{lacking}");
    }
    let update = event(
        "update",
        doc! { "fullDocumentBeforeChange": { "_id": "a", "l": [1] },
        "updateDescription": { "updatedFields": { "l.0": 2 }, "removedFields": ["x"] } },
    );
    let bytes = update.into_bytes();
    for at in 4..bytes.len() - 1 {
        for broken in [0, 1, 3, 0x7f, 0xff] {
            let mut torn = bytes.clone();
            torn[at] = broken;
            if let Ok(change) = Change::read(RawDocument::from_bytes(&torn).unwrap()) {
                change.events(&keyed("l"), None);
            }
        }
    }
}
