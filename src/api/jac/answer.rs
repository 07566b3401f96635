//! What is answered: always JSON, an error as `{"detail":…}`.

use crate::dialect::jac::encode;
use crate::dialect::jac::finding::Finding;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use serde_json::value::RawValue;

/// An answer.
pub(super) struct Answer {
    status: StatusCode,
    body: String,
}

impl Answer {
    /// It was done, and reported this.
    pub(super) fn done(reports: &[Box<RawValue>]) -> Answer {
        Answer { status: StatusCode::OK, body: encode::answer(reports, None) }
    }

    /// There is no such thing.
    pub(super) fn not_found() -> Answer {
        Answer::refused(StatusCode::NOT_FOUND, "Not Found")
    }

    /// Nothing was shown that says who asks.
    pub(super) fn unauthenticated() -> Answer {
        Answer::refused(StatusCode::FORBIDDEN, "Not authenticated")
    }

    /// What was shown is not accepted.
    pub(super) fn unauthorized() -> Answer {
        Answer::refused(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    /// It was not done, in one sentence.
    pub(super) fn refused(status: StatusCode, sentence: &str) -> Answer {
        Answer { status, body: json!({ "detail": sentence }).to_string() }
    }

    /// The body has not the form that it should have.
    pub(super) fn malformed(findings: &[Finding]) -> Answer {
        Answer { status: StatusCode::UNPROCESSABLE_ENTITY, body: encode::detail(findings) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response()
    }
}
