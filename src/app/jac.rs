//! Pushes between users, channels and clients, put together from what the configuration names.

use crate::api::jac::{self as api, JacApi};
use crate::app::parts::Opened;
use crate::app::relay::Nodes;
use crate::app::service::{Ground, Service};
use crate::auth::{Gate, Mode, Settings, Verifier, Verify};
use crate::catalog::Catalog;
use crate::config::{self, Config, WalkerKind};
use crate::door::Door;
use crate::door::jac::JacDoor;
use crate::error::{Error, Kind, Result};
use crate::jac::feeds::Feeds;
use crate::jac::identity::Passport;
use crate::jac::operations::{Operation, Operations};
use crate::jac::push::Switchboard;
use crate::jac::talk::Exchange;
use crate::jac::topics::Topics;
use crate::jac::walker::Walker;
use crate::jac::walkers::builtin::Builtin;
use crate::jac::walkers::http::Http;
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::replica::tap::{Shown, Tap};
use crate::shard::{Keepalive, Manners, Waiting};
use axum::Router;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What may wait for one socket: past it messages would be lost, and that is to be seen.
const WAITING: Waiting = Waiting { frames: 4096, bytes: 32 << 20 };

/// How long a socket may take nothing while something waits for it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The claims that end a token, besides those that are configured.
const EXPIRY_CLAIMS: [&str; 2] = ["exp", "expiration"];

/// Pushes whose parts are open.
pub struct Jac {
    config: config::Jac,
    topics: Arc<Topics>,
    nodes: Nodes,
    /// What runs each operation, in the order of the configuration.
    walkers: Vec<Arc<dyn Walker>>,
    verifier: Option<Arc<Verifier>>,
    /// What is logged of the feeds, until somebody pushes it.
    logged: Mutex<Option<mpsc::Receiver<Shown>>>,
    exchange: OnceLock<Arc<Exchange>>,
}

impl Jac {
    /// Opens its parts.
    ///
    /// # Errors
    /// Whatever cannot be opened, in one sentence that says what to do.
    pub async fn open(config: &config::Jac, all: &Config, opened: &mut Opened, metrics: &Arc<Metrics>) -> Result<Jac> {
        for (key, name) in config.resources() {
            if !opened.names().contains(name) {
                let sentence = format!("{key} of the channel {:?}: the resource {name:?} was not found", config.path);
                return Err(Error::new(Kind::Configuration, sentence));
            }
        }
        let nodes = Nodes::open(config, all, metrics).await?;
        let walkers = config.walkers.iter().map(|walker| open_walker(walker, &nodes)).collect::<Result<_>>()?;
        Ok(Jac {
            topics: Arc::default(),
            nodes,
            walkers,
            verifier: all.auth.as_ref().map(verifier).transpose()?,
            logged: Mutex::default(),
            exchange: OnceLock::new(),
            config: config.clone(),
        })
    }

    fn feeds(&self, metrics: &Arc<Metrics>) -> Feeds {
        Feeds {
            feeds: self.config.feeds.clone(),
            pushes: self.config.pushes.as_deref().map(Into::into),
            topics: self.topics.clone(),
            metrics: metrics.clone(),
        }
    }

    /// What all sockets and calls share.
    fn exchange(&self, ground: &Ground) -> Arc<Exchange> {
        let make = || {
            let operation = |(configured, walker): (&config::Walker, &Arc<dyn Walker>)| Operation {
                name: configured.name.as_str().into(),
                methods: configured.methods,
                auth: configured.auth,
                context: match (&configured.context, &configured.kind) {
                    (None, WalkerKind::Builtin { target, .. }) => Some(target.fields()),
                    (declared, _) => declared.clone(),
                },
                timeout: configured.timeout,
                nodes: configured.nodes,
                walker: walker.clone(),
            };
            let operations: Operations = self.config.walkers.iter().zip(&self.walkers).map(operation).collect();
            let gate = Gate {
                mode: Mode::Optional,
                carriers: Vec::new(),
                on_expiry: self.config.on_expiry,
                verifier: self.verifier.clone().map(|verifier| verifier as Arc<dyn Verify>),
                ..(*ground.gate).clone()
            };
            Arc::new(Exchange {
                switchboard: Arc::new(Switchboard { topics: self.topics.clone(), relay: self.nodes.relay() }),
                operations,
                passport: Passport { gate: Arc::new(gate), root_claims: self.config.root_claims.clone().into() },
                may_push: self.config.push,
                max_targets: self.config.max_targets,
            })
        };
        self.exchange.get_or_init(make).clone()
    }
}

impl Service for Jac {
    fn replicas(&self, _catalog: &Arc<Catalog>, metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        let follows = self.feeds(metrics).follows();
        if follows.is_empty() {
            return Vec::new();
        }
        let (tap, logged) = Tap::new(follows, Vec::new());
        *self.logged.lock().unwrap_or_else(PoisonError::into_inner) = Some(logged);
        vec![Box::new(tap)]
    }

    fn tasks(&self, ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        let logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner).take();
        let feeds = self.feeds(&ground.metrics);
        let pushing = logged.map(|logged| Box::pin(feeds.run(logged)) as BoxFuture<'static, ()>);
        pushing.into_iter().chain(self.nodes.tasks(&self.topics, ground)).collect()
    }

    fn doors(&self, ground: &Ground) -> Vec<Box<dyn Door>> {
        let config = &self.config;
        let keepalive = Keepalive { ping: Some(config.ping), silence: Some(config.ping + config.pong_timeout) };
        let manners = Manners {
            keepalive: Some(keepalive),
            write_timeout: Some(WRITE_TIMEOUT),
            waiting: WAITING.clone(),
            ..Manners::default()
        };
        vec![Box::new(JacDoor {
            path: config.path.clone(),
            exchange: self.exchange(ground),
            manners,
            max_message: config.max_message,
            keeps_token: config.falls_back_to_header,
        })]
    }

    fn gauge(&self, metrics: &Metrics) {
        metrics.topics.set(i64::try_from(self.topics.count()).unwrap_or(i64::MAX));
    }

    fn routes(&self, ground: &Ground) -> Router {
        api::router(JacApi {
            path: self.config.path.clone(),
            exchange: self.exchange(ground),
            service_tokens: self.config.service_tokens.clone(),
            max_body: self.config.max_message,
        })
    }
}

/// What runs an operation.
fn open_walker(walker: &config::Walker, nodes: &Nodes) -> Result<Arc<dyn Walker>> {
    Ok(match &walker.kind {
        WalkerKind::Builtin { target, steps } => Arc::new(Builtin { target: *target, steps: *steps }),
        WalkerKind::Http { url, token } => Arc::new(Http::new(url, token.clone())?),
        WalkerKind::Sql { source, function } => nodes.walker(source, function)?,
    })
}

/// Who is who is found out by other claims here.
fn verifier(settings: &Settings) -> Result<Arc<Verifier>> {
    let mut settings = settings.clone();
    let jwt = settings.jwt.iter_mut().map(|jwt| &mut jwt.rules);
    for rules in jwt.chain(settings.introspection.iter_mut().map(|introspection| &mut introspection.rules)) {
        rules.subject_claims.clear();
        rules.expiry_claims.extend(EXPIRY_CLAIMS.map(str::to_owned));
    }
    Verifier::new(&settings).map(Arc::new)
}
