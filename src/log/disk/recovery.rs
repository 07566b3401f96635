//! What a log finds when it is opened: which entries are there without a gap, and whether they can still be
//! all that anybody has seen.

use crate::error::Result;
use crate::event::{Offset, Timestamp};
use crate::log::disk::segment::{Segment, offset};
use crate::log::disk::witness::{State, Testimony, Witness};
use crate::log::disk::{Limits, failed};
use crate::log::marks::{Mark, Marks};
use crate::log::number::is_epoch;
use crate::log::ring::Ring;
use fjall::{Database, Keyspace};
use std::path::Path;
use std::sync::Arc;

/// Keys of the state.
pub(super) const EPOCH: &str = "epoch";
pub(super) const FLOOR: &str = "floor";
pub(super) const LAST: &str = "last";

/// What was found.
pub(super) struct Found {
    /// `None` when old positions mean nothing any more.
    pub(super) epoch: Option<Arc<str>>,
    pub(super) floor: Offset,
    /// Every segment with entries after the floor, and the one to go on with.
    pub(super) segments: Vec<Segment>,
    pub(super) ring: Ring,
    pub(super) marks: Marks,
}

/// Looks at everything; deletes segments that are of no use.
pub(super) fn recover(
    dir: &Path,
    boot: &str,
    database: &Database,
    state: &Keyspace,
    marks: &Keyspace,
    limits: &Limits,
) -> Result<Found> {
    let stored = |key| state.get(key).map_err(failed("read the log's state"));
    let stored_floor = stored(FLOOR)?.and_then(|bytes| offset(&bytes));
    let stored_last = stored(LAST)?.and_then(|bytes| offset(&bytes));
    let (mut segments, useless, last) = unbroken(Segment::all(database)?, stored_floor.unwrap_or(0))?;
    for segment in useless {
        segment.discard(database)?;
    }
    let begins = segments.first().map_or(last, |segment| segment.first - 1);
    let mut floor = stored_floor.unwrap_or(begins).max(begins);
    let ring = newest(&segments, floor, last, limits);
    if ring.floor() > floor && !ring.is_full(limits.ring_entries, limits.ring_bytes) {
        tracing::error!(from = floor, to = ring.floor(), "entries in between cannot be read; they are let go");
        floor = ring.floor();
    }
    if segments.is_empty() {
        segments.push(Segment::open(database, last + 1)?);
    }
    let epoch =
        stored(EPOCH)?.and_then(|bytes| std::str::from_utf8(&bytes).ok().filter(|text| is_epoch(text)).map(Arc::from));
    let marks = read_marks(marks, &segments, last)?;
    let epoch = believed(epoch, Witness::heard(dir), boot, last, stored_last);
    Ok(Found { epoch, floor, segments, ring, marks })
}

/// The newest segments without a gap between them, the others, and the offset of the newest entry.
fn unbroken(all: Vec<Segment>, floor: Offset) -> Result<(Vec<Segment>, Vec<Segment>, Offset)> {
    let (mut kept, mut useless) = (Vec::<Segment>::new(), Vec::new());
    let (mut newest, mut broken) = (None, false);
    for segment in all.into_iter().rev() {
        let last = segment.last()?.filter(|last| *last > floor);
        let joins = match kept.last() {
            None => last.is_some(),
            Some(next) => last.is_some_and(|last| last + 1 == next.first),
        };
        if joins && !broken {
            newest = newest.or(last);
            kept.push(segment);
        } else {
            // Before the newest entry there may be segments that were begun and never written to; after a gap
            // nothing that is older can be of use.
            broken = newest.is_some();
            useless.push(segment);
        }
    }
    kept.reverse();
    Ok((kept, useless, newest.unwrap_or(floor)))
}

/// The newest entries, back to the first one that does not fit or cannot be read.
fn newest(segments: &[Segment], floor: Offset, last: Offset, limits: &Limits) -> Ring {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let mut expected = last;
    for pair in segments.iter().rev().flat_map(|segment| segment.after(floor).rev()) {
        match pair {
            Ok((entry, size)) if entry.offset == expected => {
                bytes += size;
                expected -= 1;
                entries.push((entry, size));
            }
            Ok(_) => break,
            Err(error) => {
                tracing::error!(offset = expected, error = error.chain(), "an entry cannot be read");
                break;
            }
        }
        if entries.len() >= limits.ring_entries || bytes >= limits.ring_bytes {
            break;
        }
    }
    let mut ring = Ring::after(expected);
    entries.into_iter().rev().for_each(|(entry, size)| ring.push(entry, size));
    ring
}

fn read_marks(pairs: &Keyspace, segments: &[Segment], last: Offset) -> Result<Marks> {
    let mut stored = Vec::new();
    for pair in pairs.iter() {
        let (key, value) = pair.into_inner().map_err(failed("read the marks"))?;
        stored.extend(offset(&key).and_then(|offset| mark_from(offset, &value)).filter(|mark| mark.offset <= last));
    }
    let since = stored.last().copied().unwrap_or_default();
    let newer = segments.iter().flat_map(|segment| segment.after(since.offset));
    let bytes = since.bytes + newer.filter_map(Result::ok).map(|(_, size)| size).sum::<u64>();
    Ok(Marks::resume(stored, Mark { offset: last, bytes, time: Timestamp::now() }))
}

/// A mark as it is stored under its offset.
pub(super) fn mark_bytes(mark: &Mark) -> Vec<u8> {
    [mark.bytes.to_be_bytes(), mark.time.0.to_be_bytes()].concat()
}

fn mark_from(offset: Offset, value: &[u8]) -> Option<Mark> {
    let (bytes, time) = value.split_first_chunk::<8>()?;
    let time = Timestamp(i64::from_be_bytes(time.try_into().ok()?));
    Some(Mark { offset, bytes: u64::from_be_bytes(*bytes), time })
}

/// The epoch, unless the log may lack something that a client was told under it.
fn believed(
    epoch: Option<Arc<str>>,
    heard: Option<Testimony>,
    boot: &str,
    last: Offset,
    stored_last: Option<Offset>,
) -> Option<Arc<str>> {
    let doubt = match (&epoch, heard) {
        (None, None) if last == 0 => return None,
        (None, _) => "its state is damaged",
        (Some(_), None) => "its witness is missing or damaged",
        (Some(epoch), Some(said)) if said.epoch != *epoch => "its witness speaks of another log",
        (Some(_), Some(said)) if said.last > last => "entries that were acknowledged are missing",
        // Bookmarks are as old as this; an older one makes its source repeat what is logged already.
        (Some(_), Some(_)) if stored_last != Some(last) => "its entries and its bookmarks are not of the same age",
        (Some(_), Some(said)) if said.state == State::Open && said.boot != boot => "the machine went down under it",
        (Some(_), Some(_)) => return epoch,
    };
    tracing::warn!(reason = doubt, last, "the log begins a new epoch: clients will start from fresh lists");
    None
}
