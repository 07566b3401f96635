//! Several servers on one database: each follows it by itself, and all of them tell the same.

use super::world::FilesWorld;
use super::{OUTBOX, Setting};
use crate::rows::Writes;
use crate::server;
use crate::transcript::Word;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_what_one_node_tells_the_other_tells_in_the_same_words() {
    let Some(setting) = Setting::postgres(OUTBOX, "").await else { return };
    let (here, there) = (server::start(&setting.configuration).await, server::start(&setting.configuration).await);
    let mut world = FilesWorld::of(here.address(), setting.writes).await;
    let client = setting.databases.0.as_ref().expect("a database").client().await;
    let elsewhere = FilesWorld::of(there.address(), Writes::Sql(client)).await;
    let (mut near, mut far) = (world.open("/files", "u1").await, elsewhere.open("/files", "u1").await);
    world.write("files", "S1", Word::Created, json!({"kind": "Core#Space", "owner": "u1"})).await;
    world.write("files", "S1", Word::Updated, json!({"kind": "Core#Space", "owner": "u1", "labels": ["x"]})).await;
    for _ in 0..2 {
        assert_eq!(near.json().await, far.json().await, "generated ids are the same too");
    }
    here.stop().await;
    there.stop().await;
}
