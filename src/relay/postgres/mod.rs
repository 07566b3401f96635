//! Pushes by way of a table of a Postgres database, `tidings.push`: what SQL code queued there is read by every node,
//! and a relay writes there what its own sockets push.
//!
//! A row is told once, at its commit, in whatever order transactions commit: what is read is what one snapshot has and
//! the one before it had not.

mod purge;
mod reader;
mod writer;

pub use reader::{Reader, Times};
pub use writer::Writer;

use super::Push;
use std::sync::Arc;
use tokio_postgres::Row;

/// The push in the columns `kind`, `ids` and `data`; `None` when it is none.
pub fn read(row: &Row) -> Option<Push> {
    let kind: &str = row.try_get("kind").ok()?;
    let ids: Vec<Option<&str>> = row.try_get("ids").ok()?;
    let data: &str = row.try_get("data").ok()?;
    Push::read(kind, ids.into_iter().flatten().map(Arc::from).collect(), data)
}
