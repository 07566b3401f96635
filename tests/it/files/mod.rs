//! A file store whose rows somebody changes: who hears what, over every store, as its transcripts tell it.

mod flaws;
mod nodes;
mod sockets;
pub mod world;
mod writes;

use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::rows::Writes;
use crate::transcript;
use mongodb::bson::doc;
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
const ROLES: [(&str, &str); 4] =
    [("files", "files"), ("permissions", "file_permissions"), ("media", "file_media"), ("revisions", "file_revisions")];

/// What one transcript is played on.
pub struct Setting {
    pub configuration: String,
    pub writes: Writes,
    /// Kept until the transcript has ended.
    databases: (Option<Database>, Option<Mongo>),
}

impl Setting {
    /// Rows are documents of the embedded store.
    pub fn embedded(more: &str) -> Setting {
        let resource = |(role, _): (&str, &str)| {
            format!("[resources.{role}]\nsource = \"embedded\"\nwritable = true\nread = \"anyone\"\n")
        };
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
        client.batch_execute(include_str!("../../../sql/files.sql")).await.expect("the reference schema");
        let source = format!("[sources.db]\nurl = \"{}\"\n{capture}", database.url());
        let resource = |(role, table): (&str, &str)| {
            format!("[resources.{role}]\nsource = \"db\"\ntable = \"{table}\"\nread = \"anyone\"\n")
        };
        let resources: String = ROLES.into_iter().map(resource).collect();
        Some(Setting {
            configuration: configuration(more) + &source + &resources,
            writes: Writes::Sql(client),
            databases: (Some(database), None),
        })
    }

    /// Rows are documents of a new database of MongoDB.
    async fn mongodb() -> Option<Setting> {
        let mongo = Mongo::create()?;
        let database = mongo.database().await;
        let mut configuration = configuration("") + &format!("[sources.plant]\nurl = \"{}\"\n", mongo.url());
        for (role, _) in ROLES {
            let images = doc! {"create": role, "changeStreamPreAndPostImages": {"enabled": true}};
            database.run_command(images).await.expect("a collection with images");
            configuration += &format!("[resources.{role}]\nsource = \"plant\"\nread = \"anyone\"\n");
        }
        Some(Setting { configuration, writes: Writes::Documents(database), databases: (None, Some(mongo)) })
    }
}

/// The common part, with more in the file store's own section.
fn configuration(more: &str) -> String {
    format!("{COMMON}{more}\n")
}

/// Captured by triggers.
pub const OUTBOX: &str = "capture = \"outbox\"\ninstall = true\n";

impl transcript::Setting for Setting {
    type World = FilesWorld;
    type Kept = (Option<Database>, Option<Mongo>);

    fn configuration(&self) -> String {
        self.configuration.clone()
    }

    async fn world(self, address: SocketAddr) -> (Self::World, Self::Kept) {
        (FilesWorld::of(address, self.writes).await, self.databases)
    }
}

transcript::transcripts! { "files":
    events: "events.txt", async || Some(Setting::embedded(""));
    events_over_postgres: "events.txt", async || Setting::postgres(OUTBOX, "").await;
    events_over_a_slot: "events.txt", async || Setting::postgres("capture = \"slot\"\ninstall = true\n", "").await;
    events_over_mongodb: "events.txt", Setting::mongodb;
    requests: "requests.txt", async || Some(Setting::embedded(""));
    requests_over_postgres: "requests.txt", async || Setting::postgres(OUTBOX, "").await;
    recipients: "recipients.txt", async || Some(Setting::embedded(""));
    recipients_over_postgres: "recipients.txt", async || Setting::postgres(OUTBOX, "").await;
    resuming: "resuming.txt", async || Some(Setting::embedded(""));
    everyone: "everyone.txt", async || Some(Setting::embedded("audience = \"everyone\""));
}
