//! Everything behind the listener: sockets on any path, resources below `/api`, the page, and what an
//! operator's tools ask.

use crate::api::{ApiState, Follow, cors, resources};
use crate::app::service::{Ground, Service};
use crate::auth::{Gate, Settings, Throttle, Verifier, Verify};
use crate::config::{Config, Initial};
use crate::connection::{self, Client};
use crate::console;
use crate::dialect::Dialect;
use crate::dialect::events::Events;
use crate::dialect::monorail::Monorail;
use crate::door::monorail::MonorailDoor;
use crate::door::{Admission, Asking, Door};
use crate::handshake;
use crate::metrics::{self, Metrics};
use crate::session::{Limits, Terms};
use crate::shard::Manners;
use crate::source::{Health, State};
use crate::talk::Watching;
use crate::wire;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the handlers share.
pub struct Web {
    pub ground: Ground,
    pub services: Vec<Box<dyn Service>>,
    pub health: Vec<(Arc<str>, Arc<Health>)>,
}

struct Inside {
    web: Web,
    /// The first that takes a path has it; the last one takes every path.
    doors: Vec<Box<dyn Door>>,
}

/// All routes.
pub fn router(web: Web) -> Router {
    let ground = &web.ground;
    let (catalog, monorail) = (ground.catalog.clone(), &ground.config.monorail);
    let dialect: Arc<dyn Dialect> = match monorail.initial {
        Initial::Ask => Arc::new(Monorail::new()),
        Initial::Always => Arc::new(Monorail::always_initial()),
    };
    let (max_items, max_message) = (monorail.max_items, monorail.max_message);
    let limits = Limits { watches: monorail.max_watches, items: max_items, barrier: monorail.barrier_timeout };
    let streams = Terms { catalog: catalog.clone(), dialect: Arc::new(Events), limits: limits.clone() };
    let terms = Arc::new(Terms { catalog: catalog.clone(), dialect, limits });
    let gate = ground.gate.clone();
    let mut doors: Vec<Box<dyn Door>> = web.services.iter().flat_map(|service| service.doors(ground)).collect();
    doors.push(Box::new(MonorailDoor { gate: gate.clone(), terms, max_message }));
    let routes: Vec<Router> = web.services.iter().map(|service| service.routes(ground)).collect();
    let inside = Arc::new(Inside { web, doors });
    let follow = follow(inside.clone(), Arc::new(streams));
    let state = ApiState { catalog, gate, follow, max_items };
    let mut own = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(report))
        .with_state(inside.clone())
        .merge(console::router())
        .merge(resources::router(state));
    for routes in routes {
        own = own.merge(routes);
    }
    // A socket may come on any path, also on one that a page answers, so it is looked for first.
    own.fallback(async || StatusCode::NOT_FOUND)
        .layer(axum::middleware::from_fn(cors::open))
        .layer(axum::middleware::from_fn_with_state(inside, sockets_first))
}

/// Event streams: each is a client on a wire within this process, whose opening is all that it asks.
fn follow(inside: Arc<Inside>, terms: Arc<Terms>) -> Follow {
    Arc::new(move |pass, opening| {
        let (wire, told) = wire::pair()?;
        let channel = opening.address.channel.clone();
        let start = Watching::start(pass, terms.clone(), channel, Some(opening));
        let admission = Admission { start, manners: Manners::default(), max_message: 0 };
        inside.hand_over(Client { wire, early: Bytes::new(), admission });
        Ok(told)
    })
}

async fn sockets_first(
    Shared(inside): Shared<Arc<Inside>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    if request.method() == Method::GET && handshake::is_wanted(request.headers()) {
        return open_socket(inside, request).await;
    }
    next.run(request).await
}

/// Answers a handshake and hands the socket to a shard.
async fn open_socket(inside: Arc<Inside>, mut request: Request) -> Response {
    if !inside.web.may_come_from(request.headers()) {
        return (StatusCode::FORBIDDEN, "this origin may not connect\n").into_response();
    }
    let path = request.uri().path();
    let Some(door) = inside.doors.iter().find(|door| door.takes(path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let asking = Asking { path, query: request.uri().query(), headers: request.headers(), peer };
    let admission = match door.admit(asking).await {
        Ok(admission) => admission,
        Err(refusal) => return refusal,
    };
    if !door.chooses_protocol() {
        request.headers_mut().remove(header::SEC_WEBSOCKET_PROTOCOL);
    }
    let (response, upgrading) = match handshake::accept(&mut request) {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.into_response(),
    };
    tokio::spawn(async move {
        match upgrading.finish().await {
            Ok((wire, early)) => inside.hand_over(Client { wire, early, admission }),
            Err(error) => tracing::debug!(%error, "a handshake was not finished"),
        }
    });
    response
}

impl Inside {
    fn hand_over(&self, client: Client) {
        self.web.ground.metrics.opened.inc();
        let Some(shard) = self.web.ground.shards.iter().min_by_key(|shard| shard.sockets()) else { return };
        shard.run(move |shard| connection::serve(shard, client));
    }
}

impl Web {
    fn may_come_from(&self, headers: &HeaderMap) -> bool {
        let allowed = &self.ground.config.server.origins;
        allowed.is_empty()
            || headers
                .get(header::ORIGIN)
                .is_none_or(|origin| allowed.iter().any(|other| other.as_bytes() == origin.as_bytes()))
    }

    /// What keeps the program from being ready, a line each.
    fn hindrances(&self) -> String {
        let mut lines = String::new();
        let limit = self.ground.config.server.ready_lag;
        for (name, health) in &self.health {
            let line = match health.state() {
                State::Live { .. } => continue,
                State::Behind { since } if since.elapsed() <= limit => continue,
                State::Behind { since } => format!("behind for {} s", since.elapsed().as_secs()),
                State::Starting => "not connected yet".to_owned(),
                State::Down { since, reason } => format!("down for {} s: {reason}", since.elapsed().as_secs()),
            };
            let _ = writeln!(lines, "source {name}: {line}");
        }
        lines
    }

    /// Brings the numbers that nobody counts up to date.
    fn gauge(&self) {
        let metrics = &self.ground.metrics;
        metrics.log_last.set(number(self.ground.log.last()));
        metrics.log_floor.set(number(self.ground.log.floor()));
        metrics.log_bytes.set(number(self.ground.log.bytes()));
        metrics.catch_all.set(number(self.ground.hub.catch_all() as u64));
        self.services.iter().for_each(|service| service.gauge(metrics));
        for (name, health) in &self.health {
            let (up, lag) = match health.state() {
                State::Live { .. } => (1, Duration::ZERO),
                State::Behind { since } => (1, since.elapsed()),
                State::Starting => (0, Duration::ZERO),
                State::Down { since, .. } => (0, since.elapsed()),
            };
            metrics.source_up(name).set(up);
            metrics.source_lag(name).set(lag.as_secs_f64());
        }
    }
}

/// What is asked of whoever comes in where nothing else is said.
pub fn gate(config: &Config, verifier: Option<&Arc<Verifier>>, metrics: &Arc<Metrics>) -> Gate {
    let settings = config.auth.clone().unwrap_or_else(Settings::nothing);
    Gate {
        mode: config.monorail.auth,
        carriers: settings.tokens_from,
        origins: config.server.origins.clone(),
        on_expiry: settings.on_expiry,
        verifier: verifier.map(|verifier| verifier.clone() as Arc<dyn Verify>),
        throttle: Arc::new(Throttle::new(settings.throttle)),
        metrics: metrics.clone(),
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn ready(Shared(inside): Shared<Arc<Inside>>) -> Response {
    match inside.web.hindrances() {
        lines if lines.is_empty() => (StatusCode::OK, "ready\n").into_response(),
        lines => (StatusCode::SERVICE_UNAVAILABLE, lines).into_response(),
    }
}

async fn report(Shared(inside): Shared<Arc<Inside>>) -> Response {
    inside.web.gauge();
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], inside.web.ground.metrics.render()).into_response()
}
