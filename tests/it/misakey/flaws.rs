//! Flaws that must not come back.

use super::Setting;
use super::world::{ANN, BOB, BOX, CAROL, MisakeyWorld, ack, event, id};
use crate::server;
use crate::socket::{Heard, PATIENCE, Socket};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn r1_an_ack_in_the_name_of_another_changes_no_row_and_reaches_no_socket() {
    for setting in [Some(Setting::embedded("")), Setting::postgres("outbox", "").await] {
        let Some(setting) = setting else { return };
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let (mut ann, mut bob) = (world.open(ANN).await, world.open(BOB).await);
        ann.say(ack(BOB)).await;
        ann.say(ack(ANN)).await;
        assert_eq!(ann.json().await["object"]["sender_id"], ANN);
        world.control.barrier().await.expect("everything is logged");
        assert_eq!(bob.hear_within(Duration::from_millis(50)).await, Heard::Nothing);
        let rows = super::writes::rows(&world.writes, app.address(), "event_counts").await;
        assert!(rows.iter().all(|row| row["identity_id"] == ANN || row["ack_id"].is_null()), "{rows:?}");
        app.stop().await;
    }
}

#[tokio::test]
async fn r2_what_is_committed_right_after_the_open_is_told_every_time() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    world.make_box().await;
    for number in 10..60 {
        let mut bob = world.open(BOB).await;
        world.add(event(number, ANN, "msg.text", json!({"encrypted": "e"}), None)).await;
        assert_eq!(bob.json().await["object"]["id"], id(number));
    }
    app.stop().await;
}

#[tokio::test]
async fn r3_what_is_rolled_back_is_told_to_nobody_and_what_is_committed_is_although_its_writer_dies() {
    for capture in ["outbox", "slot"] {
        let Some(setting) = Setting::postgres(capture, "").await else { return };
        let database = setting.databases.0.as_ref().expect("a database");
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let (mut ann, mut bob) = (world.open(ANN).await, world.open(BOB).await);
        let insert = |number: usize| {
            format!(
                "insert into misakey.event (id, box_id, sender_id, type, content)
                 values ('{}', '{BOX}', '{ANN}', 'msg.text', '{{\"encrypted\": \"e\"}}');",
                id(number)
            )
        };
        let writer = database.client().await;
        writer.batch_execute(&format!("begin; {} rollback", insert(3))).await.expect("it is rolled back");
        writer.batch_execute(&format!("begin; {}", insert(4))).await.expect("it is not committed");
        drop(writer);
        let writer = database.client().await;
        writer.batch_execute(&insert(5)).await.expect("it is committed");
        drop(writer);
        for socket in [&mut ann, &mut bob] {
            assert_eq!(socket.json().await["object"]["id"], id(5), "{capture}");
            assert_eq!(socket.hear_within(Duration::from_millis(50)).await, Heard::Nothing);
        }
        let unseen = world.until_counted(BOB, |row| row["count"] == 1).await;
        assert_eq!(unseen["count"], 1, "what was rolled back is not counted");
        app.stop().await;
    }
}

#[tokio::test]
async fn r3_the_first_message_after_a_join_reaches_the_joiner_and_none_after_a_kick_the_kicked() {
    for setting in [Some(Setting::embedded("")), Setting::postgres("outbox", "").await] {
        let Some(setting) = setting else { return };
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let mut carol = world.open(CAROL).await;
        let text = |number| event(number, ANN, "msg.text", json!({"encrypted": "e"}), None);
        for round in 0..5 {
            let first = 10 + round * 10;
            world.add(text(first)).await;
            world.add(event(first + 1, CAROL, "member.join", Value::Null, None)).await;
            world.add(text(first + 2)).await;
            world.add(event(first + 3, CAROL, "member.kick", json!({"kicker_id": ANN}), Some(first + 1))).await;
            world.add(text(first + 4)).await;
            for number in 1..=3 {
                assert_eq!(carol.json().await["object"]["id"], id(first + number));
            }
        }
        assert_eq!(carol.hear_within(Duration::from_millis(50)).await, Heard::Nothing);
        app.stop().await;
    }
}

/// A number that the server tells of itself.
async fn measured(address: SocketAddr, name: &str) -> f64 {
    let text = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer").text().await.expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_client_that_does_not_read_costs_only_itself_and_leaves_nothing() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    world.make_box().await;
    let mut bob = world.open(BOB).await;
    let (connections, watches) =
        (measured(app.address(), "tidings_connections").await, measured(app.address(), "tidings_watches").await);
    let stalled = Socket::open_narrow(&world.url(BOB, ""), None).await;
    let long = "x".repeat(100_000);
    for number in 10..60 {
        world.add(event(number, ANN, "msg.text", json!({"encrypted": long}), None)).await;
        assert_eq!(bob.json().await["object"]["id"], id(number));
    }
    drop(stalled);
    let end = Instant::now() + PATIENCE;
    while measured(app.address(), "tidings_connections").await > connections
        || measured(app.address(), "tidings_watches").await > watches + 1.0
    {
        assert!(Instant::now() < end, "it is still there");
        sleep(Duration::from_millis(10)).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn r5_only_json_objects_reach_a_client_and_an_ack_as_it_was_said() {
    for setting in [Some(Setting::embedded("")), Setting::postgres("outbox", "").await] {
        let Some(setting) = setting else { return };
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let (mut say, mut hear) = world.open(BOB).await.split();
        let text = format!(
            " {{\"OBJECT\" : {{\"Sender_ID\":\"{}\",\"box_id\":\"{BOX}\",\"é\":[1.50]}},\n\"type\":\"ack\"}} ",
            BOB.to_uppercase()
        );
        for junk in ["", "null", "7", "\"ack\"", "[]", "{}", "{\"type\":\"ack\",\"object\":null}", "{"] {
            say.send(Message::text(junk)).await.expect("it is sent");
        }
        say.send(Message::binary(vec![0xff, 0xfe])).await.expect("it is sent");
        say.send(Message::binary(text.clone().into_bytes())).await.expect("it is sent");
        let heard = timeout(PATIENCE, hear.next()).await.expect("it comes").expect("it is open").expect("a message");
        assert_eq!(heard, Message::text(text));
        app.stop().await;
    }
}

#[tokio::test]
async fn who_says_more_than_is_heard_is_heard_later_and_loses_nothing() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let world = MisakeyWorld::of(app.address(), setting.writes).await;
    let mut bob = world.open(BOB).await;
    let started = Instant::now();
    for _ in 0..260 {
        bob.say("{}").await;
    }
    bob.say(ack(BOB)).await;
    assert_eq!(bob.json().await["type"], "ack");
    assert!(started.elapsed() > Duration::from_secs(1), "it took {:?}", started.elapsed());
    app.stop().await;
}

#[tokio::test]
async fn an_ack_that_the_store_does_not_take_is_counted_and_the_socket_stays() {
    let Some(setting) = Setting::postgres("outbox", "").await else { return };
    let client = setting.databases.0.as_ref().expect("a database").client().await;
    let app = server::start(&setting.configuration).await;
    let world = MisakeyWorld::of(app.address(), setting.writes).await;
    let mut bob = world.open(BOB).await;
    client
        .batch_execute("alter table misakey.event_count add constraint never check (count > 0)")
        .await
        .expect("altered");
    bob.say(ack(BOB)).await;
    let end = Instant::now() + PATIENCE;
    let lost = "tidings_source_dropped_total{source=\"event_counts\",why=\"ack\"}";
    while !reqwest::get(format!("http://{}/metrics", app.address()))
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text")
        .contains(&format!("{lost} 1"))
    {
        assert!(Instant::now() < end, "it is not counted");
        sleep(Duration::from_millis(20)).await;
    }
    client.batch_execute("alter table misakey.event_count drop constraint never").await.expect("altered");
    bob.say(ack(BOB)).await;
    assert_eq!(bob.json().await["type"], "ack");
    app.stop().await;
}
