//! A run of entries that comes and goes as a whole: letting go of one costs the same however much is in it.

use crate::error::Result;
use crate::event::{Entry, Offset};
use crate::log::disk::failed;
use crate::record;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};
use std::sync::Arc;

/// Memory for entries that are not in a table yet.
const MEMORY_BYTES: u64 = 8 << 20;

const PREFIX: &str = "entries-";

/// Entries from `first` on, under their offsets.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) first: Offset,
    pairs: Keyspace,
}

impl Segment {
    /// A new one, still empty; or the one of this name.
    pub(super) fn open(database: &Database, first: Offset) -> Result<Segment> {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMORY_BYTES);
        let pairs = database.keyspace(&format!("{PREFIX}{first:020}"), options).map_err(failed("open a segment"))?;
        Ok(Segment { first, pairs })
    }

    /// All there are, in order.
    pub(super) fn all(database: &Database) -> Result<Vec<Segment>> {
        let names = database.list_keyspace_names();
        let mut firsts: Vec<Offset> = names.iter().filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok()).collect();
        firsts.sort_unstable();
        firsts.into_iter().map(|first| Segment::open(database, first)).collect()
    }

    /// Adds an entry's bytes to a batch.
    pub(super) fn put(&self, batch: &mut OwnedWriteBatch, offset: Offset, bytes: Vec<u8>) {
        batch.insert(&self.pairs, offset.to_be_bytes(), bytes);
    }

    /// The offset of the newest entry in it.
    pub(super) fn last(&self) -> Result<Option<Offset>> {
        let Some(last) = self.pairs.last_key_value() else { return Ok(None) };
        last.key().map(|key| offset(&key)).map_err(failed("read a segment"))
    }

    /// The entries after an offset with their sizes, oldest first; an error where one cannot be read.
    pub(super) fn after(&self, after: Offset) -> impl DoubleEndedIterator<Item = Result<(Arc<Entry>, u64)>> + use<> {
        self.pairs.range((after + 1).to_be_bytes()..).map(|pair| {
            let (key, bytes) = pair.into_inner().map_err(failed("read an entry"))?;
            let (event, audience) = record::decode(&bytes)?;
            let entry = Entry { offset: offset(&key).unwrap_or_default(), audience, event };
            Ok((Arc::new(entry), bytes.len() as u64))
        })
    }

    /// Deletes it; who is reading it still can.
    pub(super) fn discard(self, database: &Database) -> Result<()> {
        database.delete_keyspace(self.pairs).map_err(failed("delete a segment"))
    }
}

/// The offset that a key stands for.
pub(super) fn offset(key: &[u8]) -> Option<Offset> {
    key.try_into().ok().map(Offset::from_be_bytes)
}
