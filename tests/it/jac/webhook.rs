//! Another program that runs operations: what it answers is named by the path.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What a server's own words could give away.
pub const TRACE: &str = "Traceback: File \"/srv/app.py\", line 1: select * from users";

/// A running one.
pub struct Webhook {
    address: SocketAddr,
    calls: Calls,
}

/// Who asked for what: the path, `Authorization`, and the body.
type Calls = Arc<Mutex<Vec<(String, String, Value)>>>;

impl Webhook {
    pub async fn start() -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let calls = Calls::default();
        let router = Router::new().route("/{what}", post(answer)).with_state(calls.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Webhook { address, calls }
    }

    pub fn url(&self, what: &str) -> String {
        format!("http://{}/{what}", self.address)
    }

    /// What it was asked so far.
    pub fn calls(&self) -> Vec<(String, String, Value)> {
        self.calls.lock().expect("nobody panicked").clone()
    }
}

async fn answer(State(calls): State<Calls>, Path(what): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    calls.lock().expect("nobody panicked").push((what.clone(), shown.to_owned(), body.clone()));
    let text = |text: &str| text.to_owned().into_response();
    match what.as_str() {
        "echo" => text(&json!({"reports": [body]}).to_string()),
        "late" => {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            text("{}")
        }
        "never" => std::future::pending().await,
        "none" => text(r#"{"reports":[]}"#),
        "number" => text(r#"{"reports" : [ 12345678901234567890.50 ]}"#),
        "notify" => text(
            r#"{"reports":null,"notify":[{"type":"self","data":{"n":1}},
               {"type":"channel","channel_ids":["room1"],"data":{ "n" : 2.0 }},
               {"type":"user","root_ids":["n::672b35cec309e5ef8469c372"],"data":{"n":3}}]}"#,
        ),
        "half" => text(
            r#"{"notify":[{"type":"channel","channel_ids":["room1"],"data":{"n":1}},{"type":"channel","data":{}}]}"#,
        ),
        "author" => (StatusCode::CONFLICT, r#"{"error":"There is no such room."}"#).into_response(),
        "refused" => (StatusCode::BAD_REQUEST, TRACE).into_response(),
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, format!(r#"{{"error":{}}}"#, json!(TRACE))).into_response(),
        "list" => text("[[1],[]]"),
        "words" => text("done"),
        "typed" => text(r#"{"reports":5}"#),
        "moved" => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/echo")]).into_response(),
        "large" => text(&json!({"reports": ["x".repeat(10 << 20)]}).to_string()),
        "huge" => text(&json!({"reports": ["x".repeat(17 << 20)]}).to_string()),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
