//! What a dialect's tests run on: a server over some store, and somebody else who changes its rows.

use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::rows::Writes;
use crate::transcript::{self, World};
use mongodb::bson::doc;
use std::marker::PhantomData;
use std::net::SocketAddr;

/// The databases that a test has for itself.
pub type Databases = (Option<Database>, Option<Mongo>);

/// A server that is to be started, in the world `W`.
pub struct Setting<W> {
    pub configuration: String,
    pub writes: Writes,
    /// Kept until the server has ended.
    pub databases: Databases,
    world: PhantomData<fn() -> W>,
}

/// A world around a server whose rows are changed from outside.
pub trait Around: World + Sized {
    /// The world around the server at this address, which has this configuration.
    async fn around(address: SocketAddr, writes: Writes, configuration: &str) -> Self;
}

/// The resources of a dialect.
pub struct Roles {
    /// Each with its table.
    pub tables: &'static [(&'static str, &'static str)],
    /// What makes the tables.
    pub schema: &'static str,
}

impl<W> Setting<W> {
    /// Rows are documents of the embedded store; `head` is the configuration without its resources.
    pub fn in_embedded(head: String, roles: &Roles) -> Setting<W> {
        let resource = |(role, _): &(&str, &str)| {
            format!("[resources.{role}]\nsource = \"embedded\"\nwritable = true\nread = \"anyone\"\n")
        };
        let resources: String = roles.tables.iter().map(resource).collect();
        let (writes, databases) = (Writes::Http(reqwest::Client::new()), (None, None));
        Setting { configuration: head + &resources, writes, databases, world: PhantomData }
    }

    /// Rows are in tables of a new database.
    pub async fn in_postgres(head: String, capture: &str, roles: &Roles) -> Option<Setting<W>> {
        let database = Database::create().await?;
        let client = database.client().await;
        client.batch_execute(roles.schema).await.expect("tables");
        let source = format!("[sources.db]\nurl = \"{}\"\ncapture = \"{capture}\"\ninstall = true\n", database.url());
        let resource = |(role, table): &(&str, &str)| {
            format!("[resources.{role}]\nsource = \"db\"\ntable = \"{table}\"\nread = \"anyone\"\n")
        };
        let resources: String = roles.tables.iter().map(resource).collect();
        let (writes, databases) = (Writes::Sql(client), (Some(database), None));
        Some(Setting { configuration: head + &source + &resources, writes, databases, world: PhantomData })
    }

    /// Rows are documents of a new database of MongoDB, with images of what was before.
    pub async fn in_mongodb(head: String, roles: &Roles) -> Option<Setting<W>> {
        let mongo = Mongo::create()?;
        let database = mongo.database().await;
        let mut configuration = head + &format!("[sources.plant]\nurl = \"{}\"\n", mongo.url());
        for (role, _) in roles.tables {
            let images = doc! {"create": role, "changeStreamPreAndPostImages": {"enabled": true}};
            database.run_command(images).await.expect("a collection with images");
            configuration += &format!("[resources.{role}]\nsource = \"plant\"\nread = \"anyone\"\n");
        }
        let (writes, databases) = (Writes::Documents(database), (None, Some(mongo)));
        Some(Setting { configuration, writes, databases, world: PhantomData })
    }
}

impl<W: Around> transcript::Setting for Setting<W> {
    type World = W;
    type Kept = Databases;

    fn configuration(&self) -> String {
        self.configuration.clone()
    }

    async fn world(self, address: SocketAddr) -> (W, Databases) {
        (W::around(address, self.writes, &self.configuration).await, self.databases)
    }
}
