//! The log on the disk: what is acknowledged survives the end of the process at any moment, and a log that may
//! have lost something says so by a new epoch.
//!
//! Entries, bookmark and marks of an append are one batch of the embedded database. Entries stand in segments,
//! so that letting go of old ones costs the same however many there are. The newest are also held in memory.

mod recovery;
mod segment;
#[cfg(test)]
mod tests;
mod witness;

use crate::error::{Error, Kind, Result};
use crate::event::{Audience, Entry, Offset, ResourceEvent, Timestamp};
use crate::log::disk::recovery::{EPOCH, FLOOR, Found, LAST, mark_bytes, recover};
use crate::log::disk::segment::Segment;
use crate::log::disk::witness::{State, Testimony, Witness, boot};
use crate::log::marks::Marks;
use crate::log::number::{new_epoch, number};
use crate::log::ring::{Ring, Room};
use crate::log::{Bookmark, Log, Retention, Stretch};
use crate::pairs;
use crate::record;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// The operating system has it: it survives the process, and a machine that goes down means a new epoch.
    Os,
    /// The disk has it: it survives the machine too.
    Always,
}

/// How much is in memory, and how much comes and goes at once.
#[derive(Clone, Copy)]
struct Limits {
    ring_entries: usize,
    ring_bytes: u64,
    segment_bytes: u64,
}

const LIMITS: Limits = Limits { ring_entries: 16_384, ring_bytes: 16 << 20, segment_bytes: 32 << 20 };

/// A log in a directory of its own.
pub struct DiskLog {
    epoch: Arc<str>,
    retention: Retention,
    limits: Limits,
    durability: PersistMode,
    database: Database,
    /// The epoch, the floor, the newest offset, and the bookmarks.
    state: Keyspace,
    marks: Keyspace,
    /// Who appends or trims holds this; readers never do.
    writer: Mutex<Writer>,
    shown: RwLock<Shown>,
}

struct Writer {
    witness: Witness,
    /// Why nothing can be appended any more.
    ended: Option<&'static str>,
}

/// What readers see. An entry is here after it was written, never before.
struct Shown {
    floor: Offset,
    segments: Vec<Segment>,
    /// All bytes ever appended when the newest segment was begun.
    begun: u64,
    ring: Ring,
    marks: Marks,
}

impl DiskLog {
    /// Opens or creates the log in a directory.
    ///
    /// A log that is damaged beyond mending is set aside (`<dir>.damaged-<time>`) and a new one begun.
    ///
    /// # Errors
    /// `Storage` when another process has it open, or the files cannot be reached.
    pub fn open(dir: &Path, retention: Retention, sync: Sync) -> Result<DiskLog> {
        DiskLog::open_with(dir, retention, sync, LIMITS)
    }

    fn open_with(dir: &Path, retention: Retention, sync: Sync, limits: Limits) -> Result<DiskLog> {
        match DiskLog::open_once(dir, retention, sync, limits) {
            Err(error) if error.kind() == Kind::Malformed => {
                set_aside(dir, &error)?;
                DiskLog::open_once(dir, retention, sync, limits)
            }
            opened => opened,
        }
    }

    fn open_once(dir: &Path, retention: Retention, sync: Sync, limits: Limits) -> Result<DiskLog> {
        let database = pairs::open(dir)?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default).map_err(failed("open the log"));
        let (state, marks) = (keyspace("state")?, keyspace("marks")?);
        let boot = boot();
        let Found { epoch, floor, segments, ring, marks: known } =
            recover(dir, &boot, &database, &state, &marks, &limits)?;
        let epoch = epoch.unwrap_or_else(new_epoch);
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&state, EPOCH, epoch.as_bytes());
        batch.insert(&state, FLOOR, floor.to_be_bytes());
        batch.insert(&state, LAST, ring.last().to_be_bytes());
        batch.commit().map_err(failed("begin the log"))?;
        let (standing, durability) = match sync {
            Sync::Os => (State::Open, PersistMode::Buffer),
            Sync::Always => (State::Synced, PersistMode::SyncData),
        };
        let said = Testimony { state: standing, epoch: epoch.clone(), boot, last: ring.last() };
        let writer = Mutex::new(Writer { witness: Witness::call(dir, said)?, ended: None });
        // Of the newest segment, what is before the floor is not known any more and not counted.
        let newest = segments.last().map_or(0, |segment| segment.first - 1);
        let begun = known.total() - known.bytes(newest.max(floor));
        let shown = RwLock::new(Shown { floor, segments, begun, ring, marks: known });
        Ok(DiskLog { epoch, retention, limits, durability, database, state, marks, writer, shown })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> RwLockReadGuard<'_, Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) -> RwLockWriteGuard<'_, Shown> {
        self.shown.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment that the next entries belong to; a new one when the newest is full.
    fn current(&self) -> Result<Segment> {
        let shown = self.shown();
        let newest = shown.segments.last().expect("there is always a segment to go on with").clone();
        let (last, total, begun) = (shown.ring.last(), shown.marks.total(), shown.begun);
        drop(shown);
        if total - begun < self.limits.segment_bytes {
            return Ok(newest);
        }
        let next = Segment::open(&self.database, last + 1)?;
        let mut shown = self.show();
        shown.segments.push(next.clone());
        shown.begun = total;
        Ok(next)
    }

    /// Reads entries that are no longer in memory.
    fn read(&self, segments: &[Segment], after: Offset, upto: Offset, bytes: usize) -> Result<Vec<Arc<Entry>>> {
        let mut entries = Vec::new();
        let mut room = Room::new(bytes);
        for pair in segments.iter().flat_map(|segment| segment.after(after)) {
            let expected = after + 1 + entries.len() as Offset;
            let (entry, size) = match pair {
                // What was read so far is whole; the next read begins at what cannot be read, and fails.
                Err(_) if !entries.is_empty() => break,
                pair => pair?,
            };
            if expected > upto || entry.offset != expected || !room.takes(size) {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Begins the log after `floor`, and deletes the segments that nobody can ask for any more.
    ///
    /// The writer is held: segments change only under it.
    fn cut(&self, _writer: &mut Writer, floor: Offset) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.durability));
        let useless: Vec<Segment> = {
            let mut shown = self.show();
            if floor <= shown.floor {
                return Ok(());
            }
            shown.floor = floor;
            shown.ring.drop_upto(floor);
            for mark in shown.marks.cut(floor) {
                batch.remove(&self.marks, mark.to_be_bytes());
            }
            let needed = shown.segments.partition_point(|segment| segment.first <= floor + 1).saturating_sub(1);
            shown.segments.drain(..needed).collect()
        };
        batch.insert(&self.state, FLOOR, floor.to_be_bytes());
        batch.commit().map_err(failed("move the log's beginning"))?;
        useless.into_iter().try_for_each(|segment| segment.discard(&self.database))
    }
}

impl Log for DiskLog {
    fn epoch(&self) -> Arc<str> {
        self.epoch.clone()
    }

    fn last(&self) -> Offset {
        self.shown().ring.last()
    }

    fn floor(&self) -> Offset {
        self.shown().floor
    }

    fn append(&self, events: Vec<(ResourceEvent, Audience)>, bookmark: Option<Bookmark>) -> Result<Vec<Arc<Entry>>> {
        let mut writer = self.writer();
        if let Some(reason) = writer.ended {
            return Err(Error::new(Kind::Storage, reason));
        }
        let entries = number(&self.epoch, self.last(), events);
        let mut batch = self.database.batch().durability(Some(self.durability));
        let mut sizes = Vec::with_capacity(entries.len());
        if !entries.is_empty() {
            let segment = self.current()?;
            for entry in &entries {
                let bytes = record::encode(&entry.event, &entry.audience);
                sizes.push(bytes.len() as u64);
                segment.put(&mut batch, entry.offset, bytes);
            }
        }
        if let Some(Bookmark { source, place }) = bookmark {
            batch.insert(&self.state, bookmark_key(&source), place);
        }
        let (next, keep) = self.shown().marks.next(entries.len() as u64, sizes.iter().sum(), Timestamp::now());
        if !entries.is_empty() {
            batch.insert(&self.state, LAST, next.offset.to_be_bytes());
        }
        if keep {
            batch.insert(&self.marks, next.offset.to_be_bytes(), mark_bytes(&next));
        }
        if let Err(cause) = batch.commit() {
            // Part of it may stand in the journal, so nothing may follow it there.
            writer.ended = Some("an earlier append failed; the log must be opened again");
            return Err(failed("append to the log")(cause));
        }
        if let Err(error) = writer.witness.acknowledge(next.offset) {
            tracing::warn!(error = %error, "the log's witness could not be written");
        }
        let mut shown = self.show();
        entries.iter().zip(sizes).for_each(|(entry, size)| shown.ring.push(entry.clone(), size));
        shown.ring.shrink(self.limits.ring_entries, self.limits.ring_bytes);
        shown.marks.advance(next, keep);
        Ok(entries)
    }

    fn between(&self, after: Offset, upto: Offset, bytes: usize) -> Result<Stretch> {
        let (segments, upto) = {
            let shown = self.shown();
            if after < shown.floor {
                return Ok(Stretch::Gone(shown.floor));
            }
            if after >= shown.ring.floor() || after >= upto {
                return Ok(shown.ring.between(after.max(shown.ring.floor()), upto, bytes));
            }
            let from = shown.segments.partition_point(|segment| segment.first <= after + 1).saturating_sub(1);
            (shown.segments[from..].to_vec(), upto.min(shown.ring.last()))
        };
        match self.read(&segments, after, upto, bytes) {
            Ok(entries) if !entries.is_empty() => Ok(Stretch::Entries(entries)),
            damaged => {
                // Nothing before the entries in memory is believed any more: whoever asks for it starts over,
                // instead of failing at the same place for ever.
                let floor = self.shown().ring.floor();
                let error = damaged.err().map(|error| error.chain());
                tracing::error!(after, floor, error, "an entry of the log cannot be read; the log now begins later");
                self.cut(&mut self.writer(), floor)?;
                Ok(Stretch::Gone(self.floor()))
            }
        }
    }

    fn bookmark(&self, source: &str) -> Result<Option<Vec<u8>>> {
        let place = self.state.get(bookmark_key(source)).map_err(failed("read a bookmark"))?;
        Ok(place.map(|place| place.to_vec()))
    }

    fn trim(&self) -> Result<()> {
        let mut writer = self.writer();
        let floor = self.shown().marks.floor(&self.retention, Timestamp::now());
        self.cut(&mut writer, floor)
    }

    fn bytes(&self) -> u64 {
        let shown = self.shown();
        shown.marks.bytes(shown.floor)
    }

    fn close(&self) -> Result<()> {
        let mut writer = self.writer();
        if writer.ended.replace("the log is closed").is_some() {
            return Ok(());
        }
        self.database.persist(PersistMode::SyncAll).map_err(failed("close the log"))?;
        writer.witness.close().map_err(|cause| Error::because(Kind::Storage, "cannot close the log", cause))
    }
}

fn bookmark_key(source: &str) -> String {
    format!("bookmark/{source}")
}

/// Turns an error of the database into ours: what could not be done.
fn failed(what: &'static str) -> impl Fn(fjall::Error) -> Error {
    move |cause| Error::because(Kind::Storage, format!("cannot {what}"), cause)
}

/// Moves a log that cannot be opened out of the way; somebody may want to look at it.
fn set_aside(dir: &Path, error: &Error) -> Result<()> {
    let mut aside = dir.as_os_str().to_owned();
    aside.push(format!(".damaged-{}", Timestamp::now().0));
    tracing::error!(error = error.chain(), aside = %aside.display(), "the log is set aside and a new one begins");
    std::fs::rename(dir, aside)
        .map_err(|cause| Error::because(Kind::Storage, "cannot set the damaged log aside", cause))
}
