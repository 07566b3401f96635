//! The WebSocket handshake (RFC 6455, section 4.2) on a request, and the bare wire that comes out of it.
//!
//! No extension is negotiated, and the first sub-protocol that is offered is echoed.

use crate::wire::{Detached, Wire};
use axum::body::Body;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use std::io;

const VERSION: &str = "13";

/// Whether a request asks for a WebSocket at all; `accept` judges whether it asks correctly.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE, "websocket")
}

/// Whether the headers of a `GET` are those of a handshake.
///
/// # Errors
/// A refusal, which is a response too, when they are not.
pub fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    if !is_wanted(headers) {
        return Err(Refusal::Malformed("the header \"Upgrade: websocket\" is missing"));
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(Refusal::Malformed("the header \"Connection: Upgrade\" is missing"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(Refusal::Version);
    }
    if STANDARD.decode(key_of(headers)).map_or(0, |nonce| nonce.len()) != 16 {
        return Err(Refusal::Malformed("Sec-WebSocket-Key is not 16 bytes in base64"));
    }
    Ok(())
}

fn key_of(headers: &HeaderMap) -> &[u8] {
    headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default()
}

/// Answers the handshake. The response must be sent for `Upgrading` to get on.
///
/// # Errors
/// A refusal, which is a response too, when the request is no correct handshake.
pub fn accept<B>(request: &mut Request<B>) -> Result<(Response, Upgrading), Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::Malformed("the method is not GET"));
    }
    let headers = request.headers();
    check(headers)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answers = response.headers_mut();
    answers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answers.insert(SEC_WEBSOCKET_ACCEPT, proof(key_of(headers)));
    if let Some(protocol) = first_protocol(headers) {
        answers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok((response, Upgrading(hyper::upgrade::on(request))))
}

/// Why there is no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Another version than 13: 426 with the version that is spoken.
    Version,
    /// What is wrong with the request: 400.
    Malformed(&'static str),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Version => (
                StatusCode::UPGRADE_REQUIRED,
                [(SEC_WEBSOCKET_VERSION, VERSION), (UPGRADE, "websocket"), (CONNECTION, "Upgrade")],
                "only version 13 of the WebSocket protocol is spoken here\n",
            )
                .into_response(),
            Refusal::Malformed(why) => {
                (StatusCode::BAD_REQUEST, format!("no WebSocket handshake: {why}\n")).into_response()
            }
        }
    }
}

/// A handshake whose response is under way.
pub struct Upgrading(OnUpgrade);

impl Upgrading {
    /// Waits until the response has gone out, then gives the wire, and the bytes of it that were already read.
    ///
    /// # Errors
    /// When the client left before, or the connection does not run over a [`Wire`].
    pub async fn finish(self) -> io::Result<(Detached, Bytes)> {
        let upgraded = self.0.await.map_err(io::Error::other)?;
        let parts = upgraded
            .downcast::<TokioIo<Wire>>()
            .map_err(|_| io::Error::new(io::ErrorKind::Unsupported, "the connection does not run over a wire"))?;
        Ok((parts.io.into_inner().detach()?, parts.read_buf))
    }
}

/// What `Sec-WebSocket-Accept` must be for this key.
fn proof(key: &[u8]) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::from_str(&STANDARD.encode(hash.finalize())).expect("base64 is a header value")
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let offered = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = offered.split(',').map(str::trim).find(|protocol| !protocol.is_empty())?;
    HeaderValue::from_str(first).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut Request<()>)) -> Request<()> {
        let mut request = Request::new(());
        let headers = request.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        change(&mut request);
        request
    }

    fn refusal(change: impl FnOnce(&mut Request<()>)) -> StatusCode {
        let refusal = accept(&mut request(change)).err().expect("it must be refused");
        refusal.into_response().status()
    }

    fn set(name: HeaderName, value: &'static str) -> impl FnOnce(&mut Request<()>) {
        move |request| drop(request.headers_mut().insert(name, HeaderValue::from_static(value)))
    }

    fn remove(name: HeaderName) -> impl FnOnce(&mut Request<()>) {
        move |request| drop(request.headers_mut().remove(name))
    }

    #[test]
    fn the_standards_example_is_answered_as_the_standard_shows_it() {
        let (response, _) = accept(&mut request(|_| {})).expect("a handshake");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()[UPGRADE], "websocket");
        assert_eq!(response.headers()[CONNECTION], "Upgrade");
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn the_first_sub_protocol_is_echoed_and_no_extension() {
        let mut request = request(|request| {
            set(SEC_WEBSOCKET_PROTOCOL, "soap, wamp")(request);
            set(HeaderName::from_static("sec-websocket-extensions"), "permessage-deflate")(request);
        });
        let (response, _) = accept(&mut request).expect("a handshake");
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "soap");
        assert!(!response.headers().contains_key("sec-websocket-extensions"));
    }

    #[test]
    fn another_version_is_told_which_one_is_spoken() {
        let mut old = request(set(SEC_WEBSOCKET_VERSION, "8"));
        let answer = accept(&mut old).err().expect("it must be refused").into_response();
        assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(answer.headers()[SEC_WEBSOCKET_VERSION], VERSION);
        assert_eq!(refusal(remove(SEC_WEBSOCKET_VERSION)), StatusCode::UPGRADE_REQUIRED);
    }

    #[test]
    fn what_is_no_handshake_is_a_bad_request() {
        assert_eq!(refusal(|request| *request.method_mut() = Method::POST), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(remove(UPGRADE)), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(set(UPGRADE, "h2c")), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(remove(CONNECTION)), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(set(CONNECTION, "close")), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(remove(SEC_WEBSOCKET_KEY)), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(set(SEC_WEBSOCKET_KEY, "c2hvcnQ=")), StatusCode::BAD_REQUEST);
        assert_eq!(refusal(set(SEC_WEBSOCKET_KEY, "not base64!")), StatusCode::BAD_REQUEST);
    }
}
