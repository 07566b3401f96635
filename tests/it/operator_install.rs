//! A database that existed before: nothing in it changes unasked, and nothing stays when it is asked to go.

use crate::postgres::Database;
use crate::program::{Ended, OutboxFile, Running, tidings};
use serde_json::json;
use tokio_postgres::Client;

/// Tables of every kind that is found somewhere.
const TABLES: &str = r#"
    create table nodes (id text primary key, name text);
    create table slots (rack int, slot int, what text, primary key (rack, slot));
    create table "Odd ""Name." ("the ""Key""" text primary key, "select" int);
    create table keyless (a int);
    create table events (id int, day date, what text, primary key (id, day)) partition by range (day);
    create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
    create schema other;
    create table other.nodes (id int primary key, name text);
    insert into nodes values ('n0', 'before');
"#;

/// Everything in a database that somebody made: a line each.
async fn objects(client: &Client) -> Vec<String> {
    let all = "select 'schema ' || nspname from pg_namespace where oid >= 16384 \
         union all select 'relation ' || relname || ' ' || oid from pg_class where oid >= 16384 \
         union all select 'column ' || attname || ' ' || attrelid from pg_attribute where attrelid >= 16384 \
         union all select 'function ' || proname from pg_proc where oid >= 16384 \
         union all select 'trigger ' || tgname from pg_trigger \
         union all select 'constraint ' || conname from pg_constraint where oid >= 16384 \
         union all select 'type ' || typname from pg_type where oid >= 16384 order by 1";
    client.query(all, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn prepared() -> Option<(Database, Client)> {
    let database = Database::create().await?;
    let client = database.client().await;
    client.batch_execute(TABLES).await.unwrap();
    Some((database, client))
}

#[track_caller]
fn assert_ended(ended: &Ended, code: i32) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
}

#[tokio::test]
async fn without_install_nothing_is_changed_and_what_is_missing_is_named() {
    let Some((database, client)) = prepared().await else { return };
    let file = OutboxFile::of(&database.url());
    let (path, before) = (file.path(), objects(&client).await);
    let ended = tidings(&["serve", "--quiet", "--listen", "127.0.0.1:0", "--config", &path]).await;
    assert_ended(&ended, 1);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(lines[0].ends_with("it is not prepared to be followed, and nothing was changed in it"), "{}", ended.err);
    assert_eq!(
        lines[1..7],
        [
            "  - the outbox is not installed",
            "  - other.nodes is not captured",
            "  - public.\"Odd \"\"Name.\" is not captured",
            "  - public.events is not captured",
            "  - public.nodes is not captured",
            "  - public.slots is not captured",
        ]
    );
    for (line, command) in lines[7..].iter().zip(["sql print", "sql install", "serve --install"]) {
        assert!(line.ends_with(&format!("  tidings {command} --config {path}")), "{line}");
    }
    assert_eq!(lines.len(), 10);
    assert_eq!(objects(&client).await, before);
}

#[tokio::test]
async fn with_install_every_table_with_a_key_is_served() {
    let Some((database, client)) = prepared().await else { return };
    let file = OutboxFile::of(&database.url());
    let path = file.path();
    let mut server = Running::serve(&["--install", "--config", &path]).await;
    let names = server.json("/api").await;
    let names: Vec<_> = names.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Odd \"Name.", "events", "nodes", "other.nodes", "slots"]);
    assert!(server.said().contains("table=public.keyless reason=\"it has no primary key\""), "{}", server.said());
    let changes = [
        ("/nodes", "nodes", "id, name", "'n1', 'a'", "name = 'b'", "id = 'n1'", "n1"),
        ("/other.nodes", "other.nodes", "id, name", "7, 'a'", "name = 'b'", "id = 7", "7"),
        ("/slots", "slots", "rack, slot, what", "1, 2, 'a'", "what = 'b'", "rack = 1", "1,2"),
        (
            "/Odd%20%22Name.",
            "\"Odd \"\"Name.\"",
            "\"the \"\"Key\"\"\", \"select\"",
            "'k', 1",
            "\"select\" = 2",
            "true",
            "k",
        ),
        ("/events", "events", "id, day, what", "1, '2026-02-03', 'a'", "what = 'b'", "id = 1", "1,2026-02-03"),
    ];
    for install in [true, false] {
        for (path, table, columns, values, set, which, key) in changes {
            let (mut socket, items) = server.watch(path).await;
            assert_eq!(items.len(), usize::from(path == "/nodes"), "{path}");
            for sql in [
                format!("insert into {table} ({columns}) values ({values})"),
                format!("update {table} set {set} where {which}"),
                format!("delete from {table} where {which}"),
            ] {
                client.batch_execute(&sql).await.unwrap();
            }
            let (created, updated, removed) = (socket.json().await, socket.json().await, socket.json().await);
            assert_eq!((&created["handler"], &created["id"]), (&json!("item"), &json!(["created", key])), "{created}");
            assert_eq!((&updated["handler"], &updated["id"]), (&json!("item"), &json!(["updated", key])), "{updated}");
            assert_eq!((&removed["handler"], &removed["id"]), (&json!("remove"), &json!(key)), "{removed}");
        }
        server.stop().await;
        if install {
            server = Running::serve(&["--config", &path]).await;
        }
    }
}

#[tokio::test]
async fn what_is_printed_is_what_is_installed_and_remove_leaves_nothing_behind() {
    let Some((database, client)) = prepared().await else { return };
    let file = OutboxFile::of(&database.url());
    let (path, before) = (file.path(), objects(&client).await);
    let printed = tidings(&["sql", "print", "--config", &path]).await;
    assert_ended(&printed, 0);
    assert_eq!(objects(&client).await, before, "printing changes nothing");
    client.batch_execute(&printed.out).await.unwrap();
    let check = tidings(&["check", "--config", &path]).await;
    assert_ended(&check, 0);
    assert!(!check.out.contains("WRONG"), "{}", check.out);
    let ended = tidings(&["sql", "remove", "--config", &path]).await;
    assert_ended(&ended, 0);
    assert_eq!(objects(&client).await, before);
    for _ in 0..2 {
        let ended = tidings(&["sql", "install", "--config", &path]).await;
        assert_ended(&ended, 0);
        assert!(ended.out.ends_with("5 tables are followed\n"), "{}", ended.out);
    }
    assert_ended(&tidings(&["check", "--config", &path]).await, 0);
    for _ in 0..2 {
        assert_ended(&tidings(&["sql", "remove", "--config", &path]).await, 0);
        assert_eq!(objects(&client).await, before);
    }
}

#[tokio::test]
async fn every_fix_of_a_check_mends_what_it_stands_under() {
    let Some((database, client)) = prepared().await else { return };
    let file = OutboxFile::of(&database.url());
    let path = file.path();
    let ended = tidings(&["check", "--quiet", "--config", &path]).await;
    assert_ended(&ended, 3);
    assert!(ended.err.is_empty(), "{}", ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    let wrong = lines.iter().position(|line| line.starts_with("  WRONG")).unwrap();
    assert_eq!(lines[wrong], "  WRONG  the outbox is not installed");
    let command: Vec<&str> = lines[wrong + 1].trim().strip_prefix("tidings ").unwrap().split(' ').collect();
    assert_eq!(lines.len(), wrong + 2);
    assert_ended(&tidings(&command).await, 0);
    assert_ended(&tidings(&["check", "--config", &path]).await, 0);

    client.batch_execute("create table public.later (id int primary key)").await.unwrap();
    let ended = tidings(&["check", "--quiet", "--config", &path]).await;
    assert_ended(&ended, 3);
    let (_, fix) = ended.out.split_once("  WRONG  public.later is not captured\n").expect("it is named");
    client.batch_execute(fix).await.unwrap();
    assert_ended(&tidings(&["check", "--config", &path]).await, 0);
}
