//! Why somebody may not come in, as the answers that clients in the field know.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

const JSON: &str = "application/json; charset=UTF-8";

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no token, or a cookie is not as it should be: which, and what is wrong.
    Cookie(&'static str, &'static str),
    /// The token does not hold, or names nobody.
    Inactive,
    /// It was given to somebody whose tokens are not accepted.
    Client,
    /// Nobody can say whether it holds, or the program goes down.
    Unavailable,
    /// The path names no identity.
    Path,
    /// It names another one.
    Foreign,
    /// No WebSocket is asked for.
    NoUpgrade,
    /// A page of another origin asks.
    Origin,
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        let told = |status: StatusCode, code: &str, origin: &str, desc: &str, details: &str| {
            let body = format!(r#"{{"code":"{code}","origin":"{origin}","desc":"{desc}","details":{details}}}"#);
            (status, [(header::CONTENT_TYPE, JSON)], body).into_response()
        };
        let details = |name: &str, word: &str| format!(r#"{{"{name}":"{word}"}}"#);
        match refusal {
            Refusal::Cookie(name, word) => {
                told(StatusCode::UNAUTHORIZED, "unauthorized", "cookies", "", &details(name, word))
            }
            Refusal::Inactive => {
                let desc = "token is not active: not authorized";
                told(StatusCode::UNAUTHORIZED, "unauthorized", "headers", desc, "{}")
            }
            Refusal::Client => {
                told(StatusCode::UNAUTHORIZED, "unauthorized", "not_defined", "unauthorized client", "{}")
            }
            Refusal::Unavailable => {
                told(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "not_defined", "", "{}")
            }
            Refusal::Path => told(StatusCode::BAD_REQUEST, "bad_request", "path", "", &details("id", "malformed")),
            Refusal::Foreign => told(StatusCode::FORBIDDEN, "forbidden", "not_defined", "", "{}"),
            Refusal::NoUpgrade => no_handshake(StatusCode::BAD_REQUEST, "Bad Request\n"),
            Refusal::Origin => no_handshake(StatusCode::FORBIDDEN, "Forbidden\n"),
        }
    }
}

fn no_handshake(status: StatusCode, body: &'static str) -> Response {
    let version: (HeaderName, &str) = (header::SEC_WEBSOCKET_VERSION, "13");
    (status, [version, (header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}
