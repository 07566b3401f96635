//! Clients that come back and want what they missed.

use super::world::{CellsWorld, Hearer, token};
use super::{OUTBOX, SOON, Setting};
use crate::socket::Socket;
use crate::transcript::Word;
use serde_json::{Value, json};

fn file(uuid: &str) -> Value {
    json!({"uuid": uuid, "parent_uuid": "n-root", "path": format!("ds1/common/{uuid}"), "type": "LEAF"})
}

fn task(id: &str, status: &str) -> Value {
    json!({"id": id, "job_id": "j", "status": status, "trigger_owner": "alice"})
}

/// Comes back from a position; what it is told first.
async fn come_back(world: &CellsWorld, login: &str, position: &str) -> (Socket, Value) {
    let mut socket = world.open("/ws/event").await;
    socket.say(json!({"@type": "subscribe", "jwt": token(login), "resume": position}).to_string()).await;
    let first = socket.json().await;
    assert_eq!(first["@type"], "subscribed");
    (socket, first)
}

async fn what_was_missed_is_told(setting: Setting) {
    let (app, mut world) = CellsWorld::start(setting).await;
    let alice = world.hearer("alice").await;
    let Hearer { socket, position } = alice;
    drop(socket);
    // Of these only some are to be told: one is gone again, one is not alice's, one came late.
    for uuid in ["f1", "f2"] {
        world.write("tree_nodes", uuid, Word::Created, file(uuid)).await;
    }
    world.write("tree_nodes", "f1", Word::Removed, json!({"uuid": "f1"})).await;
    let hidden = json!({"uuid": "f3", "parent_uuid": "x", "path": "other/f3", "type": "LEAF"});
    world.write("tree_nodes", "f3", Word::Created, hidden).await;
    world.write("tasks", "t1", Word::Created, task("t1", "Finished")).await;
    world.write("tasks", "t1", Word::Updated, task("t1", "Running")).await;
    world.write("roles", "r-edit", Word::Updated, json!({"uuid": "r-edit", "label": "All editors"})).await;
    world.settle().await;
    let (socket, first) = come_back(&world, "alice", &position).await;
    assert_eq!((&first["position"], &first["resumed"]), (&json!(position), &json!(true)));
    let mut alice = Hearer { socket, position };
    let event = alice.event().await;
    assert_eq!((&event["Type"], &event["Source"]["Uuid"]), (&json!("DELETE"), &json!("f1")));
    assert_eq!(alice.event().await["TaskUpdated"]["Status"], "Finished");
    assert_eq!(alice.event().await["Role"]["Label"], "All editors");
    let event = alice.event().await;
    assert_eq!((event.get("Type"), &event["Target"]["Uuid"]), (None, &json!("f2")));
    // And then it is live, without a gap.
    world.write("tasks", "t2", Word::Created, task("t2", "Running")).await;
    assert_eq!(alice.event().await["TaskUpdated"]["ID"], "t2");
    world.settle().await;
    let last = world.barrier().await;
    while !alice.position.ends_with(&format!(":{last}")) {
        let heard = alice.socket.json().await;
        assert_eq!(heard["@type"], "position", "{heard}");
        alice.position = heard["position"].as_str().expect("a position").to_owned();
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_told_once_and_then_what_happens() {
    what_was_missed_is_told(Setting::embedded(SOON)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_told_once_and_then_what_happens_in_postgres() {
    let Some(setting) = Setting::postgres(OUTBOX, SOON).await else { return };
    what_was_missed_is_told(setting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_is_told_by_the_rights_of_today() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let position = world.hearer("bob").await.position;
    world.write("tree_nodes", "f1", Word::Created, file("f1")).await;
    world.write("acls", "a3", Word::Removed, json!({})).await;
    world.settle().await;
    let (mut socket, first) = come_back(&world, "bob", &position).await;
    assert_eq!(first["resumed"], true);
    assert_eq!(socket.json().await["Acl"]["ID"], "a3", "the file is not his any more");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_missed_events_are_told_as_fast_as_they_are_read_and_none_twice() {
    const TASKS: usize = 3000;
    let (app, mut world) = CellsWorld::start(Setting::embedded("send_queue = 16\n")).await;
    let position = world.hearer("alice").await.position;
    for id in 0..TASKS {
        let mut row = task(&format!("t{id}"), "Running");
        row["status_message"] = json!("x".repeat(1000));
        world.write("tasks", &format!("t{id}"), Word::Created, row).await;
    }
    let (socket, _) = come_back(&world, "alice", &position).await;
    let mut alice = Hearer { socket, position };
    for id in 0..TASKS {
        assert_eq!(alice.event().await["TaskUpdated"]["ID"], json!(format!("t{id}")));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_gone_on_from_is_said_to_be_so_and_who_does_not_ask_sees_nothing_of_it() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let position = world.hearer("alice").await.position;
    let (epoch, offset) = position.split_once(':').expect("a position");
    let later = offset.parse::<u64>().expect("a number") + 1000;
    for text in ["", "x", "other:1", &format!("{epoch}:{later}"), &format!("{epoch}:{offset}:o3")] {
        let (_, first) = come_back(&world, "alice", text).await;
        assert_eq!(first["resumed"], false, "{text}");
        assert!(first["position"].as_str().expect("a position").starts_with(epoch), "{text}");
    }
    let mut shipped = world.open("/ws/event").await;
    shipped.say(json!({"@type": "subscribe", "jwt": token("alice")}).to_string()).await;
    let mut asking = world.hearer("alice").await;
    world.write("tasks", "t1", Word::Created, task("t1", "Running")).await;
    assert_eq!(asking.event().await["TaskUpdated"]["ID"], "t1");
    assert_eq!(asking.socket.json().await["@type"], "position");
    world.write("tasks", "t2", Word::Created, task("t2", "Running")).await;
    assert_eq!(shipped.json().await["TaskUpdated"]["ID"], "t1");
    assert_eq!(shipped.json().await["TaskUpdated"]["ID"], "t2", "nothing in between");
    app.stop().await;
}
