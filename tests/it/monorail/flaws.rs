//! The flaws of the system that shipped, each by its number; none of them is here. The first is in `input`,
//! the stalled reader of the fifth in `slow`.

use super::EMBEDDED;
use crate::server::{self, Process};
use crate::socket::Socket;
use crate::writer::Writer;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tidings::bench::process::raise_file_limit;
use tokio::task::JoinSet;

async fn open(address: SocketAddr, path: &str) -> Socket {
    Socket::open(&format!("ws://{address}{path}")).await.expect("an upgrade")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_ten_thousand_watching_connections_all_get_an_event() {
    const CONNECTIONS: usize = 10_000;
    const AT_A_TIME: usize = 50;
    raise_file_limit(CONNECTIONS as u64 + 500).unwrap_or_else(|error| panic!("{}", error.chain()));
    let server = Process::start("[resources.nodes]\nsource = \"embedded\"\nwritable = true\n").await;
    let address = server.address();
    let watching = async || {
        let mut socket = open(address, "/nodes").await;
        socket.say(r#"{"handler":"watch"}"#).await;
        socket.settle().await;
        socket
    };
    let mut sockets = Vec::new();
    while sockets.len() < CONNECTIONS {
        sockets.extend(join_all((0..AT_A_TIME).map(|_| watching())).await);
    }
    Writer::to(address).put("nodes", "n1", json!({"name": "one"})).await;
    for socket in &mut sockets {
        assert_eq!(socket.json().await["data"], json!({"id": "n1", "name": "one"}));
    }
}

#[tokio::test]
async fn r2_the_same_watch_twice_is_told_once_and_stop_heeds_no_order_of_keys() {
    let app = server::start(EMBEDDED).await;
    let writer = Writer::to(app.address());
    let mut socket = open(app.address(), "/nodes").await;
    for _ in 0..2 {
        socket.say(r#"{"handler":"watch","params":{"type":"compute","rank":{"$gte":1}}}"#).await;
        socket.say(r#"{"handler":"watch","params":{"rank":{"$gte":1.0},"type":"compute"},"ref":"r"}"#).await;
        socket.say(r##"{"handler":"watch","resource":"mq","params":{"exchange":"on.events","routingKey":"#"}}"##).await;
    }
    socket.settle().await;
    writer.put("nodes", "n1", json!({"type": "compute", "rank": 1})).await;
    let mut references = [socket.json().await["ref"].clone(), socket.json().await["ref"].clone()];
    references.sort_by_key(Value::is_null);
    assert_eq!(references, [json!("r"), Value::Null]);
    writer.append("mq:on.events", "a.b", json!(1)).await;
    assert_eq!(socket.json().await["id"], "a.b");
    socket.settle_silently().await;

    socket.say(r#"{"handler":"stop","params":{"rank":{"$gte":1e0},"type":"compute"}}"#).await;
    socket.say(r##"{"handler":"stop","resource":"mq","params":{"routingKey":"#","exchange":"on.events"}}"##).await;
    socket.settle().await;
    writer.put("nodes", "n1", json!({"type": "compute", "rank": 2})).await;
    writer.append("mq:on.events", "a.b", json!(2)).await;
    socket.settle_silently().await;
    app.stop().await;
}

#[tokio::test]
async fn r3_whole_documents_under_the_ids_that_clients_hold_and_nothing_hidden_or_closed() {
    let more = "[resources.pollers]\nsource = \"embedded\"\nwritable = true\nhide = [\"config.*password*\"]\n\
                [resources.\"on.waterline\"]\nsource = \"embedded\"\nappend_only = true\nwritable = true\nprivate = true\n";
    let app = server::start(&format!("{EMBEDDED}{more}")).await;
    let writer = Writer::to(app.address());
    let mut socket = open(app.address(), "/graphObjs").await;
    for resource in ["graphObjs", "pollers"] {
        socket.say(json!({"handler": "watch", "resource": resource}).to_string()).await;
    }
    socket.settle().await;
    writer.put("graphObjs", "g1", json!({"id": "6b01", "_status": "pending", "node": "n1"})).await;
    assert_eq!(socket.json().await["id"], json!(["created", "g1"]));
    let headers = [("content-type", "application/merge-patch+json")];
    writer.ask(Method::PATCH, "/api/graphObjs/g1", &headers, &json!({"_status": "running"})).await;
    let whole = json!({"instanceId": "g1", "id": "6b01", "_status": "running", "node": "n1"});
    let updated = socket.json().await;
    assert_eq!((&updated["id"], &updated["data"]), (&json!(["updated", "g1"]), &whole));
    writer.ask(Method::PATCH, "/api/graphObjs/missing", &headers, &json!({"_status": "running"})).await;
    writer.remove("graphObjs", "g1").await;
    let removed = socket.json().await;
    assert_eq!((&removed["id"], &removed["data"]), (&json!("g1"), &whole));
    writer.put("pollers", "p1", json!({"config": {"Password": "x", "host": "h"}})).await;
    assert_eq!(socket.json().await["data"], json!({"id": "p1", "config": {"host": "h"}}));
    for exchange in ["on.waterline", "on.task", "amq.topic", "*", "", "mq:on.events"] {
        let params = json!({"exchange": exchange, "routingKey": "#"});
        socket.say(json!({"handler": "watch", "resource": "mq", "params": params, "ref": 1}).to_string()).await;
        let refused = socket.json().await;
        assert_eq!(refused["handler"], "error", "{exchange}");
    }
    writer.append("on.waterline", "w1", json!({"secret": true})).await;
    socket.settle_silently().await;
    app.stop().await;
}

#[tokio::test]
async fn r4_a_body_of_any_kind_is_told_and_cuts_nobody_off() {
    let app = server::start(EMBEDDED).await;
    let writer = Writer::to(app.address());
    let mut socket = open(app.address(), "/mq").await;
    socket.say(r##"{"handler":"watch","params":{"exchange":"on.events","routingKey":"#"}}"##).await;
    socket.say(r#"{"handler":"watch","resource":"nodes"}"#).await;
    socket.settle().await;
    let bodies =
        ["5", "-0.0", "true", "false", "\"\"", "\"text\"", "[]", "[null]", "{}", "null", "{\"id\":{\"id\":null}}"];
    for (number, body) in bodies.into_iter().enumerate() {
        let body: Value = serde_json::from_str(body).expect("JSON");
        let key = format!("key.{number}");
        let path = format!("/api/mq:on.events?id={key}");
        let answer = writer.ask_text(Method::POST, &path, &[], body.to_string()).await;
        assert_eq!(answer.status().as_u16(), 202, "{body}");
        assert_eq!(socket.json().await, json!({"handler": "item", "resource": "mq", "id": key, "data": body}));
    }
    for broken in ["", "{", "nul", "\u{0}"] {
        let answer = writer.ask_text(Method::POST, "/api/mq:on.events", &[], broken.to_owned()).await;
        assert_eq!(answer.status().as_u16(), 400, "{broken}");
    }
    writer.put("nodes", "n1", json!({})).await;
    assert_eq!(socket.json().await["id"], json!(["created", "n1"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_between_the_list_and_the_changes_there_is_no_gap_and_no_repeat() {
    let app = server::start(EMBEDDED).await;
    let address = app.address();
    let writing = tokio::spawn(async move {
        let writer = Writer::to(address);
        for version in 1.. {
            writer.put("nodes", "n1", json!({"version": version})).await;
        }
    });
    let mut clients = JoinSet::new();
    for number in 0..60 {
        clients.spawn(async move {
            // Each joins at another moment of the writing.
            tokio::time::sleep(Duration::from_millis(number * 7)).await;
            let mut socket = open(address, "/nodes").await;
            socket.say(r#"{"handler":"watch","initial":true}"#).await;
            let list = socket.json().await;
            let listed = list["items"][0]["version"].as_u64().unwrap_or(0);
            for version in listed + 1..listed + 31 {
                assert_eq!(socket.json().await["data"]["version"], version);
            }
        });
    }
    clients.join_all().await;
    writing.abort();
    app.stop().await;
}
