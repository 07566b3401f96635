//! The Files API: spaces, projects and their contents, over a store that somebody else may write too.
//!
//! Each change is one transaction, and what it changed is told only because it comes back through the feed.

mod answer;
mod asker;
mod batch;
mod body;
mod contents;
mod create;
mod delete;
mod failure;
mod listing;
mod meta;
mod mutation;
mod page;
mod patching;
mod query;

mod revisions;
mod routes;
mod sessions;
mod sharing;
mod sweep;
mod table;
mod upload;
mod users;
mod visit;

pub use routes::router;
pub use sweep::Sweeper;
pub use table::Table;

use crate::auth::{Gate, Mint};
use crate::store::Store;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// What the handlers share. All parts are resources of one store that has transactions.
pub struct FilesApi {
    pub store: Arc<dyn Store>,
    pub files: Table,
    pub permissions: Table,
    pub media: Table,
    pub revisions: Table,
    /// Without them users are known by their tokens.
    pub users: Option<Table>,
    pub settings: Settings,
    pub gate: Arc<Gate>,
    /// Gives tokens to whoever asks; `None`: nobody gets one.
    pub mint: Option<Arc<Mint>>,
    pub echo: Arc<dyn Echo>,
}

/// What the configuration says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Every path is there behind each of these; `""` is none.
    pub prefixes: Vec<String>,
    /// Where clients are told that the store is.
    pub port: u16,
    /// How long an answer waits at most for others to be told.
    pub hold: Duration,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// The claim that names groups; empty: none does.
    pub group_claim: String,
}

/// Knows when what a change caused was handed to everybody it concerns.
pub trait Echo: Send + Sync {
    /// Completes when all that so many rows with this change id caused was handed over; called before they are
    /// committed.
    fn expect(&self, n: &Arc<str>, rows: usize) -> BoxFuture<'static, ()>;
}

/// The state of the routes.
type Api = Arc<FilesApi>;
