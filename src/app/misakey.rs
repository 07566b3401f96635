//! What happens to a member of encrypted boxes, put together from the resources that the configuration names.

use crate::app::parts::Opened;
use crate::app::service::{Ground, Service};
use crate::auth::{self, Gate, Mode, OnExpiry, Verifier, Verify};
use crate::catalog::Catalog;
use crate::config::{self, Capture, Config, Counts, EMBEDDED, Product};
use crate::dialect::misakey::Misakey as Dialect;
use crate::door::misakey::{MisakeyDoor, Pattern};
use crate::door::{Asking, Door};
use crate::error::{Error, Kind, Result};
use crate::metrics::Metrics;
use crate::misakey::recount::{Outdated, recount};
use crate::misakey::replica::{self, BoxesReplica, Place};
use crate::misakey::{Acks, Identities, Role, Tables};
use crate::replica::Replica;
use crate::session::{Limits, Terms};
use crate::shard::{Keepalive, Manners};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::any;
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a client may take to take one message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an identity is looked for that should be known.
const LOOK: Duration = Duration::from_secs(5);

/// How far ahead an issuer's clock may be.
const EARLY: Duration = Duration::from_secs(60);

/// Boxes whose parts are open.
pub struct Misakey {
    config: config::Misakey,
    pattern: Pattern,
    verifier: Option<Arc<dyn Verify>>,
    /// The roles of which a change may not tell what was there before.
    held: Vec<Role>,
    /// The boxes that this program counts; `None`: it counts none.
    outdated: Option<Arc<Outdated>>,
}

impl Misakey {
    /// Opens its parts, with the resource of its messages.
    ///
    /// # Errors
    /// `Configuration` when a role has no resource, or tokens cannot be verified.
    pub async fn open(config: &config::Misakey, all: &Config, opened: &mut Opened) -> Result<Misakey> {
        let wrong = |sentence: String| Error::new(Kind::Configuration, sentence);
        let pattern = Pattern::parse(&config.path).ok_or_else(|| wrong(format!("{} has no {{id}}", config.path)))?;
        for (role, name) in &config.roles {
            if !opened.served.iter().any(|one| *one.resource.name == **name) {
                return Err(wrong(format!("the role {} is the resource {name:?}, which was not found", role.name())));
            }
        }
        let source_of = |role| {
            let name = config.role(role)?;
            opened.served.iter().find(|one| *one.resource.name == *name).map(|one| one.resource.source.clone())
        };
        let configured = |source: &str| all.sources.iter().find(|one| *one.name == *source);
        let always_tells = |source: &str| match configured(source) {
            None => source == EMBEDDED,
            Some(source) => source.product == Product::Postgres && source.capture == Capture::Outbox,
        };
        let changing = [Role::SavedFiles, Role::EventCounts].into_iter();
        let held = changing.filter(|role| source_of(*role).is_some_and(|source| !always_tells(&source))).collect();
        let counts_by_itself = source_of(Role::EventCounts)
            .map(|source| configured(&source).is_some_and(|source| source.product == Product::Postgres));
        let is_counting = match config.counts {
            Counts::Auto => counts_by_itself == Some(false),
            Counts::Recount => true,
            Counts::Trigger | Counts::Off => false,
        };
        let verifier = match &all.auth {
            Some(settings) => Some(Arc::new(Verifier::new(&asked(settings, config))?) as Arc<dyn Verify>),
            None => None,
        };
        opened.add_messages(&config.messages(), config.role(Role::BoxEvents).unwrap_or_default());
        let outdated = is_counting.then(Arc::default);
        Ok(Misakey { config: config.clone(), pattern, verifier, held, outdated })
    }

    fn tables(&self, catalog: &Arc<Catalog>) -> Arc<Tables> {
        let roles = self.config.roles.iter().map(|(role, name)| (*role, name.as_str().into())).collect();
        Arc::new(Tables::new(catalog.clone(), roles))
    }

    fn door(&self, ground: &Ground) -> MisakeyDoor {
        let limits = Limits { watches: 1, items: 1, barrier: Duration::ZERO };
        let dialect = Arc::new(Dialect { close_style: self.config.close_style });
        let keepalive = Keepalive { ping: self.config.ping, silence: self.config.pong_timeout };
        let (mode, on_expiry) = (Mode::Required, OnExpiry::Close);
        MisakeyDoor {
            pattern: self.pattern.clone(),
            gate: Arc::new(Gate { mode, on_expiry, verifier: self.verifier.clone(), ..(*ground.gate).clone() }),
            origins: self.config.allowed_origins.clone(),
            terms: Arc::new(Terms { catalog: ground.catalog.clone(), dialect, limits }),
            hub: ground.hub.clone(),
            messages: self.config.messages().into(),
            acks: Arc::new(Acks {
                tables: self.tables(&ground.catalog),
                members_only: self.config.ack_members_only,
                notes_newest: self.outdated.is_some(),
                metrics: ground.metrics.clone(),
            }),
            manners: Manners {
                keepalive: Some(keepalive),
                write_timeout: Some(WRITE_TIMEOUT),
                parting: Some(self.config.drain_spread),
                ..Manners::default()
            },
            stopped: ground.stopped.clone(),
        }
    }
}

impl Service for Misakey {
    fn replicas(&self, catalog: &Arc<Catalog>, metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        let tables = self.tables(catalog);
        let place = |(role, name): &(Role, String)| Place {
            role: *role,
            resource: name.as_str().into(),
            is_public: catalog.resource(name).is_some_and(|served| !served.resource.private),
            is_held: self.held.contains(role),
        };
        let settings = replica::Settings {
            places: self.config.roles.iter().map(place).collect(),
            messages: self.config.messages().into(),
            push_types: self.config.push_types.clone(),
            outdated: self.outdated.clone(),
        };
        // The pump has a thread of its own, which may wait.
        let runtime = Handle::current();
        let look = move |id: &str| {
            let looking = async { tokio::time::timeout(LOOK, tables.identity(id)).await };
            let late = |error| Error::because(Kind::Unreachable, "the store takes too long", error);
            runtime.block_on(looking).unwrap_or_else(|error| Err(late(error)))
        };
        vec![Box::new(BoxesReplica::new(settings, Identities::new(Box::new(look)), metrics.clone()))]
    }

    fn tasks(&self, ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        let counting = self.outdated.clone().map(|outdated| {
            Box::pin(recount(self.tables(&ground.catalog), outdated, ground.stopped.clone())) as BoxFuture<'static, ()>
        });
        counting.into_iter().collect()
    }

    fn doors(&self, ground: &Ground) -> Vec<Box<dyn Door>> {
        vec![Box::new(self.door(ground))]
    }

    fn routes(&self, ground: &Ground) -> Router {
        let door = Arc::new(self.door(ground));
        let turn_away = move |request: Request| {
            let door = door.clone();
            async move {
                let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
                let (uri, headers) = (request.uri(), request.headers());
                door.turn_away(Asking { path: uri.path(), query: uri.query(), headers, peer }).await
            }
        };
        Router::new().route(&self.config.path, any(turn_away))
    }
}

/// How tokens are verified on this path: who they name, and how often an issuer is asked about them.
fn asked(settings: &auth::Settings, config: &config::Misakey) -> auth::Settings {
    let mut settings = settings.clone();
    if let Some(jwt) = &mut settings.jwt {
        jwt.rules.subject_claims = config.identity_claim.clone();
    }
    if let Some(introspection) = &mut settings.introspection {
        introspection.recheck = config.recheck;
        introspection.rules.subject_claims = config.identity_claim.clone();
        introspection.rules.leeway = Duration::ZERO;
        introspection.rules.early = EARLY;
    }
    settings
}
