//! What a member of encrypted boxes is told: JSON objects `{"type","object"}`, and the `ack` that is heard from it.
//!
//! An event of a box has two texts: *open*, with the identifiers of people, for the creator of the box, and *opaque*
//! for everybody else.

mod ack;
mod message;
#[cfg(test)]
mod tests;

pub use ack::{Ack, MAX_BYTES};
pub use message::{EVENT, Message, anonymous, identity};

use crate::audience::Sight;
use crate::dialect::{Dialect, Heard};
use crate::event::{Entry, Position, Reason, Timestamp};
use crate::message::{Address, Farewell, Goodbye, Notice, Variant};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// How clients are told of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseStyle {
    /// Without a close frame, which a client in the field takes for a reason to stay away.
    Drop,
    /// By a close frame with a code.
    Frame,
}

/// What a member of boxes is told.
#[derive(Debug, Clone, Copy)]
pub struct Misakey {
    pub close_style: CloseStyle,
}

/// An id as it is compared and told, in lower case; `None` when the text is no UUID.
pub fn uuid(text: &str) -> Option<String> {
    let has_hyphens = text.len() == uuid::fmt::Hyphenated::LENGTH;
    Uuid::try_parse(text).ok().filter(|_| has_hyphens).map(|id| id.to_string())
}

impl Dialect for Misakey {
    fn name(&self) -> &'static str {
        "misakey"
    }

    fn decode(&self, _channel: &Arc<str>, _text: &str) -> Heard {
        Heard::Nothing
    }

    fn variant(&self, entry: &Entry, sight: &Sight, _now: Timestamp) -> Variant {
        let creator = entry.event.after.as_ref().and_then(message::creator);
        Variant::from(creator.is_some() && creator == sight.subject.as_deref())
    }

    fn encode(&self, _address: &Address, notice: &Notice<'_>) -> Option<String> {
        match notice {
            Notice::Change { entry, variant, position, .. } => {
                message::text(entry.event.after.as_ref()?, *variant == OPEN, position.as_ref())
            }
            Notice::Resumed { position, broken } => Some(resumed(position, *broken)),
            Notice::Announced { data } => Some((*data).to_owned()),
            _ => None,
        }
    }

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        match (self.close_style, goodbye) {
            (_, Goodbye::TooBig | Goodbye::Protocol | Goodbye::NotUtf8) => goodbye.into(),
            (CloseStyle::Drop, Goodbye::Slow) => Farewell::BreakOff,
            (CloseStyle::Drop, _) => Farewell::End,
            (CloseStyle::Frame, Goodbye::GoingDown) => Farewell::Close(1012, goodbye.reason().into()),
            (CloseStyle::Frame, Goodbye::Expired | Goodbye::Rights) => Farewell::Close(1008, goodbye.reason().into()),
            (CloseStyle::Frame, _) => Farewell::Close(goodbye.code(), goodbye.reason().into()),
        }
    }
}

/// The variant for the creator of a box; the other one is for everybody else.
const OPEN: Variant = 1;

/// The address of what a member is told.
pub fn address() -> Address {
    Address { channel: "/box-users".into(), reference: None }
}

/// `{"type":"resume","object":{"complete":true,"reason":null},"position":"e1:7"}`.
fn resumed(position: &Position, broken: Option<Reason>) -> String {
    let reason = broken.map(|reason| match reason {
        Reason::Retention => "trimmed",
        Reason::Source | Reason::Filter | Reason::Rights => "source",
        Reason::Epoch => "epoch",
    });
    let (complete, reason, position) = (json!(broken.is_none()), json!(reason), json!(position.to_string()));
    format!(r#"{{"type":"resume","object":{{"complete":{complete},"reason":{reason}}},"position":{position}}}"#)
}
