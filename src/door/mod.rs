//! Where a socket comes in: which dialect a path belongs to, and who is let in, before the handshake is answered.

pub mod cells;
pub mod files;
pub mod jac;
pub mod misakey;
pub mod monorail;

use crate::api::admit;
use crate::auth::Shown;
use crate::shard::Manners;
use crate::talk::Start;
use async_trait::async_trait;
use axum::http::HeaderMap;
use axum::response::Response;
use std::net::IpAddr;

/// A request for a WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// As it was sent: not decoded, without the query.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    /// Where it comes from.
    pub peer: Option<IpAddr>,
}

impl<'a> Asking<'a> {
    /// What of it may carry a token.
    pub fn shown(&self) -> Shown<'a> {
        admit::shown(self.headers, self.query, self.peer)
    }
}

/// Somebody who may come in.
pub struct Admission {
    pub start: Start,
    pub manners: Manners,
    /// The largest message it may send, in bytes.
    pub max_message: usize,
}

/// The way in of one dialect.
#[async_trait]
pub trait Door: Send + Sync {
    /// Whether sockets on this path are its own. The first door that says so has it.
    fn takes(&self, path: &str) -> bool;

    /// Whether the first sub-protocol that a client offers is chosen.
    fn chooses_protocol(&self) -> bool {
        true
    }

    /// Lets somebody in, or says as an HTTP answer why not.
    async fn admit(&self, asking: Asking<'_>) -> Result<Admission, Response>;
}
