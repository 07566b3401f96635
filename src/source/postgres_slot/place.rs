//! How far the stream has been read: what a bookmark in the log holds.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every transaction that was committed before `seen` has been told, and of the one after it perhaps a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Which database on which server, in which of its histories, by which slot and publication.
    pub(super) identity: String,
    /// The name of this reader's connections.
    pub(super) reader: String,
    /// A position in the WAL.
    pub(super) seen: u64,
    /// The newest transaction that was told as a whole; `seen` is its commit. The server sends it once more, and if it
    /// is not the same any more, the history was replaced.
    pub(super) last: Option<Commit>,
    pub(super) part: Option<Part>,
    /// For each resource, what its table was, and its part of the publication.
    pub(super) versions: BTreeMap<String, String>,
}

/// A transaction in the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// Where its commit begins.
    pub(super) position: u64,
    pub(super) xid: u32,
    /// Microseconds, by the server's clock.
    pub(super) time: i64,
}

/// Of the transaction that was committed here, so many messages have been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) commit: u64,
    pub(super) messages: u64,
}

impl Place {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are always JSON")
    }

    /// `None` when it was not written by this source.
    pub(super) fn decode(bytes: &[u8]) -> Option<Place> {
        serde_json::from_slice(bytes).ok()
    }
}

/// A transaction's whole id from the lower half that the stream has, near an id that was current not long ago.
pub(super) fn widen(xid: u32, near: u64) -> u64 {
    let distance = xid.wrapping_sub(near as u32).cast_signed();
    near.saturating_add_signed(i64::from(distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        let last = Some(Commit { position: 9, xid: u32::MAX, time: -1 });
        let part = Some(Part { commit: 12, messages: 3 });
        let versions = BTreeMap::from([("nodes".to_owned(), "1/2".to_owned())]);
        let place = Place { identity: "i".into(), reader: "r".into(), seen: u64::MAX, last, part, versions };
        assert_eq!(Place::decode(&place.encode()), Some(place.clone()));
        for broken in [&b""[..], b"{}", b"\xff", &place.encode()[1..]] {
            assert_eq!(Place::decode(broken), None);
        }
    }

    #[test]
    fn a_transaction_keeps_its_epoch_across_a_wrap() {
        let epoch = 1u64 << 32;
        for (xid, near, whole) in [
            (700, 750, 700),
            (760, 750, 760),
            (u32::MAX, 5 * epoch + 3, 5 * epoch - 1),
            (4, 5 * epoch - 2, 5 * epoch + 4),
            (3, 5 * epoch + 3, 5 * epoch + 3),
            (0x7fff_ffff, 3 * epoch, 3 * epoch + 0x7fff_ffff),
            (0x8000_0001, 3 * epoch, 2 * epoch + 0x8000_0001),
        ] {
            assert_eq!(widen(xid, near), whole, "{xid} near {near}");
        }
    }
}
