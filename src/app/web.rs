//! Everything behind the listener: sockets on any path, resources below `/api`, the page, and what an
//! operator's tools ask.

use crate::api::{ApiState, cors, resources};
use crate::auth::{Credential, Verifier};
use crate::catalog::Catalog;
use crate::config::{Config, Initial};
use crate::connection::{self, Client};
use crate::console;
use crate::dialect::Dialect;
use crate::dialect::monorail::{Monorail, channel_of_path};
use crate::handshake;
use crate::hub::Hub;
use crate::log::Log;
use crate::metrics::{self, Metrics};
use crate::session::{Limits, Terms};
use crate::shard;
use crate::source::{Health, State};
use crate::viewer::Viewer;
use axum::Router;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// What the handlers share.
pub struct Web {
    pub config: Config,
    pub catalog: Arc<Catalog>,
    pub verifier: Option<Verifier>,
    pub shards: Vec<shard::Handle>,
    pub log: Arc<dyn Log>,
    pub hub: Arc<Hub>,
    pub metrics: Arc<Metrics>,
    pub health: Vec<(Arc<str>, Arc<Health>)>,
}

struct Inside {
    web: Web,
    terms: Arc<Terms>,
}

/// All routes.
pub fn router(web: Web) -> Router {
    let dialect: Arc<dyn Dialect> = match web.config.monorail.initial {
        Initial::Ask => Arc::new(Monorail::new()),
        Initial::Always => Arc::new(Monorail::always_initial()),
    };
    let limits = Limits {
        watches: web.config.monorail.max_watches,
        items: web.config.monorail.max_items,
        barrier: web.config.monorail.barrier_timeout,
    };
    let terms = Arc::new(Terms { catalog: web.catalog.clone(), dialect, limits });
    let (mode, verifier) = (web.config.monorail.auth, web.verifier.clone());
    let state = ApiState {
        catalog: web.catalog.clone(),
        admit: Arc::new(move |headers, query| {
            let credential = credential_of(headers, query);
            mode.admit(&credential, verifier.as_ref())
        }),
        max_items: web.config.monorail.max_items,
    };
    let inside = Arc::new(Inside { web, terms });
    let own = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(report))
        .with_state(inside.clone())
        .merge(console::router())
        .merge(resources::router(state));
    // A socket may come on any path, also on one that a page answers, so it is looked for first.
    own.fallback(async || StatusCode::NOT_FOUND)
        .layer(axum::middleware::from_fn(cors::open))
        .layer(axum::middleware::from_fn_with_state(inside, sockets_first))
}

async fn sockets_first(
    Shared(inside): Shared<Arc<Inside>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    if request.method() == Method::GET && handshake::is_wanted(request.headers()) {
        return open_socket(&inside, request);
    }
    next.run(request).await
}

/// Answers a handshake and hands the socket to a shard.
fn open_socket(inside: &Arc<Inside>, mut request: Request) -> Response {
    let monorail = &inside.web.config.monorail;
    if !inside.web.may_come_from(request.headers()) {
        return (StatusCode::FORBIDDEN, "this origin may not connect\n").into_response();
    }
    let credential = credential_of(request.headers(), request.uri().query());
    let viewer = match monorail.auth.admit(&credential, inside.web.verifier.as_ref()) {
        Ok(viewer) => viewer,
        Err(denied) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            return (StatusCode::UNAUTHORIZED, challenge, format!("{denied}\n")).into_response();
        }
    };
    let channel: Arc<str> = channel_of_path(request.uri().path()).into();
    let (response, upgrading) = match handshake::accept(&mut request) {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.into_response(),
    };
    let inside = inside.clone();
    tokio::spawn(async move {
        match upgrading.finish().await {
            Ok((wire, early)) => inside.hand_over(wire, early, viewer, channel),
            Err(error) => tracing::debug!(%error, "a handshake was not finished"),
        }
    });
    response
}

fn credential_of(headers: &HeaderMap, query: Option<&str>) -> Credential {
    Credential::of(headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()), query)
}

impl Inside {
    fn hand_over(&self, wire: crate::wire::Detached, early: bytes::Bytes, viewer: Viewer, channel: Arc<str>) {
        let max_message = self.web.config.monorail.max_message;
        let client = Client { wire, early, viewer, terms: self.terms.clone(), channel, max_message };
        self.web.metrics.opened.inc();
        let Some(shard) = self.web.shards.iter().min_by_key(|shard| shard.sockets()) else { return };
        shard.run(move |shard| connection::serve(shard, client));
    }
}

impl Web {
    fn may_come_from(&self, headers: &HeaderMap) -> bool {
        let allowed = &self.config.server.origins;
        allowed.is_empty()
            || headers
                .get(header::ORIGIN)
                .is_none_or(|origin| allowed.iter().any(|other| other.as_bytes() == origin.as_bytes()))
    }

    /// What keeps the program from being ready, a line each.
    fn hindrances(&self) -> String {
        let mut lines = String::new();
        let limit = self.config.server.ready_lag;
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
        let metrics = &self.metrics;
        metrics.log_last.set(number(self.log.last()));
        metrics.log_floor.set(number(self.log.floor()));
        metrics.log_bytes.set(number(self.log.bytes()));
        metrics.catch_all.set(number(self.hub.catch_all() as u64));
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
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], inside.web.metrics.render()).into_response()
}
