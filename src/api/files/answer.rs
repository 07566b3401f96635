//! What every handler answers with.

use crate::api::answer::segment;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// An answer of JSON.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

/// 204, and where the file is.
pub(super) fn stored(key: &str) -> Response {
    (StatusCode::NO_CONTENT, [(header::LOCATION, format!("/files/{}", segment(key)))]).into_response()
}
