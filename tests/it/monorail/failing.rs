//! A database that fails while it is served: those who ask are told, those who watch get their list later.

use crate::postgres::Database;
use crate::server;
use crate::socket::{Heard, Socket};
use serde_json::json;
use std::time::Duration;
use tidings::app::App;

async fn start(database: &Database) -> App {
    server::start(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[sources.db]\nurl = \"{}\"\ncapture = \"outbox\"\ninstall = true\n\
         [resources.nodes]\nsource = \"db\"\n[monorail]\nbarrier_timeout = \"1s\"\n",
        database.url()
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_told_and_a_list_comes_when_it_answers_again() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client
        .batch_execute("create table nodes (id text primary key); insert into nodes values ('n1')")
        .await
        .expect("made");
    let app = start(&database).await;
    let url = format!("ws://{}/nodes", app.address());
    let mut asking = Socket::open(&url).await.expect("an upgrade");
    let mut watching = Socket::open(&url).await.expect("an upgrade");
    client.batch_execute("alter table nodes rename to elsewhere").await.expect("renamed");

    for message in
        [json!({"handler": "all"}), json!({"handler": "query", "ref": 1}), json!({"handler": "get", "params": "n1"})]
    {
        asking.say(message.to_string()).await;
        let answer = asking.json().await;
        assert_eq!((&answer["handler"], &answer["ref"]), (&json!("error"), &message["ref"]));
        let params = &answer["params"];
        assert_eq!((&params["error"], &params["status"]), (&json!("E_STORE"), &json!(500)));
        assert!(!params["message"].as_str().expect("a text").contains("elsewhere"), "{params}");
    }
    watching.say(r#"{"handler":"watch","initial":true}"#).await;
    watching.say(r#"{"handler":"watch","initial":true,"ref":"told"}"#).await;
    assert_eq!(watching.json().await["params"]["error"], "E_STORE");
    assert_eq!(watching.hear_within(Duration::from_millis(500)).await, Heard::Nothing);

    client.batch_execute("alter table elsewhere rename to nodes").await.expect("renamed back");
    let mut references = Vec::new();
    for _ in 0..2 {
        let list = watching.json().await;
        assert_eq!(list["items"], json!([{"id": "n1"}]));
        references.push(list["ref"].clone());
    }
    assert!(references.contains(&json!("told")) && references.contains(&json!(null)), "{references:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_barrier_that_is_not_reached_says_so_in_time_and_the_source_recovers() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client.batch_execute("create table nodes (id text primary key)").await.expect("made");
    let app = start(&database).await;
    let mut socket = Socket::open(&format!("ws://{}/nodes", app.address())).await.expect("an upgrade");
    socket.say(r#"{"handler":"watch"}"#).await;
    socket.settle().await;
    client.batch_execute("alter table tidings.change rename to away").await.expect("renamed");
    socket.say(r#"{"handler":"barrier"}"#).await;
    socket.say(r#"{"handler":"barrier","ref":1}"#).await;
    let answer = socket.json().await;
    assert_eq!((&answer["handler"], &answer["ref"]), (&json!("error"), &json!(1)));
    assert_eq!((&answer["params"]["error"], &answer["params"]["status"]), (&json!("E_BARRIER"), &json!(504)));

    client
        .batch_execute("alter table tidings.away rename to change; insert into nodes values ('n1')")
        .await
        .expect("back");
    assert_eq!(socket.json().await["id"], json!(["created", "n1"]));
    socket.settle_silently().await;
    app.stop().await;
}
