//! The Postgres store against a real server: what it answers is what the filters say of the same rows in memory.

use crate::dice::Dice;
use crate::postgres_parts::{Database, binding, name};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tidings::error::Kind;
use tidings::event::Stamp;
use tidings::filter::Filter;
use tidings::postgres::address::Address;
use tidings::postgres::connect::connect;
use tidings::postgres::table::Binding;
use tidings::query::{Query, Row};
use tidings::resource::Resource;
use tidings::store::postgres::{PostgresStore, Settings};
use tidings::store::select::select;
use tidings::store::{Condition, Store, Write, tag};

fn resource(name: &str, key: &[&str], hide: &[&str]) -> Resource {
    Resource {
        source: "pg".into(),
        key: key.iter().map(|part| (*part).into()).collect(),
        hide: hide.iter().map(|part| (*part).into()).collect(),
        ..Resource::named(name)
    }
}

fn query(filter: &Value) -> Query {
    let filter = Filter::parse(filter).unwrap_or_else(|_| panic!("{filter} is no filter"));
    Query { filter: Arc::new(filter), sort: Vec::new(), skip: 0, limit: None, max_items: 100_000 }
}

/// For each column of a random table: its type, and texts of it with the corners where SQL and JSON differ.
const COLUMNS: [(&str, &str, &[&str]); 13] = [
    ("t", "text", &["", "a", "A", "ab", "b_", "b%", "a\\b", "é", "\u{10000}", "\u{ffff}", "1", "Ab"]),
    ("v", "varchar(20)", &["a", "aa", "a ", " a", "Z", "z"]),
    ("i", "int", &["0", "1", "-1", "2", "2147483647", "-2147483648"]),
    ("l", "bigint", &["0", "1", "9007199254740993", "9223372036854775807", "-9223372036854775808"]),
    (
        "f",
        "float8",
        &[
            "0",
            "-0",
            "1",
            "1.5",
            "0.1",
            "1e300",
            "NaN",
            "Infinity",
            "-Infinity",
            "31.245270191439438",
            "1.7976931348623157e308",
            "7120190517612959703e120",
        ],
    ),
    ("r", "real", &["0.1", "1", "1.5", "NaN"]),
    (
        "n",
        "numeric",
        &[
            "1",
            "1.0",
            "1.50",
            "0.1",
            "0.10000000000000000001",
            "0.09999999999999999999",
            "9007199254740993",
            "1e400",
            "NaN",
            "-1",
        ],
    ),
    ("b", "boolean", &["true", "false"]),
    ("u", "uuid", &["00000000-0000-0000-0000-000000000001", "ffffffff-0000-4000-8000-00000000000a"]),
    (
        "ts",
        "timestamptz",
        &[
            "2026-11-21 08:18:14.849+00",
            "2026-11-21 08:18:14.849999+00",
            "2026-11-21 08:18:14.85+00",
            "2026-11-21 00:00+00",
            "infinity",
            "-infinity",
            "0044-03-15 00:00+00 BC",
            "12026-01-01 00:00+00",
            "1969-12-31 23:59:59.9995+00",
        ],
    ),
    ("e", "mood", &["sad", "ok", "happy"]),
    ("j", "jsonb", &["null", "1", "\"a\"", "{\"k\": 1}", "[1, \"a\", null]", "{\"k\": {\"m\": null}}"]),
    ("arr", "text[]", &["{}", "{a}", "{a,NULL,b}"]),
];

/// Something to compare a field with, of the field's own kind more often than not.
fn operand(dice: &mut Dice, field: &str) -> Value {
    let own = COLUMNS.iter().find(|(name, ..)| *name == field && dice.roll(3) > 0);
    // Times of years that documents write in another form.
    if own.is_some_and(|(_, kind, _)| *kind == "timestamptz") && dice.roll(4) == 0 {
        return json!(dice.pick(&["0010-01-01T00:00:00.000Z", "0010-01-01", "2026-11-21T08:18:14.849Z"]));
    }
    let kind = match own.map(|(_, kind, texts)| (*kind, texts)) {
        None => dice.roll(10),
        Some(("int" | "bigint" | "float8" | "real" | "numeric", texts)) if dice.roll(2) == 0 => {
            let text = dice.pick(texts);
            return serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        }
        Some(("int" | "bigint", _)) => 1,
        Some(("float8" | "real" | "numeric", _)) => dice.roll(2),
        Some(("boolean", _)) => 3,
        Some(("timestamptz", _)) => 5,
        Some((_, texts)) => return json!(dice.pick(texts)),
    };
    let texts: Vec<&str> = COLUMNS.iter().flat_map(|(_, _, values)| values.iter().copied()).collect();
    match kind {
        0 => json!(dice.pick(&[0.1, 1.5, -0.5, 1e300, 1.0, 9_007_199_254_740_992.0, -9.3e18, 1e19])),
        1 => json!(dice.pick(&[0_i64, 1, -1, 2, 2_147_483_648, 9_007_199_254_740_993, i64::MAX, i64::MIN])),
        2 => json!(u64::MAX),
        3 => json!(dice.roll(2) == 0),
        4 => Value::Null,
        5 => json!(dice.pick(&[
            "2026-11-21T08:18:14.849Z",
            "2026-11-21T08:18:14.850Z",
            "2026-11-21",
            "2026-11-21T08",
            "0010-01-01",
            "0010-01-01T00:00:00.000Z",
            "infinity",
            "0044-03-15T00:00:00+00:00 BC",
            "1969-12-31T23:59:59.999Z",
            "FFFFFFFF-0000-4000-8000-00000000000A",
            "a\0b",
            "x,y",
            "x\\,y,7",
            "k3",
            "7",
        ])),
        6 => json!({"k": 1}),
        _ => json!(dice.pick(&texts)),
    }
}

fn filter(dice: &mut Dice, depth: usize) -> Value {
    let field = match dice.roll(8) {
        0 => "id",
        1 => dice.pick(&["k", "secret", "j.k", "j.k.m", "t.x", "nosuch", "arr.0", "arr"]),
        _ => dice.pick(&COLUMNS).0,
    };
    let test = match dice.roll(8) {
        0 => json!({"$eq": operand(dice, field)}),
        1 => json!({"$in": [operand(dice, field), operand(dice, field), operand(dice, field)]}),
        2 => json!({"$exists": dice.roll(2) == 0}),
        3 => json!({"$ne": operand(dice, field)}),
        4 => {
            let word = *dice.pick(&["$startsWith", "$contains", "$endsWith", "$like"]);
            json!({word: *dice.pick(&["", "a", "A", "b_", "%", "a%", "_", "\\", "2026", "a\\"])})
        }
        _ => json!({*dice.pick(&["$gt", "$gte", "$lt", "$lte"]): operand(dice, field)}),
    };
    let several = |dice: &mut Dice| json!([filter(dice, depth - 1), filter(dice, depth - 1)]);
    match dice.roll(if depth == 0 { 6 } else { 12 }) {
        0..=3 => json!({ field: test }),
        4..=5 => json!({ field: {"$not": test} }),
        6..=7 => json!({"$not": filter(dice, depth - 1)}),
        8 => json!({"$nor": several(dice)}),
        9 => json!({"$or": several(dice)}),
        _ => json!({"$and": several(dice)}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_answers_what_the_filter_says_of_every_row() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let columns: String = COLUMNS.iter().map(|(name, kind, _)| format!(", {name} {kind}")).collect();
    let keys = [
        ("by_text", "id text", "id", vec!["id"]),
        ("by_int", "id int", "id", vec!["id"]),
        ("by_other", "k text, id uuid", "k", vec!["k"]),
        ("by_two", "k text, k2 int", "k, k2", vec!["k", "k2"]),
    ];
    client.batch_execute("create type mood as enum ('sad', 'ok', 'happy')").await.unwrap();
    let mut dice = Dice(7);
    for (table, head, primary, _) in &keys {
        let create = format!("create table {table} ({head}{columns}, secret text, primary key ({primary}))");
        client.batch_execute(&create).await.unwrap();
        for number in 0..150 {
            let mut values = match *table {
                "by_text" => format!("'{}{number}'", dice.pick(&["k", "K", "x,", "é"])),
                "by_int" => format!("{}", number - 20),
                "by_other" => format!("'k{number}', 'ffffffff-0000-4000-8000-{number:012}'"),
                _ => format!("'{}', {number}", dice.pick(&["x,y", "x", "\\"])),
            };
            for (_, kind, texts) in COLUMNS {
                values += &match dice.roll(5) {
                    0 => ", null".to_owned(),
                    _ => format!(", '{}'::{kind}", dice.pick(texts)),
                };
            }
            client.batch_execute(&format!("insert into {table} values ({values}, 'hidden')")).await.unwrap();
        }
    }
    let bindings: Vec<Binding> = keys.iter().map(|(table, ..)| binding(table, table)).collect();
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).chain(["id", "k", "nosuch"]).collect();
    let store = PostgresStore::new(&database.address(), Settings::new(bindings)).unwrap();
    let mut found = 0;
    for (table, _, _, key) in &keys {
        let resource = resource(table, key, &["secret"]);
        let all: Vec<Row> = store.query(&resource, &query(&json!({}))).await.unwrap().rows;
        assert_eq!(all.len(), 150);
        assert!(all.iter().all(|row| row.document.value().get("secret").is_none()));
        // A numeric next to a double is that double in a document.
        let corners = [json!({"n": 0.1}), json!({"n": {"$gte": 0.1}}), json!({"n": {"$lte": 0.1}})];
        for number in 0..400 {
            let asked = corners.get(number).cloned().unwrap_or_else(|| filter(&mut dice, 2));
            let mut query = query(&asked);
            dice.page(&mut query, &names);
            let answered =
                store.query(&resource, &query).await.unwrap_or_else(|error| panic!("{asked}: {}", error.chain()));
            let expected = select(all.iter().cloned(), &query).unwrap();
            let ids = |rows: &[Row]| rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>();
            assert_eq!(ids(&answered.rows), ids(&expected), "{table} {asked} {:?} {:?}", query.sort, query.limit);
            found += expected.len();
        }
    }
    assert!(found > 5_000, "the filters match hardly anything: {found}");
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_rows_are_refused_before_they_are_read() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client
        .batch_execute("create table big (id int primary key, pad text); insert into big select g, repeat('x', 500) from generate_series(1, 200000) g")
        .await
        .unwrap();
    let store = PostgresStore::new(&database.address(), Settings::new(vec![binding("big", "big")])).unwrap();
    let big = resource("big", &["id"], &[]);
    let mut asked = Query { max_items: 100, ..query(&json!({})) };
    assert_eq!(store.query(&big, &asked).await.unwrap_err().kind(), Kind::TooMany);
    asked.limit = Some(101);
    assert_eq!(store.query(&big, &asked).await.unwrap_err().kind(), Kind::TooMany);
    asked.limit = Some(2);
    asked.skip = 199_998;
    let rows = store.query(&big, &asked).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["99998", "99999"]);
    // The connections that were cut off have not been used up.
    asked = Query { max_items: 100, ..query(&json!({})) };
    for _ in 0..20 {
        assert_eq!(store.query(&big, &asked).await.unwrap_err().kind(), Kind::TooMany);
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_change_one_record_under_its_condition() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client
        .batch_execute(
            "create table nodes (id text primary key, name text not null, kind text default 'compute' \
                 check (kind in ('compute', 'switch')), raw bytea, at timestamptz, tags jsonb, \
                 twice text generated always as (name || name) stored, secret text)",
        )
        .await
        .unwrap();
    let store = PostgresStore::new(&database.address(), Settings::new(vec![binding("nodes", "nodes")])).unwrap();
    let nodes = resource("nodes", &["id"], &["secret"]);
    let write = async |id: &str, write: Write, condition: Condition| store.write(&nodes, id, write, &condition).await;
    let kind = |result: tidings::error::Result<tidings::store::Written>| result.unwrap_err().kind();

    let body = json!({"name": "one", "raw": "AP8=", "at": "2026-11-21T08:18:14.849Z", "tags": [1, {"a": null}]});
    let made = write("n,1", Write::Put(body), Condition::Absent).await.unwrap();
    assert!(made.before.is_none() && matches!(made.stamp, Stamp::Transaction(_)));
    let after = made.after.unwrap();
    let expected = json!({"id": "n,1", "name": "one", "kind": "compute", "raw": "AP8=",
        "at": "2026-11-21T08:18:14.849Z", "tags": [1, {"a": null}], "twice": "oneone"});
    assert_eq!(*after.value(), expected);
    assert_eq!(kind(write("n,1", Write::Put(json!({"name": "x"})), Condition::Absent).await), Kind::Conflict);

    let same = write("n,1", Write::Put(expected), Condition::Tag(vec![tag(&after)])).await.unwrap();
    assert_eq!((same.before, same.stamp), (same.after, Stamp::None));
    let merged =
        write("n,1", Write::MergePatch(json!({"name": "two", "tags": null})), Condition::Exists).await.unwrap();
    assert_eq!(merged.before, Some(after.clone()));
    let merged = merged.after.unwrap();
    assert_eq!((merged.value().get("tags"), &merged.value()["twice"]), (None, &json!("twotwo")));
    assert_eq!(kind(write("n,1", Write::Delete, Condition::Tag(vec![tag(&after)])).await), Kind::Conflict);
    let patch =
        json!([{"op": "test", "path": "/name", "value": "two"}, {"op": "replace", "path": "/kind", "value": "switch"}]);
    let patched = write("n,1", Write::JsonPatch(patch), Condition::None).await.unwrap().after.unwrap();
    assert_eq!(patched.value()["kind"], "switch");

    let refused = write("n,1", Write::MergePatch(json!({"kind": "oven"})), Condition::None).await.unwrap_err();
    assert_eq!(
        (refused.kind(), &*refused.to_string()),
        (Kind::Refused, "the database refuses this: constraint nodes_kind_check")
    );
    let refused = write("n2", Write::Put(json!({})), Condition::None).await.unwrap_err();
    assert_eq!(
        (refused.kind(), &*refused.to_string()),
        (Kind::Refused, "the database refuses this: name must not be null")
    );
    for malformed in [json!({"id": "other"}), json!({"nosuch": 1}), json!({"at": "yesterday, or so"})] {
        assert_eq!(kind(write("n,1", Write::MergePatch(malformed), Condition::None).await), Kind::Malformed);
    }
    assert_eq!(kind(write("n9", Write::MergePatch(json!({})), Condition::None).await), Kind::Missing);
    assert_eq!(kind(write("n\0", Write::Delete, Condition::None).await), Kind::Missing);

    client.batch_execute("update nodes set secret = 's'").await.unwrap();
    assert_eq!(kind(write("n,1", Write::Put(json!({"name": "x"})), Condition::None).await), Kind::Refused);
    let kept = write("n,1", Write::MergePatch(json!({"name": "three"})), Condition::None).await.unwrap().after.unwrap();
    assert_eq!(kept.value().get("secret"), None);
    let secret: String = client.query_one("select secret from nodes", &[]).await.unwrap().get(0);
    assert_eq!(secret, "s");

    // A column that was added since is known.
    client.batch_execute("alter table nodes add column more int").await.unwrap();
    let more = write("n,1", Write::MergePatch(json!({"more": 5})), Condition::None).await.unwrap().after.unwrap();
    assert_eq!(more.value()["more"], 5);
    let gone = write("n,1", Write::Delete, Condition::None).await.unwrap();
    assert!(gone.after.is_none() && gone.before == Some(more));

    // Of many who create it at once, one does; the others change it.
    let puts = (0..20).map(|number| write("hot", Write::Put(json!({"name": number.to_string()})), Condition::None));
    let results = futures_util::future::join_all(puts).await;
    let created = results.iter().filter(|result| result.as_ref().unwrap().before.is_none()).count();
    assert_eq!(created, 1);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_with_a_key_is_discovered() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client
        .batch_execute(
            "create schema other; create table a (y int, x int, primary key (x, y)); create table other.a (id int primary key); \
             create table bare (x int); create table p (id int primary key) partition by range (id); \
             create table p1 partition of p for values from (0) to (9); create view v as select * from a; \
             create schema tidings; create table tidings.change (id int primary key)",
        )
        .await
        .unwrap();
    let tables = tidings::postgres::discover::discover(&database.address()).await.unwrap();
    let served: Vec<_> = tables.served.iter().map(|table| (&*table.resource, table.key.join(","))).collect();
    assert_eq!(served, [("other.a", "id".to_owned()), ("a", "x,y".into()), ("p", "id".into())]);
    assert_eq!(tables.left_out.len(), 1);
    assert_eq!(tables.left_out[0].table, name("public.bare"));
    database.drop().await;
}

#[tokio::test]
async fn our_own_schema_is_never_searched_for_a_table() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client.batch_execute("create schema tidings; create schema other").await.unwrap();
    // As "$user" leads there for a role of that name.
    for (searched, expected) in [("tidings,other,public", "other, public"), ("tidings", "public")] {
        let separator = if database.url.contains('?') { "&" } else { "?" };
        let url = format!("{}{separator}options=-csearch_path%3D{searched}", database.url);
        let (client, _connection) = connect(&Address::parse(&url).unwrap(), Duration::ZERO, None).await.unwrap();
        let path: String = client.query_one("show search_path", &[]).await.unwrap().get(0);
        assert_eq!(path, expected, "{searched}");
    }
    database.drop().await;
}
