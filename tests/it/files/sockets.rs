//! Who may come in, by which status others are refused, and how a socket ends.

use super::world::{FilesWorld, token, token_for};
use super::{OUTBOX, Setting};
use crate::server;
use crate::socket::{Heard, Socket};
use crate::transcript::Word;
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

const UUID: &str = "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b";

/// The answer to a handshake, as it comes.
async fn handshake(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn r2_a_refusal_is_a_status_without_a_body_and_touches_no_other_socket() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let mut world = FilesWorld::of(app.address(), setting.writes).await;
    world.write("files", "S1", Word::Created, json!({"kind": "Core#Space", "owner": "u1"})).await;
    let mut other = world.open("/files", "u1").await;
    let (u1, u2, old) = (token("u1"), token("u2"), token_for("u1", -3600));
    for (path, status) in [
        ("/files".to_owned(), 401),
        ("/files/S1?token=nonsense".to_owned(), 401),
        (format!("/files?mytoken={u1}"), 401),
        (format!("/files?token={old}"), 401),
        ("/files/S1/more".to_owned(), 401),
        (format!("/files/S1/more?token={u1}"), 404),
        (format!("/files?alt=media&token={u1}"), 404),
        (format!("/files/S1?alt=other&token={u1}"), 404),
        (format!("/files/none?token={u1}"), 404),
        (format!("/files/s1?token={u1}"), 404),
        (format!("/files/{UUID}?token={u1}"), 403),
        (format!("/files/S1?token={u2}"), 403),
        (format!("/v1/file/S1?alt=media&token={u2}"), 403),
    ] {
        let answer = handshake(app.address(), &path, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} is answered {answer}");
        assert!(answer.ends_with("\r\n\r\n") && answer.contains("content-length: 0"), "{answer}");
    }
    world.write("files", "S2", Word::Created, json!({"kind": "Core#Space", "owner": "u1"})).await;
    assert_eq!(other.json().await["id"], "S2");
    app.stop().await;
}

#[tokio::test]
async fn no_extension_and_no_protocol_is_chosen_and_the_header_is_as_good_as_the_parameter() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let headers = format!(
        "Authorization: bearer {}\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a, b\r\n",
        token("u1")
    );
    let answer = handshake(app.address(), "/files?positions=0&x=%zz", &headers).await.to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(!answer.contains("sec-websocket-extensions") && !answer.contains("sec-websocket-protocol"), "{answer}");
    let wrong = handshake(app.address(), "/files?token=wrong", &headers).await;
    assert!(wrong.starts_with("HTTP/1.1 401 "), "the parameter wins: {wrong}");
    app.stop().await;
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let setting = Setting::embedded("");
    let exact = setting.configuration.replace("algorithm = \"HS256\",", "algorithm = \"HS256\", leeway = \"0s\",");
    let app = server::start(&exact).await;
    let short = token_for("u1", 4);
    let mut socket = Socket::open(&format!("ws://{}/files?token={short}", app.address())).await.expect("it opens");
    assert_eq!(socket.hear().await, Heard::Close(1008, "token expired".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn anything_said_is_dropped_until_it_is_too_long() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let mut world = FilesWorld::of(app.address(), setting.writes).await;
    let mut socket = world.open("/files", "u1").await;
    socket.say("{").await;
    socket.send(Message::binary(vec![0xff, 0, 1])).await;
    socket.say("x".repeat(64 * 1024)).await;
    world.write("files", "S1", Word::Created, json!({"kind": "Core#Space", "owner": "u1"})).await;
    assert_eq!(socket.json().await["id"], "S1");
    socket.say("x".repeat(64 * 1024 + 1)).await;
    assert!(matches!(socket.hear().await, Heard::Close(1009, _)));
    app.stop().await;
}

#[tokio::test]
async fn a_role_given_a_moment_ago_opens_at_once() {
    let Some(setting) = Setting::postgres(OUTBOX, "").await else { return };
    let app = server::start(&setting.configuration).await;
    let mut world = FilesWorld::of(app.address(), setting.writes).await;
    world.write("files", "A", Word::Created, json!({"kind": "Core#Space", "owner": "u1"})).await;
    world.write("files", "B", Word::Created, json!({"kind": "Core#Space", "owner": "u1", "parents": ["A"]})).await;
    let url = format!("ws://{}/files/B?token={}", app.address(), token("u2"));
    assert_eq!(Socket::open(&url).await.err(), Some(403));
    let grant = json!({"file": "A", "type": "user", "owner": "u2", "role": "reader", "addingUser": "u1"});
    world.write("permissions", "R1", Word::Created, grant).await;
    assert!(Socket::open(&url).await.is_ok(), "a role on the parent is one on the file");
    app.stop().await;
}
