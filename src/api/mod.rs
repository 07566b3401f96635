//! Resources over plain HTTP: read, and where the configuration says so, written.

pub mod admin;
pub mod admit;
mod answer;
mod asked;
mod change;
mod conditions;
pub mod cors;
mod events;
pub mod files;
mod guarded;
pub mod jac;
mod key;
mod problem;
mod reached;
pub mod resources;
#[cfg(test)]
mod tests;

use crate::auth::{Gate, Pass};
use crate::catalog::Catalog;
use crate::session::Opening;
use std::io;
use std::sync::Arc;
use tokio::net::UnixStream;

/// What the handlers share.
pub struct ApiState {
    pub catalog: Arc<Catalog>,
    pub gate: Arc<Gate>,
    pub follow: Follow,
    /// More rows than this in one answer are refused, never cut.
    pub max_items: usize,
}

/// Makes a client of the engine, who is told by the dialect of event streams, of somebody who asks for something.
/// What it is told comes out of the socket, framed as for a WebSocket.
pub type Follow = Arc<dyn Fn(Pass, Opening) -> io::Result<UnixStream> + Send + Sync>;
