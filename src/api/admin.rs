//! `/admin`: what an operator asks and says while the program runs. Every call shows the operator's token.

use crate::api::answer;
use crate::api::problem::Problem;
use crate::auth;
use crate::broadcast::{self, Broadcast};
use crate::catalog::Served;
use crate::shard::Handle;
use crate::store::{Condition, Write};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// A larger body is refused with 413.
const MAX_BODY: usize = 256 * 1024;

/// What the handlers share.
pub struct AdminState {
    /// What every call must show.
    pub token: String,
    pub shards: Vec<Handle>,
    /// The resource by which every server says it, where there is one.
    pub broadcasts: Option<Arc<Served>>,
}

type Admin = State<Arc<AdminState>>;

/// The routes below `/admin`.
pub fn router(state: AdminState) -> Router {
    let state = Arc::new(state);
    Router::new()
        .route("/admin/broadcast", post(broadcast))
        .route("/admin/connections", get(connections))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(state.clone(), guard))
        .with_state(state)
}

async fn guard(State(state): Admin, request: Request, next: Next) -> Response {
    match shows(request.headers(), &state.token) {
        true => next.run(request).await,
        false => Problem::not_the_operator().into_response(),
    }
}

/// Whether a request shows the token.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| auth::bearer(value.as_bytes()));
    shown.is_some_and(|shown| auth::is_same(&shown, token))
}

/// `POST /admin/broadcast`: 200 `{"sent":n,"skipped":m}`, or 202 `{"id":K}` where every server says it.
async fn broadcast(State(state): Admin, body: Bytes) -> Result<Response, Problem> {
    let body: Value =
        serde_json::from_slice(&body).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}.")))?;
    let broadcast = Broadcast::parse(&body).map_err(|sentence| Problem::malformed(format!("{sentence}.")))?;
    let Some(served) = &state.broadcasts else {
        let told = broadcast.say(&state.shards).await;
        tracing::info!(sent = told.sent, skipped = told.skipped, "an operator said something to clients");
        return Ok(answer::json(StatusCode::OK, json!({"sent": told.sent, "skipped": told.skipped}).to_string()));
    };
    let id = Uuid::new_v4().to_string();
    let mut row = json!({"id": id});
    for name in ["data", "to", "skip"] {
        row[name] = body[name].clone();
    }
    let write = if served.resource.append_only { Write::Append(row) } else { Write::Put(row) };
    let written = served.store.write(&served.resource, &id, write, &Condition::None).await;
    written.map_err(|error| Problem::of_store(&error, &served.resource.name))?;
    Ok(answer::json(StatusCode::ACCEPTED, json!({"id": id}).to_string()))
}

/// `GET /admin/connections`: who is connected.
async fn connections(State(state): Admin) -> Response {
    let visitors = broadcast::visitors(&state.shards).await.into_iter().map(|visitor| {
        json!({
            "id": visitor.id,
            "dialect": visitor.dialect,
            "channel": visitor.channel,
            "resources": visitor.watching,
            "subject": visitor.subject,
            "roles": visitor.roles,
            "opened": visitor.opened.to_string(),
        })
    });
    answer::json(StatusCode::OK, Value::Array(visitors.collect()).to_string())
}
