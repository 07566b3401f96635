//! What an operator says to those who are connected: to all, to some, and on every server over the same data.

use crate::postgres::Database;
use crate::server;
use crate::socket::{Heard, Socket};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::app::App;
use tidings::config::{Config, Overrides};

const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
[admin]
token = "operator"
[resources.nodes]
source = "embedded"
[resources.skus]
source = "embedded"
"#;

/// A call of an operator.
async fn call(address: SocketAddr, path: &str, token: &str, body: Option<Value>) -> (StatusCode, Value) {
    let url = format!("http://{address}{path}");
    let client = reqwest::Client::new();
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let answer = request.bearer_auth(token).send().await.expect("an answer");
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

async fn say(address: SocketAddr, body: Value) -> Value {
    let (status, told) = call(address, "/admin/broadcast", "operator", Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    told
}

/// A client on a channel, and the id by which it knows its connection.
async fn client(address: SocketAddr, channel: &str) -> (Socket, String) {
    let mut socket = Socket::open(&format!("ws://{address}/{channel}")).await.expect("an upgrade");
    socket.say(r#"{"handler":"init"}"#).await;
    let Heard::Json(session) = socket.hear().await else { panic!("no session") };
    (socket, session["id"].as_str().expect("an id").to_owned())
}

/// Says a last word to everybody, which must be the next thing heard.
async fn hears_nothing_but_the_last_word(address: SocketAddr, sockets: [&mut Socket; 3]) {
    say(address, json!({"data": {"last": "word"}})).await;
    for socket in sockets {
        assert_eq!(socket.hear().await, Heard::Json(json!({"last": "word"})));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_speaks_to_all_or_to_some_by_connection_channel_and_resource() {
    let app = server::start(CONFIGURATION).await;
    let address = app.address();
    let (mut one, id) = client(address, "nodes").await;
    let (mut two, _) = client(address, "skus").await;
    let (mut three, _) = client(address, "nodes").await;
    three.say(r#"{"handler":"watch","resource":"skus","ref":1}"#).await;
    three.say(r#"{"handler":"barrier"}"#).await;
    assert!(matches!(three.hear().await, Heard::Json(_)));

    assert_eq!(say(address, json!({"data": {"n": 1}})).await, json!({"sent": 3, "skipped": 0}));
    for socket in [&mut one, &mut two, &mut three] {
        assert_eq!(socket.hear().await, Heard::Json(json!({"n": 1})));
    }
    let told = say(address, json!({"data": "in words", "to": {"channel": "nodes"}, "skip": [id]})).await;
    assert_eq!(told, json!({"sent": 1, "skipped": 2}));
    assert_eq!(three.hear().await, Heard::Other("in words".to_owned()));
    assert_eq!(say(address, json!({"data": {"n": 2}, "to": id})).await["sent"], 1);
    assert_eq!(one.hear().await, Heard::Json(json!({"n": 2})));
    assert_eq!(say(address, json!({"data": {"n": 3}, "to": {"resource": "skus"}})).await["sent"], 1);
    assert_eq!(three.hear().await, Heard::Json(json!({"n": 3})));
    hears_nothing_but_the_last_word(address, [&mut one, &mut two, &mut three]).await;

    let (status, list) = call(address, "/admin/connections", "operator", None).await;
    let list = list.as_array().expect("a list").clone();
    assert_eq!((status, list.len()), (StatusCode::OK, 3));
    assert_eq!(
        (&list[0]["id"], &list[0]["channel"], &list[0]["dialect"]),
        (&json!(id), &json!("nodes"), &json!("monorail"))
    );
    assert_eq!(list[2]["resources"], json!(["skus"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_may_speak_and_only_what_is_well_formed_is_said() {
    let app = server::start(CONFIGURATION).await;
    let address = app.address();
    let (mut one, _) = client(address, "nodes").await;
    for (token, body, status) in [
        ("", json!({"data": "x"}), StatusCode::UNAUTHORIZED),
        ("operato", json!({"data": "x"}), StatusCode::UNAUTHORIZED),
        ("operator", json!({"data": 7}), StatusCode::BAD_REQUEST),
        ("operator", json!({"data": {"handler": "session", "id": "x"}}), StatusCode::BAD_REQUEST),
        ("operator", json!({"data": "x", "to": {"nobody": "x"}}), StatusCode::BAD_REQUEST),
        ("operator", json!({"data": "x".repeat(65_537)}), StatusCode::BAD_REQUEST),
        ("operator", json!({"data": "x".repeat(300_000)}), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(call(address, "/admin/broadcast", token, Some(body)).await.0, status, "{token}");
    }
    assert_eq!(call(address, "/admin/connections", "x", None).await.0, StatusCode::UNAUTHORIZED);
    say(address, json!({"data": {"last": "word"}})).await;
    assert_eq!(one.hear().await, Heard::Json(json!({"last": "word"})));
    app.stop().await;

    let without = server::start(&CONFIGURATION.replace("[admin]\ntoken = \"operator\"\n", "")).await;
    let (status, _) = call(without.address(), "/admin/broadcast", "operator", Some(json!({"data": "x"}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "without a token there is no such path");
    without.stop().await;
}

async fn node(url: &str) -> App {
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\ntoken = \"operator\"\nbroadcasts = \"said\"\n[sources.db]\n\
         url = \"{url}\"\ncapture = \"outbox\"\ninstall = true\n[resources.said]\nprivate = true\n"
    );
    server::start(&configuration).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_is_told_to_say_every_server_over_the_same_data_says() {
    let Some(database) = Database::create().await else { return };
    let table = "create table public.said (id text primary key, data jsonb, \"to\" jsonb, skip jsonb)";
    database.client().await.batch_execute(table).await.expect("a table");
    let (first, second) = (node(&database.url()).await, node(&database.url()).await);
    let (mut here, _) = client(first.address(), "a").await;
    let (mut there, _) = client(second.address(), "b").await;
    for (body, hears_here) in
        [(json!({"data": {"n": 1}, "skip": {"channel": "a"}}), false), (json!({"data": {"n": 2}}), true)]
    {
        let (status, told) = call(first.address(), "/admin/broadcast", "operator", Some(body.clone())).await;
        assert_eq!((status, told["id"].is_string()), (StatusCode::ACCEPTED, true), "{told}");
        assert_eq!(there.hear().await, Heard::Json(body["data"].clone()));
        if hears_here {
            assert_eq!(here.hear().await, Heard::Json(body["data"].clone()));
        }
    }
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_every_dialect_hear_the_operator_and_are_listed() {
    let variables = [("DEMO_SECRET".to_owned(), "a secret of at least thirty-two bytes".to_owned())].into();
    let text = tidings::demo::config_text() + "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\ntoken = \"operator\"\n";
    let config = Config::from_text("demo", &text, &Overrides { variables, ..Overrides::default() });
    let app = App::start(config.unwrap_or_else(|mistakes| panic!("{mistakes}"))).await.expect("a server");
    let member = crate::misakey::world::BOB;
    let mut sockets = Vec::new();
    for path in [
        "/nodes".to_owned(),
        format!("/files?token={}", crate::files::world::token("bob")),
        "/ws/event".to_owned(),
        format!("/box-users/{member}/ws?access_token={}", crate::misakey::world::token(member)),
        "/websocket".to_owned(),
    ] {
        let socket = Socket::open(&format!("ws://{}{path}", app.address())).await;
        sockets.push(socket.unwrap_or_else(|status| panic!("{path}: {status}")));
    }
    let told = loop {
        // A socket whose handshake is done is a moment later on its shard.
        let told = say(app.address(), json!({"data": {"val": 1}})).await;
        if told["sent"] == 5 {
            break told;
        }
    };
    assert_eq!(told["skipped"], 0);
    for socket in &mut sockets {
        while socket.hear().await != Heard::Json(json!({"val": 1})) {}
    }
    let (_, list) = call(app.address(), "/admin/connections", "operator", None).await;
    let dialects: std::collections::BTreeSet<_> =
        list.as_array().into_iter().flatten().filter_map(|one| one["dialect"].as_str()).collect();
    assert_eq!(dialects.into_iter().collect::<Vec<_>>(), ["cells", "files", "jac", "misakey", "monorail"]);
    app.stop().await;
}
