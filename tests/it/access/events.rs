//! Server-sent events: the list, every change, what was missed, and nothing that is not for the viewer.

use super::{AUTH, Person, SHARED};
use crate::server;
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

const NOTES: &str = "[resources.notes]\nsource = \"embedded\"\nwritable = true\nread = \"anyone\"\nonly = { \"$or\" = [{ public = true }, { owner = \"$sub\" }] }\n\
                     [resources.secrets]\nsource = \"embedded\"\nread = [\"boss\"]\n\
                     [resources.hidden]\nsource = \"embedded\"\nprivate = true\nread = \"anyone\"\n";

/// A stream that is read.
struct Stream {
    answer: Response,
    text: String,
}

/// One event of it; a comment has no name.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Stream {
    async fn open(person: &Person, path: &str, last: Option<&str>) -> Stream {
        let mut request = person.http.get(format!("http://{}/api/{path}", person.address));
        if let Some(token) = &person.token {
            request = request.bearer_auth(token);
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Stream { answer, text: String::new() }
    }

    /// The next event, comments left out; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with("event: ") {
                    return Some(read(&event));
                }
            }
            let chunk = timeout(PATIENCE, self.answer.chunk()).await.expect("something comes").ok()??;
            self.text.push_str(str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    async fn told(&mut self) -> (String, String) {
        let event = self.next().await.expect("it goes on");
        let id = event.data["id"].as_str().unwrap_or_default().to_owned();
        (format!("{} {id}", event.name).trim_end().to_owned(), event.id)
    }
}

fn read(event: &str) -> Event {
    let field = |name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default().to_owned()
    };
    Event { name: field("event"), id: field("id"), data: serde_json::from_str(&field("data")).expect("JSON") }
}

#[tokio::test]
async fn a_stream_tells_the_list_and_every_change_that_is_for_the_viewer() {
    let app = server::start(&format!("{AUTH}{NOTES}{SHARED}")).await;
    let (boss, ann, anybody) =
        (Person::boss(&app), Person::new(&app, json!({"sub": "ann"})), Person::new(&app, Value::Null));
    ann.put("notes/a", json!({"owner": "ann", "n": 1})).await;
    let mut own = Stream::open(&ann, "notes/events", None).await;
    let list = own.next().await.expect("a list");
    assert_eq!((&*list.name, &list.data), ("list", &json!([{"id": "a", "owner": "ann", "n": 1}])));
    let mut open = Stream::open(&anybody, "notes/events", None).await;
    assert_eq!(open.next().await.expect("a list").data, json!([]));
    let mut few = Stream::open(&ann, "notes/events?filter={\"n\":{\"$gt\":1}}", None).await;
    assert_eq!(few.next().await.expect("a list").data, json!([]));
    ann.put("notes/a", json!({"owner": "ann", "n": 2})).await;
    ann.put("notes/a", json!({"owner": "ann", "public": true, "n": 3})).await;
    ann.remove("notes/a").await;
    let item = own.next().await.expect("an item");
    assert_eq!(item.data, json!({"id": "a", "event": "updated", "data": {"id": "a", "owner": "ann", "n": 2}}));
    assert_eq!((own.told().await.0, own.told().await.0), ("item a".to_owned(), "remove a".to_owned()));
    let of_few = (few.told().await.0, few.told().await.0, few.told().await.0);
    assert_eq!(of_few, ("item a".to_owned(), "item a".to_owned(), "remove a".to_owned()));
    assert_eq!((open.told().await.0, open.told().await.0), ("item a".to_owned(), "remove a".to_owned()));
    // Who was away is told what it missed, by its last event.
    let mut again = Stream::open(&ann, "notes/events", Some(&item.id)).await;
    let resumed = again.next().await.expect("a verdict");
    assert_eq!((&*resumed.name, &resumed.data), ("resumed", &json!({"complete": true})));
    assert_eq!((again.told().await.0, again.told().await.0), ("item a".to_owned(), "remove a".to_owned()));
    let mut lost = Stream::open(&ann, "notes/events?since=nonsense", None).await;
    assert_eq!(lost.next().await.expect("a verdict").data, json!({"complete": false, "reason": "epoch"}));
    assert_eq!(lost.told().await.0, "list");

    boss.put("documents/d", json!({"owner": "eve"})).await;
    let mut shared = Stream::open(&ann, "documents/events", None).await;
    assert_eq!(shared.next().await.expect("a list").data, json!([]));
    boss.put("grants/1", json!({"document": "d", "user": "ann"})).await;
    boss.remove("grants/1").await;
    assert_eq!((shared.told().await.0, shared.told().await.0), ("item d".to_owned(), "remove d".to_owned()));
    for (person, path, status) in [
        (&anybody, "secrets/events", 404),
        (&anybody, "documents/events", 404),
        (&ann, "hidden/events", 404),
        (&ann, "notes/events?fliter={}", 400),
        (&ann, "notes/events?filter={", 400),
    ] {
        assert_eq!(person.ask(reqwest::Method::GET, path, Value::Null).await.0, status, "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_credential_and_with_the_server_and_says_why() {
    let app = server::start(&format!("{AUTH}{NOTES}")).await;
    let expires = tidings::event::Timestamp::now().0 / 1000 + 5;
    let mut short = Stream::open(&Person::until(&app, json!({"sub": "ann"}), expires), "notes/events", None).await;
    let mut long = Stream::open(&Person::new(&app, json!({"sub": "ann"})), "notes/events", None).await;
    assert_eq!((short.told().await.0, long.told().await.0), ("list".to_owned(), "list".to_owned()));
    let end = short.next().await.expect("a reason");
    assert_eq!((&*end.name, &end.data["code"]), ("end", &json!(4401)));
    assert_eq!(short.next().await, None);
    let stopping = tokio::spawn(app.stop());
    let end = long.next().await.expect("a reason");
    assert_eq!((&*end.name, &end.data["code"]), ("end", &json!(1001)));
    stopping.await.expect("it stops");
}

#[tokio::test]
async fn a_stream_that_is_not_read_costs_nobody_anything_and_misses_nothing() {
    let app = server::start(&format!("{AUTH}{NOTES}")).await;
    let ann = Person::new(&app, json!({"sub": "ann"}));
    let mut slow = Stream::open(&ann, "notes/events", None).await;
    let mut quick = Stream::open(&ann, "notes/events", None).await;
    assert_eq!((slow.told().await.0, quick.told().await.0), ("list".to_owned(), "list".to_owned()));
    let padding = "x".repeat(20_000);
    for n in 0..600 {
        ann.put("notes/a", json!({"owner": "ann", "n": n, "padding": padding})).await;
        assert_eq!(quick.next().await.expect("an item").data["data"]["n"], n);
    }
    let (mut n, mut last) = (0, String::new());
    while n < 600 {
        let event = slow.next().await.expect("an event");
        match &*event.name {
            "item" => {
                assert_eq!(event.data["data"]["n"], n);
                (n, last) = (n + 1, event.id);
            }
            // It did not read for too long, and comes back as a browser does.
            "end" => {
                assert_eq!(event.data["code"], 1013);
                slow = Stream::open(&ann, "notes/events", Some(&last)).await;
                assert_eq!(slow.next().await.expect("a verdict").data, json!({"complete": true}));
            }
            other => panic!("nobody asked for {other}"),
        }
    }
    app.stop().await;
}
