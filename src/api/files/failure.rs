//! How a request to the file store fails: `{"error":true,"code":404,"message":"…","detail":"…"}`.

use crate::api::admit;
use crate::auth::Denied;
use crate::error::{Error, Kind};
use crate::patch::Fault;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What is said where there is nothing to add.
const NO_DETAIL: &str = "There was an error. That is all we know.";

/// A failed request.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    message: String,
    detail: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
    /// Others came between: the same may succeed when it is done again.
    pub(super) is_contention: bool,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into(), detail: NO_DETAIL, header: None, is_contention: false }
    }

    /// 400, with what is wrong.
    pub(super) fn malformed(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400: the body is none, or no JSON that could be stored.
    pub(super) fn not_json() -> Failure {
        Failure::malformed("Invalid request body. Expected JSON value.")
    }

    /// 400: a file, or contents, of nothing.
    pub(super) fn no_contents() -> Failure {
        Failure::malformed("Invalid file definition. File has no contents.")
    }

    /// 400: no patch.
    pub(super) fn malformed_patch() -> Failure {
        Failure::malformed("Malformed patch information.")
    }

    /// 400: a patch of what must not be patched.
    pub(super) fn restricted_path(path: &str) -> Failure {
        let detail = "Certain properties are restricted from patching like \"key\" or \"kind\".";
        Failure { detail, ..Failure::malformed(format!("Invalid patch path: {path}.")) }
    }

    /// 400: contents that must be patched, not replaced.
    pub(super) fn not_replaceable(key: &str) -> Failure {
        let detail = "To update this file use the PATCH request. \
                      We do not allow overwriting the entire file contents.";
        Failure { detail, ..Failure::malformed(format!("A file with the identifier {key} already exists.")) }
    }

    /// 401.
    pub(super) fn unauthorized() -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, "The client is not authorized to access this resource.")
    }

    /// The same, or 503 where nobody could judge the token, or 429.
    pub(super) fn denied(denied: Denied) -> Failure {
        let (status, header) = admit::told(denied);
        match status {
            StatusCode::UNAUTHORIZED => Failure::unauthorized(),
            status => Failure { header: Some(header), ..Failure::new(status, format!("{denied}.")) },
        }
    }

    /// The same, where somebody without a token is told where to get one.
    pub(super) fn with_location(self, place: &'static str) -> Failure {
        Failure { header: Some((header::LOCATION, HeaderValue::from_static(place))), ..self }
    }

    /// 403: a role is too low.
    pub(super) fn insufficient() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "Insufficient permissions to access this resource.")
    }

    /// 403: only owners delete.
    pub(super) fn may_not_delete() -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "Unauthorized to delete the object.")
    }

    /// 404: there is nothing, or nothing that this asker may know of.
    pub(super) fn not_found() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "Not found.")
    }

    /// 405; which methods there are, the router adds.
    pub(super) fn wrong_method() -> Failure {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.")
    }

    /// 413.
    pub(super) fn too_large() -> Failure {
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large.")
    }

    /// 409: given up.
    pub(super) fn contention() -> Failure {
        let failure = Failure::new(StatusCode::CONFLICT, "The file is being changed by others. Try again.");
        Failure { is_contention: true, ..failure }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error.kind() {
            Kind::Conflict => Failure::contention(),
            Kind::Malformed => Failure::not_json(),
            Kind::Unreachable => {
                tracing::warn!(error = error.chain(), "the file store cannot be reached");
                let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "The store is not available. Try again.");
                Failure { header: Some((header::RETRY_AFTER, HeaderValue::from_static("1"))), ..failure }
            }
            _ => {
                tracing::error!(error = error.chain(), "the file store failed");
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error.")
            }
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        match fault {
            Fault::Malformed | Fault::TooMuch => Failure::malformed_patch(),
            Fault::Pointer(text) => Failure::malformed(format!("Invalid pointer: {text}")),
            Fault::Location => Failure::malformed("Location not found"),
            Fault::Test => Failure::malformed("Test failed"),
            Fault::Target => Failure::malformed("Invalid target"),
            Fault::Index => Failure::malformed("Invalid pointer"),
            Fault::Root => Failure::restricted_path(""),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = self.status.as_u16();
        let body = json!({"error": true, "code": code, "message": self.message, "detail": self.detail});
        let mut response = super::answer::json(self.status, &body);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
