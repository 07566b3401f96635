//! The program on a MongoDB database: what it serves, follows, writes and finds wrong.

use crate::mongodb::Mongo;
use crate::program::{Running, tidings};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde_json::json;
use std::fs;

#[tokio::test]
async fn a_bare_url_serves_every_collection_and_tells_its_changes() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let images = doc! { "create": "nodes", "changeStreamPreAndPostImages": {"enabled": true} };
    database.run_command(images).await.unwrap();
    let nodes = database.collection::<Document>("nodes");
    let oid = ObjectId::new();
    nodes.insert_one(doc! { "_id": oid, "name": "one" }).await.unwrap();
    let mut server = Running::serve(&[&mongo.url()]).await;
    let (id, shown) = (oid.to_hex(), json!({"id": oid.to_hex(), "name": "one"}));
    assert_eq!(server.json("/api/nodes").await, json!([shown]));
    assert_eq!(server.json(&format!("/api/nodes/{id}")).await, shown);

    let (mut watch, items) = server.watch("/nodes").await;
    assert_eq!(items, [shown]);
    nodes.update_one(doc! { "_id": oid }, doc! { "$set": {"name": "two"} }).await.unwrap();
    nodes.delete_one(doc! { "_id": oid }).await.unwrap();
    let (updated, removed) = (watch.json().await, watch.json().await);
    assert_eq!((&updated["id"], &updated["data"]["name"]), (&json!(["updated", id]), &json!("two")), "{updated}");
    assert_eq!((&removed["id"], &removed["data"]["name"]), (&json!(id), &json!("two")), "{removed}");
    server.stop().await;
}

#[tokio::test]
async fn names_keys_and_writes_are_as_configured_and_the_doctor_says_what_is_wrong() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    let graphs = database.collection::<Document>("graphobjects");
    graphs.insert_one(doc! { "_id": "6b01", "instanceId": "g1", "password": "hush" }).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    let configuration = format!(
        "[sources.rackhd]\nurl = \"{}\"\n[resources.workflows]\ncollection = \"graphobjects\"\nid = \"instanceId\"\n\
         hide = [\"password\"]\naliases = [\"graphObjs\"]\nwritable = true\n",
        mongo.url()
    );
    fs::write(&path, configuration).unwrap();
    let path = path.to_str().unwrap();

    let looked = tidings(&["check", "--config", path]).await;
    assert_ne!(looked.code, Some(0));
    for line in [
        "db.runCommand({collMod: \"graphobjects\", changeStreamPreAndPostImages: {enabled: true}})",
        "db.getCollection(\"graphobjects\").createIndex({\"instanceId\": 1}, {unique: true})",
    ] {
        assert!(looked.out.contains(line), "{}", looked.out);
    }
    let images = doc! { "collMod": "graphobjects", "changeStreamPreAndPostImages": {"enabled": true} };
    database.run_command(images).await.unwrap();

    let mut server = Running::serve(&["--config", path]).await;
    let (mut watch, items) = server.watch("/graphObjs").await;
    assert_eq!(items, [json!({"id": "6b01", "instanceId": "g1"})]);
    let patch = reqwest::Client::new().patch(server.http("/api/workflows/g1"));
    let patch = patch.header("content-type", "application/merge-patch+json").body("{\"_status\":\"done\"}");
    assert_eq!(patch.send().await.unwrap().status().as_u16(), 200);
    let told = watch.json().await;
    let expected = json!({"id": "6b01", "instanceId": "g1", "_status": "done"});
    assert_eq!((&told["id"], &told["data"]), (&json!(["updated", "g1"]), &expected), "{told}");
    assert_eq!(graphs.find_one(doc! {}).await.unwrap().unwrap().get_str("password").unwrap(), "hush");
    server.stop().await;
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_sentence() {
    for (url, said) in [
        ("mongodb://me:hush@127.0.0.1:9/d", "nobody listens there; start the server, or correct the URL"),
        ("mongodb://me:hush@127.0.0.1:9", "write its name behind the host: mongodb://host/database"),
    ] {
        let ended = tidings(&["serve", "--quiet", "--listen", "127.0.0.1:0", url]).await;
        assert!(ended.code.is_some_and(|code| code != 0), "{}", ended.err);
        assert!(ended.err.contains(said) && !ended.err.contains("hush"), "{}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    }
}
