//! Every way in which a request is wrong, with the status and the sentence that it is answered.

use super::world::{MAX_BODY, World, patch, worlds};
use serde_json::{Value, json};
use tidings::files::rows::Part;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const TEXT: &[(&str, &str)] = &[("content-type", "text/plain")];

async fn fixture(world: &World) {
    world.put(Part::Files, json!({"key": "S1", "kind": "Core#Space", "owner": "u1"})).await;
    world.put(Part::Files, json!({"key": "P1", "kind": "Core#Project", "owner": "u1"})).await;
    world.put(Part::Files, json!({"key": "P2", "kind": "Core#Project", "owner": "u1"})).await;
    world.put(Part::Files, json!({"key": "P9", "kind": "Core#Project", "owner": "u1", "deleted": true})).await;
    world.put(Part::Media, json!({"key": "P1", "mime": "application/json", "value": {"kind": "x", "list": [1]}})).await;
}

/// Who sends what, with which headers and body; the status and the sentence of the answer.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], String, u16, String);

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_these_words() {
    let authorize = "The client is not authorized to access this resource.";
    let restricted = |path: &str| format!("Invalid patch path: {path}.");
    let meta = "Invalid file meta definition.";
    let access = "Invalid access definition.";
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let many = json!(vec!["k"; 1_001]).to_string();
    let cases: Vec<Case<'_>> = vec![
        ("", "GET /files", &[], "".into(), 401, authorize.into()),
        ("bad", "PATCH /files/P1", &[], "{".into(), 401, authorize.into()),
        ("u5", "GET /files/P1", &[], "".into(), 404, "Not found.".into()),
        ("u1", "GET /files/nothing", &[], "".into(), 404, "Not found.".into()),
        ("u1", "GET /files/P9", &[], "".into(), 404, "Not found.".into()),
        ("u1", "GET /files/%FF", &[], "".into(), 404, "Not found.".into()),
        ("u1", "GET /files/%00", &[], "".into(), 404, "Not found.".into()),
        ("u1", "GET /files/P1/x", &[], "".into(), 404, "Not found.".into()),
        ("u1", "GET /v1/nowhere", &[], "".into(), 404, "Not found.".into()),
        ("u1", "PATCH /files/P1", &[], "".into(), 400, "Invalid request body. Expected a message.".into()),
        ("u1", "POST /files", JSON, "".into(), 400, "Invalid request body. Expected a message.".into()),
        ("u1", "PATCH /files/P1", &[], "{".into(), 400, "Invalid request body. Expected JSON value.".into()),
        ("u1", "POST /files", JSON, deep.clone(), 400, "Invalid request body. Expected JSON value.".into()),
        ("u1", "PUT /files/P2?alt=media", JSON, deep, 400, "Invalid request body. Expected JSON value.".into()),
        ("u1", "POST /files", JSON, "null".into(), 400, "Invalid file definition. File has no contents.".into()),
        (
            "u1",
            "PUT /files/P2?alt=media",
            JSON,
            "null".into(),
            400,
            "Invalid file definition. File has no contents.".into(),
        ),
        ("u1", "GET /files/P1?alt=x", &[], "".into(), 400, "Unsupported \"alt\" parameter.".into()),
        ("u1", "PATCH /files/P1?alt=x", &[], "{".into(), 400, "Unsupported \"alt\" parameter.".into()),
        ("u1", "PUT /files/P2", JSON, "1".into(), 400, "Unsupported \"alt\" parameter.".into()),
        ("u1", "PUT /files/P2?alt=meta", JSON, "1".into(), 400, "Unsupported \"alt\" parameter.".into()),
        ("u1", "GET /files/P1/revisions?alt=meta", &[], "".into(), 400, "Unsupported \"alt\" parameter.".into()),
        (
            "u1",
            "GET /files/S1?alt=media",
            &[],
            "".into(),
            400,
            "Spaces have no media. Remove the \"alt\" parameter.".into(),
        ),
        (
            "u1",
            "PUT /files/S1?alt=media",
            TEXT,
            "x".into(),
            400,
            "Spaces have no media. Remove the \"alt\" parameter.".into(),
        ),
        ("u1", "GET /files/P2?alt=media", &[], "".into(), 404, "Not found.".into()),
        ("u1", "PATCH /files/P2?alt=media", &[], patch(json!([])).to_string(), 404, "Not found.".into()),
        ("u1", "POST /files", &[], "{}".into(), 400, "The media content-type header is missing.".into()),
        ("u1", "PUT /files/P2?alt=media", &[], "x".into(), 400, "The media content-type header is missing.".into()),
        (
            "u1",
            "POST /files",
            TEXT,
            "{}".into(),
            400,
            "Expected application/json mime type for a file meta but got text/plain.".into(),
        ),
        ("u1", "POST /files", JSON, "{}".into(), 400, format!("{meta} Missing \"kind\" property.")),
        ("u1", "POST /files", JSON, "[1]".into(), 400, format!("{meta} Missing \"kind\" property.")),
        ("u1", "POST /files", JSON, r#"{"kind":""}"#.into(), 400, format!("{meta} Missing \"kind\" property.")),
        (
            "u1",
            "POST /files",
            JSON,
            r#"{"kind":"X","key":"batch"}"#.into(),
            400,
            format!("{meta} Invalid \"key\" property."),
        ),
        ("u1", "POST /files", JSON, r#"{"kind":"X","key":7}"#.into(), 400, format!("{meta} Invalid \"key\" property.")),
        (
            "u1",
            "POST /files",
            JSON,
            r#"{"kind":"X","key":"P1"}"#.into(),
            400,
            "An object with the identifier P1 already exists.".into(),
        ),
        (
            "u5",
            "POST /files",
            JSON,
            r#"{"kind":"X","key":"P9"}"#.into(),
            400,
            "An object with the identifier P9 already exists.".into(),
        ),
        ("u1", "POST /files?parent=P9", JSON, r#"{"kind":"X"}"#.into(), 404, "Not found.".into()),
        ("u1", "PATCH /files/P1", &[], "{}".into(), 400, "Invalid patch schema. Missing \"app\" property.".into()),
        ("u1", "PATCH /files/P1", &[], "[]".into(), 400, "Invalid patch schema. Missing \"app\" property.".into()),
        (
            "u1",
            "PATCH /files/P1",
            &[],
            r#"{"app":1}"#.into(),
            400,
            "Invalid patch schema. Missing \"appVersion\" property.".into(),
        ),
        (
            "u1",
            "PATCH /files/P1",
            &[],
            r#"{"app":1,"appVersion":1}"#.into(),
            400,
            "Invalid patch schema. Missing \"id\" property.".into(),
        ),
        (
            "u1",
            "PATCH /files/P1?alt=media",
            &[],
            r#"{"app":1,"appVersion":1,"id":0}"#.into(),
            400,
            "Invalid patch schema. Missing \"patch\" property.".into(),
        ),
        ("u1", "PATCH /files/P1/users", &[], "{}".into(), 400, "Expected array with patch in the body.".into()),
        ("u1", "PATCH /files/P1/users", &[], "7".into(), 400, "Expected array with patch in the body.".into()),
        (
            "u1",
            "PATCH /files/P1/users",
            &[],
            r#"{"patch":[{"type":"x"}]}"#.into(),
            400,
            format!("{access} Invalid \"type\" at position: 0."),
        ),
        ("u1", "GET /files?limit=x", &[], "".into(), 400, "The \"limit\" parameter is not a number.".into()),
        ("u1", "GET /shared?limit=0", &[], "".into(), 400, "The \"limit\" parameter is not a number.".into()),
        ("u1", "GET /files?cursor=x", &[], "".into(), 400, "Invalid page cursor.".into()),
        ("u1", "GET /files/P1/revisions?cursor=x", &[], "".into(), 400, "Invalid page cursor.".into()),
        ("u1", "POST /files/batch", &[], "{}".into(), 400, "Expected list of file keys in the message.".into()),
        ("u1", "POST /files/batch", &[], "[1]".into(), 400, "Expected list of file keys in the message.".into()),
        ("u1", "POST /files/batch", &[], many, 400, "Expected list of file keys in the message.".into()),
        ("u1", "PATCH /files/P1", &[], patch(json!([{"op": "remove", "path": ""}])).to_string(), 400, restricted("")),
        (
            "u1",
            "PATCH /files/P1",
            &[],
            patch(json!([{"op": "replace", "path": "", "value": {"owner": "u5"}}])).to_string(),
            400,
            restricted(""),
        ),
    ];
    for world in worlds().await {
        fixture(&world).await;
        for (who, request, headers, body, status, message) in &cases {
            let answer = world.send(who, request, headers, body.clone()).await;
            assert_eq!(answer.failure(), (*status, message.clone()), "{}: {request} {body}", world.name);
            let body: Value = serde_json::from_str(&answer.text).expect("JSON");
            assert_eq!((&body["error"], &body["code"]), (&json!(true), &json!(status)));
            assert!(body["detail"].is_string());
            assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_is_said_in_these_words() {
    let op = |op: &str, path: &str| json!({"op": op, "path": path, "value": 1});
    for world in worlds().await {
        fixture(&world).await;
        for (operation, message) in [
            (json!(1), "Malformed patch information."),
            (json!({"op": "zap", "path": "/a"}), "Malformed patch information."),
            (json!({"op": "add", "value": 1}), "Malformed patch information."),
            (json!({"op": "add", "path": "/a"}), "Malformed patch information."),
            (json!({"op": "move", "path": "/a"}), "Malformed patch information."),
            (op("replace", "/nothing"), "Location not found"),
            (json!({"op": "remove", "path": "/nothing"}), "Location not found"),
            (json!({"op": "move", "path": "/a", "from": "/nothing"}), "Location not found"),
            (json!({"op": "copy", "path": "/a", "from": "/nothing"}), "Location not found"),
            (op("test", "/list/0"), ""),
            (op("test", "/list"), "Test failed"),
            (op("add", "/nothing/a"), "Invalid target"),
            (op("add", "/list/0/a"), "Invalid target"),
            (json!({"op": "move", "path": "/list/0", "from": "/list"}), "Invalid target"),
            (op("add", "/list/x"), "Invalid pointer"),
            (op("add", "/list/01"), "Invalid pointer"),
            (op("add", "list"), "Invalid pointer: list"),
            (op("add", "/a~2"), "Invalid pointer: /a~2"),
            (op("add", "/__proto__/x"), "Invalid pointer: /__proto__/x"),
            (op("add", "/a/constructor"), "Invalid pointer: /a/constructor"),
            (op("replace", "/kind"), "Invalid patch path: /kind."),
            (op("add", "/key/x"), "Invalid patch path: /key/x."),
            (json!({"op": "replace", "path": "", "value": {"kind": "y"}}), "Invalid patch path: ."),
            (json!({"op": "replace", "path": "", "value": null}), "Invalid file definition. File has no contents."),
            (json!({"op": "remove", "path": ""}), "Invalid patch path: ."),
            (json!({"op": "replace", "path": "", "value": {"kind": "x", "list": [1]}}), ""),
        ] {
            let answer = world.json("u1", "PATCH /files/P1?alt=media", &patch(json!([operation]))).await;
            let expected = if message.is_empty() { 200 } else { 400 };
            assert_eq!(answer.failure(), (expected, message.to_owned()), "{}: {operation}", world.name);
            if message.starts_with("Invalid patch path") {
                let detail = r#"Certain properties are restricted from patching like \"key\" or \"kind\"."#;
                assert!(answer.text.contains(detail), "{answer:?}");
            }
        }
        let contents = json!({"kind": "x", "list": [1]});
        assert_eq!(world.get("u1", "/files/P1?alt=media").await.value(), contents);
        assert_eq!(world.rows(Part::Revisions).await.len(), 2);
        for operation in [op("replace", "/info"), json!({"op": "remove", "path": "/info"})] {
            let answer = world.json("u1", "PATCH /files/P1", &patch(json!([operation]))).await;
            assert_eq!(answer.failure(), (400, "Malformed patch information.".to_owned()));
        }
    }
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    for world in worlds().await {
        for (request, allowed) in [
            ("POST /store", "GET,HEAD"),
            ("DELETE /files", "GET,HEAD,POST"),
            ("GET /files/batch", "POST"),
            ("POST /files/P1", "GET,HEAD,PATCH,PUT,DELETE"),
            ("PUT /file/P1/users", "GET,HEAD,PATCH"),
        ] {
            let answer = world.send("u1", request, &[], "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{request}");
            assert_eq!(answer.failure().1, "Method not allowed.");
        }
    }
}

#[tokio::test]
async fn a_body_may_come_in_chunks_and_too_large_a_one_is_refused() {
    for world in worlds().await {
        fixture(&world).await;
        let head =
            "PATCH /files/P1?token=u1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let (first, second) = (r#"{"id":"1","app":"x","#, r#""appVersion":"1","patch":[]}"#);
        let chunks = [first, second, ""].map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).concat();
        let answer = world.raw(&format!("{head}{chunks}")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""patch":[]"#), "{answer}");
        let large = "x".repeat(MAX_BODY + 1);
        assert_eq!(world.send("u1", "PUT /files/P2?alt=media", TEXT, large).await.status, 413);
        let fits = "x".repeat(MAX_BODY);
        assert_eq!(world.send("u1", "PUT /files/P2?alt=media", TEXT, fits).await.status, 204);
        let torn = vec![b'a', 0xFF, b'b'];
        let answer = world.send("u1", "PUT /files/P2?alt=media", TEXT, torn).await;
        assert_eq!(answer.failure(), (400, "Invalid request body. Expected UTF-8 text.".to_owned()));
    }
}

#[tokio::test]
async fn what_a_database_cannot_hold_is_the_fault_of_who_sends_it() {
    for world in worlds().await {
        fixture(&world).await;
        let expected = match world.name {
            "postgres" => (400, "Invalid request body. Expected JSON value.".to_owned()),
            _ => (204, String::new()),
        };
        let body = json!({"kind": "X", "key": "N", "labels": ["a\u{0}b"]});
        assert_eq!(world.json("u1", "POST /files", &body).await.failure(), expected, "{}", world.name);
        let answer = world.send("u1", "PUT /files/P2?alt=media", TEXT, "a\u{0}b").await;
        assert_eq!(answer.failure(), expected, "{}", world.name);
        assert_eq!(world.get("u1", "/files?parent=%00").await.status, 404);
        assert_eq!(world.get("u1", "/files?kind=%00").await.status, 200);
    }
}
