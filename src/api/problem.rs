//! How an HTTP request fails: `{"error":"E_RESOURCE","status":404,"message":"…"}`.

use crate::api::admit;
use crate::auth::Denied;
use crate::error::{Error, Kind};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A failed request: a status, a word for programs, a sentence for people.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into(), header: None }
    }

    /// 400: the request does not have the form it should have.
    pub fn malformed(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "E_MALFORMED", message)
    }

    /// 401: no credential, or a bad one; 503: nobody could judge it; 429: too many bad ones.
    pub fn denied(denied: Denied) -> Problem {
        let (status, header) = admit::told(denied);
        let code = match denied {
            Denied::Unavailable => "E_UNAVAILABLE",
            Denied::TooMany { .. } => "E_LIMIT",
            _ => "E_UNAUTHORIZED",
        };
        Problem { header: Some(header), ..Problem::new(status, code, format!("{denied}.")) }
    }

    /// 401: what only an operator may do.
    pub fn not_the_operator() -> Problem {
        let header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        let message = "this needs the operator's token.";
        Problem { header, ..Problem::new(StatusCode::UNAUTHORIZED, "E_UNAUTHORIZED", message) }
    }

    /// 403: an anonymous write from a page of another site.
    pub fn foreign_origin() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "E_ORIGIN", "a page of another origin needs a token to write.")
    }

    /// 403: the record would be hidden from its writer.
    pub fn out_of_sight() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "E_ACCESS", "you may not write a record that you could not see afterwards.")
    }

    /// 404: no such resource, or none that this viewer may know of.
    pub fn no_resource(name: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "E_RESOURCE", format!("there is no resource named {name:?}."))
    }

    /// 404: the resource has no such record.
    pub fn no_record(id: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "E_MISSING", format!("there is no record {id:?}."))
    }

    /// 405, with what is allowed instead.
    pub fn not_allowed(allow: &'static str) -> Problem {
        let message = format!("this takes {allow} only.");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "E_METHOD", message);
        Problem { header: Some((header::ALLOW, HeaderValue::from_static(allow))), ..problem }
    }

    /// The same, where a failed condition was not the client's own: 409 instead of 412.
    pub fn unconditional(self) -> Problem {
        match self.status {
            StatusCode::PRECONDITION_FAILED => Problem { status: StatusCode::CONFLICT, code: "E_CONFLICT", ..self },
            _ => self,
        }
    }

    /// 413: the body is larger than this takes.
    pub fn too_big(limit: usize) -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "E_TOO_BIG", format!("a body has at most {limit} bytes."))
    }

    /// 415: a patch of a kind that is not known.
    pub fn not_a_patch() -> Problem {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "E_MEDIA_TYPE",
            "a patch is sent as application/json-patch+json or application/merge-patch+json.",
        )
    }

    /// 422: well formed, and yet no record of this resource.
    pub fn unprocessable(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "E_RECORD", message)
    }

    /// 503: something that is needed for it is used up.
    pub fn unavailable() -> Problem {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "E_BUSY", "this cannot be begun at the moment.");
        Problem { header: Some((header::RETRY_AFTER, HeaderValue::from_static("1"))), ..problem }
    }

    /// What a failed read or write of a store is to the client. Only sentences of our own get out; what
    /// lies beneath them is the operator's.
    pub fn of_store(error: &Error, resource: &str) -> Problem {
        let said = || format!("{error}.");
        match error.kind() {
            Kind::Missing => Problem::new(StatusCode::NOT_FOUND, "E_MISSING", said()),
            Kind::Conflict => Problem::new(StatusCode::PRECONDITION_FAILED, "E_CONDITION", said()),
            Kind::Refused => Problem::new(StatusCode::CONFLICT, "E_CONFLICT", said()),
            Kind::Malformed => Problem::unprocessable(said()),
            Kind::TooMany => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "E_TOO_MANY", said()),
            Kind::Unreachable => {
                tracing::warn!(error = error.chain(), resource, "the store cannot be reached");
                let message = "the database cannot be reached at the moment.";
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "E_STORE", message);
                Problem { header: Some((header::RETRY_AFTER, HeaderValue::from_static("1"))), ..problem }
            }
            Kind::Configuration | Kind::Storage | Kind::Internal => {
                tracing::error!(error = error.chain(), resource, "the store failed");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "E_STORE", "internal error.")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"error": self.code, "status": self.status.as_u16(), "message": self.message});
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
