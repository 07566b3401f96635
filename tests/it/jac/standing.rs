//! Who somebody is, for as long as it is connected.

use super::sockets::open;
use super::world::{ANN, now, signed, token};
use super::{embedded, serve};
use crate::server;
use crate::socket::{Heard, Socket};
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PUBLIC: &str = "n::000000000000000000000001";

/// A socket of somebody whose token is good for two seconds more, on a server where clocks do not differ.
async fn soon_expired(more: &str) -> (tidings::app::App, Socket) {
    let configuration = embedded(more).replace("jwt = {", "jwt = { leeway = \"0s\",");
    let app = server::start(&configuration).await;
    let (mut socket, _) = open(app.address(), "/websocket?channel_id=room1").await;
    let token = signed(&json!({"root_id": ANN, "exp": now() + 2}));
    socket.say(json!({"type": "change_user", "token": format!("bearer {token}")}).to_string()).await;
    assert_eq!(socket.json().await["data"]["root_id"], format!("n::{ANN}"));
    (app, socket)
}

const PUSH: &str = r#"{"type":"channel","channel_ids":["room1"],"data":{"n":1}}"#;

#[tokio::test]
async fn r6_a_token_that_expired_gives_no_rights() {
    let (app, mut socket) = soon_expired("").await;
    socket.say(PUSH).await;
    assert_eq!(socket.json().await, json!({"n": 1}));
    let told = socket.json().await;
    assert_eq!((&told["type"], &told["data"]["root_id"]), (&json!("connection"), &json!(PUBLIC)), "it is told so");
    socket.say(PUSH).await;
    assert_eq!(socket.json().await["error"], "Event channel requires to be authenticated!");
    let (mut other, _) = open(app.address(), "/websocket").await;
    let token = token(super::world::BOB);
    other.say(json!({"type": "change_user", "token": format!("bearer {token}")}).to_string()).await;
    other.json().await;
    other.say(json!({"type": "user", "root_ids": [format!("n::{ANN}")], "data": {"n": 2}}).to_string()).await;
    other.say(json!({"type": "channel", "channel_ids": ["room1"], "data": {"n": 3}}).to_string()).await;
    assert_eq!(socket.json().await, json!({"n": 3}), "nor is it reached as that user");
    app.stop().await;
}

#[tokio::test]
async fn r6_with_default_settings_a_public_socket_pushes_to_nobody() {
    let app = serve("").await;
    let (mut socket, told) = open(app.address(), "/websocket?channel_id=room1").await;
    for (kind, name, id) in [
        ("channel", "channel_ids", json!("room1")),
        ("user", "root_ids", json!(PUBLIC)),
        ("client", "client_ids", told["client_id"].clone()),
    ] {
        socket.say(json!({"type": kind, name: [id], "data": {}}).to_string()).await;
        let refusal = json!({"type": kind, "error": format!("Event {kind} requires to be authenticated!")});
        assert_eq!(socket.json().await, refusal);
    }
    app.stop().await;
}

#[tokio::test]
async fn at_the_end_of_its_token_a_socket_is_closed_or_kept_where_that_is_configured() {
    let (app, mut socket) = soon_expired("on_expiry = \"close\"").await;
    assert_eq!(socket.hear().await, Heard::Close(1008, "token expired".to_owned()));
    app.stop().await;
    let (app, mut socket) = soon_expired("on_expiry = \"keep\"").await;
    let end = now() + 4;
    while now() < end {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    socket.say(PUSH).await;
    assert_eq!(socket.json().await, json!({"n": 1}));
    app.stop().await;
}

#[tokio::test]
async fn a_change_without_a_token_falls_back_to_the_handshake_only_where_that_is_configured() {
    for (more, expected) in [("", PUBLIC.to_owned()), ("change_user_without_token = \"header\"", format!("n::{ANN}"))] {
        let app = serve(more).await;
        let mut request = format!("ws://{}/websocket", app.address()).into_client_request().expect("a request");
        let value = format!("Bearer {}", token(ANN)).parse().expect("a header");
        request.headers_mut().insert("authorization", value);
        let mut socket = Socket::ask(request).await.expect("everybody is let in");
        assert_eq!(socket.json().await["data"]["root_id"], format!("n::{ANN}"));
        for message in [r#"{"type":"change_user"}"#, r#"{"type":"change_user","token":""}"#] {
            socket.say(message).await;
            assert_eq!(socket.json().await["data"]["root_id"], expected, "{more} {message}");
        }
        socket.say(r#"{"type":"change_user","token":"bearer nonsense"}"#).await;
        assert_eq!(socket.json().await["data"]["root_id"], PUBLIC);
        app.stop().await;
    }
}
