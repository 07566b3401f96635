//! Members of boxes: who is told what, whoever changes the rows, over every store.

mod counts;
mod ends;
mod flaws;
mod introspected;
mod recipients;
mod refusals;
mod seam;
pub mod world;
mod writes;

use crate::rows::Writes;
use crate::setting::{self, Around, Roles};
use crate::transcript;
use std::net::SocketAddr;
use world::MisakeyWorld;

/// What every server here is configured with, but for its resources. What is added goes into the channel.
const COMMON: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
throttle.failures = "unlimited"
jwt = { algorithm = "HS256", secret = "a secret of at least thirty-two bytes", leeway = "0s" }
[channels."/box-users/{id}/ws"]
dialect = "misakey"
drain_spread = "0s"
roles = { box_events = "box_events", saved_files = "saved_files", box_settings = "box_settings", identity_notifications = "identity_notifications", identities = "identities", event_counts = "event_counts" }
"#;

/// The roles, with the tables of the reference schema.
const ROLES: [(&str, &str); 6] = [
    ("box_events", "misakey.event"),
    ("identities", "misakey.identity"),
    ("saved_files", "misakey.saved_file"),
    ("box_settings", "misakey.box_setting"),
    ("identity_notifications", "misakey.identity_notification"),
    ("event_counts", "misakey.event_count"),
];

/// The same with what makes the tables, where a message may refer to one that is not there, as a transcript does.
const TABLES: Roles = Roles {
    tables: &ROLES,
    schema: concat!(
        include_str!("../../../sql/misakey.sql"),
        "alter table misakey.event drop constraint event_referrer_id_fkey;"
    ),
};

/// What one transcript is played on.
pub type Setting = setting::Setting<MisakeyWorld>;

impl Setting {
    /// Rows are documents of the embedded store.
    pub fn embedded(more: &str) -> Setting {
        Setting::in_embedded(format!("{COMMON}{more}\n"), &TABLES)
    }

    /// Rows are in the tables of the reference schema, in a new database.
    pub async fn postgres(capture: &str, more: &str) -> Option<Setting> {
        Setting::in_postgres(format!("{COMMON}{more}\n"), capture, &TABLES).await
    }

    /// Rows are documents of a new database of MongoDB.
    pub async fn mongodb() -> Option<Setting> {
        Setting::in_mongodb(COMMON.to_owned(), &TABLES).await
    }
}

impl Around for MisakeyWorld {
    async fn around(address: SocketAddr, writes: Writes, _configuration: &str) -> MisakeyWorld {
        MisakeyWorld::of(address, writes).await
    }
}

transcript::transcripts! { "misakey":
    contract: "contract.txt", async || Some(Setting::embedded(""));
    contract_over_postgres: "contract.txt", async || Setting::postgres("outbox", "").await;
    contract_over_a_slot: "contract.txt", async || Setting::postgres("slot", "").await;
    contract_over_mongodb: "contract.txt", Setting::mongodb;
    messages: "messages.txt", async || Some(Setting::embedded(""));
    messages_over_postgres: "messages.txt", async || Setting::postgres("outbox", "").await;
    resuming: "resuming.txt", async || Some(Setting::embedded(""));
    resuming_over_postgres: "resuming.txt", async || Setting::postgres("outbox", "").await;
}
