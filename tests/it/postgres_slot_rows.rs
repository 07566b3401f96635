//! Rows: what the slot tells of a row equals what the outbox tells of it.

use crate::follower::{Follower, words};
use crate::postgres_outbox::documents;
use crate::postgres_parts::{Database, binding, name};
use crate::postgres_slot::{follow, publish, settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidings::event::{Operation, ResourceEvent};
use tidings::postgres::outbox;
use tidings::postgres::table::Binding;
use tidings::source::postgres_outbox::{self, PostgresOutbox};

/// A table with every kind of column, under odd names.
const TABLE: &str = r#"
    create type mood as enum ('sad', 'it''s "ok"');
    create domain positive as numeric(10, 2) check (value > 0);
    create domain moments as timestamptz[];
    create type place as (x float8, at timestamptz, raw bytea, note text);
    create schema "odd.s";
    create table "odd.s"."It's ""all""" (
        id text, "N°" int, small int2, big int8, real_ float4, double_ float8, exact numeric, money_ money,
        yes bool, letters varchar(20), fixed char(8), one "char", word name,
        day date, clock time, zoned timetz, local timestamp, moment timestamptz, span interval,
        raw bytea, uid uuid, j json, jb jsonb, feeling mood, amount positive, times moments,
        ints int[], texts text[], feelings mood[], documents jsonb[], moments timestamptz[], raws bytea[], fixeds char(3)[],
        boxes box[], vector int2vector, home place, homes place[], during tstzrange, numbers int4multirange,
        host inet, bits varbit, path xml, found tsvector, large text, stored text,
        twice int generated always as ("N°" * 2) stored, shout text generated always as (upper(id)) stored,
        primary key ("N°", id));
    alter table "odd.s"."It's ""all""" alter stored set storage external;
"#;

const ROWS: &str = r#"
    set timezone = 'Asia/Tokyo'; set extra_float_digits = -5; set bytea_output = 'escape'; set datestyle = 'German';
    set intervalstyle = 'postgres_verbose'; set search_path = "odd.s", public;
    insert into "It's ""all""" (id, "N°") values ('a,b', 1), ('a\c', 2);
    insert into "It's ""all""" values (
        'full', 3, -32768, 9223372036854775807, 'NaN', 0.1, 12345678901234567890.123456789, '12.34',
        true, 'tab	"quote" \ é', 'pad', 'x', 'a name',
        '2026-11-21', '08:18:14.849999', '08:18:14+09:30', '2026-11-21 08:18:14.1', '2026-11-21 17:18:14.849999+09',
        '1 year 2 days 03:04:05.6', '\x00ff5c', '00112233-4455-6677-8899-aabbccddeeff',
        '{"b": 1, "a": [1.50, null, "é"], "b": 2}', '{"b": 1, "a": [1.50, null]}', 'it''s "ok"', 1.5,
        '{2026-11-21 08:18:14.849999+00,infinity,NULL}',
        '[0:2]={1,NULL,3}', '{{"a,b","c\"d\\e"},{NULL,""}}', '{sad,"it''s \"ok\""}', array['{"k": [1]}', 'null', '"s"']::jsonb[],
        '{2026-11-21 08:18:14.849999+00,NULL}', '{"\\x00ff"}', '{a,bcd}', '{(1,1),(0,0);(2,2),(1,1)}', '1 2 3',
        row(1.5, '2026-11-21 08:18:14.849999+00', '\xff', null), array[row('NaN', null, null, 'a "b", (c)')::place, null],
        '[2026-01-01 00:00+00,)', '{[1,3),[5,7)}', '10.0.0.1/8', '101', '<a>&amp;</a>', 'a:1 b:2',
        repeat('toasted ', 20000), repeat('é', 5000));
    insert into "It's ""all""" (id, "N°", real_, double_, exact, day, local, moment, ints, texts)
        values ('special', 4, '-Infinity', 1e-300, 'NaN', '0044-03-15 BC', 'infinity', '0044-03-15 00:00+00 BC', '{}', '{NULL,"NULL"}');
    update "It's ""all""" set small = 7 where id = 'full';
    update "It's ""all""" set small = 7 where id = 'full';
    update "It's ""all""" set jb = null, stored = 'short', exact = 1.50 where id = 'full';
    update "It's ""all""" set "N°" = 30 where id = 'full';
    update "It's ""all""" set id = upper(id);
    begin; delete from "It's ""all""" where "N°" < 3; savepoint s; delete from "It's ""all"""; rollback to s; commit;
    alter table "It's ""all""" add column later timestamptz default '2026-01-01 00:00+00', drop column letters;
    update "It's ""all""" set later = '2026-02-02 00:00+00', yes = not yes;
    alter table "It's ""all""" rename column later to at_last;
    update "It's ""all""" set small = 9;
    truncate "It's ""all""";
    insert into "It's ""all""" (id, "N°", fixed) values ('after', 1, 'x');
"#;

/// What is told of each row, in order, without the time.
fn by_row(events: &[ResourceEvent]) -> BTreeMap<String, Vec<String>> {
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let text = |document: &Option<tidings::document::Document>| {
            document.as_ref().map(|document| document.text().to_owned()).unwrap_or_default()
        };
        let (before, after) = (text(&event.before), text(&event.after));
        let line = format!("{:?} {:?} {before} -> {after}", event.operation, event.stamp);
        rows.entry(event.id.to_string()).or_default().push(line);
    }
    rows
}

/// Both ways of capture, following the same resources.
async fn both(database: &Database, bindings: &[Binding]) -> (Follower, Follower) {
    let client = database.client().await;
    let tables: Vec<_> = bindings.iter().map(|binding| binding.table.clone()).collect();
    outbox::install(&database.address(), &tables, None).await.unwrap();
    let settings = settings(&client, bindings.to_vec()).await;
    publish(&client, &settings).await;
    let slot = follow(database, &settings, Arc::default());
    slot.until_started().await;
    let settings = postgres_outbox::Settings::new(bindings.to_vec());
    let outbox = Follower::start(PostgresOutbox::new(database.address(), settings), Arc::default());
    outbox.until_started().await;
    outbox.take();
    (slot, outbox)
}

#[tokio::test(flavor = "multi_thread")]
async fn outbox_and_slot_tell_the_same_of_every_row() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute(TABLE).await.unwrap();
    let all = Binding { resource: "all".into(), table: name(r#""odd.s"."It's ""all""""#), key: Vec::new() };
    let by_id = Binding { resource: "by_id".into(), key: vec!["id".into()], ..all.clone() };
    let (slot, outbox) = both(&database, &[all.clone(), by_id]).await;
    // Both are quiet before the next statement, so that both see the same columns of the table.
    for statement in ROWS.split_inclusive(";\n") {
        setup.batch_execute(statement).await.unwrap();
        let row = setup.query_one("select pg_current_snapshot()::text", &[]).await.unwrap();
        let now = tidings::postgres::snapshot::mark(row.get(0)).unwrap();
        for follower in [&slot, &outbox] {
            follower.health.ring();
            follower.until("rest", |kept| kept.reached.as_ref().is_some_and(|mark| mark.covers(&now))).await;
        }
    }
    for follower in [&slot, &outbox] {
        let is_last = |event: &ResourceEvent| &*event.id == "after" && &*event.resource == "by_id";
        follower.until("the last row", |kept| kept.events.iter().any(is_last)).await;
    }
    let (from_slot, from_outbox) = (slot.take(), outbox.take());
    let (told, expected) = (by_row(&from_slot), by_row(&from_outbox));
    assert_eq!(told.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (id, lines) in &expected {
        for (line, expected) in told[id].iter().zip(lines) {
            assert_eq!(line, expected, "row {id}");
        }
        assert_eq!(told[id].len(), lines.len(), "row {id}: {:?}", told[id].last());
    }
    let full = from_slot.iter().find(|event| &*event.id == "3,full").unwrap().after.as_ref().unwrap().value();
    assert_eq!(full["large"].as_str().map(str::len), Some(160_000));
    assert_eq!(full["twice"], json!(6));
    assert_eq!(documents(&database, &all).await["1,after"]["fixed"], json!("x       "));
    slot.stop().await;
    outbox.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_told_as_their_table_and_emptying_one_as_a_reset() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup
        .batch_execute(
            "create table part (id bigint, day date, note text, primary key (id, day)) partition by range (day); \
             create table part_1 partition of part for values from ('2026-01-01') to ('2026-02-01')",
        )
        .await
        .unwrap();
    let (slot, outbox) = both(&database, &[binding("parts", "part")]).await;
    setup
        .batch_execute(
            "insert into part values (1, '2026-01-05'); insert into part_1 values (2, '2026-01-06'); \
             create table part_2 (note text, id bigint not null, day date not null); \
             alter table part_2 replica identity full; \
             alter table part attach partition part_2 for values from ('2026-02-01') to ('2026-03-01'); \
             insert into part values (3, '2026-02-01', 'x'); \
             update part set note = 'y' where id = 3; \
             update part set day = '2026-02-07' where id = 1; \
             delete from part where id = 3; \
             truncate part_1; insert into part values (4, '2026-01-01')",
        )
        .await
        .unwrap();
    for follower in [&slot, &outbox] {
        follower.until("the end", |kept| kept.events.last().is_some_and(|event| event.id.starts_with("4,"))).await;
    }
    let events = slot.take();
    assert_eq!(by_row(&events), by_row(&outbox.take()));
    assert!(words(&events).contains(&"Reset(Epoch) ".to_owned()), "{:?}", words(&events));
    slot.stop().await;
    outbox.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_row_before_a_change_still_tells_the_row_after_it() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup
        .batch_execute(
            "create table item (id int primary key, n int, big text); alter table item alter big set storage external",
        )
        .await
        .unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    publish(&setup, &settings).await;
    setup.batch_execute("alter table item replica identity default").await.unwrap();
    let follower = follow(&database, &settings, Arc::default());
    follower.until_started().await;
    setup
        .batch_execute(
            "insert into item values (1, 1, repeat('x', 5000)), (2, 1, repeat('y', 5000)); update item set n = 2 where id = 1",
        )
        .await
        .unwrap();
    let events = follower.events(3).await;
    assert_eq!(words(&events), ["Created 1", "Created 2", "Updated 1"]);
    assert_eq!(events[2].before, None);
    let after = events[2].after.as_ref().unwrap().value();
    assert_eq!((&after["n"], after["big"].as_str().map(str::len)), (&json!(2), Some(5000)));
    // The row is gone by the time it is looked for, or has another key: its large value cannot be told any more.
    setup
        .batch_execute("begin; update item set n = 3 where id = 1; update item set id = 10 where id = 1; delete from item where id = 2; commit")
        .await
        .unwrap();
    let events = follower.events(3).await;
    assert_eq!(words(&events), ["Removed 1", "Created 10", "Removed 2"]);
    assert!(events.iter().all(|event| event.before.is_none()));
    let after = events[1].after.as_ref().unwrap().value();
    assert_eq!((&after["n"], after["big"].as_str().map(str::len)), (&json!(3), Some(5000)));
    follower.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_transaction_comes_in_parts_and_whole() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key, note text)").await.unwrap();
    let settings = settings(&setup, vec![binding("items", "item")]).await;
    publish(&setup, &settings).await;
    let follower = follow(&database, &settings, Arc::default());
    follower.until_started().await;
    setup
        .batch_execute("insert into item select n, repeat('x', 500) from generate_series(1, 50000) as n")
        .await
        .unwrap();
    let events = follower.events(50_000).await;
    assert!(follower.kept.lock().unwrap().batches >= 50);
    assert!(
        events.iter().zip(1..).all(|(event, id)| event.operation == Operation::Created && *event.id == id.to_string())
    );
    assert_eq!(events[49_999].after.as_ref().unwrap().value()["note"].as_str().map(str::len), Some(500));
    assert_eq!(Value::from(events.len()), json!(50_000));
    follower.stop().await;
    database.drop().await;
}
