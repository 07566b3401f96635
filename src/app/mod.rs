//! The one place that names concrete parts and puts them together. `main` and the tests both use it.

mod admin;
mod cells;
mod demo;
mod files;
mod jac;
mod misakey;
mod mongodb;
mod operate;
mod parts;
mod postgres;
mod rabbitmq;
mod relay;
pub mod schemas;
mod service;
mod shared;
mod web;

pub use demo::{Demo, demo};
pub use operate::{check, sql_install, sql_print, sql_remove};

use crate::app::service::Ground;
use crate::catalog::Catalog;
use crate::config::{self, Config};
use crate::error::{Error, Kind, Result};
use crate::hub::Hub;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::pump::{self, Pump};
use crate::server;
use crate::shard;
use crate::source::{Batch, Feed, Health, Source};
use crate::supervise::supervise;
use crate::wire;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// How long a source may take to end.
const SOURCE_PATIENCE: Duration = Duration::from_secs(5);

/// How much longer than the goodbyes take clients may read them.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running program.
pub struct App {
    address: SocketAddr,
    drain: Duration,
    catalog: Arc<Catalog>,
    log: Arc<dyn Log>,
    shards: Vec<shard::Handle>,
    threads: Vec<JoinHandle<()>>,
    health: Vec<Arc<Health>>,
    sources: JoinSet<()>,
    server: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl App {
    /// Opens everything, connects to every source, and serves.
    ///
    /// # Errors
    /// Whatever cannot be opened or connected to, in one sentence that says what to do.
    pub async fn start(mut config: Config) -> Result<App> {
        wire::tls::choose_provider();
        let listen = config.server.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                let advice = "end the program that has it, or choose another with --listen";
                Error::new(Kind::Refused, format!("cannot listen on {listen}: the port is in use; {advice}"))
            }
            _ => Error::because(Kind::Refused, format!("cannot listen on {listen}"), error),
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::because(Kind::Internal, "the listener has no address", error))?;
        // Where port 0 led to.
        config.server.listen = address;
        let tls = parts::tls(&config)?;
        let parts = parts::open(&config).await?;
        let metrics = parts.metrics.clone();
        let count = match config.server.shards {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            count => count,
        };
        let (hub, publications) = Hub::new(parts.log.epoch(), parts.log.last(), count, metrics.clone());
        let hub = Arc::new(hub);
        let (mut shards, mut threads) = (Vec::new(), Vec::new());
        for (id, publications) in publications.into_iter().enumerate() {
            let start = shard::Start {
                id,
                hub: hub.clone(),
                log: parts.log.clone(),
                metrics: metrics.clone(),
                runtime: tokio::runtime::Handle::current(),
                settings: parts::shard_settings(&config),
                publications,
            };
            let (handle, thread) =
                shard::start(start).map_err(|error| Error::because(Kind::Internal, "cannot start a thread", error))?;
            shards.push(handle);
            threads.push(thread);
        }
        let (batches, inbox) = mpsc::channel(pump::WAITING);
        let pump = Pump {
            catalog: parts.catalog.clone(),
            log: parts.log.clone(),
            hub: hub.clone(),
            tails: parts.tails,
            replicas: parts.replicas,
            metrics: metrics.clone(),
            runtime: tokio::runtime::Handle::current(),
            owed: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("pump".to_owned()).spawn(move || pump.run(inbox));
        threads.push(thread.map_err(|error| Error::because(Kind::Internal, "cannot start a thread", error))?);
        let (stop, stopped) = watch::channel(false);
        let health: Vec<_> = parts.sources.iter().map(|part| (part.name.clone(), part.health.clone())).collect();
        let limits = server::Limits {
            max_connections: config.server.max_connections,
            // Event streams are clients, too, and have their last words to write.
            drain: config.server.drain + LAST_WORDS,
            ..server::Limits::default()
        };
        let mut app = App {
            address,
            drain: config.server.drain,
            catalog: parts.catalog,
            log: parts.log,
            shards,
            threads,
            health: Vec::new(),
            sources: JoinSet::new(),
            server: tokio::spawn(async {}),
            stop,
        };
        let ground = Ground {
            gate: Arc::new(web::gate(&config, parts.verifier.as_ref(), &metrics)),
            config,
            catalog: app.catalog.clone(),
            log: app.log.clone(),
            hub,
            shards: app.shards.clone(),
            metrics: metrics.clone(),
            stopped: stopped.clone(),
        };
        for task in parts.services.iter().flat_map(|service| service.tasks(&ground)) {
            app.sources.spawn(task);
        }
        if let Err(error) = app.follow(parts.sources, &batches, &metrics).await {
            drop(batches);
            app.stop().await;
            return Err(error);
        }
        drop(batches);
        let web = web::Web { ground, services: parts.services, health };
        app.server = tokio::spawn(server::serve(listener, web::router(web), tls, limits, stopped));
        Ok(app)
    }

    /// Starts every source and waits until each is connected.
    async fn follow(
        &mut self,
        sources: Vec<parts::SourcePart>,
        batches: &mpsc::Sender<Batch>,
        metrics: &Arc<Metrics>,
    ) -> Result<()> {
        let mut firsts = Vec::new();
        for part in sources {
            let feed = Feed::new(part.name.clone(), batches.clone(), part.health.clone(), metrics.clone());
            let (first, told) = oneshot::channel();
            let source: Arc<dyn Source> = part.source;
            self.health.push(part.health);
            self.sources.spawn(supervise(source, feed, self.log.clone(), first));
            firsts.push((part.name, told));
        }
        for (name, told) in firsts {
            if let Ok(Err(error)) = told.await {
                return Err(in_source(&name, error));
            }
        }
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, tells clients to go, spread over time, and keeps everything that was logged.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for health in &self.health {
            health.stop();
        }
        let over = self.drain;
        for shard in &self.shards {
            shard.run(move |shard| shard.say_goodbye(over));
        }
        let gone = async {
            while self.shards.iter().any(|shard| shard.sockets() > 0) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(over + LAST_WORDS, gone).await.is_err() {
            tracing::warn!("some clients were cut off");
        }
        let _ = (&mut self.server).await;
        let ended = async { while self.sources.join_next().await.is_some() {} };
        if tokio::time::timeout(SOURCE_PATIENCE, ended).await.is_err() {
            self.sources.shutdown().await;
        }
        self.shards.clear();
        let (threads, log) = (std::mem::take(&mut self.threads), self.log.clone());
        let closing = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
            log.close()
        });
        match closing.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = %error.chain(), "the log was not closed well"),
            Err(_) => tracing::error!("the log was not closed well"),
        }
    }
}

/// Serves until the program is asked to end, by SIGTERM or SIGINT; asked once more, it ends at once.
///
/// # Errors
/// As [`App::start`], and when it was asked once more.
pub async fn serve(config: Config) -> Result<()> {
    if config.sources.is_empty() && config.resources.is_empty() {
        let advice = "name a database, like postgres://user@host/database, or a configuration file with --config";
        return Err(Error::new(Kind::Configuration, format!("there is nothing to serve: {advice}")));
    }
    let mut signals = Signals::hear()?;
    announce_open(&config);
    let followed: Vec<_> =
        config.sources.iter().map(|source| (source.name.clone(), config::redacted(&source.url))).collect();
    let app = tokio::select! {
        app = App::start(config) => app?,
        () = signals.next() => return Ok(()),
    };
    for (name, url) in followed {
        tracing::info!(source = name, url, "following");
    }
    tracing::info!(address = %app.address(), "serving");
    signals.next().await;
    end(app, signals).await
}

async fn end(app: App, mut signals: Signals) -> Result<()> {
    tracing::info!("going down");
    tokio::select! {
        () = app.stop() => Ok(()),
        () = signals.next() => Err(Error::new(Kind::Refused, "ended at once, as it was asked twice")),
    }
}

/// The signals that ask the program to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Hears them from now on; they no longer end the program by themselves.
    fn hear() -> Result<Signals> {
        let deaf = |error| Error::because(Kind::Internal, "cannot hear signals", error);
        let terminate = signal(SignalKind::terminate()).map_err(deaf)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
        Ok(Signals { terminate, interrupt })
    }

    /// Completes when the program is asked to end.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// An error, with the source that it concerns.
fn in_source(name: &str, error: Error) -> Error {
    Error::because(error.kind(), format!("source {name:?}"), error)
}

/// What everybody on the network can read is said aloud.
fn announce_open(config: &Config) {
    if !config.server.listen.ip().is_loopback() {
        for name in config.readable_by_anyone() {
            tracing::warn!(resource = name, listen = %config.server.listen, "readable by anyone who can connect");
        }
    }
}
