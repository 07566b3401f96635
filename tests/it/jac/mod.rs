//! Pushes between users, channels and clients: who gets what, over every store, as its transcripts tell it.

mod flaws;
mod http;
mod keepalive;
mod pushes;
mod rest;
mod sockets;
mod standing;
mod webhook;
mod world;

use crate::postgres::Database;
use crate::server;
use crate::transcript;
use serde_json::json;
use std::net::SocketAddr;
use tidings::app::App;
use tokio_postgres::Client;
use world::JacWorld;

/// What every server here is configured with, but for its resources and what is said of its channel.
const COMMON: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
jwt = { algorithm = "HS256", secret = "a secret of at least thirty-two bytes" }
"#;

/// The channel, with the stand-ins of the demo and a short one.
const CHANNEL: &str = r#"
[channels."/websocket".walkers]
self_progress_notif = { kind = "builtin", builtin = "self" }
user_progress_notif = { kind = "builtin", builtin = "user", methods = ["websocket", "post"] }
channel_progress_notif = { kind = "builtin", builtin = "channel", methods = ["websocket", "post"] }
client_progress_notif = { kind = "builtin", builtin = "client", methods = ["websocket", "post"] }
short = { kind = "builtin", builtin = "self", steps = 2 }
"#;

/// The messages that the channel follows.
const TABLE: &str = "create table messages (id text primary key, room text, text text);
create table pushes (id text primary key, kind text, ids jsonb, data jsonb);";

/// What one transcript is played on.
pub struct Setting {
    configuration: String,
    /// By which rows are changed; without one, over HTTP.
    client: Option<Client>,
    /// Kept until the transcript has ended.
    database: Option<Database>,
}

/// A server in the embedded store, and what is said of its channel.
pub async fn serve(more: &str) -> App {
    server::start(&embedded(more)).await
}

/// A configuration in the embedded store; `more` is said of the channel.
pub fn embedded(more: &str) -> String {
    let resource = |name: &str| format!("[resources.{name}]\nsource = \"embedded\"\nread = \"anyone\"\n");
    let writable = |name| resource(name) + "writable = true\n";
    configuration(&(writable("messages") + &writable("pushes")), more)
}

fn configuration(resources: &str, more: &str) -> String {
    let feeds = r#"feeds = [{ resource = "messages", to = "channel", ids = "room" }]"#;
    let channel = "[channels.\"/websocket\"]\ndialect = \"jac\"\n";
    format!("{COMMON}{resources}{channel}roles = {{ pushes = \"pushes\" }}\n{feeds}\n{more}\n{CHANNEL}")
}

impl Setting {
    /// Rows are documents of the embedded store.
    pub fn embedded(more: &str) -> Setting {
        Setting { configuration: embedded(more), client: None, database: None }
    }

    /// Rows are in tables of a new database.
    pub async fn postgres(more: &str) -> Option<Setting> {
        let database = Database::create().await?;
        let client = database.client().await;
        client.batch_execute(TABLE).await.expect("tables");
        let resource = |name: &str| format!("[resources.{name}]\nsource = \"db\"\nread = \"anyone\"\n");
        let source = format!("[sources.db]\nurl = \"{}\"\ncapture = \"outbox\"\ninstall = true\n", database.url());
        let configuration = configuration(&(source + &resource("messages") + &resource("pushes")), more);
        Some(Setting { configuration, client: Some(client), database: Some(database) })
    }
}

impl transcript::Setting for Setting {
    type World = JacWorld;
    type Kept = Option<Database>;

    fn configuration(&self) -> String {
        self.configuration.clone()
    }

    async fn world(self, address: SocketAddr) -> (JacWorld, Option<Database>) {
        (JacWorld::of(address, self.client).await, self.database)
    }
}

const ANYONE: &str = "push = \"anyone\"";
const OWN: &str = "push = \"own-channel\"";

transcript::transcripts! { "jac":
    contract: "contract.txt", async || Some(Setting::embedded(ANYONE));
    contract_over_postgres: "contract.txt", async || Setting::postgres(ANYONE).await;
    authenticated: "authenticated.txt", async || Some(Setting::embedded(""));
    authenticated_over_postgres: "authenticated.txt", async || Setting::postgres("").await;
    own_channel: "own_channel.txt", async || Some(Setting::embedded(OWN));
    own_channel_over_postgres: "own_channel.txt", async || Setting::postgres(OWN).await;
    messages: "messages.txt", async || Some(Setting::embedded(ANYONE));
    requests: "requests.txt", async || Some(Setting::embedded(ANYONE));
    pushes: "pushes.txt", async || Some(Setting::embedded(ANYONE));
    pushes_over_postgres: "pushes.txt", async || Setting::postgres(ANYONE).await;
}

#[tokio::test]
async fn the_demo_can_be_tried_without_a_token() {
    let configuration = format!("[server]\nlisten = \"127.0.0.1:0\"\n{}", include_str!("../../../src/demo/jac.toml"));
    let app = server::start(&configuration).await;
    let (mut socket, told) = sockets::open(app.address(), "/websocket?channel_id=lobby").await;
    let contexts = [
        ("self_progress_notif", json!({})),
        ("user_progress_notif", json!({"root_id": told["root_id"]})),
        ("channel_progress_notif", json!({"channel_id": "lobby"})),
        ("client_progress_notif", json!({"client_id": told["client_id"]})),
    ];
    for (name, context) in contexts {
        socket.say(json!({"type": "walker", "walker": name, "response": true, "context": context}).to_string()).await;
        for percent in [0, 20, 40, 60, 80, 100] {
            assert_eq!(socket.json().await["progress"], format!("{percent}%"), "{name}");
        }
        assert_eq!(socket.json().await["reports"][5], "do something 6", "{name}");
    }
    let write = reqwest::Client::new().put(format!("http://{}/api/messages/m1", app.address()));
    write.json(&json!({"room": "lobby", "text": "hi"})).send().await.expect("an answer");
    assert_eq!(socket.json().await["data"]["text"], "hi");
    let write = reqwest::Client::new().post(format!("http://{}/api/notices", app.address()));
    write.json(&json!({"kind": "channel", "ids": ["lobby"], "data": {"val": 1}})).send().await.expect("an answer");
    assert_eq!(socket.json().await, json!({"val": 1}));
    app.stop().await;
}
