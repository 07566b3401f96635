use super::*;
use crate::filter::Path as FieldPath;
use crate::store::tag;
use serde_json::json;

fn resource(name: &str) -> Resource {
    Resource::named(name)
}

fn all() -> Query {
    Query { filter: Arc::new(Filter::All), sort: Vec::new(), skip: 0, limit: None, max_items: 1_000 }
}

fn equal(field: &str, value: Value) -> Query {
    Query { filter: Arc::new(Filter::equal(FieldPath::parse(field), &value)), ..all() }
}

/// Both kinds of store, with the directory that it may need.
fn stores() -> [(Arc<Embedded>, tempfile::TempDir); 2] {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    [(Embedded::open(None).unwrap(), one), (Embedded::open(Some(other.path())).unwrap(), other)]
}

async fn put(store: &Embedded, resource: &Resource, id: &str, body: Value) -> Result<Written> {
    store.write(resource, id, Write::Put(body), &Condition::None).await
}

async fn rows(store: &Embedded, resource: &Resource, query: &Query) -> Vec<Value> {
    let snapshot = store.query(resource, query).await.unwrap();
    snapshot.rows.iter().map(|row| row.document.value().clone()).collect()
}

fn value(document: Option<Document>) -> Option<Value> {
    document.map(Document::into_value)
}

#[tokio::test]
async fn every_write_leaves_the_document_and_one_change() {
    for (store, _dir) in stores() {
        let nodes = resource("nodes");
        put(&store, &nodes, "n1", json!({"name": "one"})).await.unwrap();
        let patch = Write::JsonPatch(json!([{"op": "replace", "path": "/name", "value": "two"}]));
        store.write(&nodes, "n1", patch, &Condition::None).await.unwrap();
        let merge = Write::MergePatch(json!({"name": null, "rank": 0.1}));
        let written = store.write(&nodes, "n1", merge, &Condition::None).await.unwrap();
        assert_eq!(value(written.before), Some(json!({"id": "n1", "name": "two"})));
        assert_eq!(value(written.after), Some(json!({"id": "n1", "rank": 0.1})));
        assert_eq!(written.stamp, Stamp::Offset(3));
        assert_eq!(rows(&store, &nodes, &all()).await, [json!({"id": "n1", "rank": 0.1})]);
        store.write(&nodes, "n1", Write::Delete, &Condition::None).await.unwrap();
        assert!(rows(&store, &nodes, &all()).await.is_empty());

        let changes = store.changes(0, 10).unwrap();
        let operations: Vec<_> = changes.iter().map(|change| (change.operation, change.stamp)).collect();
        let expected = [Operation::Created, Operation::Updated, Operation::Updated, Operation::Removed];
        assert_eq!(operations, expected.into_iter().zip((1..).map(Stamp::Offset)).collect::<Vec<_>>());
        for pair in changes.windows(2) {
            assert_eq!(pair[0].after, pair[1].before, "each change begins where the one before it ended");
        }
        assert_eq!(store.mark().await.unwrap(), Mark::Offset(4));
    }
}

#[tokio::test]
async fn a_write_that_changes_nothing_is_no_change() {
    for (store, _dir) in stores() {
        let nodes = resource("nodes");
        put(&store, &nodes, "1", json!({"id": 1})).await.unwrap();
        let written = put(&store, &nodes, "1", json!({"id": 1})).await.unwrap();
        assert_eq!((written.before.clone(), written.stamp), (written.after, Stamp::Offset(1)));
        assert_eq!(store.changes(0, 10).unwrap().len(), 1);
    }
}

#[tokio::test]
async fn conditions_are_those_of_the_record_as_it_is_seen() {
    for (store, _dir) in stores() {
        let nodes = Resource { hide: vec!["secret".into()], ..resource("nodes") };
        let write = async |id: &str, condition: Condition| {
            let body = json!({"id": id, "secret": 1});
            store.write(&nodes, id, Write::Put(body), &condition).await.map_err(|error| error.kind())
        };
        assert_eq!(write("a", Condition::Exists).await.unwrap_err(), Kind::Conflict);
        assert_eq!(write("a", Condition::Tag(vec!["\"x\"".into()])).await.unwrap_err(), Kind::Conflict);
        let after = write("a", Condition::Absent).await.unwrap().after.unwrap();
        assert_eq!(*after.value(), json!({"id": "a"}), "what is hidden is not given back");
        assert_eq!(write("a", Condition::Absent).await.unwrap_err(), Kind::Conflict);
        assert_eq!(write("a", Condition::Tag(vec!["\"x\"".into()])).await.unwrap_err(), Kind::Conflict);
        write("a", Condition::Tag(vec!["\"x\"".into(), tag(&after)])).await.unwrap();
        write("a", Condition::Exists).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    for (store, _dir) in stores() {
        let nodes = resource("nodes");
        put(&store, &nodes, "n1", json!({"name": "one"})).await.unwrap();
        let long = "x".repeat(70_000);
        for (id, write, kind) in [
            ("n2", Write::Delete, Kind::Missing),
            ("n2", Write::MergePatch(json!({})), Kind::Missing),
            ("n2", Write::JsonPatch(json!([])), Kind::Missing),
            ("n2", Write::Put(json!([])), Kind::Malformed),
            ("n2", Write::Put(json!({"id": "n3"})), Kind::Malformed),
            ("n2", Write::Put(json!({"id": {}})), Kind::Malformed),
            ("", Write::Put(json!({})), Kind::Malformed),
            (&long, Write::Put(json!({})), Kind::Malformed),
            ("n1", Write::MergePatch(json!("text")), Kind::Malformed),
            ("n1", Write::MergePatch(json!({"id": "n2"})), Kind::Malformed),
            ("n1", Write::JsonPatch(json!([{"op": "remove", "path": "/x"}])), Kind::Malformed),
            ("n1", Write::JsonPatch(json!([{"op": "add", "path": "/id", "value": 5}])), Kind::Malformed),
            ("n1", Write::JsonPatch(json!("no patch")), Kind::Malformed),
            ("n1", Write::Append(json!({})), Kind::Refused),
        ] {
            let error = store.write(&nodes, id, write, &Condition::None).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{}", error.chain());
        }
        assert_eq!(store.last().unwrap(), 1);
        assert_eq!(rows(&store, &nodes, &all()).await, [json!({"id": "n1", "name": "one"})]);
    }
}

#[tokio::test]
async fn a_line_is_only_a_change() {
    for (store, _dir) in stores() {
        let lines = Resource { append_only: true, ..resource("lines") };
        for (body, id, shown) in [
            (json!({"id": 7}), "7", json!({"id": 7})),
            (json!({"m": 1}), "", json!({"m": 1})),
            (json!("text"), "", json!({"message": "text"})),
        ] {
            let written = store.write(&lines, "", Write::Append(body.clone()), &Condition::None).await.unwrap();
            assert_eq!((value(written.before), value(written.after)), (None, Some(shown)));
            let change = store.changes(0, 10).unwrap().pop().unwrap();
            assert_eq!((change.operation, &*change.id), (Operation::Appended, id));
            assert_eq!(value(change.after), Some(body));
        }
        assert!(rows(&store, &lines, &all()).await.is_empty());
        let error = put(&store, &lines, "7", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
    }
}

#[tokio::test]
async fn composite_and_other_keys_agree_with_the_id() {
    for (store, _dir) in stores() {
        let seats = Resource { key: vec!["row".into(), "seat".into()], ..resource("seats") };
        put(&store, &seats, "a\\,b,7", json!({"row": "a,b", "seat": 7})).await.unwrap();
        assert!(put(&store, &seats, "a,7", json!({"row": "a,b", "seat": 7})).await.is_err());
        let graphs = Resource { key: vec!["instanceId".into()], ..resource("graphs") };
        put(&store, &graphs, "g,1", json!({"id": "6b01", "instanceId": "g,1"})).await.unwrap();
        assert!(put(&store, &graphs, "g2", json!({"instanceId": "g1"})).await.is_err());
        for (field, id) in [("instanceId", "g,1"), ("id", "6b01")] {
            assert_eq!(rows(&store, &graphs, &equal(field, json!(id))).await.len(), 1, "{field}");
        }
    }
}

#[tokio::test]
async fn a_record_is_found_by_its_id_and_collections_are_apart() {
    for (store, _dir) in stores() {
        let (nodes, other) = (resource("nodes"), resource("nodes2"));
        for number in 0..20 {
            put(&store, &nodes, &number.to_string(), json!({"id": number})).await.unwrap();
            put(&store, &other, &format!("o{number}"), json!({})).await.unwrap();
        }
        assert_eq!(rows(&store, &nodes, &equal("id", json!("7"))).await, [json!({"id": 7})]);
        assert_eq!(rows(&store, &nodes, &equal("id", json!(7))).await, [json!({"id": 7})]);
        assert!(rows(&store, &nodes, &equal("id", json!("o7"))).await.is_empty());
        assert!(rows(&store, &nodes, &equal("id", json!("x".repeat(70_000)))).await.is_empty());
        assert_eq!(rows(&store, &nodes, &all()).await.len(), 20);
        assert!(rows(&store, &resource("never written"), &all()).await.is_empty());
    }
}

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = resource("nodes");
    let store = Embedded::open(Some(dir.path())).unwrap();
    for number in 1..=10 {
        put(&store, &nodes, &format!("n{number}"), json!({"number": number})).await.unwrap();
    }
    store.forget(4).unwrap();
    store.forget(4).unwrap();
    assert!(Embedded::open(Some(dir.path())).is_err(), "one process at a time");
    drop(store);
    let store = Embedded::open(Some(dir.path())).unwrap();
    assert_eq!(rows(&store, &nodes, &all()).await.len(), 10);
    let numbers: Vec<_> = store.changes(0, 100).unwrap().iter().map(|change| change.stamp).collect();
    assert_eq!(numbers, (5..=10).map(Stamp::Offset).collect::<Vec<_>>());
    assert_eq!(store.changes(6, 2).unwrap().len(), 2);
    put(&store, &nodes, "n11", json!({})).await.unwrap();
    assert_eq!(store.last().unwrap(), 11);
}

#[test]
fn a_list_contains_exactly_what_its_mark_says() {
    for (store, _dir) in stores() {
        let nodes = resource("nodes");
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let (store, nodes) = (&store, &nodes);
                scope.spawn(move || {
                    runtime().block_on(async {
                        for number in 0..100 {
                            put(store, nodes, &format!("{writer}-{number}"), json!({})).await.unwrap();
                        }
                    });
                });
            }
            runtime().block_on(async {
                while store.last().unwrap() < 200 {
                    let snapshot = store.query(&nodes, &all()).await.unwrap();
                    assert_eq!(snapshot.mark, Mark::Offset(snapshot.rows.len() as u64));
                }
            });
        });
        assert_eq!(store.changes(0, 1_000).unwrap().len(), 200);
    }
}
