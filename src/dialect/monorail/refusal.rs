//! Which refusals are told, and by which word: clients that gave no `ref` hear of a few only.

use super::MQ;
use crate::message::{Address, Asked, Code, Refusal};

/// What stands in an `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub word: &'static str,
    pub status: u16,
}

/// How a refusal is told to this address; `None` is silence.
pub fn told(address: &Address, refusal: &Refusal) -> Option<Told> {
    if refusal.asked == Asked::Stop {
        return None;
    }
    let is_mq = &*address.channel == MQ;
    let (word, status, aloud) = match (refusal.code, refusal.asked) {
        (Code::Resource, Asked::Watch) if is_mq => ("E_EXCHANGE", 400, true),
        // An exchange that is not served keeps no tail.
        (Code::Resource, Asked::Read) if is_mq => ("E_UNSUPPORTED", 400, false),
        (Code::Handler, _) => ("E_HANDLER", 400, false),
        (Code::Resource, _) => ("E_RESOURCE", 404, false),
        (Code::Malformed, asked) => ("E_MALFORMED", 400, asked == Asked::Present),
        (Code::NoCriteria, _) => ("E_UNKNOWN", 500, true),
        (Code::Store, asked) => ("E_STORE", 500, asked == Asked::Read),
        (Code::TooMany, asked) => ("E_TOO_MANY", 500, asked == Asked::Read),
        // Only clients that know of this message send it.
        (Code::Credential, _) => ("E_UNAUTHORIZED", 401, true),
        (Code::Unavailable, _) => ("E_UNAVAILABLE", 503, true),
        (Code::Limit, asked) => ("E_LIMIT", 429, asked == Asked::Present),
        (Code::Unsupported, _) => ("E_UNSUPPORTED", 400, false),
        (Code::Barrier, _) => ("E_BARRIER", 504, false),
    };
    (aloud || address.reference.is_some()).then_some(Told { word, status })
}
