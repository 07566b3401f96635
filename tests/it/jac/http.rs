//! Operations behind a URL: what they are told, what comes of their answers, and that their failures stay theirs.

use super::serve;
use super::sockets::{open, open_as};
use super::webhook::{TRACE, Webhook};
use super::world::{ANN, BOB, token};
use crate::socket::Socket;
use serde_json::{Value, json};
use tidings::app::App;

/// A server whose operations are named like what the webhook answers.
async fn serving(webhook: &Webhook, names: &[&str], more: &str) -> App {
    let walker = |name: &&str| {
        let url = webhook.url(name);
        format!(
            "[channels.\"/websocket\".walkers.{name}]\nkind = \"http\"\nurl = \"{url}\"\nmethods = [\"websocket\", \
             \"post\"]\n{more}\n"
        )
    };
    serve(&names.iter().map(walker).collect::<String>()).await
}

/// Calls an operation with an answer.
async fn call(socket: &mut Socket, name: &str, context: Value) -> Value {
    socket.say(json!({"type": "walker", "walker": name, "response": true, "context": context}).to_string()).await;
    socket.json().await
}

#[tokio::test]
async fn an_operation_is_told_who_calls_with_which_context() {
    let webhook = Webhook::start().await;
    let app = serving(&webhook, &["echo"], "context = { room = \"str\", note = \"any?\" }").await;
    let mut socket = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    let answer = call(&mut socket, "echo", json!({"room": "a", "other": 1})).await;
    let told = &answer["reports"][0];
    assert_eq!((&told["walker"], &told["context"]), (&json!("echo"), &json!({"room": "a"})));
    let viewer = &told["viewer"];
    assert_eq!(viewer["root_id"], format!("n::{ANN}"));
    assert_eq!((&viewer["authenticated"], &viewer["channel_id"]), (&json!(true), &json!("room1")));
    assert_eq!((&viewer["node"], &viewer["claims"]["root_id"]), (&viewer["root_id"], &json!(ANN)));
    assert!(viewer["client_id"].is_string());
    let post = reqwest::Client::new().post(format!("http://{}/walker/echo", app.address()));
    let answer = post.bearer_auth(token(BOB)).body(r#"{"room":"b","note":null}"#).send().await.expect("an answer");
    let told = answer.json::<Value>().await.expect("JSON")["reports"][0].take();
    assert_eq!(told["context"], json!({"room": "b", "note": null}));
    assert_eq!((&told["viewer"]["client_id"], &told["viewer"]["channel_id"]), (&Value::Null, &Value::Null));
    app.stop().await;
}

#[tokio::test]
async fn its_pushes_come_in_order_before_its_answer() {
    let webhook = Webhook::start().await;
    let app = serving(&webhook, &["notify"], "").await;
    let mut socket = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    let mut heard = vec![call(&mut socket, "notify", json!({})).await];
    for _ in 0..3 {
        heard.push(socket.json().await);
    }
    assert_eq!(heard, [json!({"n": 1}), json!({"n": 2.0}), json!({"n": 3}), json!({"status": 200})]);
    let post = reqwest::Client::new().post(format!("http://{}/walker/notify", app.address()));
    let answer = post.bearer_auth(token(BOB)).send().await.expect("an answer");
    assert_eq!(answer.text().await.expect("a body"), r#"{"status":200}"#);
    assert_eq!((socket.json().await, socket.json().await), (json!({"n": 2.0}), json!({"n": 3})), "there is no self");
    app.stop().await;
}

#[tokio::test]
async fn r3_a_failure_says_nothing_but_what_its_author_says() {
    let webhook = Webhook::start().await;
    let names = ["author", "refused", "broken", "list", "words", "typed", "moved", "huge", "half", "absent"];
    let app = serving(&webhook, &names, "").await;
    let mut socket = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    for name in names {
        // Errors are told also to who asks for no answer.
        socket.say(json!({"type": "walker", "walker": name}).to_string()).await;
        let sentence = match name {
            "author" => "There is no such room.".to_owned(),
            name => format!("Event {name} failed."),
        };
        let answer = socket.json().await;
        assert_eq!(answer, json!({"error": [format!("{sentence}\n")]}), "{name}");
        let post = reqwest::Client::new().post(format!("http://{}/walker/{name}", app.address()));
        let answer = post.bearer_auth(token(ANN)).send().await.expect("an answer");
        assert_eq!(answer.status(), if name == "author" { 400 } else { 500 }, "{name}");
        let body = answer.text().await.expect("a body");
        assert_eq!(body, json!({"detail": sentence}).to_string());
        assert!(!body.contains(TRACE));
    }
    assert!(webhook.calls().iter().all(|(what, ..)| what != "echo"), "a redirect is not followed");
    let once = webhook.calls().iter().filter(|(what, ..)| what == "broken").count();
    assert_eq!(once, 2, "a call is never repeated");
    socket.say(r#"{"type":"connection"}"#).await;
    assert_eq!(socket.json().await["type"], "connection", "and half an answer pushes nothing");
    app.stop().await;
}

#[tokio::test]
async fn large_reports_and_long_numbers_arrive_whole() {
    let webhook = Webhook::start().await;
    let app = serving(&webhook, &["large", "number", "none"], "").await;
    let mut socket = open_as(app.address(), "/websocket", ANN).await;
    let answer = call(&mut socket, "large", json!({})).await;
    assert_eq!(answer["reports"][0].as_str().map(str::len), Some(10 << 20));
    assert_eq!(call(&mut socket, "none", json!({})).await, json!({"status": 200}));
    let post = reqwest::Client::new().post(format!("http://{}/walker/number", app.address()));
    let answer = post.bearer_auth(token(ANN)).send().await.expect("an answer").text().await.expect("a body");
    assert_eq!(answer, r#"{"status":200,"reports":[12345678901234567890.50]}"#);
    app.stop().await;
}

#[tokio::test]
async fn one_that_takes_too_long_is_given_up_and_delays_nobody_else() {
    let webhook = Webhook::start().await;
    let app = serving(&webhook, &["never"], "timeout = \"2s\"").await;
    let mut socket = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    let mut other = open_as(app.address(), "/websocket", BOB).await;
    socket.say(r#"{"type":"walker","walker":"never","ref":1}"#).await;
    while webhook.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    socket.say(r#"{"type":"connection"}"#).await;
    other.say(r#"{"type":"channel","channel_ids":["room1"],"data":{"val":1}}"#).await;
    assert_eq!(socket.json().await, json!({"val": 1}), "pushes by others arrive meanwhile");
    let answer = socket.json().await;
    assert_eq!(answer, json!({"type": "walker", "error": "Event never timed out!", "ref": 1}));
    assert_eq!(socket.json().await["type"], "connection", "later messages wait their turn");
    let post = reqwest::Client::new().post(format!("http://{}/walker/never", app.address()));
    assert_eq!(post.bearer_auth(token(ANN)).send().await.expect("an answer").status(), 504);
    app.stop().await;
}

#[tokio::test]
async fn r4_an_operation_open_to_the_public_works_for_everybody() {
    let webhook = Webhook::start().await;
    for (auth, public, known) in [("optional", true, true), ("forbidden", true, false), ("required", false, true)] {
        let app = serving(&webhook, &["echo"], &format!("auth = \"{auth}\"")).await;
        let (mut nobody, _) = open(app.address(), "/websocket").await;
        let mut ann = open_as(app.address(), "/websocket", ANN).await;
        for (socket, is_allowed) in [(&mut nobody, public), (&mut ann, known)] {
            let answer = call(socket, "echo", json!({})).await;
            assert_eq!(answer["status"] == 200, is_allowed, "{auth}: {answer}");
        }
        let refused = format!("Event echo requires to be {}authenticated!", if public { "un" } else { "" });
        let call_it = |token: Option<String>| {
            let post = reqwest::Client::new().post(format!("http://{}/walker/echo", app.address()));
            let post = match token {
                Some(token) => post.bearer_auth(token),
                None => post,
            };
            async move {
                let answer = post.send().await.expect("an answer");
                (answer.status().as_u16(), answer.text().await.expect("a body"))
            }
        };
        assert_eq!(call_it(None).await.0, if public { 200 } else { 403 }, "{auth}");
        let (status, body) = call_it(Some(token(ANN))).await;
        assert_eq!(status, if known { 200 } else { 403 }, "{auth}");
        assert!(known || body == format!(r#"{{"detail":"{refused}"}}"#), "{body}");
        assert_eq!(call_it(Some("nonsense".to_owned())).await.0, 401, "{auth}");
        app.stop().await;
    }
}

#[tokio::test]
async fn one_that_decides_itself_is_called_for_any_node() {
    let webhook = Webhook::start().await;
    let app = serving(&webhook, &["echo"], "nodes = true").await;
    let mut socket = open_as(app.address(), "/websocket", ANN).await;
    let other = format!("n:post:{BOB}");
    socket.say(json!({"type": "walker", "walker": "echo", "node": other, "response": true}).to_string()).await;
    assert_eq!(socket.json().await["reports"][0]["viewer"]["node"], other);
    socket
        .say(json!({"type": "walker", "walker": "echo", "node": format!("N:x:{ANN}"), "response": true}).to_string())
        .await;
    assert_eq!(socket.json().await["reports"][0]["viewer"]["node"], format!("n::{ANN}"));
    app.stop().await;
}
