//! Rights that change in the database change what arrives, without a new subscribe.

use super::world::{CellsWorld, Hearer};
use super::{OUTBOX, SOON, Setting};
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(600);

/// Makes a file, and tells under which path it was told, if it was.
async fn seen(world: &mut CellsWorld, hearer: &mut Hearer, uuid: &str) -> Option<String> {
    let row = json!({"uuid": uuid, "parent_uuid": "n-root", "path": format!("ds1/common/{uuid}"), "type": "LEAF"});
    world.write("tree_nodes", uuid, Word::Created, row).await;
    world.settle().await;
    // A task of the same viewer comes behind it.
    let task = json!({"id": uuid, "job_id": uuid, "status": "Running", "trigger_owner": "bob"});
    world.write("tasks", uuid, Word::Created, task).await;
    let mut path = None;
    loop {
        let event = hearer.event().await;
        if event["TaskUpdated"]["ID"] == *uuid {
            return path;
        }
        if event["Target"]["Uuid"] == *uuid {
            path = event["Target"]["Path"].as_str().map(str::to_owned);
        }
    }
}

async fn follow_the_rows(setting: Setting) {
    let (app, mut world) = CellsWorld::start(setting).await;
    let mut bob = world.hearer("bob").await;
    let acl = |id: &str, action: &str, role: &str, workspace: Option<&str>, node: &str| {
        json!({"id": id, "action_name": action, "action_value": "1", "role_id": role, "workspace_id": workspace,
            "node_id": node})
    };
    let bob_with = |roles: Value| json!({"uuid": "u-bob", "login": "bob", "profile": "standard", "roles": roles});
    let root = |path: &str| json!({"uuid": "n-root", "parent_uuid": null, "path": path, "type": "COLLECTION"});
    assert_eq!(seen(&mut world, &mut bob, "f1").await.as_deref(), Some("common-files/f1"));

    world.write("acls", "x1", Word::Created, acl("x1", "deny", "r-read", None, "n-root")).await;
    assert_eq!(seen(&mut world, &mut bob, "f2").await, None, "the role denies it");
    world.write("users", "u-bob", Word::Updated, bob_with(json!(["r-read", "r-edit"]))).await;
    assert_eq!(seen(&mut world, &mut bob, "f3").await.as_deref(), Some("common-files/f3"), "a later role allows it");
    world.write("roles", "r-edit", Word::Removed, json!({"uuid": "r-edit"})).await;
    assert_eq!(seen(&mut world, &mut bob, "f4").await, None, "that role is gone");
    world.write("acls", "x1", Word::Removed, json!({"id": "x1"})).await;
    assert_eq!(seen(&mut world, &mut bob, "f5").await.as_deref(), Some("common-files/f5"));

    world.write("workspaces", "ws-1", Word::Updated, json!({"uuid": "ws-1", "slug": "shared"})).await;
    assert_eq!(seen(&mut world, &mut bob, "f6").await.as_deref(), Some("shared/f6"));
    world.write("tree_nodes", "n-root", Word::Updated, root("ds1/moved")).await;
    assert_eq!(seen(&mut world, &mut bob, "f7").await, None, "the root is somewhere else");
    world.write("tree_nodes", "n-root", Word::Updated, root("ds1")).await;
    assert_eq!(seen(&mut world, &mut bob, "f8").await.as_deref(), Some("shared/common/f8"));

    // A rule for a node that was there long before.
    world.write("acls", "x2", Word::Created, acl("x2", "read", "r-read", Some("ws-2"), "n-root")).await;
    world.write("tree_nodes", "n-root", Word::Updated, root("ds1/common")).await;
    world.write("acls", "x3", Word::Created, acl("x3", "read", "r-read", Some("ws-2"), "n-b")).await;
    let row = json!({"uuid": "f9", "parent_uuid": "n-b", "path": "ds1/pub/f9", "type": "LEAF"});
    world.write("tree_nodes", "f9", Word::Created, row).await;
    let event = loop {
        let event = bob.event().await;
        if event["Target"]["Uuid"] == "f9" {
            break event;
        }
    };
    let path = event["Target"]["Path"].as_str().expect("a path");
    assert!(path.starts_with("lab/") && path.ends_with("-pub/f9"), "{path}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_follows_the_rows() {
    follow_the_rows(Setting::embedded(SOON)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_follows_the_rows_in_postgres() {
    let Some(setting) = Setting::postgres(OUTBOX, SOON).await else { return };
    follow_the_rows(setting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_identities_is_told_to_whoever_it_concerned_or_concerns() {
    let (app, mut world) = CellsWorld::start(Setting::embedded("admin_user_events = true\n")).await;
    let admin = json!({"users": [{"uuid": "u-root", "login": "root", "profile": "admin", "roles": ["r-admin"]}],
        "roles": [{"uuid": "r-admin"}], "workspaces": [{"uuid": "ws-s", "slug": "settings"}],
        "acls": [{"id": "s1", "action_name": "read", "role_id": "r-admin", "workspace_id": "ws-s", "node_id": "n-b"}]});
    world.make(&admin).await;
    let (mut alice, mut bob, mut root) =
        (world.hearer("alice").await, world.hearer("bob").await, world.hearer("root").await);
    let alice_with = |roles: Value| json!({"uuid": "u-alice", "login": "alice", "profile": "standard", "roles": roles});
    world.write("users", "u-alice", Word::Updated, alice_with(json!(["r-edit", "r-read"]))).await;
    assert_eq!(alice.event().await["User"]["Uuid"], "u-alice");
    assert_eq!(root.event().await["User"]["Uuid"], "u-alice", "who administrates is told of users");
    // A row that is written as it was is no change.
    world.write("users", "u-alice", Word::Updated, alice_with(json!(["r-edit", "r-read"]))).await;
    world.write("roles", "r-read", Word::Updated, json!({"uuid": "r-read", "label": "Read only"})).await;
    for hearer in [&mut alice, &mut bob] {
        let event = hearer.event().await;
        assert_eq!((&event["Type"], &event["Role"]["Label"]), (&json!("UPDATE"), &json!("Read only")));
    }
    world.write("workspaces", "ws-1", Word::Removed, json!({})).await;
    for hearer in [&mut alice, &mut bob] {
        let event = hearer.event().await;
        assert_eq!((&event["Type"], &event["Workspace"]["Slug"]), (&json!("DELETE"), &json!("common-files")));
    }
    let back = json!({"uuid": "ws-1", "slug": "back", "label": "Back"});
    world.write("workspaces", "ws-1", Word::Created, back).await;
    for hearer in [&mut alice, &mut bob] {
        let event = hearer.event().await;
        assert_eq!((event.get("Type"), &event["Workspace"]["Slug"]), (None, &json!("back")));
    }
    root.silence(QUIET).await;
    app.stop().await;
}
