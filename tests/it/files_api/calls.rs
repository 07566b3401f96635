//! Every call as it succeeds.

use super::world::{patch, worlds};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidings::files::rows::Part;

#[tokio::test]
async fn the_store_says_what_it_is_to_everybody() {
    for world in worlds().await {
        let answer = world.get("", "/store").await;
        let port = answer.value()["hosting"]["port"].clone();
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        let mut expected = json!({"auth": {"path": "/auth/login"}, "hosting": {"port": port},
                                  "mode": "multi-user", "capabilities": ["files"]});
        assert_eq!(answer.value(), expected);
        expected["hosting"]["prefix"] = json!("/v1");
        assert_eq!(world.get("", "/v1/store").await.value(), expected);
    }
}

#[tokio::test]
async fn a_user_is_who_the_store_knows_or_the_token_says() {
    for world in worlds().await {
        let answer = world.get("u1", "/users/me").await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.value(), json!({"kind": "Core#User", "key": "u1", "name": "Name of u1"}));
        let unknown = world.get("u9", "/v1/users/me?x=1").await.value();
        assert_eq!(unknown, json!({"kind": "Core#User", "key": "u9", "name": "u9", "email": [{"email": "x@y"}]}));
        let refused = world.get("bad", "/users/me").await;
        assert_eq!((refused.status, refused.header("location")), (401, "/sessions"));
    }
}

#[tokio::test]
async fn a_token_in_the_query_comes_before_the_header() {
    for world in worlds().await {
        assert_eq!(world.get("u1", "/users/me?token=u2").await.value()["key"], "u2");
        assert_eq!(world.get("bad", "/users/me?x=1&token=u2").await.value()["key"], "u2");
        assert_eq!(world.get("u1", "/users/me?token=bad").await.status, 401);
        let shouted = world.send("", "GET /users/me", &[("authorization", "BEARER u3")], "").await;
        assert_eq!(shouted.value()["key"], "u3");
        assert_eq!(world.send("", "GET /users/me", &[("authorization", "Basic u3")], "").await.status, 401);
    }
}

#[tokio::test]
async fn a_new_file_is_what_was_sent_but_for_what_the_store_decides() {
    for world in worlds().await {
        let sent = json!({"kind": "Core#Space", "key": "S1", "info": {"name": "one"}, "labels": ["a"], "x": {"y": null},
                          "owner": "evil", "parents": ["evil"], "permissions": [1], "permissionIds": [1],
                          "capabilities": 1, "deleted": true, "deletedInfo": 1, "_change": 1, "iconColor": null});
        let answer = world.done("u1", "POST /files", sent).await;
        assert_eq!((answer.status, answer.header("location"), answer.text.as_str()), (204, "/files/S1", ""));
        let mut space = world.file("u1", "S1").await;
        let time = space["lastModified"]["time"].take();
        assert!(time.as_i64().is_some_and(|time| time > 1_700_000_000_000), "{time}");
        let capabilities = space["capabilities"].take();
        assert_eq!((&capabilities["canAddChildren"], &capabilities["canReadMedia"]), (&json!(true), &json!(false)));
        assert_eq!(
            space,
            json!({"key": "S1", "kind": "Core#Space", "info": {"name": "one"}, "labels": ["a"],
            "x": {"y": null}, "owner": "u1", "parents": [], "permissionIds": [], "permissions": [],
            "lastModified": {"user": "u1", "name": "Name of u1", "time": null, "byMe": true}, "capabilities": null})
        );

        let made = world.done("u1", "POST /v1/file?parent=S1", json!({"kind": "Core#Project"})).await;
        let place = made.header("location").to_owned();
        let child = world.get("u1", &place).await.value();
        assert_eq!(child["parents"], json!(["S1"]));
        assert_eq!(
            child["key"].as_str().and_then(|key| key.parse::<uuid::Uuid>().ok()).map(|key| key.get_version_num()),
            Some(4)
        );
        let key = child["key"].as_str().expect("a key");
        world.done("u1", &format!("POST /files?parent={key}"), json!({"kind": "X", "key": "a b é"})).await;
        assert_eq!(world.get("u1", "/files/a%20b%20%C3%A9").await.value()["parents"], json!(["S1", key]));
        let files = world.rows(Part::Files).await;
        assert!(files.iter().all(|file| file["_change"]["n"].is_string() && file["deleted"] == false));
    }
}

#[tokio::test]
async fn r3_r14_a_patch_is_answered_with_what_was_done_and_how_to_take_it_back() {
    for world in worlds().await {
        let file = json!({"key": "S1", "kind": "Core#Space", "owner": "u1", "labels": ["old"],
                          "lastModified": {"user": "u1", "name": "Name of u1", "time": 5}});
        world.put(Part::Files, file).await;
        let before = world.file("u1", "S1").await;
        let operations = json!([
            {"op": "replace", "path": "/owner", "value": "evil"},
            {"op": "add", "path": "/info/name", "value": "n"},
            {"op": "add", "path": "/labels/-", "value": "b"},
            {"op": "copy", "path": "/keyboard", "from": "/labels"},
            {"op": "move", "path": "/owner", "from": "/labels"},
            {"op": "move", "path": "/labels", "from": "/owner"},
        ]);
        let answer = world.json("u1", "PATCH /files/S1", &patch(operations)).await.value();
        let time = answer["patch"][3]["value"].clone();
        let expected = json!({"id": "1", "app": "x", "appVersion": "1.0", "patch": [
                {"op": "add", "path": "/info/name", "value": "n"},
                {"op": "add", "path": "/labels/-", "value": "b"},
                {"op": "add", "path": "/keyboard", "value": ["old", "b"]},
                {"op": "replace", "path": "/lastModified/time", "value": time}],
            "revert": [[{"op": "add", "path": "/info/name", "value": "n"}],
                [{"op": "add", "path": "/labels/1", "value": "b"}],
                [{"op": "add", "path": "/keyboard", "value": ["old", "b"]}],
                [{"op": "replace", "path": "/lastModified/time", "value": time}, 5]]});
        assert_eq!(answer, expected, "{}", world.name);
        let mut applied = before;
        json_patch(&mut applied, &answer["patch"]);
        assert_eq!(world.file("u1", "S1").await, applied);
        let mut told = answer;
        (told["user"], told["n"]) = (json!("u1"), Value::Null);
        let mut stored = world.rows(Part::Files).await.remove(0);
        stored["_change"]["n"].take();
        assert_eq!(stored["_change"], told);
    }
}

#[tokio::test]
async fn a_patch_of_nothing_is_no_change() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u1"})).await;
        let before = world.rows(Part::Files).await;
        for operations in [
            json!([]),
            json!([{"op": "remove", "path": "/permissions/0"}, {"op": "test", "path": "/kind", "value": 1}]),
        ] {
            let answer = world.json("u1", "PATCH /files/S1", &patch(operations)).await.value();
            assert_eq!(answer, json!({"id": "1", "app": "x", "appVersion": "1.0", "patch": [], "revert": []}));
        }
        assert_eq!(world.rows(Part::Files).await, before);
    }
}

#[tokio::test]
async fn a_patch_of_a_file_without_a_date_begins_where_readers_believe_it_to_be() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u2"})).await;
        let mut applied = world.file("u2", "S1").await;
        let answer =
            world.json("u2", "PATCH /files/S1", &patch(json!([{"op": "add", "path": "/a", "value": null}]))).await;
        json_patch(&mut applied, &answer.value()["patch"]);
        assert_eq!(world.file("u2", "S1").await, applied);
    }
}

#[tokio::test]
async fn r8_a_deleted_file_is_gone_with_or_without_contents() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "P1", "kind": "Core#Project", "owner": "u1"})).await;
        world.put(Part::Files, json!({"key": "P2", "kind": "Core#Project", "owner": "u1"})).await;
        world.put(Part::Media, json!({"key": "P2", "mime": "text/plain", "value": "x"})).await;
        for key in ["P1", "P2"] {
            let answer = world.send("u1", &format!("DELETE /files/{key}"), &[], "").await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""));
            for (method, path) in
                [("GET", ""), ("GET", "?alt=media"), ("DELETE", ""), ("GET", "/revisions"), ("GET", "/users")]
            {
                let request = format!("{method} /files/{key}{path}");
                assert_eq!(
                    world.send("u1", &request, &[], "").await.failure(),
                    (404, "Not found.".into()),
                    "{request}"
                );
            }
        }
        for file in world.rows(Part::Files).await {
            assert_eq!((&file["deleted"], &file["deletedInfo"]["name"]), (&json!(true), &json!("Name of u1")));
        }
        assert_eq!(world.rows(Part::Media).await[0]["deleted"], true);
    }
}

#[tokio::test]
async fn r13_whoever_asks_for_a_token_is_somebody_new_for_a_week() {
    for world in worlds().await {
        let mut subjects = Vec::new();
        for path in ["/sessions", "/v1/sessions"] {
            let answer = world.send("", &format!("POST {path}"), &[], "anything").await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
            let (_, rest) = answer.text.split_once('.').expect("a token");
            let (body, _) = rest.split_once('.').expect("a token");
            let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).expect("base64")).expect("JSON");
            let uuid = |name: &str| claims[name].as_str().and_then(|text| text.parse::<uuid::Uuid>().ok());
            assert!(uuid("sub").is_some() && uuid("sid").is_some(), "{claims}");
            assert_eq!((&claims["aud"], &claims["iss"]), (&json!("urn:api-client"), &json!("urn:apic-store")));
            let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
            assert_eq!(lifetime, Some(7 * 24 * 60 * 60));
            let expires = jiff::fmt::rfc2822::parse(answer.header("expires")).expect("a date");
            assert_eq!(Some(expires.timestamp().as_second()), claims["exp"].as_i64());
            let subject = claims["sub"].as_str().expect("a subject").to_owned();
            assert_eq!(world.get(&subject, "/users/me").await.value()["name"], claims["name"]);
            subjects.push(subject);
        }
        assert_ne!(subjects[0], subjects[1]);
    }
}

#[tokio::test]
async fn every_path_is_served_behind_every_prefix_and_in_both_spellings() {
    for world in worlds().await {
        world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u1"})).await;
        for prefix in ["", "/v1"] {
            for files in ["/files", "/file"] {
                for path in ["", "/S1", "/S1?alt=meta", "/S1/users", "/S1/revisions", "/S1/revisions?alt=media"] {
                    let path = format!("{prefix}{files}{path}");
                    assert_eq!(world.get("u1", &path).await.status, 200, "{path}");
                }
            }
            assert_eq!(world.get("u1", &format!("{prefix}/shared")).await.status, 200);
        }
    }
}

/// What a client does with a patch that it is told.
pub fn json_patch(document: &mut Value, operations: &Value) {
    let ops = tidings::patch::Ops::parse(operations.clone()).expect("a patch");
    *document = tidings::patch::apply(document, &ops).expect("it applies");
}
