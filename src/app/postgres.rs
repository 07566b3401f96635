//! The parts that a Postgres source is made of, and what an operator asks of its database.

use crate::app::operate::command;
use crate::app::parts::{self, Opened, SourcePart};
use crate::config::{Config, Records, Resource, Source, redacted};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::discover::discover;
use crate::postgres::doctor;
use crate::postgres::name::TableName;
use crate::postgres::outbox;
use crate::postgres::table::{self, Binding};
use crate::source::Health;
use crate::source::postgres_outbox::{self, PostgresOutbox};
use crate::store::postgres::{self, PostgresStore};
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// A database, and what of it is to be served.
pub struct Database {
    pub address: Address,
    pub bindings: Vec<Binding>,
    resources: Vec<Resource>,
}

impl Database {
    /// What the configuration says of a database's tables; everything with a key where it says nothing.
    /// `taken` are the names that other resources have already.
    ///
    /// # Errors
    /// A URL or a table name that is none; `Unreachable` or `Refused` when the tables cannot be listed.
    pub async fn of(config: &Config, source: &Source, taken: &HashSet<String>) -> Result<Database> {
        let address = Address::parse(&source.url)?;
        let mut resources: Vec<Resource> =
            config.resources.iter().filter(|resource| resource.source == source.name).cloned().collect();
        let mut bindings = resources.iter().map(binding).collect::<Result<Vec<_>>>()?;
        if config.discovers(source) {
            let tables = discover(&address).await?;
            for left in tables.left_out {
                tracing::info!(source = source.name, table = %left.table, reason = left.reason, "a table is not served");
            }
            for found in tables.served {
                if bindings.iter().any(|one| one.table == found.table) {
                    continue;
                }
                let name = match taken.contains(&found.resource) {
                    false => found.resource,
                    true => format!("{}.{}", source.name, found.resource),
                };
                let read = config.read_of_discovered();
                let resource = Resource::discovered(&name, &source.name, Records::Table(found.table.to_string()), read);
                bindings.push(binding(&resource)?);
                resources.push(resource);
            }
        }
        if resources.is_empty() {
            let sentence = "has no table with a primary key that this user may read; there is nothing to serve";
            return Err(Error::new(Kind::Refused, format!("{} {sentence}", redacted(&source.url))));
        }
        Ok(Database { address, bindings, resources })
    }

    /// The tables, for the statements that concern them.
    pub fn tables(&self) -> Vec<TableName> {
        self.bindings.iter().map(|binding| binding.table.clone()).collect()
    }

    /// Puts together what follows and reads the database; installs what is missing if that was asked for.
    ///
    /// # Errors
    /// `Refused` with what is missing and the command for it.
    pub async fn open(self, config: &Config, source: &Source) -> Result<Opened> {
        let (client, connection) = connect(&self.address, Duration::from_secs(30), None).await?;
        let tables = table::load(&client, &self.bindings).await?;
        drop((client, connection));
        self.provide_outbox(config, source).await?;
        let settings = postgres::Settings {
            bindings: self.bindings.clone(),
            connections: source.connections,
            statement_timeout: source.statement_timeout,
        };
        let store = Arc::new(PostgresStore::new(&self.address, settings)?);
        let health = Arc::new(Health::default());
        let served = self
            .resources
            .iter()
            .zip(&tables)
            .map(|(resource, table)| parts::serve_records(resource, &table.key, store.clone(), health.clone()))
            .collect();
        let settings = postgres_outbox::Settings {
            poll: source.poll,
            keep: source.purge,
            ..postgres_outbox::Settings::new(self.bindings)
        };
        let follower = Arc::new(PostgresOutbox::new(self.address, settings));
        let part = SourcePart { name: source.name.as_str().into(), source: follower, health };
        Ok(Opened { served, sources: vec![part], ..Opened::default() })
    }

    /// Nothing is changed in somebody's database unasked: says what is missing instead.
    async fn provide_outbox(&self, config: &Config, source: &Source) -> Result<()> {
        let tables = self.tables();
        let lacks = outbox::state(&self.address, &tables).await?.lacks();
        if lacks.is_empty() {
            return Ok(());
        }
        if let Some(lack) = lacks.iter().find(|lack| !lack.is_installable()) {
            return Err(Error::new(Kind::Refused, lack.to_string()));
        }
        if source.install {
            outbox::install(&self.address, &tables, None).await?;
            tracing::info!(source = source.name, tables = tables.len(), "the outbox is installed");
            return Ok(());
        }
        let mut sentence = "it is not prepared to be followed, and nothing was changed in it".to_owned();
        for lack in &lacks {
            let _ = write!(sentence, "\n  - {lack}");
        }
        for (purpose, subcommand) in [
            ("to see the statements: ", "sql print"),
            ("to run them:           ", "sql install"),
            ("to run them and serve: ", "serve --install"),
        ] {
            let _ = write!(sentence, "\n  {purpose} {}", command(config, subcommand));
        }
        Err(Error::new(Kind::Refused, sentence))
    }
}

/// What a doctor finds in a database.
///
/// # Errors
/// As [`Database::of`].
pub async fn findings(config: &Config, source: &Source) -> Result<Vec<Finding>> {
    let database = Database::of(config, source, &HashSet::new()).await?;
    Ok(doctor::examine(&database.address, &database.bindings, &command(config, "sql install")).await)
}

fn binding(resource: &Resource) -> Result<Binding> {
    let Records::Table(table) = &resource.records else {
        let sentence = format!("resource {:?} has no table", resource.name);
        return Err(Error::new(Kind::Configuration, sentence));
    };
    let key = resource.id.iter().map(|column| column.as_str().into()).collect();
    Ok(Binding { resource: resource.name.as_str().into(), table: table.parse()?, key })
}
