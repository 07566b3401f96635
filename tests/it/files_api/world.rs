//! A file store served on a port of its own, over each store that has transactions. A token is its subject.

use crate::postgres::Database;
use crate::postgres_parts::binding;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidings::api::files::{Echo, FilesApi, Settings, Table, router};
use tidings::auth::{Carrier, Denied, Gate, Mint, Mode, OnExpiry, Secret, Settings as AuthSettings};
use tidings::auth::{Throttle, ThrottleSettings, Verify};
use tidings::files::rows::{Mapping, Members, Part, Shape};
use tidings::filter::Filter;
use tidings::postgres::address::Address;
use tidings::query::Query;
use tidings::resource::Resource;
use tidings::server::{Limits, serve};
use tidings::store::embedded::Embedded;
use tidings::store::postgres::{PostgresStore, Settings as StoreSettings};
use tidings::store::transaction::Intent;
use tidings::store::{Condition, Store, Write};
use tidings::viewer::Viewer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The schema that is shipped.
const SCHEMA: &str = include_str!("../../../sql/files.sql");

/// The largest body that these servers take.
pub const MAX_BODY: usize = 64 * 1024;

/// A served file store.
pub struct World {
    pub name: &'static str,
    address: SocketAddr,
    client: Client,
    store: Arc<dyn Store>,
    shape: Shape,
    _stop: watch::Sender<bool>,
    _kept: Box<dyn Send + Sync>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

/// Nobody listens, so nobody is waited for.
struct Nobody;

impl Echo for Nobody {
    fn expect(&self, _n: &Arc<str>, _rows: usize) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// A world over every kind of store; Postgres where there is one.
pub async fn worlds() -> Vec<World> {
    let directory = tempfile::tempdir().expect("a directory");
    let on_disk = Embedded::open(Some(directory.path())).expect("a store");
    let in_memory = Embedded::open(None).expect("a store");
    let mut worlds = vec![
        World::serve("memory", in_memory, Shape::Flat, Box::new(())).await,
        World::serve("disk", on_disk, Shape::Flat, Box::new(directory)).await,
    ];
    if let Some(database) = Database::create().await {
        let client = database.client().await;
        client.batch_execute(SCHEMA).await.expect("tables");
        client.batch_execute(SCHEMA).await.expect("tables that are there already");
        let bindings = Part::ALL.map(|part| binding(part.name(), table_of(part))).to_vec();
        let address = Address::parse(&database.url()).expect("an address");
        let store = Arc::new(PostgresStore::new(&address, StoreSettings::new(bindings)).expect("a store"));
        worlds.push(World::serve("postgres", store, Shape::Columns, Box::new(database)).await);
    }
    worlds
}

fn table_of(part: Part) -> &'static str {
    match part {
        Part::Files => "files",
        Part::Permissions => "file_permissions",
        Part::Media => "file_media",
        Part::Revisions => "file_revisions",
        Part::Users => "users",
    }
}

fn resource(part: Part) -> Resource {
    Resource { key: vec![part.id().into()], ..Resource::named(part.name()) }
}

impl World {
    /// A world over a store.
    pub async fn serve(name: &'static str, store: Arc<dyn Store>, shape: Shape, kept: Box<dyn Send + Sync>) -> World {
        let table = |part| Table { resource: resource(part), mapping: Mapping::new(part, shape, &[]) };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let api = FilesApi {
            store: store.clone(),
            files: table(Part::Files),
            permissions: table(Part::Permissions),
            media: table(Part::Media),
            revisions: table(Part::Revisions),
            users: Some(table(Part::Users)),
            settings: Settings {
                prefixes: vec![String::new(), "/v1".to_owned()],
                port: address.port(),
                hold: Duration::from_millis(250),
                max_body: MAX_BODY,
                group_claim: "groups".to_owned(),
            },
            mint: Some(Arc::new(mint())),
            gate: Arc::new(gate()),
            echo: Arc::new(Nobody),
        };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, router(api), None, Limits::default(), stopped));
        let world = World { name, address, client: Client::new(), store, shape, _stop: stop, _kept: kept };
        for user in ["u1", "u2", "u3", "u4", "u5"] {
            world.put(Part::Users, json!({"key": user, "name": format!("Name of {user}")})).await;
        }
        world
    }

    /// Writes a row as any other program would: its members, in the shape of the store.
    pub async fn put(&self, part: Part, members: Value) {
        let Value::Object(members) = members else { panic!("members are an object") };
        let id = members[part.id()].as_str().expect("a text").to_owned();
        let mut row = Mapping::new(part, self.shape, &[]).row(members);
        if let Some(row) = row.as_object_mut() {
            row.retain(|_, value| !value.is_null());
        }
        self.store.write(&resource(part), &id, Write::Put(row), &Condition::None).await.expect("a written row");
    }

    /// The members of every row of a part, by id.
    pub async fn rows(&self, part: Part) -> Vec<Members> {
        let query = Query { filter: Arc::new(Filter::All), sort: Vec::new(), skip: 0, limit: None, max_items: 10_000 };
        let mapping = Mapping::new(part, self.shape, &[]);
        let mut transaction = self.store.begin(Intent::Read).await.expect("a transaction");
        let rows = transaction.find(&resource(part), &query).await.expect("rows");
        rows.iter().map(|row| mapping.members(&row.id, row.document.value()).expect("members")).collect()
    }

    /// Sends a request: `PATCH /files/P1?alt=media`.
    pub async fn send(
        &self,
        who: &str,
        request: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let method: Method = method.parse().expect("a method");
        let mut sending = self.client.request(method, format!("http://{}{path}", self.address)).body(body);
        if !who.is_empty() {
            sending = sending.header("authorization", format!("Bearer {who}"));
        }
        for (name, value) in headers {
            sending = sending.header(*name, *value);
        }
        let answer = sending.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.expect("text") }
    }

    /// Sends bytes as they are, and reads to the end.
    pub async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        answer
    }

    /// The same with JSON, as which it is sent.
    pub async fn json(&self, who: &str, request: &str, body: &Value) -> Answer {
        self.send(who, request, &[("content-type", "application/json")], body.to_string()).await
    }

    /// The same without a body.
    pub async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(who, &format!("GET {path}"), &[], "").await
    }

    /// Sends JSON, and expects it to be accepted.
    pub async fn done(&self, who: &str, request: &str, body: Value) -> Answer {
        let answer = self.json(who, request, &body).await;
        assert!(answer.status < 300, "{} {request}: {answer:?}", self.name);
        answer
    }

    /// A file as somebody sees it.
    pub async fn file(&self, who: &str, key: &str) -> Value {
        self.get(who, &format!("/files/{key}")).await.value()
    }
}

impl Answer {
    /// The body as JSON, of a request that was accepted.
    pub fn value(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The status and what an error says.
    pub fn failure(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        (self.status, body["message"].as_str().unwrap_or_default().to_owned())
    }
}

fn mint() -> Mint {
    let secret = Secret::new("a secret of at least thirty-two bytes");
    Mint::new(&AuthSettings::new("HS256".parse().expect("an algorithm"), secret)).expect("it signs")
}

fn gate() -> Gate {
    Gate {
        mode: Mode::Required,
        carriers: vec![Carrier::Query("token".to_owned()), Carrier::Header],
        origins: Vec::new(),
        on_expiry: OnExpiry::Close,
        verifier: Some(Arc::new(Subjects)),
        throttle: Arc::new(Throttle::new(ThrottleSettings { failures: None, ..ThrottleSettings::default() })),
        metrics: Arc::default(),
    }
}

/// A token is `u1` or `u1;group,group`.
struct Subjects;

#[async_trait]
impl Verify for Subjects {
    async fn verify(&self, token: &str) -> Result<Viewer, Denied> {
        if token == "bad" { Err(Denied::Signature) } else { Ok(viewer(token)) }
    }
}

fn viewer(token: &str) -> Viewer {
    let (subject, groups) = token.split_once(';').unwrap_or((token, ""));
    let groups: Vec<Value> = groups.split(',').filter(|group| !group.is_empty()).map(Value::from).collect();
    let claims = [("groups".to_owned(), Value::Array(groups)), ("email".to_owned(), json!([{"email": "x@y"}]))];
    Viewer { subject: Some(subject.into()), claims: claims.into_iter().collect(), ..Viewer::default() }
}

/// A patch request with some operations.
pub fn patch(operations: Value) -> Value {
    json!({"id": "1", "app": "x", "appVersion": "1.0", "patch": operations})
}
