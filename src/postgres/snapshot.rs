//! `pg_snapshot` as a mark.

use crate::error::{Error, Kind, Result};
use crate::event::Mark;

/// Reads `xmin:xmax:xid,xid`, the text of `pg_current_snapshot()`.
///
/// # Errors
/// `Malformed` when it is none.
pub fn mark(text: &str) -> Result<Mark> {
    parse(text).ok_or_else(|| Error::new(Kind::Malformed, format!("{text:?} is no snapshot")))
}

/// The condition that the transaction in `xid` is not contained in the snapshot of the parameter `$1`: it began after
/// it, or was in progress in it. Both are found by an index on `xid`, however long a transaction stays open.
pub fn is_not_contained(xid: &str) -> String {
    format!(
        "({xid} >= pg_snapshot_xmax($1::text::pg_snapshot) \
         or {xid} = any (array(select pg_snapshot_xip($1::text::pg_snapshot))))"
    )
}

fn parse(text: &str) -> Option<Mark> {
    let mut parts = text.split(':');
    let xmin = parts.next()?.parse().ok()?;
    let xmax = parts.next()?.parse().ok()?;
    let open = parts.next()?;
    let mut in_progress =
        open.split(',').filter(|xid| !xid.is_empty()).map(|xid| xid.parse().ok()).collect::<Option<Vec<u64>>>()?;
    in_progress.sort_unstable();
    parts.next().is_none().then_some(Mark::Snapshot { xmin, xmax, in_progress })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_as_postgres_writes_it() {
        assert_eq!(mark("10:20:10,14,15").unwrap().to_string(), "s10.20.10.14.15");
        assert_eq!(mark("10:10:").unwrap().to_string(), "s10.10");
        for text in ["", "10", "10:20", "a:b:", "1:2:x", "1:2:3:4", "-1:2:"] {
            assert!(mark(text).is_err(), "{text}");
        }
    }
}
