//! Flaws that must not come back, as far as rows alone can show them.

use super::world::FilesWorld;
use super::{OUTBOX, Setting};
use crate::server;
use crate::socket::Heard;
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::Duration;
use tidings::event::Timestamp;
use tidings::patch::reversible::{self, Tuples};

fn grant(file: &str, user: &str, until: i64) -> Value {
    json!({
        "file": file, "seq": 1, "type": "user", "owner": user, "role": "reader", "addingUser": "u1", "expirationTime": until
    })
}

#[tokio::test]
async fn r4_events_end_when_a_permission_expires() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let mut world = FilesWorld::of(app.address(), setting.writes).await;
    let space = |label: u32| json!({"kind": "Core#Space", "owner": "u1", "labels": [label]});
    world.write("files", "S1", Word::Created, space(0)).await;
    world.write("permissions", "R1", Word::Created, grant("S1", "u2", Timestamp::now().0 + 2_000)).await;
    let mut reader = world.open("/files", "u2").await;
    world.write("files", "S1", Word::Updated, space(1)).await;
    assert_eq!(reader.json().await["operation"], "patch");
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    world.write("files", "S1", Word::Updated, space(2)).await;
    assert_eq!(reader.hear_within(Duration::from_millis(100)).await, Heard::Nothing);
    app.stop().await;
}

#[tokio::test]
async fn r11_a_change_by_plain_sql_is_a_patch_that_applies_to_what_was_had_and_can_be_taken_back() {
    let Some(setting) = Setting::postgres(OUTBOX, "").await else { return };
    // Nobody may read the rows by themselves, as it should be.
    let configuration = setting.configuration.replace("read = \"anyone\"", "private = true");
    let app = server::start(&configuration).await;
    let client = setting.databases.0.as_ref().expect("a database").client().await;
    let mut socket = FilesWorld::of(app.address(), setting.writes).await.open("/files", "u1").await;
    let statements = [
        "insert into files (key, kind, owner, info, last_modified) values
             ('S1', 'Core#Space', 'u1', '{\"name\": \"s1\", \"tags\": [1, 2, 3]}', '{\"user\": \"u1\", \"time\": 5}')",
        "update files set info = jsonb_set(info, '{name}', '\"s2\"') where key = 'S1'",
        "update files set info = '{\"tags\": [1, 3], \"new\": {\"deep\": null}}', body = '{\"labels\": [\"x\"]}' where key = 'S1'",
        "update files set parents = '[\"S0\"]', last_modified = '{\"user\": \"u2\", \"time\": 7}' where key = 'S1'",
    ];
    client.execute(statements[0], &[]).await.expect("it is inserted");
    let mut had = socket.json().await["data"].clone();
    for statement in &statements[1..] {
        client.execute(*statement, &[]).await.expect("it is updated");
        let data = socket.json().await["data"].clone();
        let patch = reversible::parse(data["patch"].clone()).expect("a patch");
        let applied = reversible::apply(&had, &patch).expect("it applies to what was had");
        let back = reversible::undo(&Tuples::parse(data["revert"].clone()).expect("tuples"));
        let undone = reversible::apply(&applied.document, &back).expect("it can be taken back");
        assert_eq!(undone.document, had, "{statement}");
        had = applied.document;
    }
    assert_eq!(had["info"], json!({"tags": [1, 3], "new": {"deep": null}}));
    assert_eq!((&had["labels"], &had["parents"]), (&json!(["x"]), &json!(["S0"])));
    client.execute("delete from files where key = 'S1'", &[]).await.expect("it is deleted");
    assert_eq!(socket.json().await["operation"], "deleted");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_a_socket_that_does_not_read_costs_itself_only() {
    let setting = Setting::embedded("");
    let app = server::start(&setting.configuration).await;
    let mut world = FilesWorld::of(app.address(), setting.writes).await;
    let url = format!("ws://{}/files?token={}", app.address(), super::world::token("u1"));
    let stalled = crate::socket::Socket::open_narrow(&url, None).await;
    let mut reader = world.open("/files", "u1").await;
    let text = "x".repeat(100_000);
    for number in 0..60 {
        let row = json!({"kind": "Core#Space", "owner": "u1", "info": {"text": text}});
        world.write("files", &format!("S{number}"), Word::Created, row).await;
        assert_eq!(reader.json().await["id"], format!("S{number}"));
    }
    drop(stalled);
    app.stop().await;
}

#[tokio::test]
async fn what_was_changed_while_the_program_was_away_is_told_to_who_comes_back() {
    let Some(setting) = Setting::postgres(OUTBOX, "").await else { return };
    let database = setting.databases.0.as_ref().expect("a database");
    let client = database.client().await;
    let common = setting.configuration.replace("[server]\nlisten = \"127.0.0.1:0\"\n", "");
    let mut process = server::Process::start(&common).await;
    client
        .batch_execute(
            "insert into files (key, kind, owner) values ('S1', 'Core#Space', 'u1');
             insert into file_permissions (key, file, type, owner, role, adding_user)
                 values ('R1', 'S1', 'user', 'u2', 'reader', 'u1')",
        )
        .await
        .expect("rows");
    let token = super::world::token("u2");
    let url = |since: &str| format!("ws://{}/files?token={token}&since={since}", process.address());
    let mut socket = crate::socket::Socket::open(&url("x:0")).await.expect("it opens");
    let verdict = socket.json().await;
    let before = verdict["position"].as_str().expect("a position").to_owned();
    process.kill();
    client
        .batch_execute(
            "update files set body = '{\"labels\": [1]}' where key = 'S1';
             insert into files (key, kind, owner, parents) values ('S2', 'Core#Space', 'u1', '[\"S1\"]');",
        )
        .await
        .expect("rows");
    process.restart().await;
    let url = format!("ws://{}/files?token={token}&since={before}", process.address());
    let mut socket = crate::socket::Socket::open(&url).await.expect("it opens");
    assert_eq!(socket.json().await["complete"], true);
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "created S2") {
        let message = socket.json().await;
        told.push(format!("{} {}", message["operation"].as_str().unwrap(), message["id"].as_str().unwrap()));
    }
    assert!(told.ends_with(&["patch S1".to_owned(), "created S2".to_owned()]), "{told:?}");
}

#[tokio::test]
async fn expired_permissions_are_swept_and_told_where_that_is_wanted() {
    for setting in [
        Some(Setting::embedded("sweep_expired = \"50ms\"")),
        Setting::postgres(OUTBOX, "sweep_expired = \"50ms\"").await,
    ] {
        let Some(setting) = setting else { return };
        let app = server::start(&setting.configuration).await;
        let mut world = FilesWorld::of(app.address(), setting.writes).await;
        world.write("files", "S1", Word::Created, json!({"kind": "Core#Space", "owner": "u1"})).await;
        let (mut owner, mut reader) = (world.open("/files", "u1").await, world.open("/files", "u2").await);
        world.write("permissions", "R1", Word::Created, grant("S1", "u2", Timestamp::now().0 + 2_000)).await;
        for operation in ["access-granted", "patch"] {
            assert_eq!(reader.json().await["operation"], operation);
        }
        assert_eq!(owner.json().await["data"]["patch"][0]["op"], "add");
        assert_eq!(reader.json().await["operation"], "access-removed");
        let patch = owner.json().await["data"]["patch"].clone();
        let paths: Vec<_> = patch.as_array().expect("operations").iter().map(|one| one["path"].clone()).collect();
        for path in ["/permissionIds/0", "/permissions/0", "/lastModified/user"] {
            assert!(paths.contains(&json!(path)), "{path} in {patch}");
        }
        assert_eq!(owner.hear_within(Duration::from_millis(100)).await, Heard::Nothing, "it is told once");
        app.stop().await;
    }
}
