//! A file store, put together from the resources that the configuration names for its parts.

use crate::api;
use crate::api::files::{FilesApi, Sweeper, Table};
use crate::app::parts::Opened;
use crate::app::service::{Ground, Service};
use crate::auth::{Carrier, Gate, Mint, Mode};
use crate::catalog::Catalog;
use crate::config::{Config, Files, Product};
use crate::dialect::files::Files as Events;
use crate::door::Door;
use crate::door::files::{FilesDoor, Lookup, Paths};
use crate::error::Result;
use crate::event::Timestamp;
use crate::files::echo::Echo;
use crate::files::replica::{self, FilesReplica, Place};
use crate::files::rows::{Mapping, Part, Shape};
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::session::{Limits, Terms};
use crate::shard::Handle;
use axum::Router;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// A file store whose parts are open.
pub struct FileStore {
    pub config: Files,
    pub shape: Shape,
    /// Tells writers when what they caused was handed out.
    pub echo: Arc<Echo>,
    /// For whoever asks for a token.
    mint: Option<Arc<Mint>>,
}

impl FileStore {
    /// A file store, with the resource of its messages.
    ///
    /// # Errors
    /// `Configuration` when tokens are to be given away and there is nothing to sign them with.
    pub fn open(files: &Files, config: &Config, opened: &mut Opened) -> Result<FileStore> {
        let name = files.role(Part::Files).unwrap_or_default();
        let source = opened.add_messages(&files.messages(), name);
        let product = config.sources.iter().find(|one| one.name == *source).map(|one| one.product);
        let shape = if product == Some(Product::Postgres) { Shape::Columns } else { Shape::Flat };
        let mint = match &config.auth {
            Some(auth) if files.dev_sessions => Some(Arc::new(Mint::new(auth)?)),
            _ => None,
        };
        Ok(FileStore { config: files.clone(), shape, echo: Arc::default(), mint })
    }

    /// How the rows of a part are read; `None`: there are none.
    pub fn mapping(&self, part: Part) -> Option<(Arc<str>, Mapping)> {
        let resource = self.config.role(part)?;
        Some((resource.into(), Mapping::new(part, self.shape, &self.config.fields(part))))
    }

    /// What follows its rows and logs what is told.
    fn replica(&self, catalog: &Catalog, metrics: Arc<Metrics>) -> FilesReplica {
        let place = |part| {
            let (resource, mapping) = self.mapping(part)?;
            let is_public = catalog.resource(&resource).is_some_and(|served| !served.resource.private);
            Some(Place { resource, mapping, is_public })
        };
        let settings = replica::Settings {
            places: Part::ALL.into_iter().filter_map(place).collect(),
            messages: self.config.messages().into(),
            access_to: self.config.audience,
        };
        FilesReplica::new(settings, self.echo.clone(), metrics)
    }

    fn table(&self, part: Part, catalog: &Catalog) -> Option<Table> {
        let (resource, mapping) = self.mapping(part)?;
        Some(Table { resource: catalog.resource(&resource)?.resource.clone(), mapping })
    }

    /// What deletes its expired permissions from time to time, until it is stopped; `None`: nothing is to.
    fn sweeping(&self, catalog: &Catalog, mut stopped: watch::Receiver<bool>) -> Option<BoxFuture<'static, ()>> {
        let every = self.config.sweep_expired?;
        let store = catalog.resource(self.config.role(Part::Files)?)?.store.clone();
        let (files, permissions) = (self.table(Part::Files, catalog)?, self.table(Part::Permissions, catalog)?);
        let sweeper = Sweeper { store, files, permissions };
        Some(Box::pin(async move {
            let mut times = tokio::time::interval(every);
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = times.tick() => {}
                    _ = stopped.wait_for(|stop| *stop) => return,
                }
                if let Err(error) = sweeper.sweep(Timestamp::now().0).await {
                    tracing::warn!(error = %error.chain(), "expired permissions are not deleted");
                }
            }
        }))
    }

    /// Its API, where it has one. Every part is in the store of the files.
    fn api(&self, catalog: &Catalog, port: u16, gate: Arc<Gate>, shards: &[Handle]) -> Option<FilesApi> {
        self.config.api.then_some(())?;
        let table = |part| self.table(part, catalog);
        let settings = api::files::Settings {
            prefixes: self.config.prefixes.clone(),
            port,
            hold: self.config.hold,
            max_body: self.config.max_body,
            group_claim: self.config.group_claim.clone().unwrap_or_default(),
        };
        let store = catalog.resource(self.config.role(Part::Files)?)?.store.clone();
        if !store.has_transactions() {
            tracing::warn!(path = self.config.path, "its source has no transactions, so only events are served");
            return None;
        }
        Some(FilesApi {
            store,
            files: table(Part::Files)?,
            permissions: table(Part::Permissions)?,
            media: table(Part::Media)?,
            revisions: table(Part::Revisions)?,
            users: table(Part::Users),
            settings,
            gate,
            mint: self.mint.clone(),
            echo: Arc::new(HandedOut { echo: self.echo.clone(), shards: shards.to_vec() }),
        })
    }

    /// Its way in.
    fn door(&self, ground: &Ground) -> Option<FilesDoor> {
        let catalog = &ground.catalog;
        let limits = Limits { watches: 1, items: 1, barrier: Duration::ZERO };
        let dialect = Arc::new(Events);
        let lookup = Lookup {
            catalog: catalog.clone(),
            files: self.mapping(Part::Files)?,
            permissions: self.mapping(Part::Permissions),
        };
        Some(FilesDoor {
            paths: Paths { prefixes: self.config.prefixes.clone() },
            gate: gate(ground),
            group_claim: self.config.group_claim.clone(),
            lookup,
            messages: self.config.messages().into(),
            terms: Arc::new(Terms { catalog: catalog.clone(), dialect, limits }),
            hub: ground.hub.clone(),
            ping: ground.config.monorail.ping,
        })
    }
}

impl Service for FileStore {
    fn replicas(&self, catalog: &Arc<Catalog>, metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        vec![Box::new(self.replica(catalog, metrics.clone()))]
    }

    fn tasks(&self, ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        self.sweeping(&ground.catalog, ground.stopped.clone()).into_iter().collect()
    }

    fn doors(&self, ground: &Ground) -> Vec<Box<dyn Door>> {
        let door = self.door(ground);
        door.into_iter().map(|door| Box::new(door) as Box<dyn Door>).collect()
    }

    fn routes(&self, ground: &Ground) -> Router {
        let port = ground.config.server.listen.port();
        let api = self.api(&ground.catalog, port, gate(ground), &ground.shards);
        api.map(api::files::router).unwrap_or_default()
    }
}

/// Everybody shows a token.
fn gate(ground: &Ground) -> Arc<Gate> {
    let carriers = vec![Carrier::Query("token".to_owned()), Carrier::Header];
    Arc::new(Gate { mode: Mode::Required, carriers, ..(*ground.gate).clone() })
}

/// Waits until what a change caused was handed to every socket.
struct HandedOut {
    echo: Arc<Echo>,
    shards: Vec<Handle>,
}

impl api::files::Echo for HandedOut {
    fn expect(&self, n: &Arc<str>, rows: usize) -> BoxFuture<'static, ()> {
        let mut pending = self.echo.register(n.clone(), rows);
        let shards = self.shards.clone();
        Box::pin(async move {
            if let Some(upto) = pending.logged().await {
                for shard in &shards {
                    shard.passed(upto).await;
                }
            }
        })
    }
}
