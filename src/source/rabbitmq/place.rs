//! What a bookmark in the log holds: what each queue is bound to, and what of it is in the log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::collections::VecDeque;

/// Every queue by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) queues: BTreeMap<String, Queue>,
}

/// One queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Queue {
    /// The patterns that it may be bound to. With an offset, it is so, and every matching message after that offset
    /// is in the log.
    pub(super) patterns: BTreeMap<String, Option<u64>>,
    /// Of a stream: the first message that is not in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<u64>,
    #[serde(default)]
    pub(super) recent: Recent,
}

/// The ids of the newest messages, as hashes: as many as may be in the log without the broker knowing it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Recent(VecDeque<u64>);

impl Place {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are always JSON")
    }

    /// `None` when it was not written by this source.
    pub(super) fn decode(bytes: &[u8]) -> Option<Place> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Recent {
    /// Takes a message's id; the oldest of more than `most` go.
    pub(super) fn add(&mut self, id: &str, most: usize) {
        self.0.push_back(hash(id));
        let excess = self.0.len().saturating_sub(most);
        self.0.drain(..excess);
    }

    /// Whether a message with this id is among them.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains(&hash(id))
    }
}

/// The same in every build of this program, for it is stored.
fn hash(id: &str) -> u64 {
    Sha1::digest(id.as_bytes()).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

impl From<Recent> for String {
    fn from(recent: Recent) -> String {
        let bytes: Vec<u8> = recent.0.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        STANDARD_NO_PAD.encode(bytes)
    }
}

impl TryFrom<String> for Recent {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Recent, base64::DecodeError> {
        let bytes = STANDARD_NO_PAD.decode(text)?;
        Ok(Recent(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        let mut place = Place::default();
        let queue = place.queues.entry("tidings.logs".to_owned()).or_default();
        queue.patterns.insert("a.#".to_owned(), Some(7));
        queue.patterns.insert("b".to_owned(), None);
        queue.next = Some(3);
        queue.recent.add("m1", 10);
        assert_eq!(Place::decode(&place.encode()), Some(place.clone()));
        for broken in [&b""[..], b"[]", b"\xff", &place.encode()[1..]] {
            assert_eq!(Place::decode(broken), None);
        }
    }

    #[test]
    fn the_newest_ids_are_known() {
        let mut recent = Recent::default();
        for id in ["a", "b", "c"] {
            recent.add(id, 2);
        }
        assert_eq!(["a", "b", "c"].map(|id| recent.has(id)), [false, true, true]);
    }
}
