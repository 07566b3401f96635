//! The monorail protocol: one JSON object per message, `handler` names what it is; a WebSocket per channel.
//!
//! Clients say `init query all get watch stop barrier`, the server says
//! `session list item remove patch resumed progress barrier error`. Clients of the shipped system throw on an
//! `error` that nobody listens to, so most bad input is met with silence unless it carries a `ref`.

mod decode;
mod draft;
mod encode;
mod fields;
mod json;
mod options;
mod params;
mod refusal;
#[cfg(test)]
mod tests;
mod topic;

use crate::dialect::{Dialect, Heard};
use crate::message::{Address, Initial, Notice};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// The channel whose messages come from a broker's exchanges, each the resource `mq:<exchange>`.
const MQ: &str = "mq";

/// The monorail protocol.
#[derive(Debug, Clone, Copy)]
pub struct Monorail {
    unasked: Initial,
}

impl Monorail {
    /// The protocol as written: a list comes with a watch only on request.
    pub fn new() -> Monorail {
        Monorail { unasked: Initial::None }
    }

    /// Every watch begins with a list (`initial = "always"`).
    pub fn always_initial() -> Monorail {
        Monorail { unasked: Initial::Unasked }
    }
}

impl Default for Monorail {
    fn default() -> Monorail {
        Monorail::new()
    }
}

impl Dialect for Monorail {
    fn name(&self) -> &'static str {
        "monorail"
    }

    fn decode(&self, channel: &Arc<str>, text: &str) -> Heard {
        decode::decode(self.unasked, channel, text)
    }

    fn encode(&self, address: &Address, notice: &Notice<'_>) -> Option<String> {
        encode::encode(address, notice)
    }
}

/// The channel that a request's path names: its last segment, percent-decoded, whatever comes before it; empty
/// for none. `/a/b/nodes`, `/nodes/`, `/nodes?x=1` and `/%6eodes` are all `nodes`.
pub fn channel_of_path(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let segment = path.rsplit('/').next().unwrap_or_default();
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
