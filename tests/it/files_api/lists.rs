//! Lists: paging, parents, kinds, what is shared, batches.

use super::world::{World, worlds};
use serde_json::{Value, json};
use tidings::files::rows::Part;

async fn keys(world: &World, who: &str, path: &str) -> Vec<String> {
    let page = world.get(who, path).await.value();
    page["items"].as_array().expect("items").iter().filter_map(|item| item["key"].as_str()).map(str::to_owned).collect()
}

/// All pages, and how many there were.
async fn pages(world: &World, who: &str, path: &str) -> (Vec<String>, usize) {
    let (mut all, mut count, mut path) = (Vec::new(), 0, path.to_owned());
    let start = path.split('?').next().unwrap_or_default().to_owned();
    loop {
        let page = world.get(who, &path).await.value();
        let items = page["items"].as_array().expect("items").clone();
        if items.is_empty() {
            return (all, count);
        }
        count += 1;
        all.extend(items.iter().filter_map(|item| item["key"].as_str()).map(str::to_owned));
        path = format!("{start}?cursor={}", page["cursor"].as_str().expect("a cursor"));
    }
}

async fn tree(world: &World) {
    for number in 0..12 {
        let kind = if number % 3 == 0 { "Core#Space" } else { "Core#Project" };
        let key = format!("F{number:02}");
        world.put(Part::Files, json!({"key": key, "kind": kind, "owner": "u1"})).await;
        let child = json!({"key": format!("C{number:02}"), "kind": kind, "owner": "u1", "parents": ["F00"]});
        world.put(Part::Files, child).await;
    }
    let deep = json!({"key": "D", "kind": "Core#Project", "owner": "u1", "parents": ["F00", "C00"]});
    world.put(Part::Files, deep).await;
    world.put(Part::Files, json!({"key": "F99", "kind": "X", "owner": "u1", "deleted": true})).await;
    world.put(Part::Files, json!({"key": "O", "kind": "X", "owner": "u2"})).await;
}

#[tokio::test]
async fn lists_of_files_go_by_key_page_by_page() {
    for world in worlds().await {
        tree(&world).await;
        let own: Vec<String> = (0..12).map(|number| format!("F{number:02}")).collect();
        let children: Vec<String> = (0..12).map(|number| format!("C{number:02}")).collect();
        assert_eq!(keys(&world, "u1", "/files").await, own, "{}", world.name);
        assert_eq!(pages(&world, "u1", "/files?limit=5&since=99").await, (own.clone(), 3));
        assert_eq!(pages(&world, "u1", "/files?limit=7&parent=F00").await, (children, 2));
        assert_eq!(keys(&world, "u1", "/files?parent=C00").await, ["D"]);
        assert_eq!(keys(&world, "u1", "/files?kind=X&kind=Y").await, ["F00", "F03", "F06", "F09"]);
        assert_eq!(keys(&world, "u1", "/files?limit=1000000&kind=Core%23Project").await.len(), 12);
        assert!(keys(&world, "u3", "/files").await.is_empty());
        assert!(keys(&world, "u3", "/files?parent=F00").await.is_empty());
        assert_eq!(world.get("u1", "/files?parent=F99").await.status, 404);
        assert_eq!(world.get("u1", "/files?parent=nothing").await.status, 404);
    }
}

#[tokio::test]
async fn a_cursor_is_good_while_files_come_and_go() {
    for world in worlds().await {
        tree(&world).await;
        let page = world.get("u1", "/files?limit=12").await.value();
        let after = format!("/files?cursor={}", page["cursor"].as_str().expect("a cursor"));
        assert!(keys(&world, "u1", &after).await.is_empty());
        world.put(Part::Files, json!({"key": "A", "kind": "X", "owner": "u1"})).await;
        world.put(Part::Files, json!({"key": "Z", "kind": "X", "owner": "u1"})).await;
        world.put(Part::Files, json!({"key": "F11", "kind": "X", "owner": "u1", "deleted": true})).await;
        assert_eq!(keys(&world, "u1", &after).await, ["Z"]);
    }
}

#[tokio::test]
async fn the_children_of_a_file_are_those_on_which_one_has_a_role() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "S", "kind": "Core#Space", "owner": "u1"})).await;
        for number in 0..250 {
            let child = json!({"key": format!("C{number:03}"), "kind": "X", "owner": "u1", "parents": ["S"]});
            world.put(Part::Files, child).await;
        }
        for key in ["C001", "C201", "C249"] {
            grant(&world, key, key, "user", "u2", json!({})).await;
        }
        assert_eq!(keys(&world, "u2", "/files?parent=S").await, ["C001", "C201", "C249"], "{}", world.name);
        assert_eq!(pages(&world, "u2", "/files?parent=S&limit=1").await.1, 3);
    }
}

async fn grant(world: &World, key: &str, file: &str, kind: &str, owner: &str, more: Value) {
    let mut permission = json!({"key": key, "file": file, "type": kind, "owner": owner, "role": "reader",
                                "addingUser": "u1", "seq": world.rows(Part::Permissions).await.len()});
    for (name, value) in more.as_object().into_iter().flatten() {
        permission[name] = value.clone();
    }
    world.put(Part::Permissions, permission).await;
}

#[tokio::test]
async fn what_is_shared_comes_newest_grant_first() {
    for world in worlds().await {
        tree(&world).await;
        for (key, file, kind, more) in [
            ("R1", "F05", "user", json!({})),
            ("R2", "F01", "user", json!({"expirationTime": 4_000_000_000_000_i64})),
            ("R3", "C01", "user", json!({})),
            ("R4", "F02", "user", json!({"expirationTime": 1})),
            ("R5", "F03", "group", json!({})),
            ("R6", "F04", "user", json!({"deleted": true})),
            ("R7", "F99", "user", json!({})),
            ("R8", "F06", "user", json!({})),
        ] {
            grant(&world, key, file, kind, "u2", more).await;
        }
        assert_eq!(keys(&world, "u2", "/shared").await, ["F06", "F01", "F05"], "{}", world.name);
        assert_eq!(pages(&world, "u2", "/shared?limit=1").await, (vec!["F06".into(), "F01".into(), "F05".into()], 3));
        assert_eq!(keys(&world, "u2", "/shared?parent=F00").await, ["C01"]);
        assert_eq!(keys(&world, "u2", "/shared?kind=Z").await, ["F06"]);
        assert_eq!(world.get("u2", "/shared").await.value()["items"][0]["permissionIds"], json!(["R8"]));
    }
}

#[tokio::test]
async fn a_batch_has_an_item_for_each_key_in_its_order() {
    for world in worlds().await {
        tree(&world).await;
        let answer = world.send("u2", "POST /files/batch", &[], r#"["O","F00","nothing","F99","O"]"#).await.value();
        let keys: Vec<&Value> = answer["items"].as_array().expect("items").iter().map(|item| &item["key"]).collect();
        assert_eq!(keys, [&json!("O"), &Value::Null, &Value::Null, &Value::Null, &json!("O")]);
        assert_eq!(world.json("u2", "POST /v1/file/batch", &json!([])).await.value(), json!({"items": []}));
        let many: Vec<String> = (0..1_000).map(|number| format!("F{number:02}")).collect();
        let answer = world.json("u1", "POST /files/batch", &json!(many)).await.value();
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(1_000));
    }
}
