//! How it ends: clients are told to go, nothing is lost, and whoever insists does not wait.

use crate::program::{Running, tidings};
use crate::socket::{Heard, Socket};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn configuration(server: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    let data = directory.path().join("data");
    let text = format!(
        "[server]\ndata = {:?}\n{server}\n[resources.nodes]\nsource = \"embedded\"\nwritable = true\n",
        data.display().to_string()
    );
    fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

async fn put(server: &Running, id: &str) {
    let put = reqwest::Client::new().put(server.http(&format!("/api/nodes/{id}"))).json(&json!({"id": id}));
    assert_eq!(put.send().await.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_to_go_one_after_the_other_and_resume_where_they_were() {
    let (_directory, path) = configuration("drain_seconds = 1\nshards = 1");
    let mut server = Running::serve(&["--config", &path]).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        let mut socket = server.socket("/nodes").await;
        socket.say(r#"{"handler":"watch","initial":true,"positions":true}"#).await;
        socket.json().await;
        sockets.push(socket);
    }
    put(&server, "n1").await;
    let mut position = Value::Null;
    for socket in &mut sockets {
        position = socket.json().await["position"].clone();
    }
    let asked = Instant::now();
    server.signal("TERM");
    let goodbyes = sockets
        .into_iter()
        .map(|mut socket: Socket| tokio::spawn(async move { (socket.hear().await, asked.elapsed()) }));
    let mut times = Vec::new();
    for goodbye in goodbyes.collect::<Vec<_>>() {
        let (heard, after) = goodbye.await.unwrap();
        assert_eq!(heard, Heard::Close(1001, "going down".to_owned()));
        times.push(after);
    }
    times.sort();
    assert!(times[99] - times[0] > Duration::from_millis(500), "{times:?}");
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.said());
    assert!(!server.said().contains("cut off"), "{}", server.said());

    let mut server = Running::serve(&["--config", &path]).await;
    put(&server, "n2").await;
    let mut socket = server.socket("/nodes").await;
    socket.say(json!({"handler": "watch", "since": position}).to_string()).await;
    let (verdict, missed) = (socket.json().await, socket.json().await);
    assert_eq!((&verdict["handler"], &verdict["complete"]), (&json!("resumed"), &json!(true)), "{verdict}");
    assert_eq!(missed["id"], json!(["created", "n2"]), "{missed}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    for second in ["TERM", "INT"] {
        let (_directory, path) = configuration("drain_seconds = 60\nshards = 1");
        let mut server = Running::serve(&["--config", &path]).await;
        let mut sockets = Vec::new();
        for _ in 0..3 {
            sockets.push(server.watch("/nodes").await.0);
        }
        server.signal("TERM");
        server.hear("going down").await;
        let asked = Instant::now();
        server.signal(second);
        assert_eq!(server.ended().await.code(), Some(1), "{}", server.said());
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        assert!(server.said().ends_with("error: ended at once, as it was asked twice\n"), "{}", server.said());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_fields_as_text_or_json() {
    let (_directory, path) = configuration("");
    let mut text = Running::serve(&["--config", &path]).await;
    let address = text.address();
    text.stop().await;
    assert!(text.said().contains(&format!(" INFO serving address={address}\n")), "{}", text.said());
    assert!(!text.said().contains('\x1b'), "no colours where nobody looks");
    let quiet = text.said().lines().count();

    let mut json = Running::serve(&["--log-format", "json", "--config", &path]).await;
    json.stop().await;
    let lines: Vec<Value> = json.said().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let serving = lines.iter().find(|line| line["message"] == "serving").unwrap();
    assert!(serving["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{serving}");
    assert_eq!(serving["level"], "INFO");

    let mut verbose = Running::serve(&["-v", "--config", &path]).await;
    verbose.stop().await;
    assert!(verbose.said().lines().count() > quiet, "{}", verbose.said());
    assert!(verbose.said().contains("DEBUG"), "{}", verbose.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_lines_filters_counts_and_goes_on_after_a_restart() {
    let (_directory, path) = configuration("drain_seconds = 0");
    let mut server = Running::serve(&["--config", &path]).await;
    let address = server.address().to_string();
    put(&server, "n1").await;
    put(&server, "n2").await;
    let some = tidings(&["tail", &address, "nodes", r#"{"id":"n2"}"#, "--initial", "--json", "--count", "1"]).await;
    assert_eq!(some.code, Some(0), "{}", some.err);
    let line: Value = serde_json::from_str(&some.out).expect("one line of JSON");
    assert_eq!((&line["id"], &line["data"]["id"]), (&json!("n2"), &json!("n2")), "{line}");

    let mut tail = Running::start(&["tail", &address, "nodes", "--initial", "--json", "--count", "4"]);
    tail.hear("\"n2\"").await;
    put(&server, "n3").await;
    tail.hear("\"n3\"").await;
    server.stop().await;
    tail.hear("the connection is lost; coming back").await;
    let mut server = Running::start(&["serve", "--listen", &address, "--config", &path]);
    server.hear("serving").await;
    put(&server, "n4").await;
    assert_eq!(tail.ended().await.code(), Some(0), "{}", tail.said());
    let said = tail.said();
    let ids: Vec<String> = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["n1", "n2", "n3", "n4"], "{said}");

    let nowhere = tidings(&["tail", &address, "nods"]).await;
    assert_eq!((nowhere.code, nowhere.err.lines().count()), (Some(1), 1), "{}", nowhere.err);
    server.stop().await;
    let refused = tidings(&["tail", &address, "nodes"]).await;
    let said = format!("error: cannot connect to {address}: Connection refused (os error 111)\n");
    assert_eq!((refused.code, refused.err), (Some(1), said));
}
