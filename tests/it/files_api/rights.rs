//! Who may do what: roles, from where they come, and what they are needed for.

use super::world::{World, patch, worlds};
use serde_json::{Value, json};
use tidings::files::rows::Part;

/// The status of each kind of request.
async fn statuses(world: &World, who: &str, key: &str) -> Vec<u16> {
    let labels = patch(json!([{"op": "add", "path": "/labels", "value": [who]}]));
    let mut statuses = Vec::new();
    for (request, body) in [
        ("GET /files/KEY", json!(null)),
        ("GET /files/KEY?alt=media", json!(null)),
        ("GET /files/KEY/users", json!(null)),
        ("GET /files/KEY/revisions", json!(null)),
        ("PATCH /files/KEY", labels.clone()),
        ("PATCH /files/KEY?alt=media", labels),
        ("PUT /files/KEY?alt=media", json!({"a": 1})),
        ("PATCH /files/KEY/users", json!({"patch": []})),
        ("POST /files?parent=KEY", json!({"kind": "X"})),
        ("DELETE /files/KEY", json!(null)),
    ] {
        statuses.push(world.json(who, &request.replace("KEY", key), &body).await.status);
    }
    statuses
}

async fn project(world: &World, key: &str, parents: Value) {
    let file = json!({"key": key, "kind": "Core#Project", "owner": "u1", "parents": parents});
    world.put(Part::Files, file).await;
    world.put(Part::Media, json!({"key": key, "mime": "application/json", "value": {"n": 1}})).await;
}

async fn grant(world: &World, file: &str, kind: &str, owner: Value, role: &str, more: Value) {
    let key = format!("{file}-{kind}-{owner}");
    let mut permission =
        json!({"key": key, "file": file, "seq": 1, "type": kind, "role": role, "addingUser": "u1", "owner": owner});
    if owner.is_null() {
        permission.as_object_mut().expect("an object").remove("owner");
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        permission[name] = value.clone();
    }
    world.put(Part::Permissions, permission).await;
}

const NONE: [u16; 10] = [404; 10];
const READS: [u16; 10] = [200, 200, 200, 200, 403, 403, 403, 403, 403, 403];
const WRITES: [u16; 10] = [200, 200, 200, 200, 200, 200, 204, 204, 204, 403];
const OWNS: [u16; 10] = [200, 200, 200, 200, 200, 200, 204, 204, 204, 204];

#[tokio::test]
async fn r6_each_role_may_do_what_it_says_and_nothing_more() {
    for world in worlds().await {
        project(&world, "P1", json!([])).await;
        for (user, role) in [("u2", "reader"), ("u3", "commenter"), ("u4", "writer")] {
            grant(&world, "P1", "user", json!(user), role, json!({})).await;
        }
        for (who, expected) in [("u5", NONE), ("u2", READS), ("u3", READS), ("u4", WRITES), ("u1", OWNS)] {
            if who == "u1" {
                let media = world.get("u1", "/files/P1?alt=media").await.value();
                assert_eq!(media, json!({"a": 1}), "{}: nobody but u4 has written", world.name);
                assert_eq!(world.rows(Part::Revisions).await.len(), 1);
                assert_eq!(world.file("u1", "P1").await["labels"], json!(["u4"]));
            }
            assert_eq!(statuses(&world, who, "P1").await, expected, "{}: {who}", world.name);
        }
        assert_eq!(statuses(&world, "u1", "P1").await, NONE, "it is deleted");
    }
}

#[tokio::test]
async fn a_role_comes_from_the_nearest_grant_even_downwards() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u1"})).await;
        world.put(Part::Files, json!({"key": "S2", "kind": "Core#Space", "owner": "u9", "parents": ["S1"]})).await;
        world.put(Part::Files, json!({"key": "S9", "kind": "Core#Space", "owner": "u1", "deleted": true})).await;
        project(&world, "P1", json!(["S1", "S2"])).await;
        project(&world, "P2", json!(["S9"])).await;
        grant(&world, "S1", "user", json!("u2"), "writer", json!({})).await;
        grant(&world, "S2", "user", json!("u3"), "owner", json!({})).await;
        grant(&world, "P1", "user", json!("u3"), "reader", json!({})).await;
        grant(&world, "S1", "group", json!("ops"), "commenter", json!({})).await;
        grant(&world, "P1", "anyone", Value::Null, "reader", json!({})).await;
        grant(&world, "S9", "user", json!("u2"), "owner", json!({})).await;
        let role = async |who: &str, key: &str| {
            let answer = world.get(who, &format!("/files/{key}")).await;
            match answer.status {
                200 => {
                    let may = answer.value()["capabilities"].clone();
                    let words = [("canDelete", "owner"), ("canEdit", "writer"), ("canComment", "commenter")];
                    words.iter().find(|(name, _)| may[*name] == true).map_or("reader", |(_, word)| *word)
                }
                404 => "none",
                status => panic!("{status}"),
            }
        };
        for (who, key, expected) in [
            ("u1", "P1", "owner"),
            ("u9", "P1", "reader"),
            ("u9", "S2", "owner"),
            ("u2", "P1", "reader"),
            ("u2", "S2", "writer"),
            ("u3", "P1", "reader"),
            ("u3", "S2", "owner"),
            ("u3", "S1", "none"),
            ("u5;ops", "S2", "commenter"),
            ("u5;dev,ops", "S1", "commenter"),
            ("u5", "S1", "none"),
            ("u5", "P1", "reader"),
            ("u2", "P2", "none"),
        ] {
            assert_eq!(role(who, key).await, expected, "{}: {who} on {key}", world.name);
        }
    }
}

#[tokio::test]
async fn an_expired_grant_gives_nothing_and_is_still_listed() {
    for world in worlds().await {
        project(&world, "P1", json!([])).await;
        grant(&world, "P1", "user", json!("u2"), "writer", json!({"expirationTime": 1})).await;
        grant(&world, "P1", "user", json!("u3"), "writer", json!({"deleted": true})).await;
        assert_eq!(world.get("u2", "/files/P1").await.status, 404);
        assert_eq!(world.get("u3", "/files/P1").await.status, 404);
        let file = world.file("u1", "P1").await;
        assert_eq!(file["permissions"].as_array().map(Vec::len), Some(1));
        assert_eq!(file["permissions"][0]["expirationTime"], 1);
        assert!(file["permissions"][0].get("deleted").is_none());
    }
}

#[tokio::test]
async fn a_file_is_put_only_where_one_may_write() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u1"})).await;
        grant(&world, "S1", "user", json!("u2"), "reader", json!({})).await;
        grant(&world, "S1", "user", json!("u3"), "writer", json!({})).await;
        let post = async |who: &str, parent: &str| {
            world.json(who, &format!("POST /files?parent={parent}"), &json!({"kind": "X"})).await.status
        };
        assert_eq!(
            [post("u5", "S1").await, post("u2", "S1").await, post("u3", "S1").await, post("u3", "nothing").await],
            [404, 403, 204, 404]
        );
    }
}
