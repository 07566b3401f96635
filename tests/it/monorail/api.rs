//! Writing over HTTP tells those who watch, once, and only what was really done.

use super::EMBEDDED;
use crate::server;
use crate::socket::Socket;
use crate::writer::Writer;
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// What the answer says: its status and its tag.
fn told(answer: &Response) -> (u16, String) {
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().expect("a text").to_owned());
    (answer.status().as_u16(), tag.unwrap_or_default())
}

#[tokio::test]
async fn writes_with_and_without_conditions_cause_the_right_notices() {
    let app = server::start(EMBEDDED).await;
    let writer = Writer::to(app.address());
    let mut socket = Socket::open(&format!("ws://{}/nodes", app.address())).await.expect("an upgrade");
    socket.say(r#"{"handler":"watch"}"#).await;
    socket.settle().await;
    let ask = async |method: Method, headers: &[(&str, &str)], body: Value| {
        told(&writer.ask(method, "/api/nodes/n1", headers, &body).await)
    };
    let item =
        |word: &str, data: Value| json!({"handler": "item", "resource": "nodes", "id": [word, "n1"], "data": data});

    let (status, first) = ask(Method::PUT, &[("if-none-match", "*")], json!({"name": "one", "rank": 1})).await;
    assert_eq!(status, 201);
    assert_eq!(socket.json().await, item("created", json!({"id": "n1", "name": "one", "rank": 1})));
    assert_eq!(ask(Method::PUT, &[("if-none-match", "*")], json!({"name": "again"})).await.0, 412);

    let (status, second) = ask(Method::PUT, &[("if-match", &first)], json!({"name": "two", "rank": 1})).await;
    assert_eq!(status, 200);
    assert_ne!(first, second);
    assert_eq!(socket.json().await, item("updated", json!({"id": "n1", "name": "two", "rank": 1})));
    assert_eq!(ask(Method::PUT, &[("if-match", &first)], json!({"name": "late"})).await.0, 412);
    assert_eq!(ask(Method::GET, &[], Value::Null).await, (200, second.clone()));
    assert_eq!(ask(Method::GET, &[("if-none-match", &second)], Value::Null).await.0, 304);

    let merge = ("content-type", "application/merge-patch+json");
    let (status, third) = ask(Method::PATCH, &[merge, ("if-match", &second)], json!({"rank": null, "tag": "x"})).await;
    assert_eq!(status, 200);
    assert_eq!(socket.json().await, item("updated", json!({"id": "n1", "name": "two", "tag": "x"})));
    assert_eq!(ask(Method::PATCH, &[merge, ("if-match", &second)], json!({"rank": 9})).await.0, 412);
    let steps = ("content-type", "application/json-patch+json");
    let replace = json!([{"op": "replace", "path": "/name", "value": "three"}]);
    let (status, fourth) = ask(Method::PATCH, &[steps, ("if-match", &third)], replace).await;
    assert_eq!(status, 200);
    assert_eq!(socket.json().await, item("updated", json!({"id": "n1", "name": "three", "tag": "x"})));
    assert_eq!(ask(Method::PATCH, &[], json!({"rank": 9})).await.0, 415);

    assert_eq!(ask(Method::DELETE, &[("if-match", &third)], Value::Null).await.0, 412);
    socket.settle_silently().await;
    assert_eq!(ask(Method::DELETE, &[("if-match", &fourth)], Value::Null).await.0, 204);
    let removed = socket.json().await;
    assert_eq!((&removed["handler"], &removed["id"]), (&json!("remove"), &json!("n1")));
    assert_eq!(removed["data"], json!({"id": "n1", "name": "three", "tag": "x"}));
    assert_eq!(ask(Method::DELETE, &[], Value::Null).await.0, 404);
    assert_eq!(ask(Method::PATCH, &[merge], json!({"rank": 9})).await.0, 404);
    socket.settle_silently().await;
    app.stop().await;
}
