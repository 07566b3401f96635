//! How a connection ends: by the server in the style of its path, by the client, or by what it says.

use super::Setting;
use super::world::{ANN, BOB, BOX, MisakeyWorld, id, token_of};
use crate::server;
use crate::socket::{Heard, Socket};
use crate::transcript::Word;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const FRAME: &str = "close_style = \"frame\"";

#[tokio::test]
async fn when_the_server_goes_down_what_was_said_arrives_and_then_the_end_in_the_style_of_the_path() {
    for (style, is_end) in [("", Heard::Torn), (FRAME, Heard::Close(1012, "going down".to_owned()))] {
        let setting = Setting::embedded(style);
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        let mut bob = world.open(BOB).await;
        let row = json!({"id": id(8), "identity_id": BOB, "box_id": BOX, "muted": true});
        world.write("box_settings", &id(8), Word::Created, row).await;
        let stopping = tokio::spawn(app.stop());
        assert_eq!(bob.json().await["type"], "box.settings");
        assert_eq!(bob.hear().await, is_end);
        drop(world);
        stopping.await.expect("it stops");
    }
}

#[tokio::test]
async fn r4_an_expired_token_does_not_keep_a_socket() {
    for (style, is_end) in [("", Heard::Torn), (FRAME, Heard::Close(1008, "credential expired".to_owned()))] {
        let app = server::start(&Setting::embedded(style).configuration).await;
        let short = token_of(&json!({"sub": ANN}), 2);
        let url = format!("ws://{}/box-users/{ANN}/ws?access_token={short}", app.address());
        let mut socket = Socket::open(&url).await.expect("it opens");
        assert_eq!(socket.hear().await, is_end);
        app.stop().await;
    }
}

#[tokio::test]
async fn what_is_too_big_or_no_message_is_answered_by_a_close_frame_in_either_style() {
    for style in ["", FRAME] {
        let setting = Setting::embedded(style);
        let app = server::start(&setting.configuration).await;
        let world = MisakeyWorld::of(app.address(), setting.writes).await;
        let mut socket = world.open(ANN).await;
        socket.say("x".repeat(8192)).await;
        assert_eq!(socket.hear_within(Duration::from_millis(50)).await, Heard::Nothing);
        socket.say("x".repeat(8193)).await;
        assert!(matches!(socket.hear().await, Heard::Close(1009, _)));
        for (bytes, code) in [
            (&[0x81, 0x01, b'x'][..], 1002),
            (&[0x83, 0x80, 0, 0, 0, 0], 1002),
            (&[0x80, 0x81, 0, 0, 0, 0, b'x'], 1002),
            (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        ] {
            let mut socket = world.open(ANN).await;
            socket.send_bytes(bytes).await;
            match socket.hear().await {
                Heard::Close(got, _) => assert_eq!(got, code, "{bytes:?}"),
                other => panic!("{bytes:?} leads to {other:?}"),
            }
        }
        drop(world);
        app.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_closes_is_answered_with_its_own_code() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let world = MisakeyWorld::of(app.address(), setting.writes).await;
    for code in [1000, 4000] {
        let mut socket = world.open(ANN).await;
        socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: "bye".into() }))).await;
        assert_eq!(socket.hear().await, Heard::Close(code, String::new()));
    }
    let mut socket = world.open(ANN).await;
    socket.send(Message::Close(None)).await;
    assert_eq!(socket.hear().await, Heard::Close(1005, String::new()));
    app.stop().await;
}

#[tokio::test]
async fn a_ping_is_empty_and_who_does_not_answer_is_ended_where_that_is_wanted() {
    for (timeout, is_ended) in [("1s", true), ("0s", false)] {
        let setting = Setting::embedded(&format!("ping = \"100ms\"\npong_timeout = \"{timeout}\""));
        let app = server::start(&setting.configuration).await;
        let world = MisakeyWorld::of(app.address(), setting.writes).await;
        let mut socket = world.open(ANN).await;
        let started = Instant::now();
        let mut bytes = Vec::new();
        while started.elapsed() < Duration::from_secs(3) || (is_ended && started.elapsed() < Duration::from_secs(10)) {
            let more = socket.hear_bytes().await;
            if more.is_empty() {
                break;
            }
            bytes.extend(more);
        }
        assert!(bytes.len() > 6 && bytes.chunks(2).all(|frame| frame == [0x89, 0]), "{bytes:?}");
        let mut more = socket.hear_bytes().await;
        more.truncate(1);
        assert_eq!(more.is_empty(), is_ended, "with a time of {timeout}");
        drop(world);
        app.stop().await;
    }
}

#[tokio::test]
async fn a_table_that_is_emptied_as_a_whole_ends_sockets_and_deletes_no_box() {
    for (style, is_end) in [("", Heard::Torn), (FRAME, Heard::Close(1011, "internal error".to_owned()))] {
        let Some(setting) = Setting::postgres("outbox", style).await else { return };
        let client = setting.databases.0.as_ref().expect("a database").client().await;
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let mut bob = world.open(BOB).await;
        client.batch_execute("truncate misakey.event").await.expect("it is emptied");
        assert_eq!(bob.hear().await, is_end);
        let mut bob = world.open(BOB).await;
        world.make_box().await;
        assert_eq!(bob.json().await["object"]["type"], "member.join");
        app.stop().await;
    }
}

#[tokio::test]
async fn sockets_are_ended_evenly_over_the_time_of_their_path() {
    let setting = Setting::embedded("").configuration.replace("drain_spread = \"0s\"", "drain_spread = \"2s\"");
    let app = server::start(&setting.replace("[server]", "[server]\nshards = 1")).await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let url = format!("ws://{}/box-users/{ANN}/ws?access_token={}", app.address(), super::world::token(ANN));
        sockets.push(Socket::open(&url).await.expect("it opens"));
    }
    let metrics = format!("http://{}/metrics", app.address());
    let count = async || reqwest::get(&metrics).await.expect("an answer").text().await.expect("numbers");
    // Who comes while it goes down is ended at once.
    while !count().await.lines().any(|line| line == "tidings_connections 4") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let started = Instant::now();
    let stopping = tokio::spawn(app.stop());
    let mut last = Duration::ZERO;
    for socket in &mut sockets {
        assert_eq!(socket.hear().await, Heard::Torn);
        last = last.max(started.elapsed());
    }
    assert!(last > Duration::from_millis(1200), "all ended within {last:?}");
    stopping.await.expect("it stops");
}
