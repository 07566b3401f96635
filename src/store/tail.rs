//! The newest lines of an append-only resource, held in memory for queries. The pump feeds it.

use crate::error::{Error, Kind, Result};
use crate::event::{Entry, Mark, Offset, Operation, Reason};
use crate::query::Query;
use crate::query::Row;
use crate::resource::Resource;
use crate::store::select::select;
use crate::store::{Condition, Snapshot, Store, Write, Written};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a query waits for lines that were written just before it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The held lines of one resource.
pub struct Tail {
    keep: usize,
    /// Where lines are written to, if they can be.
    inner: Option<Arc<dyn Store>>,
    held: Mutex<Held>,
    /// The newest state of the source whose every line is here.
    reached: watch::Sender<Option<Mark>>,
}

#[derive(Default)]
struct Held {
    lines: VecDeque<Arc<Entry>>,
    /// The newest offset that it knows of, of any resource.
    last: Offset,
}

impl Tail {
    /// An empty tail of at most so many lines. Lines that clients write go to `inner`.
    pub fn new(keep: usize, inner: Option<Arc<dyn Store>>) -> Tail {
        Tail { keep, inner, held: Mutex::default(), reached: watch::Sender::new(None) }
    }

    /// Takes the resource's next entry; the oldest line goes when there are too many.
    pub fn push(&self, entry: &Arc<Entry>) {
        let mut held = self.held();
        held.last = held.last.max(entry.offset);
        match entry.event.operation {
            Operation::Appended => held.lines.push_back(entry.clone()),
            Operation::Reset(Reason::Epoch) => held.lines.clear(),
            _ => {}
        }
        let excess = held.lines.len().saturating_sub(self.keep);
        held.lines.drain(..excess);
    }

    /// Tells that the log has come this far, with nothing more for this tail.
    pub fn advance(&self, offset: Offset) {
        let mut held = self.held();
        held.last = held.last.max(offset);
    }

    /// Tells that every line that this state of the source contains has been pushed.
    pub fn reach(&self, mark: &Mark) {
        self.reached.send_replace(Some(mark.clone()));
    }

    /// Waits until what was written before the call is here, for ever when its source is down.
    async fn catch_up(&self) -> Result<()> {
        let Some(inner) = &self.inner else { return Ok(()) };
        let written = inner.mark().await?;
        let mut reached = self.reached.subscribe();
        let covered = reached.wait_for(|mark| mark.as_ref().is_some_and(|mark| mark.covers(&written)));
        covered.await.map(drop).map_err(|error| Error::because(Kind::Internal, "a tail has no end of its own", error))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Tail {
    /// The last `limit` matching lines, oldest first; `skip` counts from the newest. A sort, where one is asked
    /// for, sorts as everywhere.
    async fn query(&self, _resource: &Resource, query: &Query) -> Result<Snapshot> {
        // The held lines can be read also while nothing new comes.
        tokio::time::timeout(PATIENCE, self.catch_up()).await.unwrap_or(Ok(()))?;
        let (lines, last) = {
            let held = self.held();
            (held.lines.clone(), held.last)
        };
        let rows = lines.iter().filter_map(row);
        let rows = match query.sort.is_empty() {
            true => newest(rows, query)?,
            false => select(rows, query)?,
        };
        Ok(Snapshot { rows, mark: Mark::Offset(last) })
    }

    async fn mark(&self) -> Result<Mark> {
        self.catch_up().await?;
        Ok(Mark::Offset(self.held().last))
    }

    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        match (&self.inner, &write) {
            (Some(inner), Write::Append(_)) => inner.write(resource, id, write, condition).await,
            (None, Write::Append(_)) => {
                Err(Error::new(Kind::Refused, format!("{} takes no lines from clients", resource.name)))
            }
            _ => Err(Error::new(Kind::Refused, format!("the lines of {} are never changed", resource.name))),
        }
    }
}

fn row(entry: &Arc<Entry>) -> Option<Row> {
    let document = entry.event.after.clone()?;
    Some(Row { id: entry.event.id.clone(), document, offset: entry.offset })
}

fn newest(rows: impl DoubleEndedIterator<Item = Row>, query: &Query) -> Result<Vec<Row>> {
    let matching = rows.rev().filter(|row| query.filter.matches(&row.id, row.document.value())).skip(query.skip);
    let most = query.limit.unwrap_or(usize::MAX).min(query.max_items.saturating_add(1));
    let mut rows: Vec<Row> = matching.take(most).collect();
    if rows.len() > query.max_items {
        return Err(Error::new(Kind::TooMany, format!("more than {} lines match", query.max_items)));
    }
    rows.reverse();
    Ok(rows)
}

#[cfg(test)]
mod tests;
