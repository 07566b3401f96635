//! What the tests of a Cells server need beside it: tokens, somebody who changes rows, and a barrier that tells when
//! the changes are in.

use crate::control::Control;
use crate::rows::{Place, Writes};
use crate::socket::{Heard, Socket};
use crate::transcript::{Change, Word, World};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tidings::app::App;
use tidings::event::Timestamp;

/// The secret in the configuration.
const SECRET: &str = "a secret of at least thirty-two bytes";

/// The users of transcripts, by what stands for their token.
const USERS: [&str; 3] = ["alice", "bob", "eve"];

/// The resources in the order in which their rows are made, so that rules find what they name.
const ORDER: [&str; 9] =
    ["tree_nodes", "workspaces", "roles", "acls", "users", "tasks", "activities", "chat_rooms", "chat_messages"];

/// The rows that most tests begin with.
pub fn beginning() -> Value {
    let transcripts = include_str!("../../transcripts/cells/events.txt");
    let mut all = json!({});
    for given in transcripts.lines().filter_map(|line| line.strip_prefix("given ")) {
        let rows: Value = serde_json::from_str(given).expect("JSON");
        all.as_object_mut().expect("an object").extend(rows.as_object().expect("tables").clone());
    }
    all
}

/// A running server of Cells.
pub struct CellsWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    writes: Writes,
    control: Control,
    /// Somebody who may see nothing, and is told how far everybody was told.
    probe: Hearer,
    /// How long what was said may take to be done.
    pub pause: Duration,
    /// Goes after the server.
    _kept: crate::setting::Databases,
}

/// A token of a user for an hour.
pub fn token(login: &str) -> String {
    let now = Timestamp::now().0 / 1000;
    signed(&json!({"sub": format!("u-{login}"), "name": login, "exp": now + 3600}))
}

/// A token with these claims.
pub fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("a secret that signs")
}

impl CellsWorld {
    /// The world around a server.
    pub async fn of(address: SocketAddr, writes: Writes) -> CellsWorld {
        let mut control = Control::open(&format!("ws://{address}/?access_token={}", token("alice"))).await;
        for resource in ORDER {
            control.watch(resource).await;
        }
        let names = USERS.map(|login| (format!("<{login}>"), token(login))).to_vec();
        let record = json!({"uuid": "u-probe", "login": "probe"}).to_string();
        let (resource, id) = ("users".to_owned(), "u-probe".to_owned());
        let probe = Change { resource, id, word: Word::Created, record: Some(record) };
        writes.make(address, &probe, |record| place(&probe, record)).await.expect("the change is made");
        let probe = loop {
            // Its row may not have come by yet.
            if let Some(probe) = Hearer::open(address, "probe").await {
                break probe;
            }
        };
        CellsWorld { address, names, writes, control, probe, pause: Duration::from_millis(150), _kept: (None, None) }
    }

    /// A server with the rows that most tests begin with.
    pub async fn start(setting: super::Setting) -> (App, CellsWorld) {
        let app = crate::server::start(&setting.configuration).await;
        let mut world = CellsWorld::of(app.address(), setting.writes).await;
        world._kept = setting.databases;
        world.make(&beginning()).await;
        (app, world)
    }

    /// Makes rows, and waits until nothing is told of them any more.
    pub async fn make(&mut self, tables: &Value) {
        for resource in ORDER {
            for row in tables.get(resource).and_then(Value::as_array).into_iter().flatten() {
                let key = row.get("uuid").or(row.get("id")).and_then(Value::as_str).expect("a key").to_owned();
                self.write(resource, &key, Word::Created, row.clone()).await;
            }
        }
        self.settle().await;
    }

    /// Makes a change; `record` is the whole row, or the row that is gone.
    pub async fn write(&mut self, resource: &str, id: &str, word: Word, record: Value) {
        let change =
            Change { resource: resource.to_owned(), id: id.to_owned(), word, record: Some(record.to_string()) };
        self.change(&change).await.expect("the change is made");
    }

    /// Waits until everything committed before is in the log; returns how far that is.
    pub async fn barrier(&mut self) -> u64 {
        let position = self.control.barrier().await.expect("a barrier is answered");
        offset(&position.into())
    }

    /// Waits until whoever is there was told of everything committed before, and nothing of it waits any more.
    pub async fn settle(&mut self) {
        let last = self.barrier().await;
        while offset(&Value::from(self.probe.position.as_str())) < last {
            let heard = self.probe.socket.json().await;
            assert_eq!(heard["@type"], "position", "the probe sees nothing: {heard}");
            self.probe.position = heard["position"].as_str().expect("a position").to_owned();
        }
    }

    /// A socket that has said nothing yet.
    pub async fn open(&self, path: &str) -> Socket {
        let url = format!("ws://{}{path}", self.address);
        Socket::open(&url).await.unwrap_or_else(|status| panic!("{path} is refused: {status}"))
    }

    /// A socket on the event channel that is subscribed.
    pub async fn hearer(&self, login: &str) -> Hearer {
        Hearer::open(self.address, login).await.expect("a user")
    }
}

/// A socket on the event channel, and the newest position that it was told.
pub struct Hearer {
    pub socket: Socket,
    pub position: String,
}

impl Hearer {
    /// Subscribes; `None`: the user is refused.
    async fn open(address: SocketAddr, login: &str) -> Option<Hearer> {
        let mut socket = Socket::open(&format!("ws://{address}/ws/event")).await.expect("an upgrade");
        socket.say(json!({"@type": "subscribe", "jwt": token(login), "resume": ""}).to_string()).await;
        let Heard::Json(subscribed) = socket.hear().await else { return None };
        assert_eq!((&subscribed["@type"], &subscribed["resumed"]), (&json!("subscribed"), &json!(false)));
        let position = subscribed["position"].as_str().expect("a position").to_owned();
        Some(Hearer { socket, position })
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        loop {
            let heard = self.socket.json().await;
            match heard["@type"].as_str() {
                Some("position") => self.position = heard["position"].as_str().expect("a position").to_owned(),
                _ => return heard,
            }
        }
    }

    /// No event comes for this long.
    pub async fn silence(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            match self.socket.hear_within(left.max(Duration::from_millis(1))).await {
                Heard::Nothing => return,
                Heard::Json(heard) if heard["@type"] == "position" => {}
                other => panic!("expected silence, got {other:?}"),
            }
        }
    }
}

impl World for CellsWorld {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn given(&mut self, text: &str) -> Result<(), String> {
        let tables: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        self.make(&tables).await;
        Ok(())
    }

    /// What is committed in order is told in order, so nobody waits for the log in between.
    async fn change(&mut self, change: &Change) -> Result<(), String> {
        self.writes.make(self.address, change, |record| place(change, record)).await
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
    }

    fn token(&self, who: &str) -> Option<String> {
        Some(token(who))
    }

    fn pause(&self) -> Duration {
        self.pause
    }
}

/// The second part of a position.
fn offset(position: &Value) -> u64 {
    let offset = position.as_str().and_then(|position| position.split(':').nth(1));
    offset.and_then(|offset| offset.parse().ok()).expect("a position")
}

/// Where a change of a row is made.
fn place(change: &Change, record: Value) -> Result<Place, String> {
    let key = if record.get("uuid").is_some() { "uuid" } else { "id" };
    Ok(Place { table: format!("cells_{}", change.resource), key, row: record })
}
