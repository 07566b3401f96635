//! Who may connect, and what a viewer may know of.

use crate::server;
use crate::socket::{Heard, PATIENCE, Socket};
use crate::writer::Writer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tidings::app::App;
use tidings::auth::{Algorithm, Claims, Mint, Secret, Settings};
use tidings::event::Timestamp;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Request;

const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
jwt = { algorithm = "HS256", secret = "quite secret", leeway = "0s" }
[monorail]
auth = "required"
[resources.nodes]
source = "embedded"
writable = true
read = "authenticated"
[resources.plans]
source = "embedded"
writable = true
read = ["planner"]
[resources."mq:on.plans"]
source = "embedded"
append_only = true
keep = 3
read = ["planner"]
"#;

/// A token that is valid from `signed` on, in seconds since 1970.
fn token(secret: &str, roles: &[&str], signed: i64, lifetime: Duration) -> String {
    let mint = Mint::new(&Settings::new(Algorithm::default(), Secret::new(secret))).expect("a secret that signs");
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    let claims = Claims { subject: "ann".to_owned(), roles, lifetime, ..Claims::default() };
    mint.sign(&claims, signed).expect("a token")
}

fn now() -> i64 {
    Timestamp::now().0 / 1000
}

fn good(roles: &[&str]) -> String {
    token("quite secret", roles, now(), Duration::from_secs(600))
}

/// The handshake, with a header if there is one.
fn request(app: &App, path: &str, header: Option<(&'static str, String)>) -> Request<()> {
    let mut request = format!("ws://{}{path}", app.address()).into_client_request().expect("a request");
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    request
}

async fn as_viewer(app: &App, path: &str, token: &str) -> Socket {
    let bearer = Some(("authorization", format!("Bearer {token}")));
    Socket::ask(request(app, path, bearer)).await.expect("an upgrade")
}

#[tokio::test]
async fn without_a_good_token_there_is_no_upgrade_and_no_reading() {
    let app = server::start(CONFIGURATION).await;
    let forged = token("another secret", &[], now(), Duration::from_secs(600));
    let late = token("quite secret", &[], now() - 60, Duration::from_secs(59));
    let none = good(&[]).rsplit_once('.').expect("a signature").0.to_owned() + ".";
    for bad in [
        "",
        "Bearer",
        "Bearer x",
        "Basic YTpi",
        &format!("Bearer {forged}"),
        &format!("Bearer {late}"),
        &format!("Bearer {none}"),
    ] {
        let header = (!bad.is_empty()).then(|| ("authorization", bad.to_owned()));
        assert_eq!(Socket::ask(request(&app, "/nodes", header)).await.err(), Some(401), "{bad}");
    }
    for query in ["", "?access_token=", "?access_token=x", &format!("?access_token={forged}")] {
        assert_eq!(Socket::ask(request(&app, &format!("/nodes{query}"), None)).await.err(), Some(401), "{query}");
        let answer = Writer::to(app.address()).ask(Method::GET, &format!("/api/nodes{query}"), &[], &Value::Null).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let by_query = Socket::ask(request(&app, &format!("/nodes?access_token={}", good(&[])), None)).await;
    for mut socket in [by_query.expect("an upgrade"), as_viewer(&app, "/nodes", &good(&[])).await] {
        socket.say(r#"{"handler":"all"}"#).await;
        assert_eq!(socket.json().await["items"], json!([]));
    }
    app.stop().await;
}

#[tokio::test]
async fn a_connection_ends_with_its_credential() {
    let app = server::start(CONFIGURATION).await;
    let mut short = as_viewer(&app, "/nodes", &token("quite secret", &[], now(), Duration::from_secs(2))).await;
    let mut long = as_viewer(&app, "/nodes", &good(&[])).await;
    assert!(matches!(short.hear_within(PATIENCE).await, Heard::Close(4401, _)));
    long.settle().await;
    app.stop().await;
}

#[tokio::test]
async fn a_resource_for_others_is_as_if_unknown() {
    let app = server::start(CONFIGURATION).await;
    let (planner, other) = (good(&["planner"]), good(&["painter"]));
    let mut allowed = as_viewer(&app, "/plans", &planner).await;
    let mut curious = as_viewer(&app, "/plans", &other).await;
    allowed.say(r#"{"handler":"watch"}"#).await;
    allowed.settle().await;
    for resource in ["plans", "no such thing"] {
        for (handler, more) in
            [("watch", json!({})), ("all", json!({})), ("query", json!({})), ("get", json!({"params": "p1"}))]
        {
            let mut message = json!({"handler": handler, "resource": resource});
            message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            curious.say(message.to_string()).await;
            message["ref"] = json!(1);
            curious.say(message.to_string()).await;
            let answer = curious.json().await;
            assert_eq!((&answer["handler"], &answer["ref"]), (&json!("error"), &json!(1)));
            assert_eq!(answer["params"]["error"], "E_RESOURCE");
            assert_eq!(answer["params"]["summary"], "there is no such resource");
        }
    }
    curious.say(r##"{"handler":"watch","resource":"mq","params":{"exchange":"on.plans","routingKey":"#"}}"##).await;
    assert_eq!(curious.json().await["params"]["error"], "E_EXCHANGE");

    let (as_planner, as_other) = (format!("Bearer {planner}"), format!("Bearer {other}"));
    let writer = Writer::to(app.address());
    let put = writer.ask(Method::PUT, "/api/plans/p1", &[("authorization", &as_planner)], &json!({"a": 1})).await;
    assert_eq!(put.status(), StatusCode::CREATED);
    assert_eq!(allowed.json().await["data"], json!({"id": "p1", "a": 1}));
    // Were anything told to the curious one, it would come before this.
    curious.settle_silently().await;

    let read =
        async |who: &str, path: &str| writer.ask(Method::GET, path, &[("authorization", who)], &Value::Null).await;
    for path in ["/api/plans", "/api/plans/p1", "/api/mq:on.plans"] {
        assert_eq!(read(&as_other, path).await.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(read(&as_planner, path).await.status(), StatusCode::OK, "{path}");
    }
    let write = writer.ask(Method::PUT, "/api/plans/p2", &[("authorization", &as_other)], &json!({})).await;
    assert_eq!(write.status(), StatusCode::NOT_FOUND);
    let overview = read(&as_other, "/api").await.text().await.expect("a text");
    assert!(overview.contains("nodes") && !overview.contains("plans"), "{overview}");
    app.stop().await;
}

#[tokio::test]
async fn browsers_come_only_from_where_they_may() {
    let origins =
        "listen = \"127.0.0.1:0\"\norigins = [\"https://good.example\"]\n[resources.nodes]\nsource = \"embedded\"\n";
    let app = server::start(&format!("[server]\n{origins}")).await;
    let from = |origin: &str| request(&app, "/nodes", Some(("origin", origin.to_owned())));
    for bad in ["https://evil.example", "http://good.example", "https://good.example.evil", "null"] {
        assert_eq!(Socket::ask(from(bad)).await.err(), Some(403), "{bad}");
    }
    Socket::ask(from("https://good.example")).await.expect("it may come");
    Socket::ask(request(&app, "/nodes", None)).await.expect("no browser");
    app.stop().await;
}

#[tokio::test]
async fn what_is_hidden_is_never_told_and_cannot_be_asked_for() {
    let hidden = "source = \"embedded\"\nwritable = true\nhide = [\"config.*password*\", \"token\"]\n";
    let app = server::start(&format!("[server]\nlisten = \"127.0.0.1:0\"\n[resources.pollers]\n{hidden}")).await;
    let writer = Writer::to(app.address());
    let mut socket = Socket::open(&format!("ws://{}/pollers", app.address())).await.expect("an upgrade");
    let mut guess = Socket::open(&format!("ws://{}/pollers", app.address())).await.expect("an upgrade");
    for watch in [json!({"ref": 1}), json!({"ref": 2, "patch": true, "initial": true})] {
        let mut message = json!({"handler": "watch"});
        message.as_object_mut().expect("an object").extend(watch.as_object().expect("an object").clone());
        socket.say(message.to_string()).await;
    }
    socket.settle().await;
    for params in [
        json!({"token": "s3cret"}),
        json!({"config.adminPassword": {"$startsWith": "s3"}}),
        json!({"token": {"$exists": true}}),
    ] {
        guess.say(json!({"handler": "watch", "params": params}).to_string()).await;
    }
    guess.settle().await;

    let record = |config: Value| json!({"token": "s3cret", "config": config, "name": "p"});
    let password = |host: &str| json!({"adminPassword": "s3cret", "host": host});
    writer.put("pollers", "p1", record(password("a"))).await;
    writer.put("pollers", "p1", record(password("b"))).await;
    // Only what is hidden changes: nobody is told.
    writer.put("pollers", "p1", record(json!({"adminPassword": "s3cret too", "host": "b"}))).await;
    for message in [
        json!({"handler": "all"}),
        json!({"handler": "query", "params": {"name": "p"}}),
        json!({"handler": "get", "params": "p1"}),
        json!({"handler": "query", "options": {"fields": ["token", "config.adminPassword"], "sort": "token"}}),
    ] {
        socket.say(message.to_string()).await;
    }
    socket.say(r#"{"handler":"barrier","ref":"read"}"#).await;
    let mut told = Vec::new();
    loop {
        let message = socket.json().await;
        if message["ref"] == "read" {
            writer.remove("pollers", "p1").await;
            socket.say(r#"{"handler":"barrier","ref":"end"}"#).await;
            continue;
        }
        if message["ref"] == "end" {
            break;
        }
        let text = message.to_string();
        assert!(!text.contains("s3cret") && !text.contains("assword") && !text.contains("token"), "{text}");
        told.push(message);
    }
    let of = |handler: &str| told.iter().filter(|message| message["handler"] == handler).count();
    // Two watches of create and update (one as a patch) and remove; one document by get.
    assert_eq!((of("item"), of("patch"), of("remove"), of("list")), (4, 1, 2, 3), "{told:#?}");
    guess.settle_silently().await;

    writer.put("pollers", "p2", record(password("a"))).await;
    for path in ["/api/pollers", "/api/pollers/p2", "/api/pollers?fields=token,config", "/api/pollers?filter={}"] {
        let text = writer.ask(Method::GET, path, &[], &Value::Null).await.text().await.expect("a text");
        assert!(text.contains("p2") && !text.contains("s3cret"), "{path}: {text}");
    }
    for filter in [json!({"token": "s3cret"}), json!({"config.adminPassword": "s3cret"})] {
        let answer = writer.ask(Method::GET, &format!("/api/pollers?filter={filter}"), &[], &Value::Null).await;
        assert_eq!(answer.text().await.expect("a text"), "[]");
        socket.say(json!({"handler": "query", "params": filter}).to_string()).await;
        socket.say(json!({"handler": "query", "params": filter, "ref": "guess"}).to_string()).await;
        loop {
            let message = socket.json().await;
            if message["handler"] == "list" {
                assert_eq!(message["items"], json!([]));
            }
            if message["ref"] == "guess" {
                break;
            }
        }
    }
    app.stop().await;
}
