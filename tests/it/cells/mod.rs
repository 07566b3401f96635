//! The events of a Cells server whose rows somebody changes: who hears what, over every store.

mod brokers;
mod flaws;
mod refused;
mod resuming;
mod rights;
mod told;
pub mod world;

use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::rows::Writes;
use crate::transcript;
use mongodb::bson::doc;
use std::net::SocketAddr;
use std::time::Duration;
use world::CellsWorld;

/// What every server here is configured with, but for its resources and the options of its channels.
const COMMON: &str = r#"
[server]
listen = "127.0.0.1:0"
drain_seconds = 0
[auth]
jwt = { algorithm = "HS256", secret = "a secret of at least thirty-two bytes" }
"#;

/// Events are merged, but not for long.
pub const SOON: &str = "coalesce_quiet_ms = 100\ncoalesce_max_ms = 300\n";

/// Who shows no sign of life is soon absent, but not before a slow machine has come to the ping.
const BRIEF: &str = "presence_ttl_ms = 4000\n";

/// The roles; the tables of the reference schema are called so behind `cells_`.
const ROLES: [&str; 9] =
    ["users", "roles", "workspaces", "acls", "tree_nodes", "tasks", "activities", "chat_rooms", "chat_messages"];

/// The databases of one test.
pub type Databases = (Option<Database>, Option<Mongo>);

/// What one transcript is played on.
pub struct Setting {
    pub configuration: String,
    pub writes: Writes,
    /// Kept until the transcript has ended.
    pub databases: Databases,
}

impl Setting {
    /// Rows are documents of the embedded store; `more` are options of the channels.
    pub fn embedded(more: &str) -> Setting {
        let resource =
            |role| format!("[resources.{role}]\nsource = \"embedded\"\nwritable = true\nread = \"anyone\"\n");
        let resources: String = ROLES.into_iter().map(resource).collect();
        Setting {
            configuration: configuration(more) + &resources,
            writes: Writes::Http(reqwest::Client::new()),
            databases: (None, None),
        }
    }

    /// Rows are in the tables of the reference schema, in a new database.
    pub async fn postgres(capture: &str, more: &str) -> Option<Setting> {
        let database = Database::create().await?;
        let client = database.client().await;
        client.batch_execute(include_str!("../../../sql/cells.sql")).await.expect("the reference schema");
        let source = format!("[sources.db]\nurl = \"{}\"\n{capture}", database.url());
        let resource =
            |role| format!("[resources.{role}]\nsource = \"db\"\ntable = \"cells_{role}\"\nread = \"anyone\"\n");
        let resources: String = ROLES.into_iter().map(resource).collect();
        Some(Setting {
            configuration: configuration(more) + &source + &resources,
            writes: Writes::Sql(client),
            databases: (Some(database), None),
        })
    }

    /// Rows are documents of a new database of MongoDB.
    pub async fn mongodb(more: &str) -> Option<Setting> {
        let mongo = Mongo::create()?;
        let database = mongo.database().await;
        let mut configuration = configuration(more) + &format!("[sources.plant]\nurl = \"{}\"\n", mongo.url());
        for role in ROLES {
            let images = doc! {"create": role, "changeStreamPreAndPostImages": {"enabled": true}};
            database.run_command(images).await.expect("a collection with images");
            configuration += &format!("[resources.{role}]\nsource = \"plant\"\nread = \"anyone\"\n");
        }
        Some(Setting { configuration, writes: Writes::Documents(database), databases: (None, Some(mongo)) })
    }
}

/// The common part, with options of the channels.
pub fn configuration(more: &str) -> String {
    let roles: Vec<String> = ROLES.iter().map(|role| format!("{role} = \"{role}\"")).collect();
    format!("{COMMON}[channels.\"/ws\"]\ndialect = \"cells\"\nroles = {{ {} }}\n{more}\n", roles.join(", "))
}

/// Captured by triggers.
pub const OUTBOX: &str = "capture = \"outbox\"\ninstall = true\n";

/// Captured by a slot.
const SLOT: &str = "capture = \"slot\"\ninstall = true\n";

impl transcript::Setting for Setting {
    type World = CellsWorld;
    type Kept = Databases;

    fn configuration(&self) -> String {
        self.configuration.clone()
    }

    async fn world(self, address: SocketAddr) -> (Self::World, Self::Kept) {
        let mut world = CellsWorld::of(address, self.writes).await;
        if self.configuration.contains(BRIEF) {
            // Between the join of one and the ping of another there is room for the look at who is absent.
            world.pause = Duration::from_millis(600);
        }
        (world, self.databases)
    }
}

transcript::transcripts! { "cells":
    events: "events.txt", async || Some(Setting::embedded(SOON));
    events_over_postgres: "events.txt", async || Setting::postgres(OUTBOX, SOON).await;
    events_over_a_slot: "events.txt", async || Setting::postgres(SLOT, SOON).await;
    events_over_mongodb: "events.txt", async || Setting::mongodb(SOON).await;
    chat: "chat.txt", async || Some(Setting::embedded(""));
    chat_over_postgres: "chat.txt", async || Setting::postgres(OUTBOX, "").await;
    chat_over_a_slot: "chat.txt", async || Setting::postgres(SLOT, "").await;
    chat_over_mongodb: "chat.txt", async || Setting::mongodb("").await;
    chat_presence: "chat_presence.txt", async || Some(Setting::embedded(BRIEF));
    chat_presence_over_postgres: "chat_presence.txt", async || Setting::postgres(OUTBOX, BRIEF).await;
}
