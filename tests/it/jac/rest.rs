//! Pushes of backends, over HTTP.

use super::embedded;
use super::sockets::{open, open_as};
use super::world::{ANN, token};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::app::App;
use tidings::config::{Config, Overrides};

/// A server with two tokens for backends.
async fn serve() -> App {
    let variables = [("BACKENDS".to_owned(), "first, second".to_owned())].into();
    let overrides = Overrides { variables, ..Overrides::default() };
    let config = Config::from_text("test", &embedded("service_tokens_env = \"BACKENDS\""), &overrides);
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    App::start(config).await.unwrap_or_else(|error| panic!("{}", error.chain()))
}

async fn notify(address: SocketAddr, shown: Option<&str>, body: &str) -> (u16, String) {
    let mut request = reqwest::Client::new().post(format!("http://{address}/notify")).body(body.to_owned());
    if let Some(shown) = shown {
        request = request.header("authorization", shown);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

#[tokio::test]
async fn a_backend_pushes_to_users_channels_and_clients_in_this_order() {
    let app = serve().await;
    let mut ann = open_as(app.address(), "/websocket?channel_id=room1", ANN).await;
    let (mut other, told) = open(app.address(), "/websocket").await;
    let body = json!({
        "client_ids": [told["client_id"], "nobody"], "channel_ids": ["room1", "room1"],
        "root_ids": [format!("n:x:{ANN}"), "n::000000000000000000000001"], "data": {"val": 1},
    });
    for shown in ["Bearer first", "bearer second"] {
        let answer = notify(app.address(), Some(shown), &body.to_string()).await;
        assert_eq!(answer, (200, r#"{"status":200}"#.to_owned()));
        for _ in 0..3 {
            assert_eq!(ann.json().await, json!({"val": 1}));
        }
        assert_eq!((other.json().await, other.json().await), (json!({"val": 1}), json!({"val": 1})));
    }
    let empty = r#"{"root_ids":[],"channel_ids":["room1"],"data":{ "x" : 1.0 }}"#;
    assert_eq!(notify(app.address(), Some("Bearer first"), empty).await.0, 200);
    assert_eq!(ann.json().await, json!({"x": 1.0}));
    app.stop().await;
}

#[tokio::test]
async fn only_who_shows_a_service_token_is_heard() {
    let app = serve().await;
    let (mut socket, _) = open(app.address(), "/websocket?channel_id=room1").await;
    let body = r#"{"channel_ids":["room1"],"data":{}}"#;
    let bearer = format!("Bearer {}", token(ANN));
    for (shown, status, detail) in [
        (None, 403, "Not authenticated"),
        (Some("Bearer third"), 401, "Unauthorized"),
        (Some("first"), 401, "Unauthorized"),
        (Some("Bearer first, second"), 401, "Unauthorized"),
        (Some("Bearer "), 401, "Unauthorized"),
        (Some(bearer.as_str()), 401, "Unauthorized"),
    ] {
        let answer = notify(app.address(), shown, body).await;
        assert_eq!(answer, (status, json!({ "detail": detail }).to_string()), "{shown:?}");
    }
    socket.say(r#"{"type":"connection"}"#).await;
    assert_eq!(socket.json().await["type"], "connection", "and nothing was pushed");
    app.stop().await;
}

#[tokio::test]
async fn a_body_of_another_form_is_said_to_be_so_and_pushes_nothing() {
    let app = serve().await;
    let (mut socket, _) = open(app.address(), "/websocket?channel_id=room1").await;
    let body = ["body".into(), Value::Null];
    let at = |name: &str| json!([body[0], name]);
    for (text, expected) in [
        ("", json!([{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"}])),
        (
            "[]",
            json!([{"type": "dict_type", "loc": ["body"], "msg": "Input should be a valid dictionary", "input": []}]),
        ),
        (
            r#"{"data":{}}"#,
            json!([{"type": "missing", "loc": at("root_ids"), "msg": "Field required", "input": {"data": {}}}]),
        ),
        (
            r#"{"channel_ids":["room1"]}"#,
            json!([{"type": "missing", "loc": at("data"), "msg": "Field required", "input": {"channel_ids": ["room1"]}}]),
        ),
        (
            r#"{"channel_ids":["room1",5],"root_ids":["zzz"],"data":"x"}"#,
            json!([
                {"type": "value_error", "loc": ["body", "root_ids", 0], "msg": "[zzz] is not a valid reference!", "input": "zzz"},
                {"type": "string_type", "loc": ["body", "channel_ids", 1], "msg": "Input should be a valid string", "input": 5},
                {"type": "dict_type", "loc": at("data"), "msg": "Input should be a valid dictionary", "input": "x"},
            ]),
        ),
    ] {
        let (status, answer) = notify(app.address(), Some("Bearer first"), text).await;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((status, &answer["detail"]), (422, &expected), "{text}");
    }
    let (status, answer) = notify(app.address(), Some("Bearer first"), r#"{"client_ids": 1e400,"data":{}}"#).await;
    assert!(status == 422 && answer.contains(r#""input":1e400}"#), "{answer}");
    socket.say(r#"{"type":"connection"}"#).await;
    assert_eq!(socket.json().await["type"], "connection", "and nothing was pushed");
    app.stop().await;
}
