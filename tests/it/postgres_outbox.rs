//! The outbox against a real server: exact under everything that writers, restarts and purges do.

use crate::follower::{Follower, Kept, replay, words};
use crate::postgres_parts::{Database, binding, name};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::error::Kind;
use tidings::event::{Operation, Reason, Stamp};
use tidings::postgres::capture::{Way, Wish};
use tidings::postgres::connect::connect;
use tidings::postgres::outbox;
use tidings::postgres::table::{Binding, load};
use tidings::source::postgres_outbox::{PostgresOutbox, Settings};
use tidings::source::{Batch, End, Feed, Health, Source};
use tokio::sync::mpsc;
use tokio_postgres::Client;

fn start(database: &Database, bindings: &[Binding]) -> Follower {
    resume(database, Settings::new(bindings.to_vec()), Arc::default())
}

/// Goes on from the place that was kept.
fn resume(database: &Database, settings: Settings, kept: Arc<Mutex<Kept>>) -> Follower {
    Follower::start(PostgresOutbox::new(database.address(), settings), kept)
}

/// The documents of a table, read as the store reads them.
pub async fn documents(database: &Database, bound: &Binding) -> BTreeMap<String, Value> {
    let (client, _task) = connect(&database.address(), Duration::ZERO, None).await.unwrap();
    let tables = load(&client, std::slice::from_ref(bound)).await.unwrap();
    let sql = format!("select row_to_json(t.*)::text from {}", tables[0].from());
    let rows = client.query(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| {
            let record = tables[0].read(row.get(0)).unwrap();
            (record.id, record.value)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_exact_under_writers_that_commit_out_of_order() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key, n int not null, note text)").await.unwrap();
    outbox::install(&database.address(), &[name("item")], None).await.unwrap();
    let items = binding("items", "item");
    let settings = Settings { batch: 7, ..Settings::new(vec![items.clone()]) };
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let mut follower = resume(&database, settings.clone(), kept.clone());
    follower.until_started().await;
    follower.take();

    let ends = Instant::now() + Duration::from_secs(8);
    let mut writers = Vec::new();
    for writer in 0..8u32 {
        let client = database.client().await;
        writers.push(tokio::spawn(write_at_random(client, writer, ends)));
    }
    let open = database.client().await;
    writers.push(tokio::spawn(async move {
        while Instant::now() < ends {
            open.batch_execute("begin; insert into item values (-1, 0) on conflict (id) do update set n = item.n + 1")
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            open.batch_execute("commit").await.unwrap();
        }
    }));
    // Meanwhile the reader is cut off again and again, as by kill -9, wherever it happens to be: it reads pages of
    // seven, so that is often in the middle of a difference.
    let (mut restarts, mut within) = (0, 0);
    while Instant::now() < ends {
        let enough = kept.lock().unwrap().batches + usize::from(rand::random::<u8>() % 12);
        while kept.lock().unwrap().batches < enough && Instant::now() < ends {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let kept = follower.kill().await;
        let place: Value = serde_json::from_slice(kept.lock().unwrap().place.as_ref().unwrap()).unwrap();
        within += i32::from(!place["part"].is_null());
        follower = resume(&database, settings.clone(), kept);
        restarts += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let total: i64 =
        setup.query_one("select count(*) from tidings.change where operation <> 'reset'", &[]).await.unwrap().get(0);
    follower.until("every change", |kept| kept.events.len() as i64 >= total).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let events = follower.take();
    println!(
        "{total} changes, {restarts} restarts, {within} of them within a read, {} batches",
        kept.lock().unwrap().batches
    );
    assert!(total > 1000, "only {total} changes were made");
    assert_eq!(events.len() as i64, total, "each change exactly once");
    let mut state = BTreeMap::new();
    replay(&mut state, &events);
    assert_eq!(state, documents(&database, &items).await);
    follower.stop().await;
    database.drop().await;
}

pub async fn write_at_random(client: Client, writer: u32, ends: Instant) {
    let mut seed = u64::from(writer) + 1;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    while Instant::now() < ends {
        let mut sql = "begin;".to_owned();
        let mut ids: Vec<u64> = (0..=random(4)).map(|_| random(40)).collect();
        // Locks in one order, so that nobody waits for ever.
        ids.sort_unstable();
        for id in ids {
            let n = random(5);
            sql += &match random(6) {
                0 => format!("delete from item where id = {id};"),
                1 => format!("savepoint a; update item set n = {n} where id = {id}; rollback to a;"),
                2 => format!("savepoint b; update item set note = repeat('x', {n}) where id = {id}; release b;"),
                _ => format!("insert into item values ({id}, {n}) on conflict (id) do update set n = {n};"),
            };
        }
        client.batch_execute(&sql).await.unwrap();
        if random(10) == 0 {
            tokio::time::sleep(Duration::from_millis(random(50))).await;
        }
        client.batch_execute(if random(5) == 0 { "rollback" } else { "commit" }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_table_and_statement_is_told() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup
        .batch_execute(
            "create schema \"odd.s\"; \
             create table \"odd.s\".\"It's \"\"odd\"\"\" (a text, \"B b\" int, big text, at timestamptz, raw bytea, \
                 twice int generated always as (\"B b\" * 2) stored, j json, primary key (a, \"B b\")); \
             create table part (id bigint, day date, primary key (id, day)) partition by range (day); \
             create table part_1 partition of part for values from ('2026-01-01') to ('2026-02-01'); \
             create role tidings_writer_test; grant usage on schema \"odd.s\" to tidings_writer_test; \
             grant all on all tables in schema \"odd.s\", public to tidings_writer_test",
        )
        .await
        .unwrap();
    let odd = name("\"odd.s\".\"It's \"\"odd\"\"\"");
    let bindings = [Binding { resource: "odd".into(), table: odd.clone(), key: Vec::new() }, binding("parts", "part")];
    outbox::install(&database.address(), &[odd.clone(), name("part")], None).await.unwrap();
    let follower = start(&database, &bindings);
    follower.until_started().await;
    follower.take();

    setup
        .batch_execute(
            "set role tidings_writer_test; set timezone = 'Asia/Tokyo'; set bytea_output = 'escape'; \
             set search_path = \"odd.s\", public; set extra_float_digits = -10; \
             insert into \"It's \"\"odd\"\"\" values ('x,y', 1, repeat('z', 65536), '2026-11-21 17:18:14.849999+09', \
                 '\\x00ff', default, '{\"k\": \"\\u0000\", \"n\": 1.50}');",
        )
        .await
        .unwrap();
    follower.until("the insert", |kept| kept.events.len() == 1).await;
    let created = follower.take().remove(0);
    assert_eq!((&*created.id, created.operation), ("x\\,y,1", Operation::Created));
    let document = created.after.unwrap().into_value();
    assert_eq!(document["big"].as_str().map(str::len), Some(65536));
    assert_eq!(document["at"], json!("2026-11-21T08:18:14.849Z"));
    assert_eq!(document["raw"], json!("AP8="));
    assert_eq!(document["twice"], json!(2));
    assert_eq!(document["j"], json!({"k": "\0", "n": 1.5}));
    assert_eq!(documents(&database, &bindings[0]).await["x\\,y,1"], document, "the store's form is the outbox's");

    setup
        .batch_execute(
            "update \"It's \"\"odd\"\"\" set big = big; \
             update \"It's \"\"odd\"\"\" set big = null, at = 'infinity'; \
             update \"It's \"\"odd\"\"\" set \"B b\" = 2; \
             insert into part values (1, '2026-01-05'); \
             insert into part_1 values (2, '2026-01-06');",
        )
        .await
        .unwrap();
    follower.until("updates and inserts", |kept| kept.events.len() == 5).await;
    let events = follower.take();
    assert_eq!(
        words(&events),
        ["Updated x\\,y,1", "Removed x\\,y,1", "Created x\\,y,2", "Created 1,2026-01-05", "Created 2,2026-01-06"]
    );
    let after = events[0].after.clone().unwrap().into_value();
    assert_eq!((after.get("big"), &after["at"]), (None, &json!("infinity")));

    setup
        .batch_execute(
            "reset role; create table part_2 partition of part for values from ('2026-02-01') to ('2026-03-01'); \
             create table part_3 (like part including all); \
             alter table part attach partition part_3 for values from ('2026-03-01') to ('2026-04-01'); \
             insert into part values (3, '2026-02-01'), (4, '2026-03-01'); \
             alter table part add column extra timestamptz; update part set extra = '2026-01-01 00:00+00' where id = 4; \
             truncate part_1;",
        )
        .await
        .unwrap();
    follower.until("late partitions, a new column, truncate", |kept| kept.events.len() == 4).await;
    let events = follower.take();
    assert_eq!(
        words(&events),
        ["Created 3,2026-02-01", "Created 4,2026-03-01", "Updated 4,2026-03-01", "Reset(Epoch) "]
    );
    assert_eq!(events[2].after.as_ref().unwrap().value()["extra"], json!("2026-01-01T00:00:00.000Z"));
    assert_eq!(&*events[3].resource, "parts");
    assert!(events.iter().all(|event| matches!(event.stamp, Stamp::Transaction(_))));
    assert_eq!(follower.stop().await, End::Stopped);
    setup.batch_execute("drop owned by tidings_writer_test; drop role tidings_writer_test").await.unwrap();
    database.drop().await;
}

/// Everything in the database that somebody could have left behind.
async fn objects(client: &Client) -> Vec<String> {
    let sql = "select 'class ' || oid::regclass from pg_class where relnamespace::regnamespace::text !~ '^pg_' \
         union all select 'proc ' || proname from pg_proc where pronamespace::regnamespace::text not in ('pg_catalog', 'information_schema') \
         union all select 'trigger ' || tgname from pg_trigger union all select 'schema ' || nspname from pg_namespace order by 1";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_installed_twice_and_removed_without_a_trace() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table a (id int primary key); create table b (id int primary key)").await.unwrap();
    let before = objects(&setup).await;
    let tables = [name("a"), name("public.b")];
    outbox::install(&database.address(), &tables, None).await.unwrap();
    setup.batch_execute("insert into a values (1)").await.unwrap();
    let once = objects(&setup).await;
    let rows: i64 = setup.query_one("select count(*) from tidings.change", &[]).await.unwrap().get(0);
    outbox::install(&database.address(), &tables, None).await.unwrap();
    assert_eq!(objects(&setup).await, once);
    let after: i64 = setup.query_one("select count(*) from tidings.change", &[]).await.unwrap().get(0);
    assert_eq!(after, rows, "a second installation records nothing");
    let state = outbox::state(&database.address(), &tables).await.unwrap();
    assert_eq!((state.version, state.unattached.len(), state.attached.len()), (Some(1), 0, 2));

    outbox::remove(&database.address(), &tables[..1]).await.unwrap();
    let state = outbox::state(&database.address(), &tables).await.unwrap();
    assert_eq!(state.unattached, &tables[..1]);
    outbox::remove(&database.address(), &[]).await.unwrap();
    assert_eq!(objects(&setup).await, before);
    outbox::remove(&database.address(), &[]).await.unwrap();
    assert_eq!(outbox::state(&database.address(), &tables).await.unwrap().version, None);
    setup.batch_execute("insert into a values (2)").await.unwrap();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_in_a_sentence() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table nodes (id int primary key); create table bare (x int)").await.unwrap();
    let run = async |bound: Binding| {
        let follower = start(&database, &[bound]);
        let error = follower.run.await.unwrap().unwrap_err();
        (error.kind(), error.chain())
    };
    let (kind, said) = run(binding("nodes", "nodes")).await;
    assert_eq!((kind, &*said), (Kind::Refused, "the outbox is not installed: run `tidings sql install`"));
    let (kind, said) = run(binding("nodes", "public.nods")).await;
    assert_eq!((kind, &*said), (Kind::Refused, "there is no table public.nods; did you mean nodes?"));
    let (_, said) = run(binding("bare", "bare")).await;
    assert_eq!(said, "public.bare has no primary key: give it one, or name its key columns with `id`");
    outbox::install(&database.address(), &[], None).await.unwrap();
    let (_, said) = run(binding("nodes", "nodes")).await;
    assert_eq!(said, "public.nodes is not captured: run `tidings sql install`");
    let missing = outbox::install(&database.address(), &[name("nowhere")], None).await.unwrap_err();
    assert_eq!(missing.kind(), Kind::Refused);
    assert!(missing.chain().contains("relation \"nowhere\" does not exist"), "{}", missing.chain());
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_changes_are_purged_but_none_that_a_reader_still_needs() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key, n int)").await.unwrap();
    outbox::install(&database.address(), &[name("item")], None).await.unwrap();
    let settings = Settings { keep: Duration::ZERO, ..Settings::new(vec![binding("items", "item")]) };
    let count = async || setup.query_one("select count(*) from tidings.change", &[]).await.unwrap().get::<_, i64>(0);

    // One reader is away, with a place; it was seen just now, so what it has not read stays.
    let away = resume(&database, settings.clone(), Arc::default());
    away.until_started().await;
    let registered =
        async || setup.query_one("select count(*) from tidings.reader", &[]).await.unwrap().get::<_, i64>(0);
    while registered().await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let place = away.kill().await;
    setup.batch_execute("insert into item select g, g from generate_series(1, 3000) g").await.unwrap();
    let busy = resume(&database, settings.clone(), Arc::default());
    busy.until_started().await;
    setup.batch_execute("update item set n = 0").await.unwrap();
    busy.until("the updates", |kept| kept.events.len() == 2999 + 1).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(count().await, 6001 - 1, "only the reset of the attachment was read by both");

    let back = resume(&database, settings.clone(), place.clone());
    back.until("what it missed", |kept| kept.events.len() >= 6000).await;
    assert!(back.take().iter().all(|event| !matches!(event.operation, Operation::Reset(_))));
    let start = Instant::now();
    while count().await > 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "the outbox is not emptied");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(back.stop().await, End::Stopped);

    // Now it is away for so long that it is forgotten, and comes back to changes that are gone.
    setup.batch_execute("delete from tidings.reader").await.unwrap();
    setup.batch_execute("update item set n = 1").await.unwrap();
    let start = Instant::now();
    while count().await > 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "the outbox is not emptied");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let late = resume(&database, settings.clone(), place.clone());
    late.until("the reset", |kept| !kept.events.is_empty()).await;
    assert_eq!(words(&late.take()), ["Reset(Epoch) "]);
    setup.batch_execute("update item set n = 2 where id = 1").await.unwrap();
    late.until("what came after", |kept| !kept.events.is_empty()).await;
    assert_eq!(words(&late.take()), ["Updated 1"]);
    late.stop().await;
    busy.stop().await;

    // A new installation is another history.
    outbox::remove(&database.address(), &[]).await.unwrap();
    outbox::install(&database.address(), &[name("item")], None).await.unwrap();
    let anew = resume(&database, settings, place);
    anew.until("the reset", |kept| !kept.events.is_empty()).await;
    assert_eq!(anew.take()[0].operation, Operation::Reset(Reason::Epoch));
    anew.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_within_milliseconds_and_a_cut_connection_is_named() {
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    setup.batch_execute("create table item (id int primary key, n int)").await.unwrap();
    outbox::install(&database.address(), &[name("item")], None).await.unwrap();
    let follower = start(&database, &[binding("items", "item")]);
    follower.until_started().await;
    let mut latencies = Vec::new();
    for number in 0..200 {
        setup.execute("insert into item values ($1, 0)", &[&number]).await.unwrap();
        let committed = Instant::now();
        while follower.kept.lock().unwrap().events.len() <= number as usize {
            tokio::task::yield_now().await;
        }
        latencies.push(committed.elapsed());
    }
    latencies.sort();
    println!("from commit to log, one after another: median {:?}, 99th of 100 {:?}", latencies[100], latencies[198]);
    assert!(latencies[100] < Duration::from_millis(20), "the reader is not awake: {:?}", latencies[100]);
    let mut rung = Vec::new();
    for number in 200..205 {
        let asleep = "select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
        while setup.query_opt(asleep, &[]).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        setup.execute("insert into item values ($1, 0)", &[&number]).await.unwrap();
        let committed = Instant::now();
        while follower.kept.lock().unwrap().events.len() <= number as usize {
            tokio::task::yield_now().await;
        }
        rung.push(committed.elapsed());
    }
    rung.sort();
    println!("from commit to log, asleep: median {:?}, worst {:?}", rung[2], rung[4]);
    assert!(rung[2] < Duration::from_millis(60), "the bell does not wake the reader: {rung:?}");

    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    setup.execute(cut, &[]).await.unwrap();
    let kept = follower.kept.clone();
    assert_eq!(follower.run.await.unwrap().unwrap(), End::Disconnected);
    setup.batch_execute("insert into item values (-1, 0)").await.unwrap();
    let follower = resume(&database, Settings::new(vec![binding("items", "item")]), kept);
    follower.until("what was committed meanwhile", |kept| kept.events.len() == 206).await;
    follower.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_and_the_fix_mends_it() {
    use tidings::postgres::address::Address;
    use tidings::postgres::doctor::examine;
    let Some(database) = Database::create().await else { return };
    let setup = database.client().await;
    let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
    setup
        .batch_execute(&format!(
            "create table nodes (id int primary key); create table bare (x int); create role {role} login"
        ))
        .await
        .unwrap();
    let (scheme, rest) = database.url.split_once("://").unwrap();
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    let reader = Address::parse(&format!("{scheme}://{role}@{host}")).unwrap();
    let bindings = [binding("nodes", "nodes"), binding("bare", "bare"), binding("nods", "nods")];
    let wish = Wish { way: Some(Way::Outbox), slot: None, publication: "tidings".to_owned() };
    let bad = async || {
        let findings = examine(&reader, &bindings, &wish, "tidings sql install").await;
        findings
            .into_iter()
            .filter(|finding| !finding.ok)
            .map(|finding| (finding.sentence, finding.fix))
            .collect::<Vec<_>>()
    };
    let found = bad().await;
    assert_eq!(found[0].1.as_deref(), Some(&*format!("grant select on \"nodes\" to \"{role}\";")));
    assert_eq!(found[2].0, "there is no table nods; did you mean nodes?");
    setup.batch_execute(found[0].1.as_ref().unwrap()).await.unwrap();
    let found = bad().await;
    assert!(found.iter().any(|(sentence, _)| sentence == "the outbox is not installed"), "{found:?}");
    outbox::install(&database.address(), &[], None).await.unwrap();
    let found = bad().await;
    let allow = found.iter().find_map(|(_, fix)| fix.as_ref().filter(|fix| fix.contains("tidings.allow"))).unwrap();
    setup.batch_execute(allow).await.unwrap();
    let found = bad().await;
    let attach = found.iter().find_map(|(_, fix)| fix.as_ref().filter(|fix| fix.contains("tidings.attach"))).unwrap();
    setup.batch_execute(attach).await.unwrap();
    setup.batch_execute("drop table bare").await.unwrap();
    let found = examine(&reader, &bindings[..1], &wish, "tidings sql install").await;
    assert!(found.iter().all(|finding| finding.ok), "{found:?}");

    // And such a reader can follow and purge, having been given no more than that.
    let health = Arc::new(Health::default());
    let (sender, mut batches) = mpsc::channel::<Batch>(1);
    let feed = Feed::new("pg".into(), sender, health.clone(), Arc::default());
    let source = PostgresOutbox::new(reader, Settings::new(bindings[..1].to_vec()));
    let run = tokio::spawn(async move { source.run(None, &feed).await });
    let batch = batches.recv().await.unwrap();
    batch.logged.unwrap().send(0).unwrap();
    setup.batch_execute("insert into nodes values (1)").await.unwrap();
    while let Some(batch) = batches.recv().await {
        batch.logged.unwrap().send(0).unwrap();
        if !batch.events.is_empty() {
            break;
        }
    }
    let start = Instant::now();
    while setup.query("select from tidings.reader", &[]).await.unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "the reader may not purge");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.abort();
    let _ = run.await;
    setup.batch_execute(&format!("drop owned by {role}; drop role {role}")).await.unwrap();
    database.drop().await;
}
