//! Which offset stands for which moment and how many bytes: what retention needs to know of entries, without
//! looking at each of them.

use crate::event::{Offset, Timestamp};
use crate::log::Retention;
use std::collections::VecDeque;

/// At least one mark in so many entries, bytes or milliseconds, whichever comes first.
const EVERY_ENTRIES: u64 = 256;
const EVERY_BYTES: u64 = 64 << 10;
const EVERY_MILLISECONDS: i64 = 1_000;

/// The state of a log after some append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// The newest entry at that time.
    pub(super) offset: Offset,
    /// All bytes ever appended.
    pub(super) bytes: u64,
    /// When it was, by this machine's clock.
    pub(super) time: Timestamp,
}

/// Marks in order. The first is at or before the floor; the newest state is always known.
#[derive(Default)]
pub(super) struct Marks {
    kept: VecDeque<Mark>,
    newest: Mark,
}

impl Marks {
    /// Goes on from what was stored, in order, with the state that the newest entries lead to.
    pub(super) fn resume(stored: impl IntoIterator<Item = Mark>, newest: Mark) -> Marks {
        Marks { kept: stored.into_iter().collect(), newest }
    }

    /// The state after an append of so many entries and bytes, and whether it is one to keep.
    pub(super) fn next(&self, entries: u64, bytes: u64, now: Timestamp) -> (Mark, bool) {
        let next = Mark { offset: self.newest.offset + entries, bytes: self.newest.bytes + bytes, time: now };
        let keep = entries > 0
            && self.kept.back().is_none_or(|last| {
                next.offset - last.offset >= EVERY_ENTRIES
                    || next.bytes - last.bytes >= EVERY_BYTES
                    || next.time.0 - last.time.0 >= EVERY_MILLISECONDS
            });
        (next, keep)
    }

    /// Takes over what [`Marks::next`] found.
    pub(super) fn advance(&mut self, next: Mark, keep: bool) {
        self.newest = next;
        if keep {
            self.kept.push_back(next);
        }
    }

    /// All bytes ever appended.
    pub(super) fn total(&self) -> u64 {
        self.newest.bytes
    }

    /// The bytes of the entries that are kept.
    pub(super) fn bytes(&self, floor: Offset) -> u64 {
        let before = self.all().take_while(|mark| mark.offset <= floor).last();
        self.newest.bytes - before.map_or(0, |mark| mark.bytes)
    }

    /// Where the log should begin by now: exact in entries, rounded up to the next mark in bytes and age.
    pub(super) fn floor(&self, retention: &Retention, now: Timestamp) -> Offset {
        let by_entries = retention.entries.map_or(0, |entries| self.newest.offset.saturating_sub(entries));
        let by_bytes = retention.bytes.map_or(0, |bytes| {
            let fits = |mark: &&Mark| self.newest.bytes - mark.bytes <= bytes;
            if self.newest.bytes <= bytes { 0 } else { self.all().find(fits).map_or(0, |mark| mark.offset) }
        });
        let by_age = retention.age.map_or(0, |age| {
            let oldest = now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
            self.all().take_while(|mark| mark.time.0 <= oldest).last().map_or(0, |mark| mark.offset)
        });
        by_entries.max(by_bytes).max(by_age)
    }

    fn all(&self) -> impl Iterator<Item = &Mark> {
        self.kept.iter().chain(std::iter::once(&self.newest))
    }

    /// Lets go of the marks that no floor after this one needs, and names them.
    pub(super) fn cut(&mut self, floor: Offset) -> Vec<Offset> {
        let useless = self.kept.iter().take_while(|mark| mark.offset <= floor).count().saturating_sub(1);
        self.kept.drain(..useless).map(|mark| mark.offset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const UNLIMITED: Retention = Retention { entries: None, bytes: None, age: None };

    /// 100 appends of 100 entries and 10,000 bytes, one each 100 ms.
    fn marks() -> Marks {
        let mut marks = Marks::default();
        for append in 1..=100 {
            let (next, keep) = marks.next(100, 10_000, Timestamp(append * 100));
            marks.advance(next, keep);
        }
        marks
    }

    #[test]
    fn each_limit_moves_the_floor_and_the_highest_counts() {
        let marks = marks();
        let now = Timestamp(10_000);
        let age = Some(Duration::from_secs(2));
        assert_eq!(marks.floor(&UNLIMITED, now), 0);
        assert_eq!(marks.floor(&Retention { entries: Some(777), ..UNLIMITED }, now), 9_223);
        let by_bytes = marks.floor(&Retention { bytes: Some(500_000), ..UNLIMITED }, now);
        assert!((5_000..5_700).contains(&by_bytes), "{by_bytes}");
        let by_age = marks.floor(&Retention { age, ..UNLIMITED }, now);
        assert!((7_300..=8_000).contains(&by_age), "{by_age}");
        assert_eq!(marks.floor(&Retention { entries: Some(777), bytes: Some(500_000), age }, now), 9_223);
    }

    #[test]
    fn what_is_kept_is_never_more_than_asked_for() {
        let mut marks = marks();
        for bytes in [0, 1, 10_000, 64_000, 64 << 10, 300_000, 999_999] {
            let floor = marks.floor(&Retention { bytes: Some(bytes), ..UNLIMITED }, Timestamp(10_000));
            assert!(marks.bytes(floor) <= bytes, "{bytes}");
        }
        assert_eq!(marks.bytes(0), 1_000_000);
        let floor = marks.floor(&Retention { bytes: Some(300_000), ..UNLIMITED }, Timestamp(10_000));
        let left = marks.bytes(floor);
        assert!(!marks.cut(floor).is_empty());
        assert_eq!(marks.bytes(floor), left, "cutting forgets nothing that counts");
    }

    #[test]
    fn age_reaches_the_newest_entry_too() {
        let retention = Retention { age: Some(Duration::from_secs(1)), ..UNLIMITED };
        assert_eq!(marks().floor(&retention, Timestamp(11_000)), 10_000);
    }
}
