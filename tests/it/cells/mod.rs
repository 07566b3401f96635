//! The events of a Cells server whose rows somebody changes: who hears what, over every store.

mod brokers;
mod flaws;
mod refused;
mod resuming;
mod rights;
mod told;
pub mod world;

use crate::rows::Writes;
use crate::setting::{self, Around, Roles};
use crate::transcript;
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

/// The roles, with the tables of the reference schema.
const ROLES: Roles = Roles {
    tables: &[
        ("users", "cells_users"),
        ("roles", "cells_roles"),
        ("workspaces", "cells_workspaces"),
        ("acls", "cells_acls"),
        ("tree_nodes", "cells_tree_nodes"),
        ("tasks", "cells_tasks"),
        ("activities", "cells_activities"),
        ("chat_rooms", "cells_chat_rooms"),
        ("chat_messages", "cells_chat_messages"),
    ],
    schema: include_str!("../../../sql/cells.sql"),
};

/// What one transcript is played on.
pub type Setting = setting::Setting<CellsWorld>;

impl Setting {
    /// Rows are documents of the embedded store; `more` are options of the channels.
    pub fn embedded(more: &str) -> Setting {
        Setting::in_embedded(configuration(more), &ROLES)
    }

    /// Rows are in the tables of the reference schema, in a new database.
    pub async fn postgres(capture: &str, more: &str) -> Option<Setting> {
        Setting::in_postgres(configuration(more), capture, &ROLES).await
    }

    /// Rows are documents of a new database of MongoDB.
    pub async fn mongodb(more: &str) -> Option<Setting> {
        Setting::in_mongodb(configuration(more), &ROLES).await
    }
}

/// The common part, with options of the channels.
pub fn configuration(more: &str) -> String {
    let roles: Vec<String> = ROLES.tables.iter().map(|(role, _)| format!("{role} = \"{role}\"")).collect();
    format!("{COMMON}[channels.\"/ws\"]\ndialect = \"cells\"\nroles = {{ {} }}\n{more}\n", roles.join(", "))
}

/// Captured by triggers.
pub const OUTBOX: &str = "outbox";

/// Captured by a slot.
const SLOT: &str = "slot";

impl Around for CellsWorld {
    async fn around(address: SocketAddr, writes: Writes, configuration: &str) -> CellsWorld {
        let mut world = CellsWorld::of(address, writes).await;
        if configuration.contains(BRIEF) {
            // Between the join of one and the ping of another there is room for the look at who is absent.
            world.pause = Duration::from_millis(600);
        }
        world
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
