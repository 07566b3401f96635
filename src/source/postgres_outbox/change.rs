//! One row of `tidings.change` as events.

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Operation, Reason, ResourceEvent, Stamp, Timestamp};
use crate::postgres::table::Table;
use std::sync::Arc;
use tokio_postgres::Row;

/// A change as the outbox has it: its columns are those of `following::CHANGES`.
pub(super) struct Change<'a> {
    pub(super) id: i64,
    xid: u64,
    /// The table, as the server quotes it.
    pub(super) table: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
    time: Timestamp,
}

impl Change<'_> {
    pub(super) fn of(row: &Row) -> Result<Change<'_>> {
        let malformed = |error| Error::because(Kind::Malformed, "a row of tidings.change cannot be read", error);
        let xid: &str = row.try_get(1).map_err(malformed)?;
        Ok(Change {
            id: row.try_get(0).map_err(malformed)?,
            xid: xid.parse().map_err(|error| Error::because(Kind::Malformed, "a transaction has no id", error))?,
            table: row.try_get(2).map_err(malformed)?,
            before: row.try_get(3).map_err(malformed)?,
            after: row.try_get(4).map_err(malformed)?,
            time: Timestamp(row.try_get(5).map_err(malformed)?),
        })
    }

    /// About how much memory its events take.
    pub(super) fn bytes(&self) -> usize {
        200 + self.before.map_or(0, str::len) + self.after.map_or(0, str::len)
    }

    /// What happened to a resource that is read from this table: one event, or two when the key changed.
    pub(super) fn events(&self, resource: &Arc<str>, table: &Table) -> Result<Vec<ResourceEvent>> {
        let event = |id: &str, operation, before, after| ResourceEvent {
            resource: resource.clone(),
            id: id.into(),
            operation,
            before,
            after,
            time: self.time,
            stamp: Stamp::Transaction(self.xid),
        };
        let read = |json: Option<&str>| json.map(|json| table.read(json)).transpose();
        let (before, after) = (read(self.before)?, read(self.after)?);
        let document = |value| Some(Document::new(value));
        Ok(match (before, after) {
            (None, None) => vec![event("", Operation::Reset(Reason::Epoch), None, None)],
            (None, Some(after)) => vec![event(&after.id, Operation::Created, None, document(after.value))],
            (Some(before), None) => vec![event(&before.id, Operation::Removed, document(before.value), None)],
            (Some(before), Some(after)) if before.id == after.id => {
                vec![event(&after.id, Operation::Updated, document(before.value), document(after.value))]
            }
            (Some(before), Some(after)) => vec![
                event(&before.id, Operation::Removed, document(before.value), None),
                event(&after.id, Operation::Created, None, document(after.value)),
            ],
        })
    }
}
