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

use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::rows::Writes;
use crate::transcript;
use mongodb::bson::doc;
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

/// The databases that a test has for itself.
pub type Databases = (Option<Database>, Option<Mongo>);

/// What one transcript is played on.
pub struct Setting {
    pub configuration: String,
    pub writes: Writes,
    /// Kept until the transcript has ended.
    pub databases: Databases,
}

impl Setting {
    /// Rows are documents of the embedded store.
    pub fn embedded(more: &str) -> Setting {
        let resource = |(role, _): (&str, &str)| {
            format!("[resources.{role}]\nsource = \"embedded\"\nwritable = true\nread = \"anyone\"\n")
        };
        let resources: String = ROLES.into_iter().map(resource).collect();
        Setting {
            configuration: format!("{COMMON}{more}\n{resources}"),
            writes: Writes::Http(reqwest::Client::new()),
            databases: (None, None),
        }
    }

    /// Rows are in the tables of the reference schema, in a new database.
    pub async fn postgres(capture: &str, more: &str) -> Option<Setting> {
        let database = Database::create().await?;
        let client = database.client().await;
        client.batch_execute(include_str!("../../../sql/misakey.sql")).await.expect("the reference schema");
        // A transcript refers to a message that is not there.
        let loosen = "alter table misakey.event drop constraint event_referrer_id_fkey";
        client.batch_execute(loosen).await.expect("it is altered");
        let source = format!("[sources.db]\nurl = \"{}\"\ncapture = \"{capture}\"\ninstall = true\n", database.url());
        let resource = |(role, table): (&str, &str)| {
            format!("[resources.{role}]\nsource = \"db\"\ntable = \"{table}\"\nread = \"anyone\"\n")
        };
        let resources: String = ROLES.into_iter().map(resource).collect();
        Some(Setting {
            configuration: format!("{COMMON}{more}\n{source}{resources}"),
            writes: Writes::Sql(client),
            databases: (Some(database), None),
        })
    }

    /// Rows are documents of a new database of MongoDB.
    pub async fn mongodb() -> Option<Setting> {
        let mongo = Mongo::create()?;
        let database = mongo.database().await;
        let mut configuration = format!("{COMMON}[sources.plant]\nurl = \"{}\"\n", mongo.url());
        for (role, _) in ROLES {
            let images = doc! {"create": role, "changeStreamPreAndPostImages": {"enabled": true}};
            database.run_command(images).await.expect("a collection with images");
            configuration += &format!("[resources.{role}]\nsource = \"plant\"\nread = \"anyone\"\n");
        }
        Some(Setting { configuration, writes: Writes::Documents(database), databases: (None, Some(mongo)) })
    }
}

impl transcript::Setting for Setting {
    type World = MisakeyWorld;
    type Kept = Databases;

    fn configuration(&self) -> String {
        self.configuration.clone()
    }

    async fn world(self, address: SocketAddr) -> (Self::World, Self::Kept) {
        (MisakeyWorld::of(address, self.writes).await, self.databases)
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
