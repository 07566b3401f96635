//! What is told of rows, beyond the transcripts.

use super::world::CellsWorld;
use super::{SOON, Setting};
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(600);

fn file(change: Value) -> Value {
    let mut row = json!({"uuid": "n-1", "parent_uuid": "n-root", "path": "ds1/common/a.txt", "type": "LEAF"});
    row.as_object_mut().expect("an object").extend(change.as_object().expect("columns").clone());
    row
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_users_are_shown_to_those_who_may_read_them() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let (mut alice, mut bob) = (world.hearer("alice").await, world.hearer("bob").await);
    let tags = |subject: &str, value: &str| {
        let policy = json!({"Action": "READ", "Subject": subject, "Effect": "allow"});
        json!({"user_meta": {"usermeta-tags": {"value": value, "policies": [policy]}}})
    };
    world.write("tree_nodes", "n-1", Word::Updated, file(tags("user:alice", "mine"))).await;
    let event = alice.event().await;
    assert_eq!((&event["Type"], event.get("Source")), (&json!("UPDATE_USER_META"), None));
    assert_eq!(event["Target"]["MetaStore"]["usermeta-tags"], "\"mine\"");
    // Another change is for both, and what only one may read is only in the one's.
    let mut both = file(tags("user:alice", "mine"));
    both["mtime"] = json!(7);
    world.write("tree_nodes", "n-1", Word::Updated, both).await;
    assert_eq!(alice.event().await["Target"]["MetaStore"]["usermeta-tags"], "\"mine\"");
    let event = bob.event().await;
    assert_eq!((&event["Type"], event["Target"]["MetaStore"].get("usermeta-tags")), (&json!("UPDATE_META"), None));
    let mut shared = file(tags("*", "all"));
    shared["mtime"] = json!(7);
    world.write("tree_nodes", "n-1", Word::Updated, shared).await;
    for hearer in [&mut alice, &mut bob] {
        assert_eq!(hearer.event().await["Target"]["MetaStore"]["usermeta-tags"], "\"all\"");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_moves_is_told_once_whatever_is_in_it() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    let folder = |path: &str| json!({"uuid": "d", "parent_uuid": "n-root", "path": path, "type": "COLLECTION"});
    let inner = |path: &str| json!({"uuid": "i", "parent_uuid": "d", "path": path, "type": "LEAF"});
    world.make(&json!({"tree_nodes": [folder("ds1/common/d"), inner("ds1/common/d/i")]})).await;
    let mut alice = world.hearer("alice").await;
    world.write("tree_nodes", "d", Word::Updated, folder("ds1/common/e")).await;
    world.write("tree_nodes", "i", Word::Updated, inner("ds1/common/e/i")).await;
    let event = alice.event().await;
    assert_eq!((&event["Type"], &event["Source"]["Path"]), (&json!("UPDATE_PATH"), &json!("common-files/d")));
    assert_eq!(event["Target"]["Path"], "common-files/e");
    alice.silence(QUIET).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_system_does_is_told_to_administrators() {
    let (app, mut world) = CellsWorld::start(Setting::embedded(SOON)).await;
    world.make(&json!({"users": [{"uuid": "u-root", "login": "root", "profile": "admin"}]})).await;
    let (mut root, mut alice) = (world.hearer("root").await, world.hearer("alice").await);
    let task = json!({"id": "t", "job_id": "j", "status": "Queued", "trigger_owner": "pydio.system.user"});
    world.write("tasks", "t", Word::Created, task).await;
    assert_eq!(root.event().await["TaskUpdated"]["Status"], "Queued");
    alice.silence(QUIET).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_silent_changes_only_some_are_told() {
    let (app, mut world) =
        CellsWorld::start(Setting::embedded("coalesce_quiet_ms = 0\nsilent_per_s = 0\nsilent_burst = 3\n")).await;
    let mut alice = world.hearer("alice").await;
    for mtime in 1..10 {
        let row = file(json!({"silent": true, "mtime": mtime}));
        world.write("tree_nodes", "n-1", Word::Updated, row).await;
    }
    world.write("tree_nodes", "n-1", Word::Removed, json!({})).await;
    for mtime in 1..4 {
        assert_eq!(alice.event().await["Target"]["MTime"], json!(mtime.to_string()));
    }
    assert_eq!(alice.event().await["Type"], "DELETE", "that it is gone is always told");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_may_have_other_names() {
    let more =
        format!("{SOON}fields = {{ \"tasks.trigger_owner\" = \"owner\", \"tree_nodes.mtime\" = \"modified\" }}\n");
    let (app, mut world) = CellsWorld::start(Setting::embedded(&more)).await;
    let mut alice = world.hearer("alice").await;
    let task = json!({"id": "t", "job_id": "j", "status": "Running", "owner": "alice"});
    world.write("tasks", "t", Word::Created, task).await;
    assert_eq!(alice.event().await["TaskUpdated"]["TriggerOwner"], "alice");
    world.write("tree_nodes", "n-1", Word::Updated, file(json!({"modified": 7}))).await;
    assert_eq!(alice.event().await["Target"]["MTime"], "7");
    app.stop().await;
}
