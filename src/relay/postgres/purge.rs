//! Deletes rows that every node has had time to read.

use super::reader::Times;
use crate::error::Result;
use crate::postgres::failure::failure;
use std::time::Instant;
use tokio_postgres::Client;

/// So many rows are deleted at a time.
const AT_ONCE: i64 = 5000;

/// When to delete, and what.
pub(super) struct Purge {
    times: Times,
    /// `None`: this user may not.
    due: Option<Instant>,
    /// What the table showed at the last time. A transaction that was open for long may have written its rows long
    /// ago and commit them just now, so that nobody has read them.
    settled: String,
}

impl Purge {
    /// The first time is one pause from now.
    pub(super) fn new(times: Times, seen: &str) -> Purge {
        Purge { times, due: Some(Instant::now() + times.purge), settled: seen.to_owned() }
    }

    /// Deletes if it is time; `seen` is the newest snapshot that was read.
    pub(super) async fn if_due(&mut self, client: &Client, seen: &str) -> Result<()> {
        if self.due.is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        let keep = self.times.keep.as_secs_f64();
        loop {
            match client.execute(DELETE, &[&self.settled, &keep, &AT_ONCE]).await {
                Ok(deleted) if i64::try_from(deleted).is_ok_and(|deleted| deleted == AT_ONCE) => {}
                Ok(_) => break,
                Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                    tracing::warn!("this user may not delete from tidings.push; let another node do it");
                    self.due = None;
                    return Ok(());
                }
                Err(error) => return Err(failure("emptying tidings.push", error)),
            }
        }
        self.settled = seen.to_owned();
        self.due = Some(Instant::now() + self.times.purge);
        Ok(())
    }
}

/// Several nodes do it at a time; none waits for another.
const DELETE: &str = "delete from tidings.push where id in (select id from tidings.push \
     where at < clock_timestamp() - $2::float8 * interval '1 second' \
         and pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
     order by id limit $3 for update skip locked)";
