//! Opaque tokens, which only their issuer knows.

use super::issuer::{Issuer, Key, Mood, now};
use super::{RESOURCES, bearer, read, serve, statuses};
use crate::program;
use crate::socket::Heard;
use serde_json::json;
use std::io::Write;
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn settings(issuer: &Issuer, more: &str) -> String {
    let url = issuer.url("/introspect");
    format!("introspection = {{ url = \"{url}\", client_id = \"tidings\", client_secret = \"very/secret\", {more} }}")
}

#[tokio::test]
async fn an_opaque_token_is_what_its_issuer_says() {
    let issuer = Issuer::start().await;
    let app =
        serve(&settings(&issuer, "client_ids = [\"web\"], audience = \"tidings\", roles_claim = \"scope\"")).await;
    let good = json!({"active": true, "sub": "ann", "client_id": "web", "aud": "tidings", "scope": "read planner"});
    for (token, over, status) in [
        ("good", json!({}), 200),
        ("timed", json!({"exp": now() + 60, "nbf": now() - 60, "iat": now()}), 200),
        ("inactive", json!({"active": false}), 401),
        ("perhaps", json!({"active": "true"}), 401),
        ("refresh", json!({"token_type": "refresh_token"}), 401),
        ("access", json!({"token_type": "Bearer"}), 200),
        ("another-client", json!({"client_id": "cli"}), 401),
        ("no-client", json!({"client_id": null}), 401),
        ("expired", json!({"exp": now() - 60}), 401),
        ("not-yet", json!({"nbf": now() + 60}), 401),
        ("from-the-future", json!({"iat": now() + 60}), 401),
        ("no-subject", json!({"sub": null}), 401),
        ("another-audience", json!({"aud": "other"}), 401),
    ] {
        let mut said = good.clone();
        said.as_object_mut().expect("an object").extend(over.as_object().expect("an object").clone());
        issuer.say(token, said);
        assert_eq!(read(&app, "/api/plans", token).await.status(), status, "{token}");
    }
    assert_eq!(statuses(&app, "unknown").await, (401, 401));
    let asked = issuer.asked_tokens();
    assert_eq!(statuses(&app, "good").await, (101, 200));
    assert_eq!(issuer.asked_tokens(), asked, "it said so a moment ago");
    for word in ["", "two words", "é", &"a".repeat(20_000)] {
        assert_eq!(read(&app, "/api/plans", word).await.status(), 401, "{word:.20}");
    }
    assert_eq!(issuer.asked_tokens(), asked, "what cannot be a token is not asked for");
    app.stop().await;
}

#[tokio::test]
async fn what_cannot_be_judged_is_not_called_bad() {
    let issuer = Issuer::start().await;
    issuer.say("good", json!({"active": true, "sub": "ann"}));
    let app = serve(&settings(&issuer, "cache = \"0s\"")).await;
    for mood in [Mood::Broken, Mood::Elsewhere, Mood::Babbling, Mood::Silent] {
        issuer.is(mood);
        let started = Instant::now();
        let answer = read(&app, "/api/nodes", "good").await;
        assert_eq!(answer.status(), 503, "{mood:?}");
        assert!(answer.headers().contains_key("retry-after"));
        assert!(started.elapsed() < Duration::from_secs(20), "{mood:?}");
    }
    issuer.is(Mood::Broken);
    assert_eq!(statuses(&app, "good").await, (503, 503));
    issuer.is(Mood::Well);
    assert_eq!(statuses(&app, "good").await, (101, 200));
    let url = issuer.url("/introspect");
    let stranger =
        serve(&format!("introspection = {{ url = \"{url}\", client_id = \"x\", client_secret = \"y\" }}")).await;
    assert_eq!(statuses(&stranger, "good").await, (503, 503), "that we are not let in is not the client's fault");
    app.stop().await;
    stranger.stop().await;
}

#[tokio::test]
async fn a_signed_token_is_judged_by_its_signature_alone() {
    let issuer = Issuer::start().await;
    let key = Key::Ec("k1");
    issuer.publish(&[key]);
    let forged = key.sign(&json!({})).replace('.', ".e30") + "x";
    issuer.say(&forged, json!({"active": true, "sub": "ann"}));
    issuer.say("opaque", json!({"active": true, "sub": "ann"}));
    issuer.say("a.b.c", json!({"active": true, "sub": "ann"}));
    let jwt = format!("jwt = {{ algorithm = \"ES256\", jwks_url = \"{}\" }}", issuer.url("/keys"));
    let app = serve(&format!("{jwt}\n{}", settings(&issuer, ""))).await;
    for (token, status) in [(&*key.sign(&json!({})), 200), (&forged, 401), ("opaque", 200), ("a.b.c", 200)] {
        assert_eq!(read(&app, "/api/nodes", token).await.status(), status, "{token}");
    }
    assert_eq!(issuer.asked_tokens(), 2);
    app.stop().await;
}

#[tokio::test]
async fn a_token_that_is_taken_back_ends_its_socket_and_an_issuer_that_is_away_does_not() {
    let issuer = Issuer::start().await;
    for token in ["one", "two"] {
        issuer.say(token, json!({"active": true, "sub": token}));
    }
    let app = serve(&settings(&issuer, "cache = \"0s\", recheck = \"30ms\"")).await;
    let mut one = bearer(&app, "/nodes", "one").await.expect("an upgrade");
    let mut two = bearer(&app, "/nodes", "two").await.expect("an upgrade");
    issuer.is(Mood::Broken);
    let asked = issuer.asked_tokens();
    while issuer.asked_tokens() < asked + 6 {
        sleep(Duration::from_millis(5)).await;
    }
    one.settle().await;
    issuer.say("one", json!({"active": false}));
    issuer.is(Mood::Well);
    assert!(matches!(one.hear().await, Heard::Close(4401, _)));
    two.settle().await;
    app.stop().await;
}

#[tokio::test]
async fn rights_that_the_issuer_takes_away_are_gone_at_the_next_look() {
    let issuer = Issuer::start().await;
    issuer.say("one", json!({"active": true, "sub": "ann", "roles": ["planner"]}));
    let app = serve(&settings(&issuer, "cache = \"0s\", recheck = \"30ms\"")).await;
    let mut socket = bearer(&app, "/plans", "one").await.expect("an upgrade");
    socket.say(r#"{"handler":"watch","ref":"w"}"#).await;
    socket.settle().await;
    issuer.say("one", json!({"active": true, "sub": "ann", "roles": []}));
    let told = socket.json().await;
    assert_eq!((&told["ref"], &told["params"]["error"]), (&json!("w"), &json!("E_RESOURCE")), "{told}");
    app.stop().await;
}

#[tokio::test]
async fn check_says_whether_the_issuer_answers() {
    let issuer = Issuer::start().await;
    issuer.publish(&[Key::Rsa("k1")]);
    let jwt = format!("jwt = {{ algorithm = \"RS256\", jwks_url = \"{}\" }}", issuer.url("/keys"));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{RESOURCES}[auth]\n{jwt}\n{}", settings(&issuer, "")).expect("it is written");
    let path = file.path().display().to_string();
    let well = program::tidings(&["check", "--config", &path]).await;
    assert_eq!(well.code, Some(0), "{}{}", well.out, well.err);
    for said in ["tokens signed by RS256 with a key of", "it has 1", "says which opaque tokens are active"] {
        assert!(well.out.contains(said), "{said} is not in\n{}", well.out);
    }
    issuer.is(Mood::Broken);
    let ill = program::tidings(&["check", "--config", &path]).await;
    assert_eq!(ill.code, Some(3), "{}{}", ill.out, ill.err);
    assert_eq!(ill.out.matches("answers 500").count(), 2, "{}", ill.out);
    assert!(!ill.out.contains("very/secret"));
}
