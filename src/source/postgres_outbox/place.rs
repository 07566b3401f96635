//! How far the outbox has been read: what a bookmark in the log holds.

use serde::{Deserialize, Serialize};

/// Everything contained in the snapshot `seen` has been read; and, in the middle of a long read, a part of what
/// the next snapshot contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Which installation in which database on which server, and which of its histories.
    pub(super) identity: String,
    /// The name under which this reader protects what it has not read from being deleted.
    pub(super) reader: String,
    /// A `pg_snapshot` as text.
    pub(super) seen: String,
    pub(super) part: Option<Part>,
}

/// Of what `upto` contains and `seen` does not, everything with an id up to `last` has been read. That set of
/// changes is fixed once `upto` was taken, so a later transaction goes on within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) upto: String,
    pub(super) last: i64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        let part = Some(Part { upto: "4:9:5,6".into(), last: 77 });
        let place = Place { identity: "i".into(), reader: "r".into(), seen: "1:2:".into(), part };
        assert_eq!(Place::decode(&place.encode()), Some(place.clone()));
        for broken in [&b""[..], b"{}", b"\xff", &place.encode()[1..]] {
            assert_eq!(Place::decode(broken), None);
        }
    }
}
