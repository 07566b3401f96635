//! What a change over HTTP makes others hear, and that its answer comes after that.

use super::calls::json_patch;
use super::world::patch;
use crate::postgres::Database;
use crate::server::{self, Process};
use crate::socket::{Heard, Socket};
use jsonwebtoken::{EncodingKey, Header};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tidings::app::App;
use tidings::event::Timestamp;
use tokio::task::JoinSet;

const SECRET: &str = "a secret of at least thirty-two bytes";

/// A configuration of a file store, whose source is to be added.
const CONFIGURATION: &str = r#"
[auth.jwt]
algorithm = "HS256"
secret = "a secret of at least thirty-two bytes"
[channels."/files"]
dialect = "files"
# Longer than any test: whoever waits in vain is noticed.
hold = "20s"
roles = { files = "files", permissions = "file_permissions", media = "file_media", revisions = "file_revisions" }
"#;

const EMBEDDED: &str = r#"
[resources.files]
source = "embedded"
id = "key"
[resources.file_permissions]
source = "embedded"
id = "key"
[resources.file_media]
source = "embedded"
id = "key"
[resources.file_revisions]
source = "embedded"
id = "id"
"#;

fn token(subject: &str) -> String {
    let claims = json!({"sub": subject, "exp": Timestamp::now().0 / 1000 + 3600});
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a secret that signs")
}

/// Somebody who uses a served file store.
#[derive(Clone)]
struct User {
    address: SocketAddr,
    token: String,
    client: Client,
}

impl User {
    fn new(address: SocketAddr, subject: &str) -> User {
        User { address, token: token(subject), client: Client::new() }
    }

    async fn send(&self, request: &str, body: &Value) -> (u16, Value) {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let sending = self.client.request(method.parse().expect("a method"), format!("http://{}{path}", self.address));
        let sending = sending.bearer_auth(&self.token).header("content-type", "application/json");
        let answer = sending.body(body.to_string()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("text")).unwrap_or_default())
    }

    async fn done(&self, request: &str, body: Value) -> Value {
        let (status, answer) = self.send(request, &body).await;
        assert!(status < 300, "{request}: {status} {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        self.done(&format!("GET {path}"), Value::Null).await
    }

    async fn socket(&self, path: &str) -> Socket {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("ws://{}{path}{mark}token={}", self.address, self.token);
        Socket::open(&url).await.unwrap_or_else(|status| panic!("{path}: {status}"))
    }
}

/// What has arrived already; nothing is waited for.
async fn arrived(socket: &mut Socket) -> Vec<Value> {
    let mut events = Vec::new();
    while let Heard::Json(event) = socket.hear_within(Duration::from_millis(1)).await {
        events.push(event);
    }
    events
}

fn operations(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["operation"].as_str()).collect()
}

/// A server over the embedded store, and where there is one, over Postgres.
async fn servers() -> Vec<(App, Option<Database>)> {
    let mut servers =
        vec![(server::start(&format!("server.listen = \"127.0.0.1:0\"\n{EMBEDDED}{CONFIGURATION}")).await, None)];
    if let Some(database) = Database::create().await {
        let client = database.client().await;
        client.batch_execute(include_str!("../../../sql/files.sql")).await.expect("tables");
        let url = database.url();
        let sources = format!(
            "server.listen = \"127.0.0.1:0\"\n[sources.db]\nurl = \"{url}\"\ncapture = \"outbox\"\ninstall = true\n"
        );
        let tables = ["files", "file_permissions", "file_media", "file_revisions"];
        let tables =
            tables.map(|table| format!("[resources.{table}]\nsource = \"db\"\ntable = \"{table}\"\n")).concat();
        servers.push((server::start(&format!("{sources}{tables}{CONFIGURATION}")).await, Some(database)));
    }
    servers
}

#[tokio::test]
async fn r1_fifty_patches_at_once_reach_every_watcher_once_and_leave_its_copy_equal() {
    for (app, _database) in servers().await {
        let [one, two] = ["u1", "u2"].map(|subject| User::new(app.address(), subject));
        one.done("POST /files", json!({"kind": "Core#Project", "key": "P1"})).await;
        let share = json!({"patch": [{"op": "add", "type": "user", "id": "u2", "value": "writer"}]});
        one.done("PATCH /files/P1/users", share).await;
        one.done("PUT /files/P1?alt=media", json!({"kind": "x", "done": []})).await;
        let mut watchers = Vec::new();
        for user in [&one, &two, &two] {
            let sockets = [user.socket("/files").await, user.socket("/files/P1?alt=media").await];
            watchers.push((sockets, user.get("/files/P1").await, user.get("/files/P1?alt=media").await));
        }
        let mut patches = JoinSet::new();
        for number in 0..50 {
            let user = if number % 2 == 0 { one.clone() } else { two.clone() };
            patches.spawn(async move {
                let operations = json!([{"op": "add", "path": "/done/-", "value": number}]);
                user.done("PATCH /files/P1?alt=media", patch(operations)).await
            });
        }
        patches.join_all().await;
        let stored = one.get("/files/P1?alt=media").await;
        assert_eq!(stored["done"].as_array().map(Vec::len), Some(50));
        for ([mut files, mut media], mut meta, mut contents) in watchers {
            let (mut revisions, mut patches) = (BTreeSet::new(), 0);
            for _ in 0..100 {
                let event = media.json().await;
                match event["kind"].as_str() {
                    Some("Core#Revision") => assert!(revisions.insert(event["id"].to_string()), "{event}"),
                    _ => {
                        patches += 1;
                        json_patch(&mut contents, &event["data"]["patch"]);
                    }
                }
            }
            assert_eq!((revisions.len(), patches, &contents), (50, 50, &stored));
            for _ in 0..50 {
                json_patch(&mut meta, &files.json().await["data"]["patch"]);
            }
            let now = one.get("/files/P1").await;
            assert_eq!(
                (&meta["lastModified"]["time"], &meta["lastModified"]["name"]),
                (&now["lastModified"]["time"], &now["lastModified"]["name"])
            );
            assert_eq!((arrived(&mut files).await, arrived(&mut media).await), (vec![], vec![]));
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn an_answer_comes_after_all_that_it_caused() {
    for (app, _database) in servers().await {
        let [one, two] = ["u1", "u2"].map(|subject| User::new(app.address(), subject));
        let (mut own, mut other) = (one.socket("/files").await, two.socket("/files").await);
        let begun = Instant::now();
        one.done("POST /files", json!({"kind": "Core#Space", "key": "S1"})).await;
        assert_eq!(operations(&arrived(&mut own).await), ["created"]);
        let add = |user: &str| json!({"op": "add", "type": "user", "id": user, "value": "reader"});
        one.done("PATCH /files/S1/users", json!({"patch": [add("u2"), add("u3"), add("u2")]})).await;
        let heard = arrived(&mut other).await;
        assert_eq!(operations(&heard), ["access-granted", "access-granted", "patch"]);
        assert_eq!(operations(&arrived(&mut own).await), ["patch"]);
        let mut meta = two.socket("/file/S1").await;
        one.done("PATCH /files/S1", patch(json!([{"op": "add", "path": "/labels", "value": ["a"]}]))).await;
        for socket in [&mut own, &mut other, &mut meta] {
            assert_eq!(operations(&arrived(socket).await), ["patch"]);
        }
        let remove = json!({"patch": [{"op": "remove", "type": "user", "id": "u2"}, {"op": "remove", "type": "user", "id": "u9"}]});
        one.done("PATCH /files/S1/users", remove).await;
        assert_eq!(operations(&arrived(&mut other).await), ["access-removed"]);
        assert_eq!(operations(&arrived(&mut meta).await), ["access-removed"]);
        one.done("DELETE /files/S1", Value::Null).await;
        assert_eq!(operations(&arrived(&mut own).await), ["patch", "deleted"]);
        assert!(arrived(&mut other).await.is_empty() && arrived(&mut meta).await.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(20), "somebody was waited for who does not come");
        app.stop().await;
    }
}

#[tokio::test]
async fn r5_what_is_refused_is_told_to_nobody() {
    for (app, _database) in servers().await {
        let [one, two] = ["u1", "u2"].map(|subject| User::new(app.address(), subject));
        one.done("POST /files", json!({"kind": "Core#Project", "key": "P1"})).await;
        one.done("PUT /files/P1?alt=media", json!({"kind": "x"})).await;
        let grant = |role: &str| json!({"op": "add", "type": "user", "id": "u2", "value": role});
        one.done("PATCH /files/P1/users", json!({"patch": [grant("reader")]})).await;
        let mut sockets =
            [one.socket("/files").await, two.socket("/files").await, two.socket("/files/P1?alt=media").await];
        for (user, request, body, status) in [
            (&two, "PATCH /files/P1?alt=media", patch(json!([{"op": "add", "path": "/a", "value": 1}])), 403),
            (&two, "PATCH /files/P1/users", json!({"patch": [grant("owner")]}), 403),
            (&one, "PATCH /files/P1/users", json!({"patch": [grant("writer"), {"op": "zap"}]}), 400),
            (&two, "DELETE /files/P1", Value::Null, 403),
            (
                &one,
                "PATCH /files/P1",
                patch(json!([{"op": "add", "path": "/a", "value": 1}, {"op": "remove", "path": "/b"}])),
                400,
            ),
            (&one, "PATCH /files/P1", patch(json!([{"op": "replace", "path": "/owner", "value": "u2"}])), 200),
            (&one, "PUT /files/P1?alt=media", json!({"kind": "y"}), 400),
        ] {
            assert_eq!(user.send(request, &body).await.0, status, "{request} {body}");
        }
        for socket in &mut sockets {
            assert!(arrived(socket).await.is_empty());
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_leaves_whole_changes_only_and_all_that_were_answered() {
    let mut process = Process::start(&format!("{EMBEDDED}{CONFIGURATION}")).await;
    let user = User::new(process.address(), "u1");
    user.done("POST /files", json!({"kind": "Core#Project", "key": "P1"})).await;
    user.done("PUT /files/P1?alt=media", json!({"kind": "x", "done": []})).await;
    let writer = user.clone();
    let writing = tokio::spawn(async move {
        let mut answered = 0_usize;
        loop {
            let body = patch(json!([{"op": "add", "path": "/done/-", "value": answered}])).to_string();
            let url = format!("http://{}/files/P1?alt=media", writer.address);
            match writer.client.patch(url).bearer_auth(&writer.token).body(body).send().await {
                Ok(answer) if answer.status() == 200 => answered += 1,
                _ => return answered,
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.kill();
    let answered = writing.await.expect("a count");
    process.restart().await;
    let contents = user.get("/files/P1?alt=media").await;
    let done = contents["done"].as_array().map_or(0, Vec::len);
    let revisions = user.get("/files/P1/revisions?limit=1000").await;
    let newest = &revisions["items"][0]["patch"][0][0]["path"];
    assert!(answered > 0 && (done == answered || done == answered + 1), "{done} of {answered}");
    assert_eq!(revisions["items"].as_array().map_or(0, Vec::len), done.min(1000));
    assert_eq!(*newest, json!(format!("/done/{}", done - 1)));
    let mut socket = user.socket("/files/P1?alt=media").await;
    user.done("PATCH /files/P1?alt=media", patch(json!([]))).await;
    assert_eq!(operations(&[socket.json().await, socket.json().await]), ["created", "patch"]);
}

#[tokio::test]
async fn what_is_changed_right_after_a_socket_was_opened_is_told_every_time() {
    for (app, _database) in servers().await {
        let user = User::new(app.address(), "u1");
        user.done("POST /files", json!({"kind": "Core#Project", "key": "P1"})).await;
        for number in 0..50 {
            let mut socket = user.socket("/files").await;
            let renaming = json!([{"op": "add", "path": "/info/name", "value": format!("n{number}")}]);
            user.done("PATCH /files/P1", patch(renaming)).await;
            assert_eq!(socket.json().await["operation"], "patch", "{number}");
            assert_eq!(arrived(&mut socket).await, [] as [Value; 0], "what was before is not told");
        }
        app.stop().await;
    }
}
