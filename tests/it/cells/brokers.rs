//! The same events, published by somebody on RabbitMQ or written to a table of events.

use super::world::CellsWorld;
use super::{SOON, Setting};
use crate::broker::Broker;
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(600);

/// The parts whose events are published: part, routing keys.
const PUBLISHED: [(&str, [&str; 4]); 4] = [
    (
        "tree_nodes",
        [
            "common.TOPIC_TREE_CHANGES",
            "common.TOPIC_META_CHANGES",
            "topic.pydio.tree.nodes.changes",
            "topic.pydio.meta.nodes.changes",
        ],
    ),
    ("tasks", ["common.TOPIC_JOB_TASK_EVENT", "topic.pydio.jobconfig.event", "", ""]),
    ("idm_changes", ["common.TOPIC_IDM_EVENT", "topic.pydio.idm.event", "", ""]),
    ("activities", ["common.TOPIC_ACTIVITY_EVENT", "topic.pydio.activity.event", "", ""]),
];

/// A server whose rows are in the embedded store, and whose events come from an exchange.
fn setting(broker: &Broker, exchange: &str) -> Setting {
    let events: Vec<String> = PUBLISHED.iter().map(|(part, _)| format!("{part} = \"{part}_events\"")).collect();
    let mut setting = Setting::embedded(&format!("{SOON}events = {{ {} }}\n", events.join(", ")));
    setting.configuration += &broker.source();
    for (part, keys) in PUBLISHED {
        broker.queue(&format!("{part}_events"));
        let keys: Vec<_> = keys.iter().filter(|key| !key.is_empty()).map(|key| format!("{key:?}")).collect();
        setting.configuration += &format!(
            "[resources.{part}_events]\nsource = \"broker\"\nexchange = \"{exchange}\"\npattern = [{}]\nread = \"anyone\"\n",
            keys.join(", ")
        );
    }
    setting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_told_as_if_it_came_from_rows() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("cells");
    let (app, mut world) = CellsWorld::start(setting(&broker, &exchange)).await;
    let (mut alice, mut bob) = (world.hearer("alice").await, world.hearer("bob").await);

    // Created and changed within a moment; the second time it does not say where it is.
    let node = json!({"Uuid": "n-9", "Path": "ds1/common/n.txt", "Type": 1, "Etag": "temporary", "Other": 1});
    let event = json!({"Type": "CREATE", "Target": node, "Optimistic": true});
    broker.publish(&exchange, "topic.pydio.tree.nodes.changes", &event).await;
    let node = json!({"Uuid": "n-9", "Path": "ds1/common/n.txt", "Size": "7", "Etag": "e1", "Type": "LEAF",
        "MetaStore": {"mime": "\"text/plain\"", "pydio:x": "1", "bad": "{"}});
    broker.publish(&exchange, "common.TOPIC_META_CHANGES", &json!({"Type": 4, "Target": node})).await;
    let told = json!({"Target": {"Uuid": "n-9", "Path": "common-files/n.txt", "Type": "LEAF", "Size": "7", "Etag": "e1",
        "MetaStore": {"EventWorkspaceId": "\"ws-1\"", "mime": "\"text/plain\"", "name": "\"n.txt\""}}});
    assert_eq!(alice.event().await, told);
    assert_eq!(bob.event().await, told);

    // Where it is, is in the rows.
    let event = json!({"Type": "UPDATE_META", "Target": {"Uuid": "n-1", "MetaStore": {"has_comments": "\"3\""}}});
    broker.publish(&exchange, "common.TOPIC_META_CHANGES", &event).await;
    let told = alice.event().await;
    assert_eq!((&told["Type"], &told["Target"]["Path"]), (&json!("UPDATE_META"), &json!("common-files/a.txt")));
    assert_eq!(told["Target"]["MetaStore"]["has_comments"], "\"3\"");
    assert_eq!(bob.event().await, told);

    // What cannot be read is skipped, and so is what nobody can place.
    for body in [json!({"Type": "EAT", "Target": {}}), json!([1]), json!({"Type": 4, "Target": {"Uuid": "nowhere"}})] {
        broker.publish(&exchange, "common.TOPIC_TREE_CHANGES", &body).await;
    }
    broker.publish(&exchange, "topic.pydio.tree.nodes.changes", &json!({"Type": "READ", "Target": node})).await;
    let policies = r#"[{"Action":"READ","Subject":"user:bob","Effect":"allow"}]"#;
    let event = json!({"Type": "UPDATE_USER_META", "Source": {"MetaStore": {"pydio:meta-policies": policies}},
        "Target": {"Uuid": "n-1", "Path": "ds1/common/a.txt", "MetaStore": {"usermeta-tags": "\"x\""}}});
    broker.publish(&exchange, "common.TOPIC_META_CHANGES", &event).await;
    let told = bob.event().await;
    assert_eq!(
        (&told["Type"], &told["Target"]["MetaStore"]["usermeta-tags"]),
        (&json!("UPDATE_USER_META"), &json!("\"x\""))
    );

    let task =
        json!({"TaskUpdated": {"ID": "t", "JobID": "j", "Status": 2, "TriggerOwner": "alice", "StartTime": "7"}});
    broker.publish(&exchange, "common.TOPIC_JOB_TASK_EVENT", &task).await;
    broker.publish(&exchange, "topic.pydio.jobconfig.event", &json!({"Job": {"ID": "j"}})).await;
    let told = json!({"TaskUpdated": {"ID": "t", "JobID": "j", "Status": "Running", "TriggerOwner": "alice", "StartTime": 7},
        "Job": {"ID": "j"}});
    assert_eq!(alice.event().await, told);

    let idm = json!({"Type": 2, "Role": {"Uuid": "r-read", "Label": "Readers"}, "JsonType": "x"});
    broker.publish(&exchange, "topic.pydio.idm.event", &idm).await;
    let told = json!({"@type": "idm", "Type": "UPDATE", "Role": {"Uuid": "r-read", "Label": "Readers"}});
    assert_eq!(bob.event().await, told);

    let activity = json!({"@type": "x", "OwnerType": "USER", "OwnerId": "alice", "BoxName": "inbox",
        "Activity": {"type": "Update", "actor": {"id": "bob"}, "object": {"name": "docs/a.txt"}}});
    broker.publish(&exchange, "common.TOPIC_ACTIVITY_EVENT", &activity).await;
    let told = alice.event().await;
    assert_eq!((&told["@type"], &told["Activity"]["object"]["name"]), (&json!("activity"), &json!("a.txt")));

    // Where events are published, rows only move rights.
    let task = json!({"id": "t2", "job_id": "j", "status": "Running", "trigger_owner": "alice"});
    world.write("tasks", "t2", Word::Created, task).await;
    world.write("roles", "r-read", Word::Updated, json!({"uuid": "r-read", "label": "x"})).await;
    world.write("acls", "a3", Word::Removed, json!({})).await;
    world.write("tree_nodes", "n-1", Word::Removed, json!({})).await;
    world.settle().await;
    broker.publish(&exchange, "common.TOPIC_TREE_CHANGES", &json!({"Type": "DELETE", "Source": node})).await;
    assert_eq!(alice.event().await["Type"], "DELETE", "nothing before");
    bob.silence(QUIET).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_may_be_rows_of_a_table_of_their_own() {
    let mut setting = Setting::embedded(&format!("{SOON}events = {{ tasks = \"task_events\" }}\n"));
    setting.configuration += "[resources.task_events]\nsource = \"embedded\"\nwritable = true\nread = \"anyone\"\n";
    let (app, mut world) = CellsWorld::start(setting).await;
    let mut alice = world.hearer("alice").await;
    let event =
        |status: &str| json!({"event": {"TaskUpdated": {"ID": "t", "Status": status, "TriggerOwner": "alice"}}});
    world.write("task_events", "1", Word::Created, event("Idle")).await;
    let told: Value = alice.event().await;
    assert_eq!(told, json!({"TaskUpdated": {"ID": "t", "Status": "Idle", "TriggerOwner": "alice"}, "Job": {}}));
    // Only what is new is an event.
    world.write("task_events", "1", Word::Updated, event("Paused")).await;
    world.write("task_events", "2", Word::Created, event("Running")).await;
    assert_eq!(alice.event().await["TaskUpdated"]["Status"], "Running");
    app.stop().await;
}
