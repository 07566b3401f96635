//! A file store whose rows somebody changes: who hears what, over every store, as its transcripts tell it.

mod flaws;
mod nodes;
mod sockets;
pub mod world;
mod writes;

use crate::rows::Writes;
use crate::setting::{self, Around, Roles};
use crate::transcript;
use std::net::SocketAddr;
use world::FilesWorld;

/// What every server here is configured with, but for its resources.
const COMMON: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
jwt = { algorithm = "HS256", secret = "a secret of at least thirty-two bytes" }
[channels."/files"]
dialect = "files"
prefixes = ["", "/v1"]
group_claim = "groups"
roles = { files = "files", permissions = "permissions", media = "media", revisions = "revisions" }
"#;

/// The roles, with the tables of the reference schema.
const ROLES: Roles = Roles {
    tables: &[
        ("files", "files"),
        ("permissions", "file_permissions"),
        ("media", "file_media"),
        ("revisions", "file_revisions"),
    ],
    schema: include_str!("../../../sql/files.sql"),
};

/// What one transcript is played on.
pub type Setting = setting::Setting<FilesWorld>;

impl Setting {
    /// Rows are documents of the embedded store.
    pub fn embedded(more: &str) -> Setting {
        Setting::in_embedded(configuration(more), &ROLES)
    }

    /// Rows are in the tables of the reference schema, in a new database.
    pub async fn postgres(capture: &str, more: &str) -> Option<Setting> {
        Setting::in_postgres(configuration(more), capture, &ROLES).await
    }

    /// Rows are documents of a new database of MongoDB.
    async fn mongodb() -> Option<Setting> {
        Setting::in_mongodb(configuration(""), &ROLES).await
    }
}

/// The common part, with more in the file store's own section.
fn configuration(more: &str) -> String {
    format!("{COMMON}{more}\n")
}

/// Captured by triggers.
pub const OUTBOX: &str = "outbox";

impl Around for FilesWorld {
    async fn around(address: SocketAddr, writes: Writes, _configuration: &str) -> FilesWorld {
        FilesWorld::of(address, writes).await
    }
}

transcript::transcripts! { "files":
    events: "events.txt", async || Some(Setting::embedded(""));
    events_over_postgres: "events.txt", async || Setting::postgres(OUTBOX, "").await;
    events_over_a_slot: "events.txt", async || Setting::postgres("slot", "").await;
    events_over_mongodb: "events.txt", Setting::mongodb;
    requests: "requests.txt", async || Some(Setting::embedded(""));
    requests_over_postgres: "requests.txt", async || Setting::postgres(OUTBOX, "").await;
    recipients: "recipients.txt", async || Some(Setting::embedded(""));
    recipients_over_postgres: "recipients.txt", async || Setting::postgres(OUTBOX, "").await;
    resuming: "resuming.txt", async || Some(Setting::embedded(""));
    everyone: "everyone.txt", async || Some(Setting::embedded("audience = \"everyone\""));
}
