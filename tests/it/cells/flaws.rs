//! What others have done wrong, and must not happen here; by their numbers in the contract.

use super::world::{CellsWorld, signed, token};
use super::{SOON, Setting};
use crate::socket::{Heard, Socket};
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;
use tidings::event::Timestamp;

const QUIET: Duration = Duration::from_millis(600);

/// A file in the workspace of everybody but eve, with some columns changed.
fn file(uuid: &str, change: Value) -> Value {
    let mut row = json!({"uuid": uuid, "parent_uuid": "n-root", "path": format!("ds1/common/{uuid}"), "type": "LEAF"});
    row.as_object_mut().expect("an object").extend(change.as_object().expect("columns").clone());
    row
}

/// A task of somebody, with a message of this many letters.
fn task(id: usize, owner: &str, letters: usize) -> Value {
    json!({"id": format!("t-{id}"), "job_id": "j", "status": "Running", "trigger_owner": owner,
        "status_message": "x".repeat(letters)})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_who_does_not_read_is_told_to_go_and_delays_nobody() {
    const TASKS: usize = 300;
    let (app, mut world) = CellsWorld::start(Setting::embedded("send_queue = 32\n")).await;
    let url = format!("ws://{}/ws/event", app.address());
    let mut stalled = Socket::open_narrow(&url, None).await;
    stalled.say(json!({"@type": "subscribe", "jwt": token("alice")}).to_string()).await;
    let mut steady = world.hearer("alice").await;
    for id in 0..TASKS {
        let row = task(id, "alice", 50_000);
        world.write("tasks", &format!("t-{id}"), Word::Created, row).await;
        let event = steady.event().await;
        assert_eq!(event["TaskUpdated"]["ID"], json!(format!("t-{id}")), "whole and in order");
    }
    let mut whole = 0;
    let end = loop {
        match stalled.hear().await {
            Heard::Json(event) => {
                assert_eq!(event["TaskUpdated"]["ID"], json!(format!("t-{whole}")), "nothing is left out");
                whole += 1;
            }
            end => break end,
        }
    };
    assert_eq!(end, Heard::Close(1013, "slow reader".to_owned()), "after {whole}");
    assert!(whole < TASKS);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_no_ghost_stays_and_what_changes_for_ever_is_told() {
    let (app, mut world) =
        CellsWorld::start(Setting::embedded("coalesce_quiet_ms = 2000\ncoalesce_max_ms = 4000\n")).await;
    let mut alice = world.hearer("alice").await;
    world.write("tree_nodes", "n-2", Word::Created, file("n-2", json!({}))).await;
    world.write("tree_nodes", "n-2", Word::Updated, file("n-2", json!({"etag": "e"}))).await;
    world.write("tree_nodes", "n-2", Word::Removed, json!({})).await;
    let event = alice.event().await;
    assert_eq!((&event["Type"], &event["Source"]["Uuid"]), (&json!("DELETE"), &json!("n-2")));
    let begun = tokio::time::Instant::now();
    let mut number = 0;
    // It is never quiet for so long that it would be told for that.
    let told = loop {
        number += 1;
        world
            .write(
                "tree_nodes",
                "n-1",
                Word::Updated,
                file("n-1", json!({"path": "ds1/common/a.txt", "mtime": number})),
            )
            .await;
        if let Heard::Json(event) = alice.socket.hear_within(Duration::from_millis(200)).await
            && event["@type"] != "position"
        {
            break event;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it is never told");
    };
    assert_eq!((&told["Type"], &told["Target"]["Uuid"]), (&json!("UPDATE_META"), &json!("n-1")));
    assert!(begun.elapsed() > Duration::from_millis(3500), "it was merged until then");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_what_was_a_right_is_none_from_the_change_on() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let (mut alice, mut bob) = (world.hearer("alice").await, world.hearer("bob").await);
    world.write("tree_nodes", "n-2", Word::Created, file("n-2", json!({}))).await;
    assert_eq!(alice.event().await["Target"]["Uuid"], "n-2");
    assert_eq!(bob.event().await["Target"]["Uuid"], "n-2");
    // What waits is told by the rights of when it is told.
    world.write("tree_nodes", "n-3", Word::Created, file("n-3", json!({}))).await;
    world.write("acls", "a3", Word::Removed, json!({})).await;
    let event = bob.event().await;
    assert_eq!((&event["@type"], &event["Type"], &event["Acl"]["ID"]), (&json!("idm"), &json!("DELETE"), &json!("a3")));
    assert_eq!(alice.event().await["Target"]["Uuid"], "n-3");
    world.write("tree_nodes", "n-3", Word::Removed, json!({})).await;
    assert_eq!(alice.event().await["Source"]["Uuid"], "n-3");
    bob.silence(QUIET).await;
    alice.socket.say(r#"{"@type":"unsubscribe"}"#).await;
    alice.silence(QUIET).await;
    world.write("tree_nodes", "n-4", Word::Created, file("n-4", json!({}))).await;
    alice.silence(QUIET).await;
    // The socket is still there, and may be somebody again.
    alice.socket.say(json!({"@type": "subscribe", "jwt": token("alice"), "resume": ""}).to_string()).await;
    assert_eq!(alice.socket.json().await["@type"], "subscribed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_large_token_is_welcome_and_only_a_huge_message_is_not() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let mut socket = world.open("/ws").await;
    let exp = Timestamp::now().0 / 1000 + 3600;
    let token = signed(&json!({"sub": "u-alice", "exp": exp, "groups": "g".repeat(9_000)}));
    assert!(token.len() > 12_000);
    socket.say(json!({"@type": "subscribe", "jwt": token, "resume": "", "more": "x".repeat(50_000)}).to_string()).await;
    assert_eq!(socket.json().await["@type"], "subscribed");
    world.write("tasks", "t-1", Word::Created, task(1, "alice", 3)).await;
    assert_eq!(socket.json().await["TaskUpdated"]["ID"], "t-1");
    socket.say("x".repeat(65_537)).await;
    assert!(matches!(socket.hear().await, Heard::Close(1009, _)));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_where_a_node_came_from_is_told_only_to_those_who_saw_it_there() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    // Bob sees ds1/common, alice ds1/lab too.
    let secret = json!({"uuid": "n-5", "parent_uuid": "n-a", "path": "ds1/lab/secret", "type": "LEAF"});
    world.make(&json!({"tree_nodes": [secret]})).await;
    let (mut alice, mut bob) = (world.hearer("alice").await, world.hearer("bob").await);
    let shown = json!({"uuid": "n-5", "parent_uuid": "n-root", "path": "ds1/common/shown", "type": "LEAF"});
    world.write("tree_nodes", "n-5", Word::Updated, shown).await;
    let event = bob.event().await;
    assert_eq!((event.get("Type"), event.get("Source")), (None, None), "to bob it is new");
    assert_eq!(event["Target"]["Path"], "common-files/shown");
    for (kind, part, path) in [(None, "Target", "common-files/shown"), (Some("DELETE"), "Source", "secret")] {
        let event = alice.event().await;
        assert_eq!(event.get("Type").and_then(Value::as_str), kind, "in order of the workspaces: {event}");
        assert!(event[part]["Path"].as_str().expect("a path").ends_with(path), "{event}");
    }
    app.stop().await;
}
