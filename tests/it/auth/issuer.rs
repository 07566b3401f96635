//! An issuer of tokens: publishes keys, says of opaque tokens what they are, and can be away.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tidings::event::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const RSA: &str = include_str!("../../keys/rsa.private.pem");
const EC: &str = include_str!("../../keys/ec.private.pem");

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    Well,
    /// 500.
    Broken,
    /// It takes the question and never answers.
    Silent,
    /// It sends whoever asks to somebody else.
    Elsewhere,
    /// It answers what is no JSON.
    Babbling,
}

/// What it knows.
struct Book {
    mood: Mutex<Mood>,
    keys: Mutex<Vec<Value>>,
    tokens: Mutex<HashMap<String, Value>>,
    /// How often it was asked for keys, and for tokens.
    asked_keys: AtomicUsize,
    asked_tokens: AtomicUsize,
}

/// An issuer that is there.
pub struct Issuer {
    address: SocketAddr,
    book: Arc<Book>,
    server: JoinHandle<()>,
}

impl Issuer {
    /// One that publishes no key yet, and knows no token.
    pub async fn start() -> Issuer {
        Issuer::start_at("127.0.0.1:0").await
    }

    /// One at a place where nobody listens.
    pub async fn start_at(place: &str) -> Issuer {
        let book = Arc::new(Book {
            mood: Mutex::new(Mood::Well),
            keys: Mutex::default(),
            tokens: Mutex::default(),
            asked_keys: AtomicUsize::new(0),
            asked_tokens: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind(place).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let routes =
            Router::new().route("/keys", get(keys)).route("/introspect", post(introspect)).with_state(book.clone());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Issuer { address, book, server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn is(&self, mood: Mood) {
        *self.book.mood.lock().unwrap() = mood;
    }

    /// From now on it publishes the keys of these names, and no others.
    pub fn publish(&self, keys: &[Key]) {
        *self.book.keys.lock().unwrap() = keys.iter().map(Key::published).collect();
    }

    /// From now on it says this of a token.
    pub fn say(&self, token: &str, what: Value) {
        self.book.tokens.lock().unwrap().insert(token.to_owned(), what);
    }

    pub fn asked_keys(&self) -> usize {
        self.book.asked_keys.load(Ordering::SeqCst)
    }

    pub fn asked_tokens(&self) -> usize {
        self.book.asked_tokens.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One of its two keys, under any name.
#[derive(Debug, Clone, Copy)]
pub enum Key {
    Rsa(&'static str),
    Ec(&'static str),
}

impl Key {
    fn published(&self) -> Value {
        let (algorithm, key, name) = self.parts();
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).expect("a public half");
        jwk.common.key_id = Some(name.to_owned());
        serde_json::to_value(jwk).expect("JSON")
    }

    fn parts(&self) -> (Algorithm, EncodingKey, &'static str) {
        match self {
            Key::Rsa(name) => (Algorithm::RS256, EncodingKey::from_rsa_pem(RSA.as_bytes()).expect("a key"), name),
            Key::Ec(name) => (Algorithm::ES256, EncodingKey::from_ec_pem(EC.as_bytes()).expect("a key"), name),
        }
    }

    /// A token that it signs: of `ann`, for ten minutes, with these claims over that.
    pub fn sign(&self, claims: &Value) -> String {
        let (algorithm, key, name) = self.parts();
        let header = Header { kid: Some(name.to_owned()), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &usual(claims), &key).expect("a token")
    }
}

/// The claims of `ann`, and these over them; null takes one out.
pub fn usual(claims: &Value) -> Value {
    let mut all = json!({"sub": "ann", "exp": now() + 600, "iss": "issuer", "aud": "tidings"});
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    all.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    all
}

pub fn now() -> i64 {
    Timestamp::now().0 / 1000
}

async fn keys(State(book): State<Arc<Book>>) -> Response {
    book.asked_keys.fetch_add(1, Ordering::SeqCst);
    let keys = book.keys.lock().unwrap().clone();
    answer(&book, json!({ "keys": keys })).await
}

async fn introspect(State(book): State<Arc<Book>>, headers: HeaderMap, body: Bytes) -> Response {
    book.asked_tokens.fetch_add(1, Ordering::SeqCst);
    let wanted = format!("Basic {}", STANDARD.encode("tidings:very%2Fsecret"));
    if headers.get(header::AUTHORIZATION).is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let form = String::from_utf8_lossy(&body).into_owned();
    let token = form.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default().to_owned();
    let known = book.tokens.lock().unwrap().get(&token).cloned();
    answer(&book, known.unwrap_or(json!({"active": false}))).await
}

async fn answer(book: &Book, what: Value) -> Response {
    let mood = *book.mood.lock().unwrap();
    match mood {
        Mood::Well => ([(header::CONTENT_TYPE, "application/json")], what.to_string()).into_response(),
        Mood::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Silent => pending().await,
        Mood::Elsewhere => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/keys")]).into_response(),
        Mood::Babbling => "good morning".into_response(),
    }
}
