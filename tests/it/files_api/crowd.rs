//! Many who change one file at the same time.

use super::calls::json_patch;
use super::world::{patch, worlds};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings::files::rows::Part;
use tokio::task::JoinSet;

#[tokio::test]
async fn r1_fifty_patches_at_once_are_all_stored_and_have_fifty_revisions_in_order() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "P1", "kind": "Core#Project", "owner": "u1"})).await;
        world.done("u1", "PUT /files/P1?alt=media", json!({"kind": "x", "done": []})).await;
        let mut copy = world.file("u1", "P1").await;
        let world = Arc::new(world);
        let mut patches = JoinSet::new();
        for number in 0..50 {
            let (meta, contents) = (world.clone(), world.clone());
            patches.spawn(async move {
                let operations = json!([{"op": "add", "path": "/done/-", "value": number}]);
                contents.done("u1", "PATCH /files/P1?alt=media", patch(operations)).await.value()
            });
            let labels = json!([{"op": "add", "path": format!("/l{number}"), "value": number}]);
            patches.spawn(async move { meta.done("u1", "PATCH /files/P1", patch(labels)).await.value() });
        }
        let answers = patches.join_all().await;
        let contents = world.get("u1", "/files/P1?alt=media").await.value();
        let done: BTreeSet<u64> = contents["done"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        assert_eq!(done, (0..50).collect(), "{}", world.name);
        let page = world.get("u1", "/files/P1/revisions?limit=100").await.value();
        let revisions = page["items"].as_array().expect("items");
        let ids: BTreeSet<&str> = revisions.iter().filter_map(|revision| revision["id"].as_str()).collect();
        assert_eq!((revisions.len(), ids.len()), (50, 50));
        let order = |revision: &Value| {
            revision["patch"][0][0]["path"].as_str().and_then(|path| path.rsplit('/').next()?.parse::<usize>().ok())
        };
        let order: Vec<_> = revisions.iter().rev().filter_map(order).collect();
        assert_eq!(order, (0..50).collect::<Vec<_>>(), "the order of the ids is the order of the changes");
        // What was told of the file, in the order of its dates, leads to the file.
        let mut told: Vec<&Value> = answers.iter().filter(|answer| answer["patch"][0]["path"] != "/done/-").collect();
        let time = |answer: &Value| answer["patch"].as_array().and_then(|patch| patch.last()?["value"].as_i64());
        told.sort_by_key(|answer| time(answer));
        told.dedup_by_key(|answer| time(answer));
        assert_eq!(told.len(), 50, "each change has a time of its own");
        told.iter().for_each(|answer| json_patch(&mut copy, &answer["patch"]));
        let mut file = world.file("u1", "P1").await;
        for one in [&mut file, &mut copy] {
            one["lastModified"].take();
        }
        assert_eq!(copy, file);
    }
}
