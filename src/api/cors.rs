//! Pages of other origins may read; credentials travel in a header or the query, never in a cookie, so that
//! nothing is given away by it.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

/// A middleware: answers `OPTIONS` on any path with 204, and opens every other answer to all origins.
pub async fn open(request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return preflight();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag, Location, Allow, Expires"));
    response
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whether a browser sent this for a page that neither came from here nor from this machine.
///
/// A browser sends some writes without asking first; without this, any page that a developer opens could
/// write to the server on their own machine.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let Some(origin) = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok()) else { return true };
    let Some(authority) = origin.authority() else { return true };
    let same = headers.get(header::HOST).is_some_and(|host| host.as_bytes() == authority.as_str().as_bytes());
    !same && !is_loopback(authority.host())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_other_machines_are_foreign() {
        let cases = [
            (None, false),
            (Some("http://tidings.example:9100"), false),
            (Some("http://localhost:5173"), false),
            (Some("http://127.0.0.1:5173"), false),
            (Some("http://[::1]:5173"), false),
            (Some("http://tidings.example"), true),
            (Some("https://evil.example"), true),
            (Some("http://localhost.evil.example"), true),
            (Some("null"), true),
            (Some(""), true),
        ];
        for (origin, foreign) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("tidings.example:9100"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_foreign(&headers), foreign, "{origin:?}");
        }
    }
}
