//! Operations that are functions of a database: what they are given, what they give, and how they fail.

use super::{call, configuration, is_silent, open, post, prepared, start};
use crate::socket::PATIENCE;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PUBLIC: &str = "n::000000000000000000000001";

#[tokio::test]
async fn what_a_function_returns_becomes_reports() {
    let Some((database, _client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    assert_eq!(post(&app, "nothing", "").await, (200, json!({"status": 200})));
    for (value, answer) in [
        ("null", json!({"status": 200})),
        ("[]", json!({"status": 200})),
        ("[1, \"a\", null]", json!({"status": 200, "reports": [1, "a", null]})),
        ("{\"a\": [1]}", json!({"status": 200, "reports": [{"a": [1]}]})),
        ("\"text\"", json!({"status": 200, "reports": ["text"]})),
        ("false", json!({"status": 200, "reports": [false]})),
    ] {
        assert_eq!(post(&app, "value", &format!("{{\"value\": {value}}}")).await, (200, answer), "{value}");
    }
    assert_eq!(post(&app, "odd", "{}").await, (200, json!({"status": 200, "reports": ["odd"]})));
    let (mut socket, client) = open(&app, "room").await;
    call(&mut socket, "echo", json!({"a": {"b": 1}})).await;
    let viewer = json!({"root_id": PUBLIC, "authenticated": false, "client_id": client, "channel_id": "room",
        "node": PUBLIC, "claims": {}});
    assert_eq!(socket.json().await, json!({"status": 200, "reports": [{"a": {"b": 1}}, viewer]}));
    app.stop().await;
}

#[tokio::test]
async fn r3_every_type_of_the_database_is_json_and_a_large_answer_arrives_whole() {
    let Some((database, _client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    let (mut socket, _) = open(&app, "room").await;
    call(&mut socket, "types", json!({})).await;
    let reports = json!([
        "2026-01-02T03:04:05.678",
        "2026-01-02",
        "P1D",
        1e30,
        "\\xff00",
        true,
        "10.0.0.1",
        "[1,5)",
        [1, null],
        123_456_789_012_345_678_901_234_567_890.5_f64
    ]);
    assert_eq!(socket.json().await, json!({"status": 200, "reports": reports}));
    call(&mut socket, "many", json!({})).await;
    let answer = socket.json().await;
    let reports = answer["reports"].as_array().expect("reports");
    assert_eq!((reports.len(), reports[29_999].as_str().map(str::len)), (30_000, Some(100)));
    app.stop().await;
}

#[tokio::test]
async fn what_a_function_pushes_comes_in_order_and_before_its_answer() {
    let Some((database, _client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    let (mut socket, _) = open(&app, "room").await;
    let (mut other, _) = open(&app, "other").await;
    for n in 0..20 {
        call(&mut socket, "tell", json!({"room": "room", "n": n})).await;
        assert_eq!(socket.json().await, json!({"to": "self"}));
        assert_eq!(socket.json().await, json!({"n": n, "at": "2026-01-02"}), "a date is text");
        assert_eq!(socket.json().await, json!({"to": "user"}));
        assert_eq!(socket.json().await, json!({"status": 200, "reports": ["told"]}));
        assert_eq!(other.json().await, json!({"to": "user"}));
    }
    let answer = post(&app, "tell", "{\"room\": \"room\", \"n\": 99}").await;
    assert_eq!(answer, (200, json!({"status": 200, "reports": ["told"]})));
    assert_eq!(socket.json().await, json!({"n": 99, "at": "2026-01-02"}), "nobody is a backend's own socket");
    assert_eq!(socket.json().await, json!({"to": "user"}));
    is_silent(&mut socket).await;
    app.stop().await;
}

#[tokio::test]
async fn r7_a_function_that_fails_pushes_nothing_and_its_own_words_are_told_but_no_others() {
    let Some((database, client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    let (mut socket, _) = open(&app, "room").await;
    let context = json!({"room": "room", "n": 1, "seconds": 30});
    for (walker, message) in [
        ("raise", json!({"error": ["no room today\n"]})),
        ("break", json!({"error": ["Event break failed.\n"]})),
        ("late", json!({"error": ["Event late failed.\n"]})),
        ("hurried", json!({"type": "walker", "error": "Event hurried timed out!"})),
    ] {
        call(&mut socket, walker, context.clone()).await;
        assert_eq!(socket.json().await, message, "nothing comes before it");
        let unasked = json!({"type": "walker", "walker": walker, "context": context});
        socket.say(unasked.to_string()).await;
        assert_eq!(socket.json().await, message, "also who asks for no answer is told");
    }
    for (walker, answer) in [
        ("raise", (400, json!({"detail": "no room today"}))),
        ("break", (500, json!({"detail": "Event break failed."}))),
        ("hurried", (504, json!({"detail": "Event hurried timed out!"}))),
    ] {
        assert_eq!(post(&app, walker, &context.to_string()).await, answer);
    }
    let count = client.query_one("select count(*) from tidings.push", &[]).await.expect("a count");
    assert_eq!(count.get::<_, i64>(0), 0);
    call(&mut socket, "tell", context).await;
    assert_eq!(socket.json().await, json!({"to": "self"}), "it goes on");
    app.stop().await;
}

#[tokio::test]
async fn what_no_database_can_store_fails_cleanly() {
    let Some((database, _client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    let (mut socket, _) = open(&app, "room").await;
    for context in ["{\"a\":\"\\u0000\"}", "{\"a\\u0000\":1}", "{\"a\":\"\\ud800\"}", "{\"a\":1e999999}"] {
        socket.say(format!("{{\"type\":\"walker\",\"walker\":\"echo\",\"context\":{context}}}")).await;
        assert_eq!(socket.json().await, json!({"error": ["Event echo failed.\n"]}), "{context}");
    }
    call(&mut socket, "nothing", json!({})).await;
    assert_eq!(socket.json().await, json!({"status": 200}));
    app.stop().await;
}

#[tokio::test]
async fn a_call_leaves_nothing_behind_in_its_connection() {
    let Some((database, _client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    let (mut socket, client) = open(&app, "room").await;
    for _ in 0..4 {
        call(&mut socket, "settings", json!({})).await;
        assert_eq!(socket.json().await["reports"], json!([client, "read committed", "30s"]));
        assert_eq!(post(&app, "settings", "").await.1["reports"], json!(["", "read committed", "30s"]));
        assert_eq!(post(&app, "raise", "{}").await.0, 400);
    }
    app.stop().await;
}

#[tokio::test]
async fn sockets_that_leave_in_the_middle_of_a_call_keep_no_connection() {
    let Some((database, client)) = prepared().await else { return };
    let app = start(&configuration(&database, "", "")).await;
    for _ in 0..4 {
        let (mut socket, _) = open(&app, "room").await;
        call(&mut socket, "slow", json!({"room": "room", "seconds": 0.5})).await;
        let end = Instant::now() + PATIENCE;
        let running = "select count(*) from pg_stat_activity where query like '%app%slow%' and state = 'active' \
            and pid <> pg_backend_pid() and datname = current_database()";
        while client.query_one(running, &[]).await.expect("a count").get::<_, i64>(0) == 0 {
            assert!(Instant::now() < end, "it is not called");
            sleep(Duration::from_millis(5)).await;
        }
        drop(socket);
    }
    for _ in 0..4 {
        assert_eq!(post(&app, "settings", "").await.1["reports"], json!(["", "read committed", "30s"]));
    }
    app.stop().await;
}
