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

use crate::rows::Writes;
use crate::server;
use crate::setting::{self, Around, Roles};
use crate::transcript;
use serde_json::json;
use std::net::SocketAddr;
use tidings::app::App;
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

/// The messages that the channel follows, and what is pushed by creating it.
const ROLES: Roles = Roles {
    tables: &[("messages", "messages"), ("pushes", "pushes")],
    schema: "create table messages (id text primary key, room text, text text);
        alter table messages replica identity full;
        create table pushes (id text primary key, kind text, ids jsonb, data jsonb);",
};

/// What one transcript is played on.
pub type Setting = setting::Setting<JacWorld>;

/// A server in the embedded store, and what is said of its channel.
pub async fn serve(more: &str) -> App {
    server::start(&embedded(more)).await
}

/// A configuration in the embedded store; `more` is said of the channel.
pub fn embedded(more: &str) -> String {
    Setting::embedded(more).configuration
}

fn head(more: &str) -> String {
    let feeds = r#"feeds = [{ resource = "messages", to = "channel", ids = "room" }]"#;
    let channel = "[channels.\"/websocket\"]\ndialect = \"jac\"\n";
    format!("{COMMON}{channel}roles = {{ pushes = \"pushes\" }}\n{feeds}\n{more}\n{CHANNEL}")
}

impl Setting {
    /// Rows are documents of the embedded store.
    pub fn embedded(more: &str) -> Setting {
        Setting::in_embedded(head(more), &ROLES)
    }

    /// Rows are in tables of a new database.
    pub async fn postgres(capture: &str, more: &str) -> Option<Setting> {
        Setting::in_postgres(head(more), capture, &ROLES).await
    }

    /// Rows are documents of a new database of MongoDB.
    pub async fn mongodb(more: &str) -> Option<Setting> {
        Setting::in_mongodb(head(more), &ROLES).await
    }
}

impl Around for JacWorld {
    async fn around(address: SocketAddr, writes: Writes, _configuration: &str) -> JacWorld {
        JacWorld::of(address, writes).await
    }
}

const ANYONE: &str = "push = \"anyone\"";
const OWN: &str = "push = \"own-channel\"";

transcript::transcripts! { "jac":
    contract: "contract.txt", async || Some(Setting::embedded(ANYONE));
    contract_over_postgres: "contract.txt", async || Setting::postgres("outbox", ANYONE).await;
    contract_over_a_slot: "contract.txt", async || Setting::postgres("slot", ANYONE).await;
    contract_over_mongodb: "contract.txt", async || Setting::mongodb(ANYONE).await;
    authenticated: "authenticated.txt", async || Some(Setting::embedded(""));
    authenticated_over_postgres: "authenticated.txt", async || Setting::postgres("outbox", "").await;
    own_channel: "own_channel.txt", async || Some(Setting::embedded(OWN));
    own_channel_over_postgres: "own_channel.txt", async || Setting::postgres("outbox", OWN).await;
    messages: "messages.txt", async || Some(Setting::embedded(ANYONE));
    requests: "requests.txt", async || Some(Setting::embedded(ANYONE));
    pushes: "pushes.txt", async || Some(Setting::embedded(ANYONE));
    pushes_over_postgres: "pushes.txt", async || Setting::postgres("outbox", ANYONE).await;
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
