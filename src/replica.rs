//! State kept in memory in the order of the log: what the pump knows of other records when it logs one.
//!
//! A replica is loaded from the store when the pump begins, and moved by every event of its resources after that.
//! An event that a load already contains, because it was made while the program was away, does not move it back:
//! what comes late is judged by rights as they are by then, never by older ones.

pub mod shared;
pub mod tap;

use crate::audience::Audience;
use crate::event::{Entry, Mark, Offset, ResourceEvent, Timestamp};
use crate::filter::Filter;
use crate::query::Row;
use std::sync::Arc;

/// An event on its way into the log, with who may see it.
pub type Logged = (ResourceEvent, Audience);

/// State of some resources in log order. Lives in the pump.
pub trait Replica: Send {
    /// The resources whose events it is shown.
    fn follows(&self) -> Vec<Arc<str>>;

    /// Those of them whose rows it is given at the start, and after a reset.
    fn holds(&self) -> Vec<Arc<str>> {
        self.follows()
    }

    /// Which of the rows of one of these it is given.
    fn wants(&self, _resource: &str) -> Filter {
        Filter::All
    }

    /// The rows of one of its resources as they are; takes the place of whatever was known of it.
    fn load(&mut self, resource: &str, rows: Vec<Row>, mark: Mark);

    /// An event of one of its resources. Says what is logged in its place: itself, with who may see it, and
    /// whatever follows from it; nothing, where nobody is to know.
    ///
    /// A reset is followed by a load.
    fn take(&mut self, event: ResourceEvent, audience: Audience, out: &mut Vec<Logged>);

    /// Time has passed: says what follows from that alone. Called about once a second.
    fn tick(&mut self, _now: Timestamp, _out: &mut Vec<Logged>) {}

    /// Whatever it said so far is in the log and handed to the shards, up to this offset. Called after every batch,
    /// also one of which nothing was logged, with what was logged of any resource.
    fn published(&mut self, _entries: &[Arc<Entry>], _upto: Offset) {}

    /// Everything that this state of a source contains was said, and is published.
    fn reached(&mut self, _source: &Arc<str>, _mark: &Mark) {}
}
