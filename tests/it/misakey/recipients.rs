//! Exactly who is told, and nobody else.

use super::Setting;
use super::world::{ANN, BOB, BOX, CAROL, MisakeyWorld, event, id};
use crate::server;
use crate::socket::{Heard, Socket};
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;

/// What comes on a socket until a file is saved that nobody else has, in words.
async fn told(world: &mut MisakeyWorld, identity: &str, socket: &mut Socket, end: usize) -> Vec<String> {
    let file = json!({"id": id(end), "identity_id": identity, "encrypted_file_id": id(end)});
    world.write("saved_files", &id(end), Word::Created, file).await;
    let mut told = Vec::new();
    loop {
        let message = socket.json().await;
        let object = &message["object"];
        if message["type"] == "file.saved" && object["encrypted_file_id"] == id(end) {
            return told;
        }
        let what = object["type"].as_str().unwrap_or_else(|| message["type"].as_str().expect("a type"));
        told.push(format!("{what} {}", object["id"].as_str().unwrap_or_default().trim_start_matches(&id(0)[..34])));
    }
}

async fn recipients_are_exact(setting: Setting) {
    let app = server::start(&setting.configuration).await;
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    let mut sockets = Vec::new();
    for identity in [ANN, BOB, CAROL] {
        sockets.push((identity, world.open(identity).await));
    }
    let text = || json!({"encrypted": "e", "public_key": "pk"});
    world.make_box().await;
    world.add(event(3, ANN, "msg.text", text(), None)).await;
    world.add(event(4, CAROL, "member.join", Value::Null, None)).await;
    world.add(event(5, BOB, "msg.text", text(), None)).await;
    world.add(event(6, BOB, "member.leave", Value::Null, Some(2))).await;
    world.add(event(7, ANN, "msg.text", text(), None)).await;
    world.add(event(8, BOB, "member.join", Value::Null, None)).await;
    world.add(event(9, CAROL, "member.kick", json!({"kicker_id": ANN}), Some(4))).await;
    world.add(event(10, ANN, "msg.text", text(), None)).await;
    // Leaves and kicks go before the joins that they refer to.
    for number in [3, 6, 9, 5, 7, 10, 1, 8, 4, 2] {
        world.write("box_events", &id(number), Word::Removed, Value::Null).await;
    }
    let end = format!("box.delete {BOX}");
    let expected = [
        vec![
            "create 01",
            "member.join 02",
            "msg.text 03",
            "member.join 04",
            "msg.text 05",
            "member.leave 06",
            "msg.text 07",
            "member.join 08",
            "member.kick 09",
            "msg.text 10",
            &end,
        ],
        vec![
            "member.join 02",
            "msg.text 03",
            "member.join 04",
            "msg.text 05",
            "member.leave 06",
            "member.join 08",
            "member.kick 09",
            "msg.text 10",
            &end,
        ],
        vec!["member.join 04", "msg.text 05", "member.leave 06", "msg.text 07", "member.join 08", "member.kick 09"],
    ];
    for (place, ((identity, socket), expected)) in sockets.iter_mut().zip(expected).enumerate() {
        assert_eq!(told(&mut world, identity, socket, 90 + place).await, expected, "{identity}");
        assert_eq!(socket.hear_within(Duration::from_millis(50)).await, Heard::Nothing);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipients_of_join_leave_kick_and_delete_are_exact() {
    recipients_are_exact(Setting::embedded("")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipients_of_join_leave_kick_and_delete_are_exact_over_postgres() {
    let Some(setting) = Setting::postgres("outbox", "").await else { return };
    recipients_are_exact(setting).await;
}

#[tokio::test]
async fn a_box_that_is_deleted_in_one_transaction_is_told_once_with_who_deleted_it() {
    for capture in ["outbox", "slot"] {
        let Some(setting) = Setting::postgres(capture, "").await else { return };
        let client = setting.databases.0.as_ref().expect("a database").client().await;
        let app = server::start(&setting.configuration).await;
        let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
        world.make_box().await;
        let mut bob = world.open(BOB).await;
        let delete = format!(
            "begin; update misakey.event set deleted_by = '{ANN}' where box_id = '{BOX}' and type = 'create';
             delete from misakey.event where box_id = '{BOX}'; commit"
        );
        client.batch_execute(&delete).await.expect("it is deleted");
        let expected = json!({"type": "box.delete", "object": {"id": BOX, "sender_id": ANN, "public_key": "pk"}});
        assert_eq!(bob.json().await, expected, "{capture}");
        assert_eq!(told(&mut world, BOB, &mut bob, 90).await, Vec::<String>::new());
        app.stop().await;
    }
}

#[tokio::test]
async fn only_the_configured_types_are_told() {
    let setting = Setting::embedded("push_types = [\"create\", \"access.add\"]");
    let app = server::start(&setting.configuration).await;
    let mut world = MisakeyWorld::of(app.address(), setting.writes).await;
    let mut ann = world.open(ANN).await;
    world.make_box().await;
    world.add(event(3, ANN, "access.add", json!({"value": "v"}), None)).await;
    assert_eq!(told(&mut world, ANN, &mut ann, 90).await, ["create 01", "access.add 03"]);
    app.stop().await;
}
