//! What no transcript can say: frames, sizes, handshakes, and that others do not notice.

use super::EMBEDDED;
use crate::server;
use crate::socket::{Heard, PATIENCE, Socket};
use crate::writer::Writer;
use serde_json::json;
use tidings::app::App;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

async fn open(app: &App, path: &str) -> Socket {
    Socket::open(&format!("ws://{}{path}", app.address())).await.expect("an upgrade on any path")
}

/// Whether the connection still answers.
async fn lives(socket: &mut Socket) -> bool {
    socket.say(r#"{"handler":"init","ref":"still there"}"#).await;
    matches!(socket.hear().await, Heard::Json(answer) if answer["ref"] == "still there")
}

#[tokio::test]
async fn r1_what_stopped_the_process_is_survived_and_unnoticed_by_others() {
    let app = server::start(EMBEDDED).await;
    let mut witness = open(&app, "/nodes").await;
    let mut rude = open(&app, "/mq").await;
    for text in [
        "null",
        "",
        "7",
        "[]",
        "{",
        r#"{"handler":"error"}"#,
        r#"{"handler":"error","params":null,"ref":1}"#,
        r#"{"handler":"watch"}"#,
        r##"{"handler":"watch","params":"#"}"##,
        r#"{"handler":"watch","resource":"nodes","params":"text"}"#,
        r#"{"handler":"stop","resource":"nodes","params":7}"#,
        r#"{"handler":"__proto__"}"#,
        &"[".repeat(100_000),
    ] {
        rude.say(text).await;
    }
    assert!(lives(&mut rude).await);
    assert!(lives(&mut witness).await);
    app.stop().await;
}

#[tokio::test]
async fn a_message_of_300_kilobytes_passes_and_one_beyond_a_mebibyte_closes() {
    let app = server::start(EMBEDDED).await;
    let mut socket = open(&app, "/nodes").await;
    let padded = |bytes: usize| format!(r#"{{"handler":"init","pad":"{}"}}"#, "x".repeat(bytes));
    socket.say(padded(300_000)).await;
    assert_eq!(socket.json().await["handler"], "session");
    socket.say(padded(1 << 20)).await;
    assert!(matches!(socket.hear().await, Heard::Close(1009, _)));
    app.stop().await;
}

#[tokio::test]
async fn a_text_frame_that_is_not_utf8_closes_and_a_binary_one_is_read() {
    let app = server::start(EMBEDDED).await;
    let mut socket = open(&app, "/nodes").await;
    socket.send(Message::binary(r#"{"handler":"init"}"#)).await;
    assert_eq!(socket.json().await["handler"], "session");
    let broken = Frame::message(vec![b'"', 0xff, b'"'], OpCode::Data(Data::Text), true);
    socket.send(Message::Frame(broken)).await;
    assert!(matches!(socket.hear().await, Heard::Close(1007, _)));
    app.stop().await;
}

/// A client's frame; the mask is all zeros, so the payload stands there as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[tokio::test]
async fn a_message_in_fragments_is_one_message_even_with_a_ping_within() {
    let app = server::start(EMBEDDED).await;
    let mut socket = open(&app, "/nodes").await;
    let pieces = [frame(0x01, br#"{"handler":"#), frame(0x89, b"hi"), frame(0x00, br#""in"#), frame(0x80, br#"it"}"#)];
    for byte in pieces.concat() {
        socket.send_bytes(&[byte]).await;
    }
    assert_eq!(socket.json().await["handler"], "session");
    app.stop().await;
}

#[tokio::test]
async fn frames_that_are_none_close_their_connection_and_no_other() {
    let app = server::start(EMBEDDED).await;
    let mut witness = open(&app, "/nodes").await;
    let huge = |length: u64| [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    for (bytes, code) in [
        (vec![0x81, 2, b'{', b'}'], 1002),
        (frame(0x83, b"reserved opcode"), 1002),
        (frame(0xc1, b"reserved bit"), 1002),
        (frame(0x80, b"nothing to continue"), 1002),
        (frame(0x09, b"a ping in pieces"), 1002),
        ([frame(0x01, b"begun"), frame(0x81, b"begun again")].concat(), 1002),
        (frame(0x88, &[0]), 1002),
        (frame(0x88, &1005_u16.to_be_bytes()), 1002),
        (frame(0x81, &[0xc3, 0x28]), 1007),
        (huge(1 << 62), 1009),
        (huge(u64::MAX), 1002),
        (huge((1 << 20) + 1), 1009),
    ] {
        let mut rude = open(&app, "/nodes").await;
        rude.send_bytes(&bytes).await;
        let heard = rude.hear().await;
        assert!(matches!(heard, Heard::Close(told, _) if told == code), "{bytes:?}: {heard:?} and not {code}");
    }
    for cut in [1, 2, 5, 9] {
        let mut gone = open(&app, "/nodes").await;
        gone.send_bytes(&frame(0x81, br#"{"handler":"init"}"#)[..cut]).await;
    }
    assert!(lives(&mut witness).await);
    app.stop().await;
}

#[tokio::test]
async fn ten_thousand_watches_of_one_connection_are_too_many_and_it_is_told_so() {
    const WATCHES: usize = 10_000;
    const LIMIT: usize = 256;
    let app = server::start(EMBEDDED).await;
    let mut socket = open(&app, "/nodes").await;
    for number in 0..LIMIT {
        socket.say(json!({"handler": "watch", "ref": number}).to_string()).await;
    }
    socket.settle_silently().await;
    for number in LIMIT..WATCHES {
        // Without a reference there is silence: these are no answers to wait for.
        socket.say(json!({"handler": "watch", "params": {"rank": number}}).to_string()).await;
        socket.say(json!({"handler": "watch", "ref": number}).to_string()).await;
        let refused = socket.json().await;
        assert_eq!((&refused["handler"], &refused["ref"]), (&json!("error"), &json!(number)));
        assert_eq!((&refused["params"]["error"], &refused["params"]["status"]), (&json!("E_LIMIT"), &json!(429)));
    }
    Writer::to(app.address()).put("nodes", "n1", json!({})).await;
    for number in 0..LIMIT {
        assert_eq!(socket.json().await["ref"], number);
    }
    socket.settle_silently().await;
    app.stop().await;
}

#[tokio::test]
async fn the_first_offered_protocol_is_echoed_and_any_origin_may_come() {
    let app = server::start(EMBEDDED).await;
    let mut request = format!("ws://{}/a/b/nodes/?x=1", app.address()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "one, two".parse().unwrap());
    request.headers_mut().insert("origin", "https://elsewhere.example".parse().unwrap());
    let (_, response) = timeout(PATIENCE, connect_async(request)).await.expect("an answer").expect("an upgrade");
    assert_eq!(response.headers()["sec-websocket-protocol"], "one");
    assert!(response.headers().get("sec-websocket-extensions").is_none());
    app.stop().await;
}

#[tokio::test]
async fn a_session_has_one_id_and_each_connection_another() {
    let app = server::start(EMBEDDED).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut socket = open(&app, "/nodes").await;
        socket.say(r#"{"handler":"init"}"#).await;
        let first = socket.json().await;
        socket.say(r#"{"handler":"init","ref":[1]}"#).await;
        assert_eq!(socket.json().await, json!({"handler": "session", "id": first["id"], "ref": [1]}));
        let id = first["id"].as_str().expect("a text").to_owned();
        let uuid: uuid::Uuid = id.parse().expect("a uuid");
        assert_eq!((uuid.get_version_num(), uuid.to_string()), (4, id.clone()));
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    app.stop().await;
}
