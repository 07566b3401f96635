//! Messages that transactions write into the WAL, `pg_logical_emit_message(true, 'tidings:<resource>', json)`: an
//! outbox without a table.

use super::changes::Commitment;
use crate::event::ResourceEvent;
use crate::reading::Reading;
use crate::source::Feed;
use serde_json::Value;
use std::sync::Arc;

/// What the prefix of every message for a resource begins with.
const PREFIX: &str = "tidings:";

/// What a message says; nothing when it is for nobody, or cannot be read, which is counted.
pub(super) fn event(
    resources: &[(Arc<str>, Reading)],
    prefix: &str,
    content: &[u8],
    by: Commitment,
    feed: &Feed,
) -> Option<ResourceEvent> {
    let name = prefix.strip_prefix(PREFIX)?;
    let (resource, reading) = resources.iter().find(|(resource, _)| **resource == *name)?;
    let read = serde_json::from_slice::<Value>(content).map_err(|_| "no_json");
    match read.and_then(|body| reading.read(name, body).map_err(|why| why.word())) {
        Ok(change) => Some(change.event(resource.clone(), by.time, by.stamp)),
        Err(why) => {
            feed.dropped(why);
            None
        }
    }
}
