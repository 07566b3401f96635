//! What an operator's tools are told: alive, ready, and numbers that move; and what every path answers.

use crate::postgres::Database;
use crate::program::Running;
use crate::socket::PATIENCE;
use serde_json::json;
use std::fs;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Waits until a path answers with this status, and returns the body.
async fn becomes(server: &Running, path: &str, status: u16) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let (found, body) = server.get(path).await;
        if found == status {
            return body;
        }
        assert!(Instant::now() < end, "{path} stays {found}: {body}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// One number of `/metrics`.
async fn number(server: &Running, name: &str) -> f64 {
    let (_, text) = server.get("/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0.0, |number| number.parse().expect("a number"))
}

/// Waits until a number is this one.
async fn counts(server: &Running, name: &str, wanted: f64) {
    let end = Instant::now() + PATIENCE;
    while number(server, name).await != wanted {
        assert!(Instant::now() < end, "{name} is {}, not {wanted}", number(server, name).await);
        sleep(Duration::from_millis(20)).await;
    }
}

async fn embedded() -> (Running, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    fs::write(&path, "[resources.nodes]\nsource = \"embedded\"\nwritable = true\n").unwrap();
    (Running::serve(&["--config", path.to_str().unwrap()]).await, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_down_or_behind_is_not_ready_and_says_why() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    client.batch_execute("create table public.nodes (id int primary key)").await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    // A password that trust does not ask for, to see that it is never shown.
    let (scheme, rest) = database.url().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (user, place) = rest.split_once('@').unwrap();
    let name = place.rsplit_once('/').unwrap().1.to_owned();
    let url = format!("{scheme}://{}:hush@{place}", user.split(':').next().unwrap());
    let text = format!(
        "[server]\nready_lag = \"100ms\"\n[sources.db]\nurl = \"{url}\"\ncapture = \"outbox\"\n[resources.nodes]\n"
    );
    fs::write(&path, text).unwrap();
    let mut server = Running::serve(&["-v", "--install", "--config", path.to_str().unwrap()]).await;
    assert_eq!(server.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(becomes(&server, "/readyz", 200).await, "ready\n");
    assert_eq!(number(&server, "tidings_source_up{source=\"db\"}").await, 1.0);

    // Nothing can be read of the outbox: behind.
    client.batch_execute("begin; lock table tidings.change in access exclusive mode").await.unwrap();
    let body = becomes(&server, "/readyz", 503).await;
    assert!(body.starts_with("source db: behind for "), "{body}");
    assert!(number(&server, "tidings_source_lag_seconds{source=\"db\"}").await > 0.0);
    client.batch_execute("commit").await.unwrap();
    becomes(&server, "/readyz", 200).await;

    // Nobody is let in any more, and who is in is thrown out: down.
    let admin = database.admin().await;
    admin.batch_execute(&format!("alter database {name} allow_connections false")).await.unwrap();
    let others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    admin.query(others, &[&name]).await.unwrap();
    let body = becomes(&server, "/readyz", 503).await;
    assert!(body.starts_with("source db: down for 0 s: "), "{body}");
    assert_eq!(server.get("/healthz").await.0, 200, "it lives all the same");
    counts(&server, "tidings_source_up{source=\"db\"}", 0.0).await;
    server.hear("a source is lost; trying again").await;
    server.hear(&format!("database \"{name}\" is not currently accepting connections")).await;

    admin.batch_execute(&format!("alter database {name} allow_connections true")).await.unwrap();
    becomes(&server, "/readyz", 200).await;
    server.hear("a source is back").await;
    server.stop().await;
    assert!(!server.said().contains("hush"), "{}", server.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_move() {
    let (mut server, _directory) = embedded().await;
    let answer = reqwest::get(server.http("/metrics")).await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");

    let (mut socket, _) = server.watch("/nodes").await;
    socket.say("no message").await;
    // What is told from the log is not matched.
    counts(&server, "tidings_connections_lagging", 0.0).await;
    let client = reqwest::Client::new();
    for name in ["a", "b", "c"] {
        client.put(server.http("/api/nodes/n1")).json(&json!({"name": name})).send().await.unwrap();
        socket.json().await;
    }
    for (name, wanted) in [
        ("tidings_connections", 1.0),
        ("tidings_connections_opened_total", 1.0),
        ("tidings_watches", 1.0),
        ("tidings_groups", 1.0),
        ("tidings_deliveries_total", 3.0),
        ("tidings_matches_total", 3.0),
        ("tidings_messages_total{handler=\"watch\"}", 1.0),
        ("tidings_messages_total{handler=\"ignored\"}", 1.0),
        ("tidings_entries_total{source=\"embedded\",operation=\"created\"}", 1.0),
        ("tidings_entries_total{source=\"embedded\",operation=\"updated\"}", 2.0),
        ("tidings_log_last_offset", 3.0),
        ("tidings_log_floor_offset", 0.0),
        ("tidings_flush_bytes_count", 3.0),
        ("tidings_source_up{source=\"embedded\"}", 1.0),
        ("tidings_connections_lagging", 0.0),
    ] {
        counts(&server, name, wanted).await;
    }
    assert!(number(&server, "tidings_log_bytes").await > 0.0);
    assert!(number(&server, "tidings_written_bytes_total").await > number(&server, "tidings_flush_bytes_sum").await);

    // A client that comes back.
    drop(socket);
    counts(&server, "tidings_connections", 0.0).await;
    counts(&server, "tidings_watches", 0.0).await;
    let mut socket = server.socket("/nodes").await;
    socket.say(r#"{"handler":"watch","since":"0:0"}"#).await;
    assert_eq!(socket.json().await["complete"], json!(false));
    counts(&server, "tidings_resumes_started_over_total", 1.0).await;
    server.stop().await;
}

/// The text form, as its grammar has it: families one after the other, described before they are told.
#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_openmetrics() {
    let (mut server, _directory) = embedded().await;
    let (_socket, _) = server.watch("/nodes").await;
    let (_, text) = server.get("/metrics").await;
    let (mut family, mut kind, mut seen) = (String::new(), String::new(), Vec::new());
    for line in text.lines().take_while(|line| *line != "# EOF") {
        if let Some(described) = line.strip_prefix("# ") {
            let words: Vec<&str> = described.splitn(3, ' ').collect();
            let [keyword, name, rest] = words[..] else { panic!("{line}") };
            assert!(["HELP", "TYPE", "UNIT"].contains(&keyword), "{line}");
            if name != family {
                assert!(!seen.contains(&name.to_owned()), "{name} is told in two places");
                family = name.to_owned();
                seen.push(family.clone());
            }
            match keyword {
                "TYPE" => kind = rest.to_owned(),
                "UNIT" => assert!(family.ends_with(&format!("_{rest}")), "{line}"),
                _ => {}
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a name and a number");
        value.parse::<f64>().unwrap_or_else(|_| panic!("no number: {line}"));
        let bare = name.split('{').next().unwrap();
        let suffixes: &[&str] = match &*kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_sum", "_count", "_bucket"],
            other => panic!("{other}: {line}"),
        };
        assert!(suffixes.iter().any(|suffix| bare == format!("{family}{suffix}")), "{line} in {family} ({kind})");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(seen.iter().all(|name| name.starts_with("tidings_")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_answers_and_takes_sockets() {
    let (mut server, _directory) = embedded().await;
    let client = reqwest::Client::new();
    let page = client.get(server.http("/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(page.headers()["access-control-allow-origin"], "*");
    for path in ["/", "/api", "/api/nodes", "/healthz", "/nowhere/at/all"] {
        let answer = client.request(reqwest::Method::OPTIONS, server.http(path)).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
            (204, &"*".parse().unwrap())
        );
    }
    let missing = client.get(server.http("/nowhere")).send().await.unwrap();
    assert_eq!(
        (missing.status().as_u16(), &missing.headers()["access-control-allow-origin"]),
        (404, &"*".parse().unwrap())
    );
    for path in ["/", "/api", "/api/nodes", "/healthz", "/readyz", "/metrics", "/console", "/no/where"] {
        let mut socket = server.socket(path).await;
        socket.say(r#"{"resource":"nodes","handler":"watch","initial":true}"#).await;
        assert_eq!(socket.json().await["items"], json!([]), "{path}");
    }
    server.stop().await;
}
