//! Who does not answer pings is given up, unless it is the server that does not read.

use super::sockets::open;
use super::webhook::Webhook;
use super::{ANYONE, serve};
use std::time::Duration;

const QUICK: &str = "ping = \"200ms\"\npong_timeout = \"300ms\"";

#[tokio::test]
async fn who_does_not_answer_pings_is_told_so() {
    let app = serve(QUICK).await;
    let (mut socket, _) = open(app.address(), "/websocket").await;
    let mut heard = Vec::new();
    loop {
        let bytes = socket.hear_bytes().await;
        if bytes.is_empty() {
            break;
        }
        heard.extend(bytes);
    }
    assert!(heard.starts_with(&[0x89, 0]), "a ping comes first");
    let mut close = vec![0x88, 24, 0x03, 0xf3];
    close.extend(b"keepalive ping timeout");
    assert!(heard.ends_with(&close), "{heard:?}");
    app.stop().await;
}

#[tokio::test]
async fn while_an_operation_runs_nobody_is_given_up() {
    let webhook = Webhook::start().await;
    let walker = "kind = \"http\"\nauth = \"optional\"";
    let more = format!(
        "{ANYONE}\n{QUICK}\n[channels.\"/websocket\".walkers.late]\n{walker}\nurl = \"{}\"",
        webhook.url("late")
    );
    let app = serve(&more).await;
    let (mut socket, _) = open(app.address(), "/websocket").await;
    socket.say(r#"{"type":"walker","walker":"late","response":true}"#).await;
    let answer = match socket.hear_within(Duration::from_secs(20)).await {
        crate::socket::Heard::Json(answer) => answer,
        other => panic!("{other:?}"),
    };
    assert_eq!(answer["status"], 200);
    app.stop().await;
}
