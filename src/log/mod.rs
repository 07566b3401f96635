//! Where entries are kept, so that a client which was away gets exactly what it missed.

pub mod disk;
mod marks;
pub mod memory;
mod number;
mod ring;
#[cfg(test)]
mod suite;

use crate::error::Result;
use crate::event::{Audience, Entry, Offset, ResourceEvent};
use std::sync::Arc;
use std::time::Duration;

/// How long entries are kept; the first limit that is reached counts. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub entries: Option<u64>,
    pub bytes: Option<u64>,
    pub age: Option<Duration>,
}

/// How far a source has got; opaque to the log, written in the same step as the entries it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    pub source: Arc<str>,
    pub place: Vec<u8>,
}

/// What a reader gets of the log.
#[derive(Debug)]
pub enum Stretch {
    /// The entries after the asked offset, without a gap; empty when there are none yet.
    Entries(Vec<Arc<Entry>>),
    /// Some of them are no longer kept; the log now begins after this offset.
    Gone(Offset),
}

/// A log: appended to by the pump alone, read by everybody. Calls may block for a short disk access.
pub trait Log: Send + Sync {
    /// Names this log; another name means that old positions mean nothing here.
    fn epoch(&self) -> Arc<str>;

    /// The offset of the newest entry; 0 when there was never one.
    fn last(&self) -> Offset;

    /// The offset before the oldest entry that is kept: a position from which everything can be replayed.
    fn floor(&self) -> Offset;

    /// Adds events (each with who may see it) and how far their source has got, in one step: after a crash
    /// either all of it is there or none. An appended event gets its offset as stamp and, when its id is empty,
    /// its position as id (and as `id` in its document when that is an object without one).
    ///
    /// # Errors
    /// `Storage` when it could not be written; then nothing of it is in the log.
    fn append(&self, events: Vec<(ResourceEvent, Audience)>, bookmark: Option<Bookmark>) -> Result<Vec<Arc<Entry>>>;

    /// The entries after `after`, oldest first, at most about `bytes` of them (at least one if there is one).
    ///
    /// # Errors
    /// `Storage` when it could not be read.
    fn between(&self, after: Offset, upto: Offset, bytes: usize) -> Result<Stretch>;

    /// How far a source had got with the newest entries that are here.
    fn bookmark(&self, source: &str) -> Result<Option<Vec<u8>>>;

    /// Lets go of what retention no longer asks for. Called from time to time, never while appending.
    fn trim(&self) -> Result<()>;

    /// Bytes that the log takes, about.
    fn bytes(&self) -> u64;

    /// Writes everything through to the disk, before a clean end.
    fn close(&self) -> Result<()>;
}

/// Bytes of the log read in one go while all of it is looked through.
const READ_BYTES: usize = 1024 * 1024;

/// Shows every entry that is still kept, oldest first, up to the newest one at the time of the call, whose offset it
/// returns.
///
/// # Errors
/// `Storage` when it could not be read.
pub fn each(log: &dyn Log, mut see: impl FnMut(&Arc<Entry>)) -> Result<Offset> {
    let (mut read, last) = (log.floor(), log.last());
    while read < last {
        match log.between(read, last, READ_BYTES)? {
            Stretch::Gone(floor) => read = floor,
            Stretch::Entries(entries) => {
                let Some(newest) = entries.last() else { break };
                read = newest.offset;
                entries.iter().for_each(&mut see);
            }
        }
    }
    Ok(last)
}
