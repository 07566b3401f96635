//! Who comes in, as whom, and how a socket ends.

use super::world::{ANN, now, signed, token};
use super::{ANYONE, serve};
use crate::socket::{Heard, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// A socket that has been told who it is, and that.
pub async fn open(address: SocketAddr, path: &str) -> (Socket, Value) {
    let mut socket = Socket::open(&format!("ws://{address}{path}")).await.expect("everybody is let in");
    let told = socket.json().await;
    assert_eq!(told["type"], "connection", "{told}");
    (socket, told["data"].clone())
}

/// The same, of a user.
pub async fn open_as(address: SocketAddr, path: &str, root: &str) -> Socket {
    let (mut socket, _) = open(address, path).await;
    socket.say(json!({"type": "change_user", "token": format!("bearer {}", token(root))}).to_string()).await;
    assert_eq!(socket.json().await["data"]["root_id"], format!("n::{root}"));
    socket
}

/// The user that a value of `Authorization` leads to.
async fn root_by_header(address: SocketAddr, value: &str) -> Value {
    let mut request = format!("ws://{address}/websocket").into_client_request().expect("a request");
    request.headers_mut().insert("authorization", HeaderValue::from_str(value).expect("a header"));
    let mut socket = Socket::ask(request).await.expect("everybody is let in");
    socket.json().await["data"]["root_id"].take()
}

#[tokio::test]
async fn whoever_shows_no_good_token_is_public_and_nobody_is_refused() {
    let app = serve("").await;
    let public = "n::000000000000000000000001";
    let own = format!("n::{ANN}");
    let (now, good) = (now(), token(ANN));
    let by = |claims: Value| format!("Bearer {}", signed(&claims));
    for (value, expected) in [
        (format!("Bearer {good}"), own.as_str()),
        (format!("bEARER:{good}"), &own),
        (good.clone(), public),
        (format!("Basic {good}"), public),
        ("Bearer nonsense".to_owned(), public),
        ("Bearer".to_owned(), public),
        (by(json!({"root_id": ANN, "exp": now - 3600})), public),
        (by(json!({"root_id": ANN, "expiration": now + 60})), &own),
        (by(json!({"root_id": ANN, "expiration": now - 3600, "exp": now + 60})), public),
        (by(json!({"root_id": ANN})), public),
        (by(json!({"exp": now + 60})), public),
        (by(json!({"root_id": public, "exp": now + 60})), public),
        (by(json!({"root_id": 5, "sub": ANN, "exp": now + 60})), &own),
        (by(json!({"root_id": "", "sub": ANN.to_uppercase(), "exp": now + 60})), &own),
        (by(json!({"sub": format!("N:any:{ANN}"), "exp": now + 60})), &own),
        (by(json!({"sub": "ann@example.com", "exp": now + 60})), "n::71d4f55f72fa128dfb468a1a"),
    ] {
        assert_eq!(root_by_header(app.address(), &value).await, expected, "{value}");
    }
    app.stop().await;
}

#[tokio::test]
async fn ids_are_fresh_and_a_channel_is_whatever_is_asked_for() {
    let app = serve("").await;
    let (_a, one) = open(app.address(), "/websocket").await;
    let (_b, other) = open(app.address(), "/websocket?token=x&channel_id=a&channel_id=b+c%2Bd").await;
    assert_eq!(other["channel_id"], "b c+d");
    for id in ["client_id", "channel_id"] {
        let id = one[id].as_str().expect("a text");
        let (seconds, digits) = id.split_once(':').expect("two parts");
        assert!((now() - seconds.parse::<i64>().expect("a time")).abs() < 60 && digits.len() == 32, "{id}");
    }
    assert!(one["client_id"] != other["client_id"] && one["client_id"] != one["channel_id"]);
    for (length, refused) in [(1024, None), (1025, Some(400))] {
        let url = format!("ws://{}/websocket?channel_id={}", app.address(), "x".repeat(length));
        assert_eq!(Socket::open(&url).await.err(), refused);
    }
    app.stop().await;
}

#[tokio::test]
async fn bad_input_is_answered_or_ends_the_socket_by_its_code() {
    let app = serve("max_message = \"1KiB\"").await;
    let (mut socket, _) = open(app.address(), "/websocket").await;
    socket.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(socket.json().await, json!({"error": ["Binary messages are not supported.\n"]}));
    let filled = |bytes: usize| format!("{{\"type\":\"connection\",\"x\":\"{}\"}}", "x".repeat(bytes - 28));
    assert_eq!(filled(1024).len(), 1024);
    socket.say(filled(1024)).await;
    assert_eq!(socket.json().await["type"], "connection");
    socket.say(filled(1025)).await;
    assert!(matches!(socket.hear().await, Heard::Close(1009, _)));
    let (mut socket, _) = open(app.address(), "/websocket").await;
    socket.send_bytes(&[0x81, 0x81, 0, 0, 0, 0, 0xff]).await;
    assert!(matches!(socket.hear().await, Heard::Close(1007, _)));
    app.stop().await;
}

#[tokio::test]
async fn what_is_nested_too_deep_is_no_json_and_long_values_are_not_said_back() {
    let app = serve(ANYONE).await;
    let (mut socket, _) = open(app.address(), "/websocket?channel_id=room1").await;
    let nested = |depth: usize| {
        let data = format!("{}{}", r#"{"a":"#.repeat(depth - 1), "{}".to_owned() + &"}".repeat(depth - 1));
        format!(r#"{{"type":"channel","channel_ids":["room1"],"data":{data}}}"#)
    };
    socket.say(nested(127)).await;
    assert!(matches!(socket.hear().await, Heard::Json(_) | Heard::Other(_)), "128 levels in all are read");
    for text in [nested(128), "[".repeat(100_000)] {
        socket.say(text).await;
        assert_eq!(socket.json().await, json!({"error": ["The message is not valid JSON.\n"]}));
    }
    for (length, is_said) in [(1022, true), (1023, false)] {
        let data = "x".repeat(length);
        socket.say(json!({"type": "channel", "channel_ids": ["room1"], "data": data}).to_string()).await;
        let finding = socket.json().await["error"][0].take();
        assert_eq!(finding["type"], "dict_type");
        assert_eq!(finding.get("input").is_some(), is_said, "{length}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_drain_says_1012_and_a_close_is_echoed() {
    let app = serve("").await;
    let (mut staying, _) = open(app.address(), "/websocket").await;
    let (mut leaving, _) = open(app.address(), "/websocket").await;
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 4002.into(), reason: "bye".into() };
    leaving.send(Message::Close(Some(close))).await;
    assert!(matches!(leaving.hear().await, Heard::Close(4002, _)));
    let stopping = tokio::spawn(app.stop());
    assert!(matches!(staying.hear().await, Heard::Close(1012, _)));
    stopping.await.expect("it stops");
}

#[tokio::test]
async fn who_says_too_much_is_slowed_down_and_not_refused() {
    let app = serve("").await;
    let (mut socket, _) = open(app.address(), "/websocket").await;
    let start = Instant::now();
    let count = 1400;
    for _ in 0..count {
        socket.say(r#"{"type":"connection"}"#).await;
    }
    for _ in 0..count {
        assert_eq!(socket.json().await["type"], "connection");
    }
    assert!(start.elapsed() > Duration::from_millis(1200), "400 past the burst take 2 seconds");
    app.stop().await;
}
