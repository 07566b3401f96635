//! Opaque tokens: whose they are, who may bring them, and until when they keep a socket.

use super::refusals::ask;
use super::world::{ANN, BOB, BOX};
use super::{COMMON, Setting};
use crate::auth::issuer::{Issuer, Mood, now};
use crate::server;
use crate::socket::{Heard, Socket};
use serde_json::json;
use std::time::Duration;
use tidings::app::App;
use tokio::time::sleep;

async fn serve(issuer: &Issuer, more: &str) -> App {
    let jwt = COMMON.lines().find(|line| line.starts_with("jwt")).expect("a line");
    let url = issuer.url("/introspect");
    let client = "client_id = \"tidings\", client_secret = \"very/secret\", client_ids = [\"web\"]";
    let introspection = format!("introspection = {{ url = \"{url}\", {client}, cache = \"0s\" }}");
    server::start(&Setting::embedded(more).configuration.replace(jwt, &introspection)).await
}

#[tokio::test]
async fn an_opaque_token_is_whose_its_issuer_says() {
    let issuer = Issuer::start().await;
    let app = serve(&issuer, "").await;
    let inactive =
        r#"{"code":"unauthorized","origin":"headers","desc":"token is not active: not authorized","details":{}}"#;
    let client = r#"{"code":"unauthorized","origin":"not_defined","desc":"unauthorized client","details":{}}"#;
    for (token, said, status, body) in [
        ("mid", json!({"mid": ANN, "sub": BOB}), 101, ""),
        ("ext", json!({"ext": {"mid": ANN}, "sub": BOB}), 101, ""),
        ("sub", json!({"mid": null, "ext": {"mid": ""}, "sub": ANN, "exp": now() + 60, "nbf": now() + 50}), 101, ""),
        ("no-identity", json!({"ext": {}}), 401, inactive),
        ("expired", json!({"sub": ANN, "exp": now() - 1}), 401, inactive),
        ("not-yet", json!({"sub": ANN, "nbf": now() + 120}), 401, inactive),
        ("inactive", json!({"sub": ANN, "active": false}), 401, inactive),
        ("refresh", json!({"sub": ANN, "token_type": "refresh_token"}), 401, inactive),
        ("refresh-use", json!({"sub": ANN, "token_use": "refresh_token"}), 401, inactive),
        ("client", json!({"sub": ANN, "client_id": "cli"}), 401, client),
    ] {
        let mut reply = json!({"active": true, "client_id": "web"});
        reply.as_object_mut().expect("an object").extend(said.as_object().expect("an object").clone());
        issuer.say(token, reply);
        let answer = ask(app.address(), &format!("/box-users/{ANN}/ws?access_token={token}"), "").await;
        assert_eq!((answer.status, &*answer.body), (status, body), "{token}");
    }
    issuer.is(Mood::Broken);
    let away = ask(app.address(), &format!("/box-users/{ANN}/ws?access_token=mid"), "").await;
    let unavailable = r#"{"code":"service_unavailable","origin":"not_defined","desc":"","details":{}}"#;
    assert_eq!((away.status, &*away.body), (503, unavailable));
    app.stop().await;
}

#[tokio::test]
async fn r4_a_revoked_token_does_not_keep_a_socket_and_an_issuer_that_is_away_ends_none() {
    let issuer = Issuer::start().await;
    let app = serve(&issuer, "recheck = \"30ms\"").await;
    let mut sockets = Vec::new();
    for (token, identity) in [("one", ANN), ("two", BOB)] {
        issuer.say(token, json!({"active": true, "client_id": "web", "mid": identity}));
        let url = format!("ws://{}/box-users/{identity}/ws?access_token={token}", app.address());
        sockets.push(Socket::open(&url).await.expect("it opens"));
    }
    issuer.is(Mood::Broken);
    let asked = issuer.asked_tokens();
    while issuer.asked_tokens() < asked + 6 {
        sleep(Duration::from_millis(5)).await;
    }
    issuer.say("one", json!({"active": false}));
    issuer.is(Mood::Well);
    assert_eq!(sockets[0].hear().await, Heard::Torn, "it ends without a close frame");
    let url = format!("http://{}/api/box_settings/1", app.address());
    let setting = json!({"identity_id": BOB, "box_id": BOX, "muted": true});
    reqwest::Client::new().put(url).json(&setting).send().await.expect("an answer");
    assert_eq!(sockets[1].json().await["type"], "box.settings", "the other one stays");
    app.stop().await;
}
