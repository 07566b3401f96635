//! While records, owners and grants change at random: what every viewer is told, and what it holds in the end.
//!
//! Somebody who sees everything writes down what the log has, by offsets. Every list and every message of the others
//! is held against that: nothing is told that the viewer might not see at that offset, no list lacks what it might.

use super::{AUTH, Person};
use crate::load::random_millis;
use crate::postgres::Database;
use crate::server;
use crate::socket::{Heard, Socket};
use rand::RngExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tidings::app::App;
use tidings::event::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

const PEOPLE: usize = 6;
const WRITERS: usize = 4;
const DOCUMENTS: usize = 3;
const GRANTS: usize = 6;

/// How long writers write.
const SPAN: Duration = Duration::from_secs(8);

/// The longest that a grant counts which ends by itself, in milliseconds.
const LONGEST: i64 = 3000;

const RESOURCES: &str = r#"
[resources.documents]
admins = ["boss"]
writable = true
shared_by = { resource = "grants", record = "document", subject = "user", group = "team", until = "until", owner = "owner" }
[resources.grants]
writable = true
read = ["boss"]
"#;

/// What the log has of one resource: by id, each version with its offset.
type Versions = BTreeMap<String, Vec<(u64, Option<Value>)>>;

/// Everything, as it was logged.
#[derive(Default)]
struct Truth {
    documents: Versions,
    grants: Versions,
}

/// What somebody was told, with the offset.
enum Told {
    List(BTreeMap<String, Value>),
    Item(String, Value),
    Removed(String),
}

/// A viewer, and all that it was told.
struct Viewer {
    number: usize,
    told: Vec<(u64, Told)>,
    rows: BTreeMap<String, Value>,
    position: Option<String>,
}

fn name(person: usize) -> String {
    format!("p{person}")
}

/// The group of a person.
fn team(person: usize) -> String {
    format!("t{}", person % 2)
}

fn offset(message: &Value) -> u64 {
    let position = message["position"].as_str().unwrap_or_else(|| panic!("no position in {message}"));
    position.split(':').nth(1).and_then(|offset| offset.parse().ok()).expect("an offset")
}

fn key(message: &Value) -> String {
    let id = if message["id"].is_array() { &message["id"][1] } else { &message["id"] };
    id.as_str().expect("a key").to_owned()
}

impl Truth {
    fn hear(&mut self, message: &Value) {
        let versions = if message["ref"] == "documents" { &mut self.documents } else { &mut self.grants };
        match message["handler"].as_str() {
            Some("list") => assert_eq!(message["items"], json!([]), "it is watched from the beginning"),
            Some("item") => {
                let version = (offset(message), Some(message["data"].clone()));
                versions.entry(key(message)).or_default().push(version);
            }
            Some("remove") => versions.entry(key(message)).or_default().push((offset(message), None)),
            _ => panic!("nobody asked for {message}"),
        }
    }

    fn at<'a>(versions: &'a Versions, id: &str, offset: u64) -> Option<&'a Value> {
        let of_id = versions.get(id)?.iter().rev();
        of_id.into_iter().find(|(at, _)| *at <= offset).and_then(|(_, document)| document.as_ref())
    }

    /// Whether a person may see a record at an offset, by grants of which `counts` holds.
    fn shows(&self, person: usize, id: &str, at: u64, counts: impl Fn(&Value) -> bool) -> Option<&Value> {
        let document = Truth::at(&self.documents, id, at)?;
        let is_for = |grant: &Value| {
            grant["document"] == id && (grant["user"] == name(person) || grant["team"] == team(person)) && counts(grant)
        };
        let mut grants = self.grants.keys().filter_map(|grant| Truth::at(&self.grants, grant, at));
        (document["owner"] == name(person) || grants.any(is_for)).then_some(document)
    }

    fn prove(&self, viewer: &Viewer) {
        let person = viewer.number;
        let lasts = |grant: &Value| grant["until"].is_null();
        for (at, told) in &viewer.told {
            match told {
                Told::List(rows) => {
                    for (id, row) in rows {
                        let shown = self.shows(person, id, *at, |_| true);
                        assert_eq!(shown, Some(row), "{} is listed {id} at {at}", name(person));
                    }
                    for id in self.documents.keys() {
                        let shown = self.shows(person, id, *at, lasts);
                        assert!(shown.is_none() || rows.contains_key(id), "{} lacks {id} at {at}", name(person));
                    }
                }
                Told::Item(id, row) => {
                    let shown = self.shows(person, id, *at, |_| true);
                    assert_eq!(shown, Some(row), "{} is told {id} at {at}", name(person));
                }
                Told::Removed(id) => {
                    let shown = self.shows(person, id, *at, lasts);
                    assert_eq!(shown, None, "{} loses {id} at {at}", name(person));
                }
            }
        }
        let now = Timestamp::now().0;
        let counts = |grant: &Value| grant["until"].is_null() || millis(&grant["until"]) >= now;
        for id in self.documents.keys() {
            let shown = self.shows(person, id, u64::MAX, counts);
            assert_eq!(viewer.rows.get(id), shown, "what {} holds of {id} in the end", name(person));
        }
    }
}

fn millis(until: &Value) -> i64 {
    match until {
        Value::Number(number) => number.as_i64().expect("milliseconds"),
        until => until.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time").as_millisecond(),
    }
}

impl Viewer {
    fn hear(&mut self, message: &Value) {
        let told = match message["handler"].as_str() {
            Some("list") => {
                let items = message["items"].as_array().expect("rows").iter();
                self.rows = items.map(|row| (row["id"].as_str().expect("an id").to_owned(), row.clone())).collect();
                Told::List(self.rows.clone())
            }
            Some("item") => {
                self.rows.insert(key(message), message["data"].clone());
                Told::Item(key(message), message["data"].clone())
            }
            Some("remove") => {
                assert!(self.rows.remove(&key(message)).is_some(), "{} never had {message}", name(self.number));
                Told::Removed(key(message))
            }
            Some("resumed") => return assert_eq!(message["complete"], true, "{message}"),
            _ => panic!("nobody asked for {message}"),
        };
        self.told.push((offset(message), told));
        self.position = message["position"].as_str().map(str::to_owned);
    }

    /// Watches with pauses in which it is away, until nothing more is written; then hears the rest.
    async fn watch(mut self, person: Person, mut over: watch::Receiver<bool>) -> Viewer {
        loop {
            sleep(random_millis(0..1500)).await;
            let mut socket = person.socket("documents").await;
            let mut watch = json!({"handler": "watch", "positions": true, "ref": 1});
            match &self.position {
                Some(position) if rand::rng().random_bool(0.7) => watch["since"] = json!(position),
                _ => watch["initial"] = json!(true),
            }
            socket.say(watch.to_string()).await;
            let pause = sleep(random_millis(500..3000));
            tokio::pin!(pause);
            let is_over = loop {
                tokio::select! {
                    heard = socket.hear() => self.take(heard),
                    () = &mut pause => break *over.borrow(),
                    _ = over.changed() => break true,
                }
            };
            if is_over {
                hear_the_rest(&mut socket, |message| self.hear(message)).await;
                return self;
            }
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Json(message) => self.hear(&message),
            Heard::Nothing => {}
            other => panic!("expected a message, got {other:?}"),
        }
    }
}

async fn hear_the_rest(socket: &mut Socket, mut hear: impl FnMut(&Value)) {
    socket.say(r#"{"handler":"barrier","ref":"end"}"#).await;
    loop {
        let message = socket.json().await;
        if message["ref"] == "end" {
            return assert_eq!(message["handler"], "barrier", "{message}");
        }
        hear(&message);
    }
}

/// Watches a server while writers write, and proves what every viewer was told.
async fn prove(app: &App, mut writers: JoinSet<()>, stop: watch::Sender<bool>) {
    let (end, over) = watch::channel(false);
    let boss = Person::boss(app);
    let mut socket = boss.socket("documents").await;
    for resource in ["documents", "grants"] {
        let watch =
            json!({"handler": "watch", "resource": resource, "initial": true, "positions": true, "ref": resource});
        socket.say(watch.to_string()).await;
        assert_eq!(socket.json().await["items"], json!([]));
    }
    stop.send_replace(false);
    let viewers: Vec<_> = (0..PEOPLE * 2)
        .map(|number| {
            let number = number % PEOPLE;
            let person = Person::new(app, json!({"sub": name(number), "groups": [team(number)]}));
            let viewer = Viewer { number, told: Vec::new(), rows: BTreeMap::new(), position: None };
            tokio::spawn(viewer.watch(person, over.clone()))
        })
        .collect();
    sleep(SPAN).await;
    stop.send_replace(true);
    while let Some(writer) = writers.join_next().await {
        writer.expect("a writer does not panic");
    }
    // Everything that ends by itself has ended, and was told to.
    sleep(Duration::from_millis(LONGEST as u64 + 5000)).await;
    end.send_replace(true);
    let mut truth = Truth::default();
    hear_the_rest(&mut socket, |message| truth.hear(message)).await;
    let mut count = 0;
    for viewer in viewers {
        let viewer = viewer.await.expect("a viewer does not panic");
        truth.prove(&viewer);
        count += viewer.told.len();
    }
    let changes = |versions: &Versions| versions.values().map(Vec::len).sum::<usize>();
    println!("{} changes, {} of grants, {count} told", changes(&truth.documents), changes(&truth.grants));
    assert!(changes(&truth.grants) > 100 && count > 100, "there was hardly anything to see");
}

/// A random grant of a random document.
fn grant() -> Value {
    let mut rng = rand::rng();
    let document = format!("d{}.{}", rng.random_range(0..WRITERS), rng.random_range(0..DOCUMENTS));
    let person = rng.random_range(0..PEOPLE);
    let until = rng.random_bool(0.3).then(|| Timestamp::now().0 + rng.random_range(0..LONGEST));
    match rng.random_bool(0.2) {
        true => json!({"document": document, "team": team(person), "until": until}),
        false => json!({"document": document, "user": name(person), "until": until}),
    }
}

fn below(end: usize) -> usize {
    rand::rng().random_range(0..end)
}

fn owner() -> Option<String> {
    rand::rng().random_bool(0.5).then(|| name(rand::rng().random_range(0..PEOPLE)))
}

/// Waits until it may begin.
async fn begun(stop: &mut watch::Receiver<bool>) {
    stop.changed().await.expect("somebody says when");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_what_is_not_for_them_whatever_changes_in_the_embedded_store() {
    let app = server::start(&format!("{AUTH}{RESOURCES}")).await;
    let (stop, stopped) = watch::channel(true);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (boss, mut stop) = (Person::boss(&app), stopped.clone());
        writers.spawn(async move {
            begun(&mut stop).await;
            let mut version = 0;
            while !*stop.borrow() {
                version += 1;
                let (document, given) = (rand::rng().random_range(0..DOCUMENTS), rand::rng().random_range(0..GRANTS));
                let (document, given) =
                    (format!("documents/d{writer}.{document}"), format!("grants/g{writer}.{given}"));
                match below(10) {
                    0 => _ = boss.ask(reqwest::Method::DELETE, &document, Value::Null).await,
                    1..=4 => boss.put(&document, json!({"owner": owner(), "version": version})).await,
                    5..=6 => _ = boss.ask(reqwest::Method::DELETE, &given, Value::Null).await,
                    _ => boss.put(&given, grant()).await,
                }
                sleep(random_millis(0..30)).await;
            }
        });
    }
    prove(&app, writers, stop).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_what_is_not_for_them_whatever_changes_in_postgres() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let tables = "create table documents (id text primary key, owner text, version int8 not null);
                  create table grants (id text primary key, document text, \"user\" text, team text, until timestamptz)";
    client.batch_execute(tables).await.expect("tables");
    let source = format!("[sources.pg]\nurl = {:?}\ncapture = \"outbox\"\ninstall = true\n", database.url());
    let app = server::start(&format!("{AUTH}{source}{RESOURCES}")).await;
    let (stop, stopped) = watch::channel(true);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (mut client, mut stop) = (database.client().await, stopped.clone());
        writers.spawn(async move {
            begun(&mut stop).await;
            let mut version = 0_i64;
            while !*stop.borrow() {
                let transaction = client.transaction().await.expect("a transaction");
                for _ in 0..=below(4) {
                    version += 1;
                    let document = format!("d{writer}.{}", rand::rng().random_range(0..DOCUMENTS));
                    let given = format!("g{writer}.{}", rand::rng().random_range(0..GRANTS));
                    let statement = match below(10) {
                        0 => format!("delete from documents where id = '{document}'"),
                        1..=4 => {
                            let owner = owner().map_or("null".to_owned(), |owner| format!("'{owner}'"));
                            format!(
                                "insert into documents values ('{document}', {owner}, {version})
                                 on conflict (id) do update set owner = excluded.owner, version = excluded.version"
                            )
                        }
                        5..=6 => format!("delete from grants where id = '{given}'"),
                        _ => insert(&given, &grant()),
                    };
                    transaction.batch_execute(&statement).await.expect("a statement");
                    sleep(random_millis(0..15)).await;
                }
                match below(7) == 0 {
                    true => transaction.rollback().await.expect("a rollback"),
                    false => transaction.commit().await.expect("a commit"),
                }
            }
        });
    }
    prove(&app, writers, stop).await;
    app.stop().await;
}

fn insert(id: &str, grant: &Value) -> String {
    let text = |field: &str| grant[field].as_str().map_or("null".to_owned(), |text| format!("'{text}'"));
    let until = grant["until"].as_i64().map_or("null".to_owned(), |until| format!("to_timestamp({until} / 1000.0)"));
    format!(
        "insert into grants values ('{id}', {}, {}, {}, {until}) on conflict (id) do update
         set document = excluded.document, \"user\" = excluded.\"user\", team = excluded.team, until = excluded.until",
        text("document"),
        text("user"),
        text("team"),
    )
}
