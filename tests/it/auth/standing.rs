//! What becomes of open sockets when a credential ends, and when another takes its place.

use super::{bearer, serve, socket};
use crate::socket::{Heard, PATIENCE, Socket};
use crate::writer::Writer;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tidings::app::App;
use tidings::auth::{Algorithm, Claims, Mint, Secret, Settings};
use tidings::event::Timestamp;

const JWT: &str = "jwt = { algorithm = \"HS256\", secret = \"s\", leeway = \"0s\" }";

/// A token of `ann` with these roles.
fn token(roles: &[&str], lifetime: u64) -> String {
    let mint = Mint::new(&Settings::new(Algorithm::default(), Secret::new("s"))).expect("a secret that signs");
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let lifetime = Duration::from_secs(lifetime);
    let claims = Claims { subject: "ann".to_owned(), roles, lifetime, ..Claims::default() };
    mint.sign(&claims, Timestamp::now().0 / 1000).expect("a token")
}

fn present(token: &str) -> String {
    json!({"handler": "token", "params": {"token": token}}).to_string()
}

async fn watch(socket: &mut Socket, resources: &[&str]) {
    for resource in resources {
        socket.say(json!({"handler": "watch", "resource": resource, "ref": resource}).to_string()).await;
    }
    socket.settle().await;
}

/// Puts a record, as somebody who may.
async fn put(app: &App, resource: &str) {
    let bearer = format!("Bearer {}", token(&["planner"], 60));
    let headers = [("authorization", &*bearer)];
    let path = format!("/api/{resource}/r1");
    let answer = Writer::to(app.address()).ask(Method::PUT, &path, &headers, &json!({"now": Timestamp::now().0})).await;
    assert!(answer.status().is_success(), "{resource}: {}", answer.status());
}

/// The next message, which must be of the watch of this resource.
async fn told(socket: &mut Socket, resource: &str) -> Value {
    let message = socket.json().await;
    assert_eq!(message["ref"], resource, "{message}");
    message
}

#[tokio::test]
async fn a_socket_is_closed_when_its_credential_ends() {
    let app = serve(JWT).await;
    let mut short = bearer(&app, "/nodes", &token(&[], 4)).await.expect("an upgrade");
    assert!(matches!(short.hear_within(PATIENCE).await, Heard::Close(4401, _)));
    app.stop().await;
}

#[tokio::test]
async fn a_socket_that_is_downgraded_goes_on_as_anonymous() {
    let app = serve(&format!("on_expiry = \"downgrade\"\n{JWT}")).await;
    let mut socket = bearer(&app, "/", &token(&[], 6)).await.expect("an upgrade");
    watch(&mut socket, &["news", "nodes"]).await;
    put(&app, "nodes").await;
    assert_eq!(told(&mut socket, "nodes").await["handler"], "item");
    let ended = told(&mut socket, "nodes").await;
    assert_eq!((&ended["handler"], &ended["params"]["error"]), (&json!("error"), &json!("E_RESOURCE")), "{ended}");
    put(&app, "nodes").await;
    put(&app, "news").await;
    assert_eq!(told(&mut socket, "news").await["handler"], "item", "what anyone may read is told on");
    socket.say(r#"{"handler":"all","resource":"nodes","ref":"read"}"#).await;
    assert_eq!(told(&mut socket, "read").await["params"]["error"], "E_RESOURCE");
    // With another credential it may again.
    socket.say(present(&token(&[], 60))).await;
    watch(&mut socket, &["nodes"]).await;
    put(&app, "nodes").await;
    assert_eq!(told(&mut socket, "nodes").await["handler"], "item");
    app.stop().await;
}

#[tokio::test]
async fn a_socket_that_must_show_a_credential_is_not_kept_without() {
    let app = serve(&format!("on_expiry = \"downgrade\"\n{JWT}\n[monorail]\nauth = \"required\"")).await;
    let mut socket = bearer(&app, "/", &token(&[], 4)).await.expect("an upgrade");
    assert!(matches!(socket.hear().await, Heard::Close(4401, _)));
    app.stop().await;
}

#[tokio::test]
async fn a_socket_is_kept_where_that_is_configured() {
    let app = serve(&format!("on_expiry = \"keep\"\n{JWT}")).await;
    let mut socket = bearer(&app, "/", &token(&[], 4)).await.expect("an upgrade");
    watch(&mut socket, &["nodes"]).await;
    assert_eq!(socket.hear_within(Duration::from_millis(5500)).await, Heard::Nothing);
    put(&app, "nodes").await;
    assert_eq!(told(&mut socket, "nodes").await["handler"], "item");
    app.stop().await;
}

#[tokio::test]
async fn a_new_credential_takes_the_place_of_one_that_ends() {
    let app = serve(JWT).await;
    let mut renewed = bearer(&app, "/", &token(&[], 6)).await.expect("an upgrade");
    let mut left = bearer(&app, "/", &token(&[], 6)).await.expect("an upgrade");
    watch(&mut renewed, &["nodes"]).await;
    renewed.say(present(&token(&[], 60))).await;
    renewed.settle_silently().await;
    assert!(matches!(left.hear().await, Heard::Close(4401, _)));
    put(&app, "nodes").await;
    assert_eq!(told(&mut renewed, "nodes").await["handler"], "item", "the watch was never interrupted");
    // And it ends with the new one.
    renewed.say(present(&token(&[], 4))).await;
    assert!(matches!(renewed.hear().await, Heard::Close(4401, _)));
    app.stop().await;
}

#[tokio::test]
async fn a_new_credential_gives_and_takes_rights() {
    let app = serve(JWT).await;
    let mut socket = socket(&app, "/plans", None).await.expect("anybody may come");
    socket.say(r#"{"handler":"all","ref":1}"#).await;
    assert_eq!(socket.json().await["params"]["error"], "E_RESOURCE");
    socket.say(present(&token(&["planner"], 60))).await;
    watch(&mut socket, &["plans", "nodes", "news"]).await;
    socket.say(present(&token(&[], 60))).await;
    assert_eq!(told(&mut socket, "plans").await["params"]["error"], "E_RESOURCE");
    put(&app, "plans").await;
    put(&app, "nodes").await;
    assert_eq!(told(&mut socket, "nodes").await["handler"], "item");
    app.stop().await;
}

#[tokio::test]
async fn a_bad_credential_changes_nothing_and_is_refused() {
    let app = serve(JWT).await;
    let mut socket = bearer(&app, "/", &token(&[], 60)).await.expect("an upgrade");
    watch(&mut socket, &["nodes"]).await;
    for (message, error) in [
        (present("x"), "E_UNAUTHORIZED"),
        (present(""), "E_UNAUTHORIZED"),
        (present(&(token(&[], 60) + "x")), "E_UNAUTHORIZED"),
        (r#"{"handler":"token"}"#.to_owned(), "E_MALFORMED"),
        (r#"{"handler":"token","params":{"token":7}}"#.to_owned(), "E_MALFORMED"),
        (r#"{"handler":"token","params":"x"}"#.to_owned(), "E_MALFORMED"),
    ] {
        socket.say(message.clone()).await;
        let refused = socket.json().await;
        assert_eq!((&refused["handler"], &refused["params"]["error"]), (&json!("error"), &json!(error)), "{message}");
        assert!(!refused.to_string().contains(&token(&[], 60)[..20]), "{refused}");
    }
    put(&app, "nodes").await;
    assert_eq!(told(&mut socket, "nodes").await["handler"], "item");
    app.stop().await;
}
