//! Operations and pushes over plain HTTP, JSON in and out.
//!
//! ```text
//! POST /walker/{name}[/{node}]   context → {"status":200,"reports":[…]}
//! POST /notify                   {"root_ids":[…],"channel_ids":[…],"client_ids":[…],"data":{}} → {"status":200}
//! ```

mod answer;
mod asker;
mod notify;
mod walker;

use crate::jac::talk::Exchange;
use crate::viewer::Token;
use answer::Answer;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use std::sync::Arc;

/// What the handlers share.
pub struct JacApi {
    /// Where sockets come in, and nothing else.
    pub path: String,
    pub exchange: Arc<Exchange>,
    /// What backends show; empty: they have no path.
    pub service_tokens: Vec<Token>,
    /// A larger body is refused with 413.
    pub max_body: usize,
}

/// The routes.
pub fn router(api: JacApi) -> Router {
    let mut routes = Router::new()
        .route(&api.path, get(async || Answer::not_found()))
        .route("/walker/{name}", post(walker::run))
        .route("/walker/{name}/{node}", post(walker::run));
    if !api.service_tokens.is_empty() {
        routes = routes.route("/notify", post(notify::notify));
    }
    routes.layer(DefaultBodyLimit::max(api.max_body)).with_state(Arc::new(api))
}
