//! How far a change stream has been read: what a bookmark in the log holds.

use mongodb::bson::{RawDocument, RawDocumentBuf, rawdoc};

/// Everything up to the event with this token has been handed over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Which deployment, and which database of it.
    pub(super) identity: String,
    /// The resume token; only the server can read it.
    pub(super) token: RawDocumentBuf,
    /// The token is that of an invalidate event: one goes on after it, not from it.
    pub(super) invalidated: bool,
    /// The cluster time of the newest event, or of the last oplog entry that was looked at.
    pub(super) time: u64,
}

impl Place {
    pub(super) fn encode(&self) -> Vec<u8> {
        let place = rawdoc! {
            "identity": self.identity.as_str(),
            "token": self.token.clone(),
            "invalidated": self.invalidated,
            "time": self.time.cast_signed(),
        };
        place.into_bytes()
    }

    /// `None` when it was not written by this source.
    pub(super) fn decode(bytes: &[u8]) -> Option<Place> {
        let place = RawDocument::from_bytes(bytes).ok()?;
        Some(Place {
            identity: place.get_str("identity").ok()?.to_owned(),
            token: place.get_document("token").ok()?.to_owned(),
            invalidated: place.get_bool("invalidated").ok()?,
            time: place.get_i64("time").ok()?.cast_unsigned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        let place = Place {
            identity: "rs0 inventory".into(),
            token: rawdoc! { "_data": "8265", "_typeBits": { "a": 1 } },
            invalidated: true,
            time: u64::MAX - 3,
        };
        let bytes = place.encode();
        assert_eq!(Place::decode(&bytes), Some(place));
        for broken in [&b""[..], b"{}", b"\xff", &bytes[1..], &bytes[..bytes.len() - 1], b"\x05\0\0\0\0"] {
            assert_eq!(Place::decode(broken), None);
        }
        for at in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 0x55;
            let _ = Place::decode(&torn);
        }
    }
}
