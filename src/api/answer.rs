//! What all the handlers read and write in one way: query strings, JSON answers, paths.

use crate::api::problem::Problem;
use crate::document::Document;
use crate::store;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The query string, in its order.
pub(super) struct Parameters(pub Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(pairs)) => Ok(Parameters(pairs)),
            Err(_) => Err(Problem::malformed("the query string cannot be read.")),
        }
    }
}

/// An answer of JSON text.
pub(super) fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// An answer of one record, with its tag.
pub(super) fn record(status: StatusCode, document: &Document) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, store::tag(document))];
    (status, headers, document.text().to_owned()).into_response()
}

/// A name or an id as it stands between two slashes of a path.
pub(super) fn segment(text: &str) -> String {
    const AS_IT_IS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, AS_IT_IS).to_string()
}
