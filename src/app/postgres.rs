//! The parts that a Postgres source is made of, and what an operator asks of its database.

use crate::app::operate::command;
use crate::app::parts::{self, Marks, Opened, SourcePart};
use crate::config::{Capture, Config, Records, Resource, Source, redacted};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::postgres::address::Address;
use crate::postgres::capture::{Readiness, Way, Wish};
use crate::postgres::connect::connect;
use crate::postgres::discover::discover;
use crate::postgres::doctor;
use crate::postgres::name::TableName;
use crate::postgres::outbox;
use crate::postgres::publication;
use crate::postgres::table::{self, Binding};
use crate::reading::Reading;
use crate::source::postgres_listen::{Asked, Channel, PostgresListen};
use crate::source::postgres_outbox::{self, PostgresOutbox};
use crate::source::postgres_slot::{self, PostgresSlot};
use crate::source::{Health, Source as Followed};
use crate::store::postgres::{self, PostgresStore};
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Client;

/// A database, and what of it is to be served.
pub struct Database {
    pub address: Address,
    pub bindings: Vec<Binding>,
    /// The resources that are fed by messages in the WAL.
    messages: Vec<(Arc<str>, Reading)>,
    /// The channels that others NOTIFY.
    channels: Vec<Channel>,
    resources: Vec<Resource>,
    /// The tables with the rows of resources that follow another source.
    rows: Vec<Binding>,
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
        let own = resources.iter().filter_map(|resource| binding(resource, &resource.records).transpose());
        let mut bindings: Vec<Binding> = own.collect::<Result<_>>()?;
        let elsewhere = config.resources.iter().filter_map(|one| Some((one, one.rows.as_ref()?)));
        let rows = elsewhere
            .filter(|(_, rows)| rows.source == source.name)
            .filter_map(|(resource, rows)| binding(resource, &rows.records).transpose())
            .collect::<Result<Vec<_>>>()?;
        let (mut messages, mut channels) = (Vec::new(), Vec::new());
        for resource in &resources {
            let name = resource.name.as_str().into();
            match &resource.records {
                Records::Wal { reading } => messages.push((name, reading.clone())),
                Records::Notify { channel, reading } => {
                    channels.push(Channel { name: channel.clone(), resource: name, reading: reading.clone() });
                }
                _ => {}
            }
        }
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
                bindings.extend(binding(&resource, &resource.records)?);
                resources.push(resource);
            }
        }
        if resources.is_empty() && rows.is_empty() {
            let sentence = "has no table with a primary key that this user may read; there is nothing to serve";
            return Err(Error::new(Kind::Refused, format!("{} {sentence}", redacted(&source.url))));
        }
        Ok(Database { address, bindings, messages, channels, resources, rows })
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
        table::load(&client, &self.rows).await?;
        let captured = match self.captures() {
            true => Some(self.provide(&client, config, source).await?),
            false => None,
        };
        drop((client, connection));
        let settings = postgres::Settings {
            bindings: self.bindings.iter().chain(&self.rows).cloned().collect(),
            connections: source.connections,
            statement_timeout: source.statement_timeout,
        };
        let store = Arc::new(PostgresStore::new(&self.address, settings)?);
        let health = Arc::new(Health::default());
        let mut opened = Opened::default();
        for binding in &self.rows {
            opened.rows.insert(binding.resource.clone(), store.clone());
        }
        self.hear(source, &mut opened);
        let mut tables = tables.iter();
        for resource in &self.resources {
            let served = match &resource.records {
                Records::Notify { .. } => continue,
                Records::Wal { .. } => {
                    let marks = Arc::new(Marks(store.clone()));
                    parts::serve_messages(resource, marks, health.clone(), &mut opened.tails)
                }
                _ => {
                    let key = tables.next().map(|table| &table.key[..]).unwrap_or_default();
                    parts::serve_records(resource, key, store.clone(), health.clone())
                }
            };
            opened.served.push(served);
        }
        let Some((way, slot)) = captured else { return Ok(opened) };
        let follower: Arc<dyn Followed> = match way {
            Way::Outbox => {
                let settings = postgres_outbox::Settings {
                    poll: source.poll,
                    keep: source.purge,
                    ..postgres_outbox::Settings::new(self.bindings)
                };
                Arc::new(PostgresOutbox::new(self.address, settings))
            }
            Way::Slot => {
                let settings = postgres_slot::Settings {
                    messages: self.messages,
                    install: source.install,
                    ..postgres_slot::Settings::new(self.bindings, &slot, &source.publication)
                };
                Arc::new(PostgresSlot::new(self.address, settings))
            }
        };
        opened.sources.push(SourcePart { name: source.name.as_str().into(), source: follower, health });
        Ok(opened)
    }

    /// Whether anything is followed by the slot or the outbox.
    fn captures(&self) -> bool {
        !self.bindings.is_empty() || !self.messages.is_empty()
    }

    /// The channels that others NOTIFY are a source of their own: it is lost and found on its own.
    fn hear(&self, source: &Source, opened: &mut Opened) {
        if self.channels.is_empty() {
            return;
        }
        let name: Arc<str> = format!("{}.notify", source.name).into();
        let health = Arc::new(Health::default());
        let asked = Arc::new(Asked::new(health.clone()));
        for resource in self.resources.iter().filter(|one| matches!(one.records, Records::Notify { .. })) {
            let mut served = parts::serve_messages(resource, asked.clone(), health.clone(), &mut opened.tails);
            served.resource.source = name.clone();
            opened.served.push(served);
        }
        let listen = PostgresListen::new(self.address.clone(), self.channels.clone(), asked);
        opened.sources.push(SourcePart { name, source: Arc::new(listen), health });
    }

    /// How the changes are captured, and by which slot. Nothing is changed in somebody's database unasked: says what
    /// is missing instead.
    async fn provide(&self, client: &Client, config: &Config, source: &Source) -> Result<(Way, String)> {
        let tables = self.tables();
        let readiness = Readiness::of(client, &source.publication, &tables).await?;
        let wish = self.wish(source)?;
        let way = readiness.way(wish.way);
        let slot = wish.slot_in(&readiness.server.database);
        let lacks = readiness.lacks(way)?;
        if lacks.is_empty() {
            tracing::info!(source = source.name, capture = ?way, "changes are captured");
            return Ok((way, slot));
        }
        if source.install {
            self.install(client, source, way).await?;
            tracing::info!(source = source.name, tables = tables.len(), capture = ?way, "what capturing needs is installed");
            return Ok((way, slot));
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

    /// What the configuration says of capturing.
    ///
    /// # Errors
    /// `Configuration` when messages in the WAL are wished for without the slot.
    pub fn wish(&self, source: &Source) -> Result<Wish> {
        let way = match (source.capture, self.messages.first()) {
            (Capture::Outbox, Some((resource, _))) => {
                let sentence = format!("resource {resource:?} is in the WAL: it needs capture = \"slot\"");
                return Err(Error::new(Kind::Configuration, sentence));
            }
            (Capture::Outbox, None) => Some(Way::Outbox),
            (Capture::Slot, _) | (Capture::Auto, Some(_)) => Some(Way::Slot),
            (Capture::Auto, None) => None,
        };
        Ok(Wish { way, ..wish_of(source) })
    }

    /// The way that an installation prepares.
    ///
    /// # Errors
    /// `Unreachable` or `Refused` when the database cannot be asked.
    pub async fn way(&self, client: &Client, source: &Source) -> Result<Way> {
        let readiness = Readiness::of(client, &source.publication, &self.tables()).await?;
        Ok(readiness.way(self.wish(source)?.way))
    }

    /// Makes what capturing needs.
    ///
    /// # Errors
    /// As the database refuses it.
    pub async fn install(&self, client: &Client, source: &Source, way: Way) -> Result<()> {
        match way {
            Way::Outbox => outbox::install(&self.address, &self.tables(), None).await,
            Way::Slot => publication::install(client, &source.publication, &self.tables()).await,
        }
    }
}

/// What the configuration says of capturing, but for the way.
pub fn wish_of(source: &Source) -> Wish {
    Wish { way: None, slot: source.slot.clone(), publication: source.publication.clone() }
}

/// What a doctor finds in a database.
///
/// # Errors
/// As [`Database::of`].
pub async fn findings(config: &Config, source: &Source) -> Result<Vec<Finding>> {
    let database = Database::of(config, source, &HashSet::new()).await?;
    let wish = database.wish(source)?;
    Ok(doctor::examine(&database.address, &database.bindings, &wish, &command(config, "sql install")).await)
}

/// The table that a resource is read from; `None` for one that is fed by messages.
fn binding(resource: &Resource, records: &Records) -> Result<Option<Binding>> {
    let table = match records {
        Records::Table(table) => table,
        Records::Wal { .. } | Records::Notify { .. } => return Ok(None),
        _ => {
            let sentence = format!("resource {:?} has no table", resource.name);
            return Err(Error::new(Kind::Configuration, sentence));
        }
    };
    let key = resource.id.iter().map(|column| column.as_str().into()).collect();
    Ok(Some(Binding { resource: resource.name.as_str().into(), table: table.parse()?, key }))
}
