//! Over HTTP only what may be seen is changed, and into nothing that could not be seen afterwards.

use super::{AUTH, Person, SHARED};
use crate::server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const TASKS: &str = r#"
[resources.tasks]
source = "embedded"
writable = true
admins = ["boss"]
audience = ["owner", "members"]
[resources.lines]
source = "embedded"
writable = true
append_only = true
only = { by = "$sub" }
"#;

#[tokio::test]
async fn a_write_reaches_only_what_may_be_seen_before_and_after() {
    let app = server::start(&format!("{AUTH}{TASKS}{SHARED}")).await;
    let (boss, ann) = (Person::boss(&app), Person::new(&app, json!({"sub": "ann"})));
    boss.put("tasks/own", json!({"owner": "ann"})).await;
    boss.put("tasks/other", json!({"owner": "bob"})).await;
    boss.put("documents/own", json!({"owner": "ann"})).await;
    boss.put("documents/given", json!({"owner": "bob"})).await;
    boss.put("documents/other", json!({"owner": "bob"})).await;
    boss.put("grants/1", json!({"document": "given", "user": "ann"})).await;
    let (of_ann, of_bob) = (json!({"owner": "ann", "n": 1}), json!({"owner": "bob"}));
    for (method, path, body, expected) in [
        // What is not seen is not there.
        (Method::PUT, "tasks/other", of_ann.clone(), 404),
        (Method::PATCH, "tasks/other", of_ann.clone(), 404),
        (Method::DELETE, "tasks/other", Value::Null, 404),
        (Method::PATCH, "tasks/none", of_ann.clone(), 404),
        (Method::DELETE, "documents/other", Value::Null, 404),
        (Method::PUT, "documents/other", of_ann.clone(), 404),
        // What would not be seen is not written.
        (Method::PUT, "tasks/own", of_bob.clone(), 403),
        (Method::PATCH, "tasks/own", of_bob.clone(), 403),
        (Method::PATCH, "tasks/own", json!({"owner": null}), 403),
        (Method::PUT, "tasks/new", of_bob.clone(), 403),
        (Method::POST, "tasks?id=new", of_bob.clone(), 403),
        (Method::PUT, "documents/own", of_bob.clone(), 403),
        (Method::PUT, "documents/new", of_bob.clone(), 403),
        (Method::POST, "lines", json!({"by": "bob"}), 403),
        // The rest is.
        (Method::PATCH, "tasks/own", json!({"owner": "bob", "members": ["ann"]}), 200),
        (Method::PUT, "tasks/own", of_ann.clone(), 200),
        (Method::PUT, "tasks/new", of_ann.clone(), 201),
        (Method::POST, "tasks?id=newer", of_ann.clone(), 201),
        (Method::POST, "tasks?id=newer", of_ann.clone(), 409),
        (Method::DELETE, "tasks/new", Value::Null, 204),
        (Method::PUT, "documents/new", of_ann.clone(), 201),
        (Method::PUT, "documents/given", of_bob.clone(), 200),
        (Method::PATCH, "documents/given", json!({"n": 2}), 200),
        (Method::DELETE, "documents/given", Value::Null, 204),
        (Method::POST, "lines", json!({"by": "ann"}), 202),
        (Method::POST, "grants", json!({"document": "other", "user": "ann"}), 404),
    ] {
        let (status, answer) = ann.ask(method.clone(), path, body.clone()).await;
        assert_eq!(status.as_u16(), expected, "{method} {path} {body}: {answer}");
    }
    let (status, kept) = boss.ask(Method::GET, "tasks/other", Value::Null).await;
    assert_eq!((status, kept), (StatusCode::OK, json!({"id": "other", "owner": "bob"})));
    app.stop().await;
}
