//! Keys that an issuer publishes: they are replaced while sockets are open, and the issuer is away.

use super::issuer::{Issuer, Key, Mood};
use super::{bearer, read, serve, statuses};
use crate::socket::PATIENCE;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const ONE: Key = Key::Rsa("k1");
const TWO: Key = Key::Ec("k2");

fn settings(url: &str, more: &str) -> String {
    format!("jwt = {{ algorithm = [\"RS256\", \"ES256\"], jwks_url = \"{url}\", {more} }}")
}

#[tokio::test]
async fn a_key_that_is_replaced_is_found_at_once_and_open_sockets_stay() {
    let issuer = Issuer::start().await;
    issuer.publish(&[ONE]);
    let app = serve(&settings(&issuer.url("/keys"), "jwks_cooldown = \"10ms\"")).await;
    let mut early = bearer(&app, "/nodes", &ONE.sign(&json!({}))).await.expect("an upgrade");
    sleep(Duration::from_millis(20)).await;
    issuer.publish(&[TWO]);
    let mut late = bearer(&app, "/nodes", &TWO.sign(&json!({}))).await.expect("the new key is found");
    sleep(Duration::from_millis(20)).await;
    assert_eq!(statuses(&app, &ONE.sign(&json!({}))).await, (401, 401), "the old one is no longer published");
    early.settle().await;
    late.settle().await;
    app.stop().await;
}

#[tokio::test]
async fn keys_are_read_again_now_and_then_and_one_taken_back_is_forgotten() {
    let issuer = Issuer::start().await;
    issuer.publish(&[ONE, TWO]);
    let app = serve(&settings(&issuer.url("/keys"), "jwks_cooldown = \"10ms\", jwks_refresh = \"50ms\"")).await;
    assert_eq!(statuses(&app, &ONE.sign(&json!({}))).await, (101, 200));
    issuer.publish(&[TWO]);
    let end = Instant::now() + PATIENCE;
    while read(&app, "/api/nodes", &ONE.sign(&json!({}))).await.status() != 401 {
        assert!(Instant::now() < end, "it is believed for ever");
        sleep(Duration::from_millis(10)).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn names_of_keys_that_nobody_publishes_do_not_hammer_the_issuer() {
    let issuer = Issuer::start().await;
    issuer.publish(&[ONE]);
    let app = serve(&settings(&issuer.url("/keys"), "jwks_cooldown = \"10m\"")).await;
    assert_eq!(statuses(&app, &ONE.sign(&json!({}))).await, (101, 200));
    let unknown = Key::Rsa("nobody").sign(&json!({}));
    let asking = (0..50).map(|_| read(&app, "/api/nodes", &unknown));
    for answer in futures_util::future::join_all(asking).await {
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(issuer.asked_keys(), 1);
    app.stop().await;
}

#[tokio::test]
async fn while_the_issuer_is_away_known_keys_go_on_and_others_are_told_to_come_back() {
    let issuer = Issuer::start().await;
    issuer.publish(&[ONE]);
    let app = serve(&settings(&issuer.url("/keys"), "jwks_cooldown = \"10ms\", jwks_refresh = \"20ms\"")).await;
    let (known, unknown) = (ONE.sign(&json!({})), TWO.sign(&json!({})));
    assert_eq!(statuses(&app, &known).await, (101, 200));
    for mood in [Mood::Broken, Mood::Elsewhere, Mood::Babbling] {
        issuer.is(mood);
        let asked = issuer.asked_keys();
        while issuer.asked_keys() < asked + 2 {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(statuses(&app, &known).await, (101, 200), "{mood:?}");
        assert_eq!(statuses(&app, &unknown).await, (503, 503), "{mood:?}");
    }
    let answer = read(&app, "/api/nodes", &unknown).await;
    assert!(answer.headers()["retry-after"].to_str().is_ok_and(|seconds| seconds.parse::<u32>().is_ok()));
    issuer.is(Mood::Well);
    issuer.publish(&[ONE, TWO]);
    let end = Instant::now() + PATIENCE;
    while statuses(&app, &unknown).await != (101, 200) {
        assert!(Instant::now() < end, "the issuer is back");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_waited_for() {
    // Nobody listens there until later.
    let place = Issuer::start().await.address().to_string();
    let app = serve(&settings(&format!("http://{place}/keys"), "jwks_cooldown = \"10ms\"")).await;
    let token = ONE.sign(&json!({}));
    assert_eq!(statuses(&app, &token).await, (503, 503));
    let unsigned = "eyJhbGciOiJub25lIn0.e30.";
    assert_eq!(statuses(&app, unsigned).await, (401, 401), "what is bad is bad without a key");
    let issuer = Issuer::start_at(&place).await;
    issuer.publish(&[ONE]);
    let end = Instant::now() + PATIENCE;
    while statuses(&app, &token).await != (101, 200) {
        assert!(Instant::now() < end, "the issuer is there");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_issuer_that_never_answers_is_given_up() {
    let issuer = Issuer::start().await;
    issuer.is(Mood::Silent);
    let app = serve(&settings(&issuer.url("/keys"), "jwks_cooldown = \"10s\"")).await;
    let token = ONE.sign(&json!({}));
    let started = Instant::now();
    let asking = (0..20).map(|_| read(&app, "/api/nodes", &token));
    for answer in futures_util::future::join_all(asking).await {
        assert_eq!(answer.status(), 503);
    }
    // All of them wait for one answer, and no longer than one may take.
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(issuer.asked_keys(), 1);
    app.stop().await;
}
