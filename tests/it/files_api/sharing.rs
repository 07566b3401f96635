//! Sharing: grants, changes, removals, all of a request or nothing of it.

use super::calls::json_patch;
use super::world::{World, worlds};
use serde_json::{Value, json};
use tidings::files::rows::Part;

async fn space(world: &World) {
    world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u1"})).await;
}

async fn share(world: &World, who: &str, operations: Value) -> (u16, String) {
    world.json(who, "PATCH /files/S1/users", &json!({"patch": operations})).await.failure()
}

fn add(user: &str, role: &str) -> Value {
    json!({"op": "add", "type": "user", "id": user, "value": role})
}

/// `u2:reader` of the live permissions, in order.
async fn listed(world: &World) -> Vec<String> {
    let file = world.file("u1", "S1").await;
    let permissions = file["permissions"].as_array().expect("a list").clone();
    let ids: Vec<Value> = permissions.iter().map(|permission| permission["key"].clone()).collect();
    assert_eq!(file["permissionIds"], json!(ids));
    let word = |permission: &Value| {
        let owner = permission.get("owner").and_then(Value::as_str).unwrap_or("anyone").to_owned();
        format!("{owner}:{}", permission["role"].as_str().unwrap_or_default())
    };
    permissions.iter().map(word).collect()
}

#[tokio::test]
async fn grants_are_given_changed_in_place_and_taken_back() {
    for world in worlds().await {
        space(&world).await;
        let before = world.file("u1", "S1").await;
        let operations = json!([add("u2", "reader"), add("u3", "writer"),
            {"op": "add", "type": "group", "id": "ops", "value": "commenter", "expirationTime": 4_000_000_000_000_i64},
            {"op": "add", "type": "anyone", "value": "reader"}]);
        assert_eq!(share(&world, "u1", operations).await.0, 204);
        let all = ["u2:reader", "u3:writer", "ops:commenter", "anyone:reader"];
        assert_eq!(listed(&world).await, all, "{}", world.name);
        let permissions = world.file("u1", "S1").await["permissions"].clone();
        let first = json!({"kind": "Core#Permission", "key": permissions[0]["key"], "type": "user", "owner": "u2",
                           "role": "reader", "addingUser": "u1"});
        assert_eq!(permissions[0], first);
        let change = world.rows(Part::Files).await[0]["_change"].clone();
        let paths: Vec<&str> =
            change["patch"].as_array().expect("a patch").iter().filter_map(|op| op["path"].as_str()).collect();
        assert_eq!(
            &paths[paths.len() - 8..],
            [
                "/permissionIds/0",
                "/permissionIds/1",
                "/permissionIds/2",
                "/permissionIds/3",
                "/permissions/0",
                "/permissions/1",
                "/permissions/2",
                "/permissions/3"
            ]
        );
        assert_eq!((&change["app"], change["id"].as_str().map(str::len)), (&json!("tidings"), Some(16)));
        let mut copy = before;
        json_patch(&mut copy, &change["patch"]);
        assert_eq!(copy, world.file("u1", "S1").await);

        assert_eq!(share(&world, "u3", json!([add("u2", "writer"), {"op": "remove", "type": "anyone"}])).await.0, 204);
        assert_eq!(listed(&world).await, ["u2:writer", "u3:writer", "ops:commenter"]);
        let changed = world.file("u1", "S1").await["permissions"][0].clone();
        assert_eq!((&changed["key"], &changed["addingUser"]), (&first["key"], &json!("u3")));
        let regroup = json!([{"op": "add", "type": "group", "id": "ops", "value": "reader"}]);
        assert_eq!(share(&world, "u1", regroup).await.0, 204);
        assert_eq!(world.file("u1", "S1").await["permissions"][2]["expirationTime"], 4_000_000_000_000_i64);

        assert_eq!(share(&world, "u1", json!([{"op": "remove", "type": "user", "id": "u2"}])).await.0, 204);
        assert_eq!(share(&world, "u1", json!([add("u2", "reader")])).await.0, 204);
        assert_eq!(listed(&world).await, ["u3:writer", "ops:reader", "u2:reader"]);
        assert_ne!(world.file("u1", "S1").await["permissions"][2]["key"], first["key"]);
        let users = world.get("u2", "/files/S1/users").await.value();
        let named = |user: &str| json!({"kind": "Core#User", "key": user, "name": format!("Name of {user}")});
        assert_eq!(users, json!({"items": [named("u3"), named("u2")]}));
    }
}

#[tokio::test]
async fn r5_one_bad_operation_leaves_no_row() {
    for world in worlds().await {
        space(&world).await;
        share(&world, "u1", json!([add("u3", "writer")])).await;
        let before = (world.rows(Part::Files).await, world.rows(Part::Permissions).await);
        for (who, bad, expected) in [
            (
                "u1",
                json!({"op": "zap", "type": "user", "id": "u3"}),
                (400, "Invalid access definition. Invalid \"op\" value at position: 1."),
            ),
            ("u1", add("nobody", "reader"), (400, "User \"nobody\" not found.")),
            ("u3", add("u5", "owner"), (403, "Insufficient permissions to access this resource.")),
            ("u3", add("u3", "owner"), (403, "Insufficient permissions to access this resource.")),
            (
                "u1",
                json!({"op": "add", "type": "anyone", "value": "reader", "expirationTime": 1}),
                (400, "The permission expiration date is in the past."),
            ),
        ] {
            let refused = share(&world, who, json!([add("u2", "reader"), bad])).await;
            assert_eq!(refused, (expected.0, expected.1.to_owned()), "{}", world.name);
        }
        assert_eq!((world.rows(Part::Files).await, world.rows(Part::Permissions).await), before);
    }
}

#[tokio::test]
async fn r7_nobody_touches_a_role_above_their_own() {
    for world in worlds().await {
        space(&world).await;
        share(&world, "u1", json!([add("u2", "owner"), add("u3", "writer")])).await;
        for operation in [add("u2", "reader"), json!({"op": "remove", "type": "user", "id": "u2"})] {
            assert_eq!(share(&world, "u3", json!([operation])).await.0, 403);
        }
        assert_eq!(share(&world, "u2", json!([add("u3", "owner")])).await.0, 204);
        assert_eq!(listed(&world).await, ["u2:owner", "u3:owner"]);
    }
}

#[tokio::test]
async fn a_removed_grant_and_one_that_never_was_leave_a_row_that_gives_nothing() {
    for world in worlds().await {
        space(&world).await;
        share(&world, "u1", json!([add("u2", "writer")])).await;
        for user in ["u1", "u2", "u4", "nobody"] {
            let removal = json!([{"op": "remove", "type": "user", "id": user}]);
            assert_eq!(share(&world, "u1", removal).await.0, 204);
        }
        let none = json!([{"op": "remove", "type": "anyone"}, {"op": "remove", "type": "group", "id": "g"}]);
        assert_eq!(share(&world, "u1", none).await.0, 204);
        let mut rows = world.rows(Part::Permissions).await;
        rows.sort_by_key(|row| row["owner"].to_string());
        let told: Vec<_> =
            rows.iter().map(|row| (row["owner"].clone(), row["role"].clone(), row["deleted"].clone())).collect();
        let gone = |user: &str, role: &str| (json!(user), json!(role), json!(true));
        assert_eq!(told, [gone("nobody", "reader"), gone("u2", "writer"), gone("u4", "reader")], "{}", world.name);
        for row in rows {
            assert!(row["deletedTime"].is_i64() && row["deletingUser"] == "u1", "{row:?}");
        }
        assert!(listed(&world).await.is_empty());
        assert_eq!(world.get("u2", "/files/S1").await.status, 404);
    }
}

#[tokio::test]
async fn operations_of_one_request_work_on_what_those_before_them_left() {
    for world in worlds().await {
        space(&world).await;
        let operations = json!([add("u2", "reader"), add("u2", "writer"), {"op": "remove", "type": "user", "id": "u2"},
                                add("u2", "commenter")]);
        assert_eq!(share(&world, "u1", operations).await.0, 204);
        assert_eq!(listed(&world).await, ["u2:commenter"], "{}", world.name);
        let rows = world.rows(Part::Permissions).await;
        assert_eq!(rows.iter().filter(|row| row["deleted"] == true).count(), 1);
        let named = world
            .json(
                "u1",
                "PATCH /files/S1/users",
                &json!({"id": 7, "app": "a", "appVersion": "b", "patch": [add("u3", "reader")]}),
            )
            .await;
        assert_eq!(named.status, 204);
        let change = world.rows(Part::Files).await[0]["_change"].clone();
        assert_eq!((&change["id"], &change["app"], &change["appVersion"]), (&json!(7), &json!("a"), &json!("b")));
    }
}
