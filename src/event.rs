//! What the engine carries: a change as a `ResourceEvent`, its place in the log as an `Entry`, and the two
//! measures of time that make an exact hand-over possible: positions of the log, stamps of the source.

pub use crate::audience::Audience;

use crate::document::Document;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Counts entries of a log; dense, only grows, the first entry has 1. Zero means "before everything".
pub type Offset = u64;

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Created,
    Updated,
    Removed,
    /// A line or message that is never changed later.
    Appended,
    /// The history of this resource is broken here: whoever followed it must start over. Carries no record.
    Reset(Reason),
}

/// Why an old position, or a live watch, cannot simply go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The position is older than what the log keeps.
    Retention,
    /// The position belongs to another log, or the records were replaced as a whole (truncate, drop, restore).
    Epoch,
    /// An entry in between lacks the `before` that the filter or the audience needs.
    Filter,
    /// The source may have missed changes (an at-most-once feed lost its connection).
    Source,
    /// The viewer's rights have changed.
    Rights,
}

impl Reason {
    /// The word used on the wire and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Retention => "retention",
            Reason::Epoch => "epoch",
            Reason::Filter => "filter",
            Reason::Source => "source",
            Reason::Rights => "rights",
        }
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time now, by this machine's clock.
    pub fn now() -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }
}

/// RFC 3339 in UTC with three decimals: `2026-11-21T08:18:14.849Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}

/// The source's own version of a change, comparable with a [`Mark`] of the same source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// The source cannot tell; such a change is never left out of anything.
    None,
    /// Postgres: the id of the top-level transaction (`xid8`).
    Transaction(u64),
    /// MongoDB: the cluster time, seconds in the upper 32 bits, increment in the lower.
    Time(u64),
    /// The embedded store: the number of the write. The log's own tails: the offset.
    Offset(u64),
}

/// A state of a source: which changes are contained in what was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Postgres: `pg_current_snapshot()`; in progress are sorted.
    Snapshot { xmin: u64, xmax: u64, in_progress: Vec<u64> },
    /// MongoDB: everything up to and including this cluster time.
    Time(u64),
    /// The embedded store, or a tail: everything up to and including this number.
    Offset(u64),
}

impl Mark {
    /// Whether a change with this stamp is part of the state. A stamp of another kind never is.
    pub fn contains(&self, stamp: Stamp) -> bool {
        match (self, stamp) {
            (Mark::Snapshot { xmin, xmax, in_progress }, Stamp::Transaction(xid)) => {
                xid < *xmin || (xid < *xmax && in_progress.binary_search(&xid).is_err())
            }
            (Mark::Time(read), Stamp::Time(time)) => time <= *read,
            (Mark::Offset(read), Stamp::Offset(offset)) => offset <= *read,
            _ => false,
        }
    }

    /// Whether everything contained in `other` is contained here too.
    pub fn covers(&self, other: &Mark) -> bool {
        match (self, other) {
            (
                Mark::Snapshot { xmax, in_progress, .. },
                Mark::Snapshot { xmin: other_xmin, xmax: other_xmax, in_progress: other_in_progress },
            ) => {
                other_xmax <= xmax
                    && in_progress.iter().all(|xid| {
                        xid >= other_xmax || (xid >= other_xmin && other_in_progress.binary_search(xid).is_ok())
                    })
            }
            (Mark::Time(mine), Mark::Time(other)) => other <= mine,
            (Mark::Offset(mine), Mark::Offset(other)) => other <= mine,
            _ => false,
        }
    }
}

/// `s<xmin>.<xmax>[.<xid>…]`, `t<time>`, `o<offset>`: how a mark stands in a position.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Snapshot { xmin, xmax, in_progress } => {
                write!(f, "s{xmin}.{xmax}")?;
                in_progress.iter().try_for_each(|xid| write!(f, ".{xid}"))
            }
            Mark::Time(time) => write!(f, "t{time}"),
            Mark::Offset(offset) => write!(f, "o{offset}"),
        }
    }
}

impl FromStr for Mark {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Mark, NotAPosition> {
        let (kind, rest) = text.split_at_checked(1).ok_or(NotAPosition)?;
        match kind {
            "s" => {
                let mut numbers = rest.split('.').map(number);
                let xmin = numbers.next().ok_or(NotAPosition)??;
                let xmax = numbers.next().ok_or(NotAPosition)??;
                let mut in_progress = numbers.collect::<Result<Vec<_>, _>>()?;
                in_progress.sort_unstable();
                Ok(Mark::Snapshot { xmin, xmax, in_progress })
            }
            "t" => Ok(Mark::Time(number(rest)?)),
            "o" => Ok(Mark::Offset(number(rest)?)),
            _ => Err(NotAPosition),
        }
    }
}

fn number(text: &str) -> Result<u64, NotAPosition> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotAPosition);
    }
    text.parse().map_err(|_| NotAPosition)
}

/// A place in a log from which one can go on: `epoch:offset`.
///
/// A list is read beside the log, so changes after its offset may already be contained in it. While that is
/// possible, the position also carries the list's mark (`epoch:offset:mark`), and those changes are left out
/// of a resume.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    pub epoch: Arc<str>,
    pub offset: Offset,
    pub beside: Option<Mark>,
}

impl Position {
    /// A position with nothing read beside the log.
    pub fn new(epoch: Arc<str>, offset: Offset) -> Position {
        Position { epoch, offset, beside: None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)?;
        self.beside.iter().try_for_each(|mark| write!(f, ":{mark}"))
    }
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPosition;

impl fmt::Display for NotAPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a position (epoch:offset)")
    }
}

impl std::error::Error for NotAPosition {}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Position, NotAPosition> {
        if text.len() > 64 * 1024 {
            return Err(NotAPosition);
        }
        let mut parts = text.splitn(3, ':');
        let epoch = parts.next().filter(|epoch| !epoch.is_empty()).ok_or(NotAPosition)?;
        let offset = number(parts.next().ok_or(NotAPosition)?)?;
        let beside = parts.next().map(Mark::from_str).transpose()?;
        Ok(Position { epoch: epoch.into(), offset, beside })
    }
}

/// One committed change of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceEvent {
    /// The configured name of the resource.
    pub resource: Arc<str>,
    /// The record's key as text; of a message, its routing key. Empty: the log gives the entry's position.
    pub id: Arc<str>,
    pub operation: Operation,
    /// The record before the change; `None` when there was none (created) or the source cannot tell.
    pub before: Option<Document>,
    /// The record after the change; the body of a message or line.
    pub after: Option<Document>,
    /// When it was committed, as far as the source knows.
    pub time: Timestamp,
    pub stamp: Stamp,
}

impl ResourceEvent {
    /// The history of a resource is broken now: whoever followed it must start over.
    pub fn reset(resource: Arc<str>, reason: Reason) -> ResourceEvent {
        ResourceEvent {
            resource,
            id: "".into(),
            operation: Operation::Reset(reason),
            before: None,
            after: None,
            time: Timestamp::now(),
            stamp: Stamp::None,
        }
    }

    /// Whether there was a version before the change, and it is not known.
    pub fn lacks_before(&self) -> bool {
        matches!(self.operation, Operation::Updated | Operation::Removed) && self.before.is_none()
    }
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub offset: Offset,
    pub audience: Audience,
    pub event: ResourceEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(xmin: u64, xmax: u64, in_progress: &[u64]) -> Mark {
        Mark::Snapshot { xmin, xmax, in_progress: in_progress.to_vec() }
    }

    #[test]
    fn a_snapshot_contains_what_was_committed_when_it_was_taken() {
        let mark = snapshot(10, 20, &[10, 15]);
        for (xid, contained) in [(9, true), (10, false), (11, true), (15, false), (19, true), (20, false)] {
            assert_eq!(mark.contains(Stamp::Transaction(xid)), contained, "{xid}");
        }
        assert!(!mark.contains(Stamp::None));
        assert!(!mark.contains(Stamp::Offset(1)));
    }

    #[test]
    fn covers_agrees_with_contains_for_every_small_snapshot() {
        let mut marks = Vec::new();
        for xmin in 1..5u64 {
            for xmax in xmin..6 {
                for bits in 0..1u32 << (xmax - xmin) {
                    let open: Vec<u64> = (xmin..xmax).filter(|x| bits >> (x - xmin) & 1 == 1).collect();
                    marks.push(snapshot(xmin, xmax, &open));
                }
            }
        }
        for mine in &marks {
            for other in &marks {
                let all =
                    (0..8).all(|x| !other.contains(Stamp::Transaction(x)) || mine.contains(Stamp::Transaction(x)));
                assert!(!mine.covers(other) || all, "{mine} claims to cover {other}");
            }
            assert!(mine.covers(mine));
        }
    }

    #[test]
    fn a_position_reads_back_as_it_was_written() {
        for text in ["e1:42", "e1:0", "e1:9:s7.12.8.9", "e1:9:t77", "e1:9:o3"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for text in ["", "e1", ":4", "e1:", "e1:x", "e1:-1", "e1:+1", "e1:1:", "e1:1:s", "e1:1:s1", "e1:1:q4", "e1:1:é"]
        {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_is_written_with_three_decimals() {
        assert_eq!(Timestamp(1_795_249_094_849).to_string(), "2026-11-21T08:18:14.849Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
