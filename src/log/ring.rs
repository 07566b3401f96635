//! The newest entries in memory, one after the other.

use crate::event::{Entry, Offset, ResourceEvent};
use crate::log::Stretch;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;

/// Entries without a gap, oldest first, each with its size.
pub(super) struct Ring {
    held: VecDeque<(Arc<Entry>, u64)>,
    /// The offset before the oldest entry held.
    floor: Offset,
    bytes: u64,
}

impl Ring {
    /// Holds nothing; the next entry is the one after `floor`.
    pub(super) fn after(floor: Offset) -> Ring {
        Ring { held: VecDeque::new(), floor, bytes: 0 }
    }

    /// The offset before the oldest entry held.
    pub(super) fn floor(&self) -> Offset {
        self.floor
    }

    /// The offset of the newest entry, held or not.
    pub(super) fn last(&self) -> Offset {
        self.floor + self.held.len() as u64
    }

    /// Whether it holds so many entries or bytes.
    pub(super) fn is_full(&self, entries: usize, bytes: u64) -> bool {
        self.held.len() >= entries || self.bytes >= bytes
    }

    /// Adds the next entry.
    pub(super) fn push(&mut self, entry: Arc<Entry>, size: u64) {
        assert_eq!(entry.offset, self.last() + 1, "offsets are dense");
        self.bytes += size;
        self.held.push_back((entry, size));
    }

    /// Lets go of everything up to and including this offset.
    pub(super) fn drop_upto(&mut self, floor: Offset) {
        while self.floor < floor && self.drop_oldest() {}
    }

    /// Lets go of the oldest until there are at most so many entries and bytes, but at least the newest one.
    pub(super) fn shrink(&mut self, entries: usize, bytes: u64) {
        while self.held.len() > 1 && (self.held.len() > entries || self.bytes > bytes) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((_, size)) = self.held.pop_front() else { return false };
        self.bytes -= size;
        self.floor += 1;
        true
    }

    /// The entries after `after`, up to `upto` and about so many bytes, or where it begins when they are gone.
    pub(super) fn between(&self, after: Offset, upto: Offset, bytes: usize) -> Stretch {
        if after < self.floor {
            return Stretch::Gone(self.floor);
        }
        let skipped = usize::try_from(after - self.floor).unwrap_or(usize::MAX).min(self.held.len());
        let mut room = Room::new(bytes);
        let wanted = self.held.range(skipped..).take_while(|(entry, size)| entry.offset <= upto && room.takes(*size));
        Stretch::Entries(wanted.map(|(entry, _)| entry.clone()).collect())
    }
}

/// How much more an answer may carry; the first entry always fits.
pub(super) struct Room {
    left: Option<u64>,
    bytes: u64,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Room {
        Room { left: None, bytes: bytes as u64 }
    }

    pub(super) fn takes(&mut self, size: u64) -> bool {
        let left = match self.left {
            None => Some(self.bytes.saturating_sub(size)),
            Some(left) => left.checked_sub(size),
        };
        self.left = left.or(Some(0));
        left.is_some()
    }
}

/// About how many bytes an event takes in memory.
pub(super) fn weight(event: &ResourceEvent) -> u64 {
    let documents = event.before.iter().chain(&event.after);
    200 + event.id.len() as u64 + documents.map(|document| value_weight(document.value())).sum::<u64>()
}

fn value_weight(value: &Value) -> u64 {
    32 + match value {
        Value::String(text) => text.len() as u64,
        Value::Array(elements) => elements.iter().map(value_weight).sum(),
        Value::Object(fields) => fields.iter().map(|(name, inner)| 32 + name.len() as u64 + value_weight(inner)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
