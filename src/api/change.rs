//! `PUT`, `PATCH`, `DELETE` of a record, and `POST` to a resource.
//!
//! The answer tells what the store did; watchers are told by the resource's own feed, as of any other change.

use crate::api::answer::{self, Parameters};
use crate::api::problem::Problem;
use crate::api::reached::Reached;
use crate::api::{conditions, guarded, key};
use crate::store::{Condition, Write, Written};
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A larger body is refused with 413.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;

/// `PUT /api/{resource}/{id}`: the whole record; 201 when it is new.
pub(super) async fn put(reached: Reached, request: Request) -> Result<Response, Problem> {
    reached.must_be_changeable(request.headers())?;
    let condition = conditions::of_write(request.headers())?;
    let mut fields = object(body(request).await?)?;
    key::put_into(&reached.served.resource, &reached.id, &mut fields)?;
    write(&reached, Write::Put(Value::Object(fields)), &condition).await
}

/// `PATCH /api/{resource}/{id}`: a part of the record, in one of two forms, told apart by the content type.
pub(super) async fn patch(reached: Reached, request: Request) -> Result<Response, Problem> {
    reached.must_be_changeable(request.headers())?;
    let condition = conditions::of_write(request.headers())?;
    let patch: fn(Value) -> Write = match media_type(request.headers()).as_str() {
        "application/json-patch+json" => Write::JsonPatch,
        "application/merge-patch+json" => Write::MergePatch,
        _ => return Err(Problem::not_a_patch()),
    };
    write(&reached, patch(body(request).await?), &condition).await
}

/// `DELETE /api/{resource}/{id}`.
pub(super) async fn delete(reached: Reached, headers: HeaderMap) -> Result<Response, Problem> {
    reached.must_be_changeable(&headers)?;
    write(&reached, Write::Delete, &conditions::of_write(&headers)?).await
}

/// `POST /api/{resource}[?id=KEY]`: a line more on an append-only resource, else a new record. The key is the
/// one in the query, or in the body, or a new one.
pub(super) async fn add(
    reached: Reached,
    Parameters(parameters): Parameters,
    request: Request,
) -> Result<Response, Problem> {
    reached.must_be_writable(request.headers())?;
    let body = body(request).await?;
    let id = parameters.into_iter().find(|(name, id)| name == "id" && !id.is_empty()).map(|(_, id)| id);
    let id = id.or_else(|| key::of(&reached.served.resource, &body));
    if reached.served.resource.append_only {
        append(&reached, id, body).await
    } else {
        create(&reached, id, body).await
    }
}

/// 202, because a line is told once it is in the log.
async fn append(reached: &Reached, id: Option<String>, line: Value) -> Result<Response, Problem> {
    store(reached, id.as_deref().unwrap_or_default(), Write::Append(line), &Condition::None).await?;
    let told = id.map_or(json!({}), |id| json!({"id": id}));
    Ok(answer::json(StatusCode::ACCEPTED, told.to_string()))
}

async fn create(reached: &Reached, id: Option<String>, body: Value) -> Result<Response, Problem> {
    let resource = &reached.served.resource;
    let mut fields = object(body)?;
    let id = match id {
        Some(id) => id,
        None if resource.key.len() == 1 => Uuid::new_v4().to_string(),
        None => return Err(Problem::unprocessable(format!("a new record has {}.", resource.key.join(" and ")))),
    };
    key::put_into(resource, &id, &mut fields)?;
    let written = match store(reached, &id, Write::Put(Value::Object(fields)), &Condition::Absent).await {
        Err(problem) => return Err(problem.unconditional()),
        Ok(written) => written,
    };
    let place = format!("/api/{}/{}", answer::segment(&resource.name), answer::segment(&id));
    Ok(([(header::LOCATION, place)], told(&written)).into_response())
}

async fn write(reached: &Reached, write: Write, condition: &Condition) -> Result<Response, Problem> {
    Ok(told(&store(reached, &reached.id, write, condition).await?))
}

async fn store(reached: &Reached, id: &str, write: Write, condition: &Condition) -> Result<Written, Problem> {
    guarded::write(reached, id, write, condition).await
}

/// 201 for a record that was not there, 200 for a changed one, 204 for one that is gone.
fn told(written: &Written) -> Response {
    match (&written.before, &written.after) {
        (None, Some(after)) => answer::record(StatusCode::CREATED, after),
        (Some(_), Some(after)) => answer::record(StatusCode::OK, after),
        (_, None) => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The body as JSON, whatever its content type says. Read only once it is clear that it is wanted.
async fn body(request: Request) -> Result<Value, Problem> {
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_big(MAX_BODY),
        _ => Problem::malformed("the body ended early."),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}.")))
}

fn object(value: Value) -> Result<Map<String, Value>, Problem> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::unprocessable("a record is a JSON object.")),
    }
}

/// `Content-Type` without its parameters, in lower case; empty when there is none.
fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
