//! What comes with a request: whole or in chunks, as bytes, as text, as JSON.

use super::failure::Failure;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;

/// Deeper values are refused: what stores and tells them puts some levels around them.
const MAX_DEPTH: usize = 100;

/// All of it. More than the configured limit is refused before it is read.
pub(super) async fn bytes(request: Request) -> Result<Bytes, Failure> {
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::too_large(),
        _ => empty(),
    })?;
    if bytes.is_empty() { Err(empty()) } else { Ok(bytes) }
}

/// The body as JSON, whatever its content type says.
pub(super) async fn json(request: Request) -> Result<Value, Failure> {
    parse(&bytes(request).await?)
}

/// Bytes as JSON.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| Failure::not_json())?;
    if is_deeper(&value, MAX_DEPTH) { Err(Failure::not_json()) } else { Ok(value) }
}

/// Bytes as text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Failure> {
    str::from_utf8(bytes).map_err(|_| Failure::malformed("Invalid request body. Expected UTF-8 text."))
}

/// The content type, where there must be one.
pub(super) fn mime(headers: &HeaderMap) -> Result<String, Failure> {
    let mime = headers.get(header::CONTENT_TYPE).and_then(|mime| mime.to_str().ok()).unwrap_or_default();
    match mime.trim() {
        "" => Err(Failure::malformed("The media content-type header is missing.")),
        mime => Ok(mime.to_owned()),
    }
}

fn empty() -> Failure {
    Failure::malformed("Invalid request body. Expected a message.")
}

fn is_deeper(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(elements) => depth == 0 || elements.iter().any(|element| is_deeper(element, depth - 1)),
        Value::Object(members) => depth == 0 || members.values().any(|member| is_deeper(member, depth - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_deep_to_be_stored_is_no_json() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(100).as_bytes()).is_ok());
        for depth in [101, 127, 128, 129, 100_000] {
            assert!(parse(nested(depth).as_bytes()).is_err(), "{depth}");
        }
    }
}
