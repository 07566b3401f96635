//! The concrete parts that a configuration asks for, opened and connected.

use crate::access::{Access, Read};
use crate::app::admin::Admin;
use crate::app::cells::Cells;
use crate::app::files::FileStore;
use crate::app::in_source;
use crate::app::jac::Jac;
use crate::app::misakey::Misakey;
use crate::app::mongodb as mongo;
use crate::app::postgres::Database;
use crate::app::rabbitmq;
use crate::app::service::Service;
use crate::app::shared;
use crate::auth::Verifier;
use crate::catalog::{Catalog, Served};
use crate::config::{Config, Durability, EMBEDDED, Product, Resource, Source as Configured};
use crate::error::{Error, Kind, Result};
use crate::event::Mark;
use crate::log::disk::{DiskLog, Sync};
use crate::log::memory::MemoryLog;
use crate::log::{self, Log};
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::resource;
use crate::server::{Encryption, certificate};
use crate::shard;
use crate::source::embedded::EmbeddedSource;
use crate::source::{Health, Source};
use crate::store::Store;
use crate::store::embedded::Embedded;
use crate::store::feed::{FeedStore, Progress};
use crate::store::tail::Tail;
use async_trait::async_trait;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Bytes of pushes that may wait for one socket before its watches go on by cursor.
const PUSH_BYTES: usize = 256 * 1024;

/// Everything that the engine is put together from.
pub struct Parts {
    pub catalog: Arc<Catalog>,
    pub log: Arc<dyn Log>,
    pub tails: HashMap<Arc<str>, Arc<Tail>>,
    pub sources: Vec<SourcePart>,
    pub replicas: Vec<Box<dyn Replica>>,
    pub services: Vec<Box<dyn Service>>,
    pub verifier: Option<Arc<Verifier>>,
    pub metrics: Arc<Metrics>,
}

/// A source that is to be followed.
pub struct SourcePart {
    pub name: Arc<str>,
    pub source: Arc<dyn Source>,
    pub health: Arc<Health>,
}

/// What a source in the configuration leads to.
#[derive(Default)]
pub struct Opened {
    pub served: Vec<Served>,
    pub tails: HashMap<Arc<str>, Arc<Tail>>,
    pub sources: Vec<SourcePart>,
    /// The stores of resources that follow another source and have their rows here.
    pub rows: HashMap<Arc<str>, Arc<dyn Store>>,
}

impl Opened {
    fn take(&mut self, other: Opened) {
        self.served.extend(other.served);
        self.tails.extend(other.tails);
        self.sources.extend(other.sources);
        self.rows.extend(other.rows);
    }

    /// The names that resources have so far.
    pub fn names(&self) -> HashSet<String> {
        self.served.iter().map(|one| one.resource.name.to_string()).collect()
    }

    /// Adds the private resource of what a dialect tells of the changes of another one, whose source it has; returns
    /// that source. It holds no lines: whoever comes back is told from the log.
    pub fn add_messages(&mut self, name: &str, of: &str) -> Arc<str> {
        let own = self.served.iter().find(|one| *one.resource.name == *of);
        let source = own.map(|one| one.resource.source.clone()).unwrap_or_default();
        let health = own.map(|one| one.health.clone()).unwrap_or_default();
        let resource = resource::Resource {
            source: source.clone(),
            append_only: true,
            private: true,
            writable: false,
            ..resource::Resource::named(name)
        };
        let tail = Arc::new(Tail::new(0, None));
        self.tails.insert(resource.name.clone(), tail.clone());
        let access = Access::of(Read::Authenticated);
        self.served.push(Served { resource, access, store: tail, health, sharing: None, interests: None });
        source
    }
}

/// Opens the log and the stores, and finds what is to be served.
///
/// # Errors
/// Whatever cannot be opened, in one sentence that says what to do.
pub async fn open(config: &Config) -> Result<Parts> {
    let log = open_log(config)?;
    let metrics = Arc::new(Metrics::default());
    let mut opened = Opened::default();
    let catalog = Arc::new(Catalog::new(Vec::new(), config.aliases()).narrowed(config.narrowed()));
    let opening = Opening { config, log: log.clone(), catalog: catalog.clone() };
    let kept: Vec<&Resource> = config.resources.iter().filter(|resource| resource.source == EMBEDDED).collect();
    if !kept.is_empty() {
        let directory = config.server.data.as_ref().map(|data| data.join("store"));
        let embedded = Embedded::open(directory.as_deref())?;
        let health = Arc::new(Health::default());
        let names = kept.iter().map(|resource| resource.name.as_str().into()).collect();
        for resource in kept {
            let one = serve_embedded(resource, embedded.clone(), health.clone(), &mut opened.tails);
            opened.served.push(one);
        }
        let source = Arc::new(EmbeddedSource::new(embedded, names));
        opened.sources.push(SourcePart { name: EMBEDDED.into(), source, health });
    }
    // A broker's resources may have their rows in a database.
    let (brokers, databases): (Vec<_>, Vec<_>) = config
        .sources
        .iter()
        .filter(|source| !config.only_carries(source))
        .partition(|source| source.product == Product::Rabbitmq);
    for source in databases.into_iter().chain(brokers) {
        let one = opening.open_source(source, &opened).await;
        opened.take(one.map_err(|error| in_source(&source.name, error))?);
    }
    check_aliases(config, &opened.served)?;
    let mut replicas = shared::replicas(config, &mut opened.served, &*log)?;
    let services = services(config, &mut opened, &metrics).await?;
    for one in opened.served {
        let name = one.resource.name.clone();
        if !catalog.add(one) {
            return Err(Error::new(Kind::Configuration, format!("there are two resources {name:?}")));
        }
    }
    fill_tails(&*log, &opened.tails)?;
    // Behind the others: of the rows of a file store, these log what follows from them.
    for service in &services {
        replicas.extend(service.replicas(&catalog, &metrics));
    }
    Ok(Parts {
        replicas,
        services,
        catalog,
        log,
        tails: opened.tails,
        sources: opened.sources,
        verifier: config.auth.as_ref().map(Verifier::new).transpose()?.map(Arc::new),
        metrics,
    })
}

/// The dialects with parts of their own, with the resources that these add.
async fn services(config: &Config, opened: &mut Opened, metrics: &Arc<Metrics>) -> Result<Vec<Box<dyn Service>>> {
    let mut services: Vec<Box<dyn Service>> = Vec::new();
    if let Some(admin) = &config.admin {
        services.push(Box::new(Admin::open(admin)?));
    }
    for files in &config.files {
        services.push(Box::new(FileStore::open(files, config, opened)?));
    }
    for cells in &config.cells {
        services.push(Box::new(Cells::open(cells, config, opened).await?));
    }
    for misakey in &config.misakey {
        services.push(Box::new(Misakey::open(misakey, config, opened).await?));
    }
    for jac in &config.jac {
        services.push(Box::new(Jac::open(jac, config, opened, metrics).await?));
    }
    Ok(services)
}

/// What every source is opened with.
struct Opening<'a> {
    config: &'a Config,
    log: Arc<dyn Log>,
    catalog: Arc<Catalog>,
}

impl Opening<'_> {
    /// Opens one source; `before` is what was opened before it.
    async fn open_source(&self, source: &Configured, before: &Opened) -> Result<Opened> {
        let config = self.config;
        match source.product {
            Product::Postgres => Database::of(config, source, &before.names()).await?.open(config, source).await,
            Product::Mongodb => {
                Ok(mongo::Database::of(config, source, &before.names()).await?.open(config, source, &self.catalog))
            }
            Product::Rabbitmq => rabbitmq::open(config, source, &before.rows, &self.log),
        }
    }
}

/// A resource of records with its parts; `primary` is its key where the configuration names none.
pub fn serve_records(resource: &Resource, primary: &[String], store: Arc<dyn Store>, health: Arc<Health>) -> Served {
    let access = resource.access.clone();
    Served { resource: resource.resource(primary), access, store, health, sharing: None, interests: None }
}

/// A resource that is fed by messages of a database, and has no rows there: only lines can be read, from a tail. How
/// far its source is, is told by marks of `database`.
pub fn serve_messages(
    resource: &Resource,
    progress: Arc<dyn Progress>,
    health: Arc<Health>,
    tails: &mut HashMap<Arc<str>, Arc<Tail>>,
) -> Served {
    let feed: Arc<dyn Store> = Arc::new(FeedStore::new(None, progress));
    read_lines_from_a_tail(serve_records(resource, &[], feed, health), tails)
}

/// How far the changes of a database have come.
pub struct Marks(pub Arc<dyn Store>);

#[async_trait]
impl Progress for Marks {
    async fn mark(&self) -> Result<Mark> {
        self.0.mark().await
    }
}

/// A resource of the embedded store; an append-only one is read from a tail.
fn serve_embedded(
    resource: &Resource,
    store: Arc<dyn Store>,
    health: Arc<Health>,
    tails: &mut HashMap<Arc<str>, Arc<Tail>>,
) -> Served {
    read_lines_from_a_tail(serve_records(resource, &["id".to_owned()], store, health), tails)
}

/// An append-only resource with a tail before its store; others are as they were.
fn read_lines_from_a_tail(mut served: Served, tails: &mut HashMap<Arc<str>, Arc<Tail>>) -> Served {
    if served.resource.append_only {
        let tail = Arc::new(Tail::new(served.resource.keep, Some(served.store)));
        tails.insert(served.resource.name.clone(), tail.clone());
        served.store = tail;
    }
    served
}

/// Only now is it known whether all of the channels' other names mean something.
fn check_aliases(config: &Config, served: &[Served]) -> Result<()> {
    for (alias, name) in config.aliases() {
        if !served.iter().any(|one| one.resource.name == name) {
            let sentence = format!("channel {alias:?} means the resource {name:?}, which was not found");
            return Err(Error::new(Kind::Configuration, sentence));
        }
    }
    Ok(())
}

fn open_log(config: &Config) -> Result<Arc<dyn Log>> {
    let retention = config.log.retention;
    Ok(match &config.server.data {
        None => Arc::new(MemoryLog::new(retention)),
        Some(data) => {
            let sync = match config.log.sync {
                Durability::Os => Sync::Os,
                Durability::Always => Sync::Always,
            };
            Arc::new(DiskLog::open(&data.join("log"), retention, sync)?)
        }
    })
}

/// Gives tails the lines that the log still has.
fn fill_tails(log: &dyn Log, tails: &HashMap<Arc<str>, Arc<Tail>>) -> Result<()> {
    if tails.is_empty() {
        return Ok(());
    }
    let last = log::each(log, |entry| {
        if let Some(tail) = tails.get(&entry.event.resource) {
            tail.push(entry);
        }
    })?;
    tails.values().for_each(|tail| tail.advance(last));
    Ok(())
}

/// What the configuration says of sockets.
pub fn shard_settings(config: &Config) -> shard::Settings {
    let monorail = &config.monorail;
    shard::Settings {
        gather: config.server.gather,
        ping: monorail.ping,
        write_timeout: monorail.write_timeout,
        push_bytes: monorail.queue_bytes.min(PUSH_BYTES),
        reply_bytes: monorail.queue_bytes,
    }
}

/// The certificate, if connections are to be encrypted.
///
/// # Errors
/// `Configuration` when a file cannot be read or does not fit.
pub fn tls(config: &Config) -> Result<Option<Encryption>> {
    let Some(tls) = &config.server.tls else { return Ok(None) };
    certificate::load(&tls.certificate, &tls.key).map(Some)
}
