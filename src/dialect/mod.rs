//! One wire protocol: text to requests, notices to text. Pure: no IO, no await, no clock.

pub mod cells;
pub mod events;
pub mod files;
pub mod jac;
pub mod misakey;
pub mod monorail;

use crate::audience::Sight;
use crate::event::{Entry, Timestamp};
use crate::message::{Address, Farewell, Goodbye, Notice, Refusal, Request, Variant};
use std::sync::Arc;

/// What a client's message turned out to be.
#[derive(Debug)]
pub enum Heard {
    Request(Request),
    /// Something to answer with a refusal (or not: `encode` decides).
    Refused(Address, Refusal),
    /// Something this dialect answers with silence.
    Nothing,
}

/// One wire protocol.
pub trait Dialect: Send + Sync {
    /// The name in the configuration.
    fn name(&self) -> &'static str;

    /// Reads one message. `channel` is the one that the path names, empty for none.
    fn decode(&self, channel: &Arc<str>, text: &str) -> Heard;

    /// Which of its texts of this entry these eyes are told; most dialects have one.
    fn variant(&self, _entry: &Entry, _sight: &Sight, _now: Timestamp) -> Variant {
        0
    }

    /// Writes one message; `None` is silence.
    fn encode(&self, address: &Address, notice: &Notice<'_>) -> Option<String>;

    /// How its clients are told of an end.
    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        goodbye.into()
    }
}
