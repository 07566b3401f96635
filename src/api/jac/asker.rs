//! What a request shows of who sends it, judged by nobody yet.

use super::JacApi;
use super::answer::Answer;
use crate::jac::identity;
use crate::viewer::Token;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Whoever sends a request.
pub(super) struct Asker {
    pub(super) peer: Option<IpAddr>,
    shown: Option<Option<Token>>,
}

impl Asker {
    /// The token that it shows; `None`: it shows nothing.
    ///
    /// # Errors
    /// 401, when what it shows is no token.
    pub(super) fn token(&self) -> Result<Option<&Token>, Answer> {
        self.shown.as_ref().map(|token| token.as_ref().ok_or_else(Answer::unauthorized)).transpose()
    }
}

impl FromRequestParts<Arc<JacApi>> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _api: &Arc<JacApi>) -> Result<Asker, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let value = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = value.map(|value| str::from_utf8(value).ok().and_then(identity::bearer));
        Ok(Asker { peer, shown })
    }
}
