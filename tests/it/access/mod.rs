//! Who may see which records, in every way of reading and writing.

mod events;
mod exact;
mod matrix;
mod sharing;
mod writes;

use crate::socket::Socket;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::app::App;
use tidings::event::Timestamp;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What every configuration here begins with.
const AUTH: &str = "[auth]\njwt = { algorithm = \"HS256\", secret = \"quite secret, and long enough for that\", leeway = \"0s\" }\n\
                    [server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n";

/// Documents that grants share out, and the channels to them.
const SHARED: &str = r#"
[resources.documents]
source = "embedded"
writable = true
admins = ["boss"]
shared_by = { resource = "grants", record = "document", subject = "user", group = "team", until = "until", owner = "owner" }
[resources.grants]
source = "embedded"
writable = true
read = ["boss"]
"#;

/// Somebody who asks.
#[derive(Clone)]
pub struct Person {
    address: SocketAddr,
    token: Option<String>,
    http: Client,
}

/// A token with these claims, until a time in seconds since 1970.
fn token(mut claims: Value, expires: i64) -> String {
    claims["exp"] = json!(expires);
    let key = jsonwebtoken::EncodingKey::from_secret(b"quite secret, and long enough for that");
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
}

impl Person {
    /// Somebody whose credential says this; null: nobody.
    pub fn new(app: &App, claims: Value) -> Person {
        match claims {
            Value::Null => Person { address: app.address(), token: None, http: Client::new() },
            claims => Person::until(app, claims, Timestamp::now().0 / 1000 + 3600),
        }
    }

    /// The same, until a time in seconds since 1970.
    pub fn until(app: &App, claims: Value, expires: i64) -> Person {
        Person { address: app.address(), token: Some(token(claims, expires)), http: Client::new() }
    }

    /// Who may do everything.
    pub fn boss(app: &App) -> Person {
        Person::new(app, json!({"sub": "boss", "roles": ["boss"]}))
    }

    /// A connection to a channel.
    pub async fn socket(&self, channel: &str) -> Socket {
        let mut request = format!("ws://{}/{channel}", self.address).into_client_request().expect("a request");
        if let Some(token) = &self.token {
            let bearer = format!("Bearer {token}").parse().expect("a header");
            request.headers_mut().insert("authorization", bearer);
        }
        Socket::ask(request).await.expect("an upgrade")
    }

    /// A request below `/api/`; a body that is null is none.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = self.http.request(method, format!("http://{}/api/{path}", self.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Writes a record, which must succeed.
    pub async fn put(&self, path: &str, body: Value) {
        let (status, answer) = self.ask(Method::PUT, path, body).await;
        assert!(status.is_success(), "PUT {path}: {status} {answer}");
    }

    /// Removes a record, which must succeed.
    pub async fn remove(&self, path: &str) {
        let (status, answer) = self.ask(Method::DELETE, path, Value::Null).await;
        assert!(status.is_success(), "DELETE {path}: {status} {answer}");
    }
}

/// The ids of rows, in order.
fn ids(rows: &Value) -> String {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows but {rows}"));
    let mut ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    ids.join(" ")
}

/// What is told until a barrier of now: `list a b`, `item a`, `remove a`, `patch a`, `error E_RESOURCE`, `resumed …`.
async fn told(socket: &mut Socket) -> Vec<String> {
    socket.say(r#"{"handler":"barrier","ref":"so far"}"#).await;
    let mut told = Vec::new();
    loop {
        let message = socket.json().await;
        if message["ref"] == "so far" {
            assert_eq!(message["handler"], "barrier", "{message}");
            return told;
        }
        told.push(word(&message));
    }
}

/// A message in a few words.
fn word(message: &Value) -> String {
    let handler = message["handler"].as_str().expect("a handler");
    let id = match &message["id"] {
        Value::Array(words) => &words[1],
        Value::Object(record) => &record["id"],
        id => id,
    };
    match handler {
        "list" => format!("list {}", ids(&message["items"])).trim_end().to_owned(),
        "resumed" => format!("resumed {}", message["reason"].as_str().unwrap_or("complete")),
        "error" => format!("error {}", message["params"]["error"].as_str().expect("a word")),
        _ => format!("{handler} {}", id.as_str().unwrap_or_default()).trim_end().to_owned(),
    }
}
