//! Contents: put, read, patched, and their history.

use super::calls::json_patch;
use super::world::{World, patch, worlds};
use serde_json::{Value, json};
use tidings::files::rows::Part;

async fn project(world: &World, key: &str) {
    let time = json!({"user": "u1", "name": "Name of u1", "time": 5});
    let file = json!({"key": key, "kind": "Core#Project", "owner": "u1", "lastModified": time});
    world.put(Part::Files, file).await;
}

#[tokio::test]
async fn contents_come_back_as_they_were_put_with_their_type() {
    for world in worlds().await {
        for (at, (mime, body, status, shown_mime, shown)) in [
            ("text/plain", "Grüße", 204, "text/plain; charset=utf-8", "Grüße"),
            ("text/xml; charset=UTF-8", "<a/>", 204, "text/xml; charset=UTF-8", "<a/>"),
            ("application/json", r#"{"b":1, "a":"x"}"#, 204, "application/json; charset=utf-8", r#"{"a":"x","b":1}"#),
            ("application/problem+JSON", r#""text""#, 204, "application/problem+JSON; charset=utf-8", r#""text""#),
            ("application/json", "[]", 204, "application/json; charset=utf-8", "[]"),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("P{at}");
            project(&world, &key).await;
            let put = world.send("u1", &format!("PUT /files/{key}?alt=media"), &[("content-type", mime)], body).await;
            assert_eq!((put.status, put.header("location")), (status, format!("/files/{key}").as_str()), "{put:?}");
            let read = world.get("u1", &format!("/files/{key}?alt=media")).await;
            assert_eq!((read.header("content-type"), read.text.as_str()), (shown_mime, shown));
        }
        assert_eq!(world.file("u1", "P0").await["lastModified"]["time"], 5, "{}", world.name);
        assert!(world.rows(Part::Revisions).await.is_empty());
    }
}

#[tokio::test]
async fn contents_are_put_again_unless_they_are_something_that_is_patched() {
    for world in worlds().await {
        project(&world, "P1").await;
        let put = async |body: Value| world.json("u1", "PUT /files/P1?alt=media", &body).await;
        for _ in 0..2 {
            assert_eq!(put(json!({"a": [1, 2]})).await.status, 204);
        }
        let first = world.rows(Part::Media).await.remove(0);
        assert_eq!(first["_change"].as_object().map(|change| change.len()), Some(1), "putting the same is no change");
        assert_eq!(put(json!({"a": [1], "b": 2})).await.status, 204);
        let change = &world.rows(Part::Media).await[0]["_change"];
        assert_eq!(change["patch"], json!([{"op": "remove", "path": "/a/1"}, {"op": "add", "path": "/b", "value": 2}]));
        let revert = json!([[{"op": "remove", "path": "/a/1"}, 2], [{"op": "add", "path": "/b", "value": 2}]]);
        assert_eq!((&change["revert"], &change["app"]), (&revert, &json!("tidings")));
        assert_ne!(change["n"], first["_change"]["n"]);
        let refused = (400, "A file with the identifier P1 already exists.".to_owned());
        assert_eq!(put(json!({"kind": "x"})).await.failure(), refused);
        world.done("u1", "DELETE /files/P1", json!(null)).await;
        project(&world, "P2").await;
        world.done("u1", "PUT /files/P2?alt=media", json!({"kind": "Core#HttpProject"})).await;
        let answer = world.json("u1", "PUT /files/P2?alt=media", &json!({"a": 1})).await;
        let detail = "To update this file use the PATCH request. We do not allow overwriting the entire file contents.";
        assert!(answer.status == 400 && answer.text.contains(detail), "{answer:?}");
    }
}

#[tokio::test]
async fn a_patch_of_contents_leaves_a_revision_and_a_new_date_of_the_file() {
    for world in worlds().await {
        project(&world, "P1").await;
        world.done("u1", "PUT /files/P1?alt=media", json!({"kind": "Core#HttpProject", "n": 1})).await;
        let operations = json!([{"op": "replace", "path": "/n", "value": 2}]);
        let revert = json!([[{"op": "replace", "path": "/n", "value": 2}, 1]]);
        let answer = world.json("u1", "PATCH /files/P1?alt=media", &patch(operations.clone())).await.value();
        let expected = json!({"id": "1", "app": "x", "appVersion": "1.0", "patch": operations, "revert": revert});
        assert_eq!(answer, expected, "{}", world.name);
        let told = world.rows(Part::Files).await[0]["_change"].clone();
        assert_eq!((&told["id"], &told["patch"][0]["path"]), (&json!("1"), &json!("/lastModified/time")));
        assert_eq!((&told["user"], &told["revert"][0][1]), (&json!("u1"), &json!(5)));
        let media = world.rows(Part::Media).await.remove(0);
        assert_eq!((&media["_change"]["revert"], &media["value"]["n"]), (&revert, &json!(2)));
        let page = world.get("u1", "/files/P1/revisions").await.value();
        let (revision, created) = (&page["items"][0], media["revised"].as_i64().expect("a time"));
        let iso = tidings::event::Timestamp(created).to_string();
        let by = json!({"user": "u1", "name": "Name of u1", "time": created, "byMe": true});
        assert_eq!(
            *revision,
            json!({"id": format!("~media~P1~{iso}~"), "key": "P1", "kind": "Core#Project",
            "created": created, "deleted": false, "patch": revert, "modification": by})
        );
        let n = &world.rows(Part::Revisions).await[0]["_change"];
        assert!(*n == told["n"] && *n == media["_change"]["n"], "all rows of a request bear its change id");
    }
}

#[tokio::test]
async fn a_patch_of_contents_that_changes_nothing_is_a_revision_all_the_same() {
    for world in worlds().await {
        project(&world, "P1").await;
        world.done("u1", "PUT /files/P1?alt=media", json!({"n": 1})).await;
        for operations in [json!([]), json!([{"op": "test", "path": "/n", "value": 1}])] {
            let answer = world.json("u1", "PATCH /files/P1?alt=media", &patch(operations.clone())).await.value();
            assert_eq!(answer["patch"], operations);
        }
        assert_eq!(world.rows(Part::Revisions).await.len(), 2);
    }
}

#[tokio::test]
async fn the_newest_revisions_come_first_page_by_page_and_undo_what_was_done() {
    for world in worlds().await {
        project(&world, "P1").await;
        world.done("u1", "PUT /files/P1?alt=media", json!({"n": 0, "list": []})).await;
        for n in 1..=7 {
            let operations =
                json!([{"op": "replace", "path": "/n", "value": n}, {"op": "add", "path": "/list/-", "value": n}]);
            world.done("u1", "PATCH /files/P1?alt=media", patch(operations)).await;
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/file/P1/revisions?alt=media&limit=3&cursor={cursor}");
            let page = world.get("u1", &path).await.value();
            cursor = page["cursor"].as_str().expect("a cursor").to_owned();
            match page["items"].as_array().expect("items").as_slice() {
                [] => break,
                items => seen.extend(items.to_vec()),
            }
        }
        let ids: Vec<&str> = seen.iter().filter_map(|revision| revision["id"].as_str()).collect();
        assert_eq!(ids.len(), 7, "{}: {ids:?}", world.name);
        assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
        let mut contents = world.get("u1", "/files/P1?alt=media").await.value();
        for (revision, n) in seen.iter().zip((0..7).rev()) {
            let tuples = tidings::patch::reversible::Tuples::parse(revision["patch"].clone()).expect("tuples");
            json_patch(&mut contents, &tidings::patch::reversible::undo(&tuples).to_value());
            assert_eq!(contents["n"], n);
        }
        assert_eq!(contents, json!({"n": 0, "list": []}));
    }
}
