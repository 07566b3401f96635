//! A database whose server streams its log: prepared, looked at, followed and left alone again.

use crate::postgres::Database;
use crate::program::{Running, tidings};
use std::fs;
use std::time::Duration;
use tokio_postgres::Client;

/// The slots of a database, and the publications.
async fn left(client: &Client) -> Vec<String> {
    let all = "select slot_name::text from pg_replication_slots where database = current_database() \
         union all select pubname::text from pg_publication order by 1";
    client.query(all, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn prepared() -> Option<(Database, Client, String)> {
    let database = Database::create().await?;
    let client = database.client().await;
    client.batch_execute("create table public.nodes (id int primary key, name text)").await.unwrap();
    let url = database.url();
    Some((database, client, url))
}

#[tokio::test]
async fn a_server_that_can_stream_is_followed_by_a_slot_that_goes_when_it_is_removed() {
    let Some((_database, client, url)) = prepared().await else { return };
    let ended = tidings(&["serve", "--quiet", "--listen", "127.0.0.1:0", &url]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines[1], "  - there is no publication tidings");
    assert!(lines[2].ends_with(&format!("  tidings sql print {url}")), "{}", ended.err);
    assert!(left(&client).await.is_empty(), "nothing is changed unasked");

    let printed = tidings(&["sql", "print", &url]).await;
    client.batch_execute(&printed.out).await.unwrap();
    let check = tidings(&["check", &url]).await;
    assert_eq!((check.code, check.out.contains("WRONG")), (Some(0), false), "{}", check.out);
    let mut server = Running::serve(&[&url]).await;
    let (mut socket, _) = server.watch("/nodes").await;
    client.batch_execute("insert into nodes values (1, 'a')").await.unwrap();
    assert_eq!(socket.json().await["data"]["name"], "a");
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    assert_eq!(left(&client).await, ["tidings".to_owned(), format!("tidings_{name}")]);
    let check = tidings(&["check", &url]).await;
    assert!(check.out.contains(" MiB of WAL, without a limit (max_slot_wal_keep_size); process "), "{}", check.out);

    // It is removed under a program that runs, which does not make it again.
    assert_eq!(tidings(&["sql", "remove", &url]).await.code, Some(0));
    for _ in 0..10 {
        assert!(left(&client).await.is_empty(), "{:?}", left(&client).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(server.said().contains("there is no publication tidings"), "{}", server.said());
    // And goes on once it is there again.
    assert_eq!(tidings(&["sql", "install", &url]).await.code, Some(0));
    server.stop().await;
}

#[tokio::test]
async fn every_fix_of_a_check_of_a_slot_mends_what_it_stands_under() {
    let Some((_database, client, url)) = prepared().await else { return };
    assert_eq!(tidings(&["sql", "install", &url]).await.code, Some(0));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    fs::write(&path, format!("[sources.db]\nurl = \"{url}\"\ncapture = \"slot\"\n[resources.nodes]\n")).unwrap();
    let check = async || tidings(&["check", "--quiet", "--config", path.to_str().unwrap()]).await;
    for (harm, sentence) in [
        ("alter publication tidings drop table nodes", "public.nodes is not published"),
        ("alter publication tidings set (publish = 'insert')", "the publication tidings leaves out some operations"),
        ("alter publication tidings set table nodes (id)", "only some rows or columns of public.nodes are published"),
        ("alter table nodes replica identity default", "changes of public.nodes do not tell the row as it was before"),
        (
            "alter table nodes replica identity nothing",
            "public.nodes has no replica identity: its rows cannot be updated or deleted",
        ),
    ] {
        client.batch_execute(harm).await.unwrap();
        let ended = check().await;
        assert_eq!(ended.code, Some(3), "{harm}: {}", ended.out);
        let (_, fix) = ended.out.split_once(&format!("  WRONG  {sentence}\n")).expect(sentence);
        let fix: Vec<&str> = fix.lines().take_while(|line| line.starts_with("         ")).collect();
        client.batch_execute(&fix.join("\n")).await.unwrap();
        let ended = check().await;
        assert_eq!(ended.code, Some(0), "{harm}: {}", ended.out);
    }
}

#[tokio::test]
async fn who_may_not_stream_uses_the_outbox_and_is_told_what_a_slot_would_need() {
    let Some((database, client, _)) = prepared().await else { return };
    let role = format!("low_{}", uuid::Uuid::new_v4().simple());
    let make = format!(
        "create role {role} login; grant select, trigger on nodes to {role}; grant create on database \"{}\" to {role}",
        database.url().rsplit_once('/').unwrap().1
    );
    client.batch_execute(&make).await.unwrap();
    let (scheme, rest) = database.url().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let place = rest.split_once('@').map_or(&*rest, |(_, place)| place);
    let url = format!("{scheme}://{role}@{place}");
    let ended = tidings(&["serve", "--quiet", "--listen", "127.0.0.1:0", &url]).await;
    assert_eq!(ended.err.lines().nth(1), Some("  - the outbox is not installed"), "{}", ended.err);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    fs::write(&path, format!("[sources.db]\nurl = \"{url}\"\ncapture = \"slot\"\n[resources.nodes]\n")).unwrap();
    let ended = tidings(&["serve", "--quiet", "--config", path.to_str().unwrap()]).await;
    let grant = format!("alter role \"{role}\" replication;");
    assert!(ended.err.ends_with(&format!("this user may not stream from a slot: {grant}\n")), "{}", ended.err);
    let check = tidings(&["check", "--config", path.to_str().unwrap()]).await;
    assert!(
        check.out.contains(&format!("  WRONG  this user may not stream from a slot\n         {grant}\n")),
        "{}",
        check.out
    );
    client.batch_execute(&format!("drop owned by {role}; drop role {role}")).await.unwrap();
}
