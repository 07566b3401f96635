//! Every viewer, on every channel, in every way of reading.

use super::{AUTH, Person, SHARED, ids, told};
use crate::server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidings::app::App;

const RULES: &str = r#"
[resources.tasks]
source = "embedded"
writable = true
admins = ["boss"]
audience = ["owner", "members"]
[resources.notes]
source = "embedded"
writable = true
read = "anyone"
admins = ["boss"]
only = { "$or" = [{ public = true }, { team = { "$in" = "$claims.org.teams" } }, { owner = "$sub" }] }
[resources.plans]
source = "embedded"
writable = true
read = ["planner", "boss"]
admins = ["boss"]
only = { state = { "$ne" = "draft" } }
[channels."/mine"]
resource = "tasks"
only = { owner = "$sub" }
[channels."/shared/papers"]
resource = "documents"
read = "authenticated"
only = { kind = "paper" }
"#;

/// Who may see which of the records, by channel; `-`: the resource is as if unknown.
const MATRIX: [(&str, [&str; 6]); 4] = [
    //        tasks   notes    plans  documents  mine  papers
    ("ann", ["a b", "a b c", "-", "a b c", "a", "a c"]),
    ("bob", ["b", "a", "a c", "b", "b", ""]),
    ("boss", ["a b c", "a b c", "a b c", "a b c d", "", "a c"]),
    ("nobody", ["-", "a", "-", "-", "-", "-"]),
];

const CHANNELS: [&str; 6] = ["tasks", "notes", "plans", "documents", "mine", "papers"];

fn records() -> [(&'static str, Value); 14] {
    [
        ("tasks/a", json!({"owner": "ann", "n": 1})),
        ("tasks/b", json!({"owner": "bob", "members": ["cid", "ann"], "n": 1})),
        ("tasks/c", json!({"owner": "cid", "n": 1})),
        ("notes/a", json!({"public": true, "n": 1})),
        ("notes/b", json!({"team": "red", "n": 1})),
        ("notes/c", json!({"team": "blue", "owner": "ann", "n": 1})),
        ("plans/a", json!({"state": "open", "n": 1})),
        ("plans/b", json!({"state": "draft", "n": 1})),
        ("plans/c", json!({"n": 1})),
        ("documents/a", json!({"owner": "ann", "kind": "paper", "n": 1})),
        ("documents/b", json!({"kind": "memo", "n": 1})),
        ("documents/c", json!({"kind": "paper", "n": 1})),
        ("documents/d", json!({"kind": "memo", "n": 1})),
        ("grants/1", json!({"document": "b", "user": ["ann", "bob"]})),
    ]
}

fn person(app: &App, name: &str) -> Person {
    Person::new(
        app,
        match name {
            "ann" => json!({"sub": "ann", "groups": ["editors"], "org": {"teams": ["red", "green"]}}),
            "bob" => json!({"sub": "bob", "roles": ["planner"]}),
            "boss" => json!({"sub": "boss", "roles": ["boss"]}),
            _ => Value::Null,
        },
    )
}

fn resource_of(channel: &str) -> &str {
    match channel {
        "mine" => "tasks",
        "papers" => "documents",
        resource => resource,
    }
}

async fn start() -> App {
    let app = server::start(&format!("{AUTH}{RULES}{SHARED}")).await;
    let boss = Person::boss(&app);
    for (path, record) in records() {
        boss.put(path, record).await;
    }
    boss.put("grants/2", json!({"document": "c", "team": "editors"})).await;
    boss.put("grants/3", json!({"document": "d", "user": "bob", "until": 1})).await;
    app
}

/// Each viewer and channel with what is seen there, `None` where nothing is known of it.
fn cells() -> impl Iterator<Item = (&'static str, &'static str, Option<&'static str>)> {
    MATRIX.into_iter().flat_map(|(name, row)| {
        CHANNELS.into_iter().zip(row).map(move |(channel, seen)| (name, channel, (seen != "-").then_some(seen)))
    })
}

#[tokio::test]
async fn nobody_reads_over_a_socket_what_is_not_for_them() {
    let app = start().await;
    for (name, channel, seen) in cells() {
        let cell = format!("{name} on {channel}");
        let mut socket = person(&app, name).socket(channel).await;
        socket.say(r#"{"handler":"all","ref":1}"#).await;
        socket.say(r#"{"handler":"query","params":{"n":1},"ref":2}"#).await;
        let Some(seen) = seen else {
            assert_eq!(told(&mut socket).await, ["error E_RESOURCE"; 2], "{cell}");
            continue;
        };
        let list = format!("list {seen}").trim_end().to_owned();
        assert_eq!(told(&mut socket).await, [list.clone(), list.clone()], "{cell}");
        for id in ["a", "b", "c", "d"] {
            socket.say(json!({"handler": "get", "params": id, "ref": id}).to_string()).await;
            let is_seen = seen.split(' ').any(|one| one == id);
            let answer = told(&mut socket).await;
            assert_eq!(answer == [format!("item {id}")], is_seen, "{cell}: {answer:?}");
        }
        // What is left out does not take anybody's place.
        for (options, at) in [(json!({"limit": 1}), 0), (json!({"limit": 1, "skip": 1}), 1)] {
            let options = options.as_object().cloned().unwrap_or_default();
            let page = json!({"handler": "query", "options": options, "ref": 3});
            socket.say(page.to_string()).await;
            let expected = format!("list {}", seen.split(' ').nth(at).unwrap_or_default());
            assert_eq!(told(&mut socket).await, [expected.trim_end()], "{cell}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn nobody_watches_or_resumes_what_is_not_for_them() {
    let app = start().await;
    let mut watching = Vec::new();
    for (name, channel, seen) in cells() {
        let mut socket = person(&app, name).socket(channel).await;
        socket.say(r#"{"handler":"watch","initial":true,"positions":true,"ref":1}"#).await;
        socket.say(r#"{"handler":"barrier","ref":"begun"}"#).await;
        let list = socket.json().await;
        let Some(seen) = seen else {
            assert_eq!(list["handler"], "error", "{name} on {channel}");
            continue;
        };
        assert_eq!((&list["handler"], &*ids(&list["items"])), (&json!("list"), seen), "{name} on {channel}");
        socket.settle().await;
        watching.push((name, channel, seen, socket, list["position"].as_str().expect("a position").to_owned()));
    }
    let boss = Person::boss(&app);
    for (path, mut record) in records() {
        record["n"] = json!(2);
        boss.put(path, record).await;
    }
    for (name, channel, seen, socket, position) in &mut watching {
        let expected: Vec<String> =
            seen.split(' ').filter(|id| !id.is_empty()).map(|id| format!("item {id}")).collect();
        assert_eq!(told(socket).await, expected, "{name} on {channel}");
        let mut again = person(&app, name).socket(channel).await;
        again.say(json!({"handler": "watch", "since": position, "ref": 1}).to_string()).await;
        let replayed = told(&mut again).await;
        assert_eq!(
            replayed.split_first(),
            Some((&"resumed complete".to_owned(), &expected[..])),
            "{name} on {channel}"
        );
    }
    // What is removed is told to those who saw it.
    for (path, _) in records() {
        boss.remove(path).await;
    }
    for (name, channel, seen, socket, _) in &mut watching {
        let expected: Vec<String> =
            seen.split(' ').filter(|id| !id.is_empty()).map(|id| format!("remove {id}")).collect();
        assert_eq!(told(socket).await, expected, "{name} on {channel}");
    }
    app.stop().await;
}

#[tokio::test]
async fn nobody_reads_over_http_what_is_not_for_them() {
    let app = start().await;
    for (name, channel, seen) in cells().filter(|(_, channel, _)| resource_of(channel) == *channel) {
        let cell = format!("{name} reads {channel}");
        let person = person(&app, name);
        let (status, rows) = person.ask(Method::GET, channel, Value::Null).await;
        let Some(seen) = seen else {
            assert_eq!(status, StatusCode::NOT_FOUND, "{cell}");
            continue;
        };
        assert_eq!((status, &*ids(&rows)), (StatusCode::OK, seen), "{cell}");
        let (_, page) = person.ask(Method::GET, &format!("{channel}?limit=1&skip=1&sort=-id"), Value::Null).await;
        let expected = seen.split(' ').filter(|id| !id.is_empty()).rev().nth(1).unwrap_or_default();
        assert_eq!(ids(&page), expected, "{cell}");
        for id in ["a", "b", "c", "d"] {
            let (status, _) = person.ask(Method::GET, &format!("{channel}/{id}"), Value::Null).await;
            assert_eq!(status == StatusCode::OK, seen.split(' ').any(|one| one == id), "{cell}: {id} is {status}");
        }
    }
    app.stop().await;
}
