//! `/api`, `/api/{resource}` and `/api/{resource}/{id}`.
//!
//! An id in a path is the record's key, percent-encoded (a slash too). A record's `ETag` is for reading again
//! (`If-None-Match`) and for writing only over what was read (`If-Match`).

use crate::api::answer::{self, Parameters};
use crate::api::asked::Asked;
use crate::api::problem::Problem;
use crate::api::reached::{Asker, Reached};
use crate::api::{ApiState, change, conditions, events};
use crate::catalog::Served;
use crate::query::{Query, project};
use crate::source::State as SourceState;
use crate::store::{self, Snapshot};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

type Api = State<Arc<ApiState>>;

/// The routes below `/api`.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api", get(overview).fallback(nothing_to_change))
        .route("/api/{resource}", get(list).post(change::add).fallback(not_allowed))
        .route(
            "/api/{resource}/{id}",
            get(read).put(change::put).patch(change::patch).delete(change::delete).fallback(not_allowed),
        )
        .layer(DefaultBodyLimit::max(change::MAX_BODY))
        .with_state(Arc::new(state))
}

/// `GET /api`: what there is for this viewer.
async fn overview(State(state): Api, Asker(pass): Asker) -> Response {
    let viewer = pass.viewer;
    let resources = state.catalog.resources();
    let readable = resources.iter().filter(|served| served.bind(&viewer).is_some());
    let described: Vec<Value> = readable.map(|served| describe(&state, served)).collect();
    answer::json(StatusCode::OK, Value::Array(described).to_string())
}

fn describe(state: &ApiState, served: &Served) -> Value {
    let resource = &served.resource;
    let name = answer::segment(&resource.name);
    let mut channels: Vec<String> = Vec::new();
    if !resource.private {
        let aliases =
            state.catalog.aliases(&resource.name).into_iter().map(|alias| format!("/{}", answer::segment(alias)));
        channels.push(format!("/{name}"));
        channels.extend(aliases);
    }
    let source = match served.health.state() {
        SourceState::Starting => "starting",
        SourceState::Live { .. } => "live",
        SourceState::Behind { .. } => "behind",
        SourceState::Down { .. } => "down",
    };
    let mut links = json!({"self": format!("/api/{name}"), "channels": channels});
    if !resource.private {
        links["events"] = format!("/api/{name}/events").into();
    }
    json!({
        "name": resource.name,
        "key": resource.key,
        "writable": resource.writable,
        "append_only": resource.append_only,
        "delivery": resource.delivery.words(),
        "source": source,
        "links": links,
    })
}

/// `GET /api/{resource}`: the rows, as a JSON array.
async fn list(
    State(state): Api,
    reached: Reached,
    Parameters(mut parameters): Parameters,
) -> Result<Response, Problem> {
    parameters.retain(|(name, _)| !state.gate.reads_parameter(name));
    let asked = Asked::read(&parameters)?;
    let ignore_case = reached.served.resource.ignore_case;
    let query = Query {
        filter: Arc::new(if ignore_case { asked.filter.ignoring_case() } else { asked.filter }),
        sort: asked.sort,
        skip: asked.skip,
        limit: asked.limit,
        max_items: state.max_items,
    };
    let mut body = String::from("[");
    for row in snapshot(&reached, &query).await?.rows {
        if body.len() > 1 {
            body.push(',');
        }
        match asked.fields.as_slice() {
            [] => body.push_str(row.document.text()),
            fields => body.push_str(project(&row.document, fields).text()),
        }
    }
    body.push(']');
    Ok(answer::json(StatusCode::OK, body))
}

/// `GET /api/{resource}/{id}`: one record; 304 when the reader has it already. `events` is no record but the stream
/// of them all.
async fn read(
    State(state): Api,
    reached: Reached,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if reached.id == "events" {
        return events::follow(&state, reached, parameters, &headers).await;
    }
    let found = reached.record(&reached.id).await?;
    let document = found.ok_or_else(|| Problem::no_record(&reached.id))?;
    let tag = store::tag(&document);
    if conditions::is_known(&headers, &tag)? {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(answer::record(StatusCode::OK, &document))
}

/// Any other method on `/api`.
async fn nothing_to_change() -> Problem {
    Problem::not_allowed("GET, HEAD, OPTIONS")
}

/// Any other method on a resource or a record.
async fn not_allowed(reached: Reached) -> Problem {
    Problem::not_allowed(reached.allow())
}

async fn snapshot(reached: &Reached, query: &Query) -> Result<Snapshot, Problem> {
    let result = reached.served.query(&reached.bound, query).await;
    result.map_err(|error| Problem::of_store(&error, &reached.served.resource.name))
}
