//! What a request shows of who sends it, and how HTTP says that it is not accepted.

use crate::api::cors;
use crate::auth::{Denied, Shown};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Everything of a request that may carry a token.
pub fn shown<'a>(headers: &'a HeaderMap, query: Option<&'a str>, peer: Option<IpAddr>) -> Shown<'a> {
    Shown {
        authorization: headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes),
        query,
        cookies: headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect(),
        foreign_origin: headers.get(header::ORIGIN).map(HeaderValue::as_bytes).filter(|_| cors::is_foreign(headers)),
        peer,
    }
}

/// The answer to who may not come in, in one line of text.
pub fn refuse(denied: Denied) -> Response {
    let (status, header) = told(denied);
    (status, [header], format!("{denied}\n")).into_response()
}

/// The status, and the header that says what to do: show another token, or come back later.
pub(super) fn told(denied: Denied) -> (StatusCode, (HeaderName, HeaderValue)) {
    let status = match denied {
        Denied::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Denied::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNAUTHORIZED,
    };
    let header = match (denied.retry_after(), denied) {
        (Some(time), _) => (header::RETRY_AFTER, HeaderValue::from(time.as_secs())),
        (None, Denied::Missing) => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        (None, _) => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\"")),
    };
    (status, header)
}
