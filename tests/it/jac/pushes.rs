//! What a push carries, in which order pushes come, and how many may be named.

use super::sockets::{open, open_as};
use super::world::ANN;
use super::{ANYONE, serve};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn data_passes_byte_for_byte() {
    let app = serve(ANYONE).await;
    let (receiver, _) = open(app.address(), "/websocket?channel_id=room1").await;
    let (mut sender, _) = open(app.address(), "/websocket").await;
    let data = "{ \"b\" : 1.50,\n\"a\":\"\\u00e4 ä\\/\", \"n\":12345678901234567890.10,\"e\":1e400 ,\"a\":2, \"s\":\"\\ud800\" }";
    sender
        .say(format!("{{\"data\":{{}},\"channel_ids\":[\"room1\"],\"type\":\"channel\", \"data\" : {data} ,\"x\":1}}"))
        .await;
    let (_sink, mut heard) = receiver.split();
    match heard.next().await {
        Some(Ok(Message::Text(text))) => assert_eq!(text.as_str(), data),
        other => panic!("{other:?}"),
    }
    app.stop().await;
}

#[tokio::test]
async fn pushes_of_one_sender_come_in_order_whatever_they_are_addressed_to() {
    let app = serve(ANYONE).await;
    let mut ann = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    ann.say(r#"{"type":"connection"}"#).await;
    let client = ann.json().await["data"]["client_id"].take();
    let (mut sender, _) = open(app.address(), "/websocket").await;
    let count = 600;
    for n in 0..count {
        let (kind, name, id) = match n % 3 {
            0 => ("channel", "channel_ids", json!("room1")),
            1 => ("user", "root_ids", json!(format!("n::{ANN}"))),
            _ => ("client", "client_ids", client.clone()),
        };
        sender.say(json!({"type": kind, name: [id], "data": {"n": n}}).to_string()).await;
    }
    for n in 0..count {
        assert_eq!(ann.json().await["n"], n);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_push_is_told_as_often_as_its_ids_reach_a_socket_and_no_more_ids_are_taken_than_may_be() {
    let app = serve("push = \"anyone\"\nmax_targets = 3").await;
    let (mut socket, _) = open(app.address(), "/websocket?channel_id=room1").await;
    let push = |ids: &[&str], n: u32| json!({"type": "channel", "channel_ids": ids, "data": {"n": n}}).to_string();
    socket.say(push(&["room1", "x", "room1"], 1)).await;
    socket.say(push(&["room1"; 4], 2)).await;
    let heard = [socket.json().await, socket.json().await, socket.json().await];
    assert_eq!(heard[..2], [json!({"n": 1}), json!({"n": 1})]);
    let finding = &heard[2]["error"][0];
    assert_eq!(finding["msg"], "List should have at most 3 items after validation, not 4");
    assert_eq!(finding["ctx"], json!({"field_type": "List", "max_length": 3, "actual_length": 4}));
    socket.say(r#"{"type":"connection"}"#).await;
    assert_eq!(socket.json().await["type"], "connection", "and nobody got it");
    app.stop().await;
}

#[tokio::test]
async fn one_refused_target_among_good_ones_refuses_the_push_to_all() {
    let app = serve("push = \"own-channel\"").await;
    let mut ann = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    let (mut other, told) = open(app.address(), "/websocket?channel_id=room2").await;
    for (message, target) in [
        (json!({"type": "channel", "channel_ids": ["room1", "room2"], "data": {}}), "room2"),
        (
            json!({"type": "user", "root_ids": [format!("n::{ANN}"), "n::000000000000000000000001"], "data": {}}),
            "n::000000000000000000000001",
        ),
    ] {
        ann.say(message.to_string()).await;
        let refusal = json!({"type": message["type"], "error": format!("You don't have access on target {target}!")});
        assert_eq!(ann.json().await, refusal, "and its own part is not delivered before");
    }
    ann.say(json!({"type": "client", "client_ids": [told["client_id"]], "data": {"n": 1}}).to_string()).await;
    assert_eq!(other.json().await, json!({"n": 1}), "whoever knows a client id was told it");
    app.stop().await;
}

#[tokio::test]
async fn what_is_pushed_after_the_first_message_was_read_arrives() {
    let app = serve(ANYONE).await;
    let (mut sender, _) = open(app.address(), "/websocket").await;
    for n in 0..50 {
        let (mut socket, told) = open(app.address(), &format!("/websocket?channel_id=room{n}")).await;
        let channel: &Value = &told["channel_id"];
        sender.say(json!({"type": "channel", "channel_ids": [channel], "data": {"n": n}}).to_string()).await;
        assert_eq!(socket.json().await, json!({"n": n}));
    }
    app.stop().await;
}
