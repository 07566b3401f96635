//! Pushes between the nodes of one program. What is relayed is told at most once and is in no log.
//!
//! Every relay takes pushes from a [`waiting::Waiting`] line, which is what the rest of the program knows of it.

pub mod keep;
pub mod postgres;
pub mod rabbitmq;
pub mod waiting;

use crate::error::Result;
use async_trait::async_trait;
use serde_json::value::RawValue;
use std::sync::Arc;

/// What the ids of a push name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    User,
    Channel,
    Client,
}

impl Kind {
    /// The word for it on every wire and in every table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Channel => "channel",
            Kind::Client => "client",
        }
    }

    /// What a word means.
    pub fn of(word: &str) -> Option<Kind> {
        [Kind::User, Kind::Channel, Kind::Client].into_iter().find(|kind| kind.name() == word)
    }
}

/// A JSON object for everybody whom one of the ids names, once for each id, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    pub kind: Kind,
    pub ids: Vec<Arc<str>>,
    /// The text of the object, as it was written.
    pub data: Arc<str>,
}

impl Push {
    /// What somebody else has written down as a push; `None` when that is none.
    pub fn read(kind: &str, ids: Vec<Arc<str>>, data: &str) -> Option<Push> {
        let kind = Kind::of(kind)?;
        let object: &RawValue = serde_json::from_str(data).ok()?;
        object.get().starts_with('{').then(|| Push { kind, ids, data: data.into() })
    }
}

/// Whoever has the sockets of this node.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Completes when each socket of this node that is meant has it in its mailbox.
    async fn deliver(&self, push: &Push);
}

/// The way to the other nodes.
#[async_trait]
pub trait Relay: Send + Sync {
    /// Takes a push for every other node, in the order of the calls. While the way is lost they wait; past a bound
    /// the oldest are dropped and counted.
    fn hand_over(&self, push: Push);

    /// Completes when everything that was handed over before the call is out of this node's hands.
    ///
    /// # Errors
    /// `Unreachable` when the way is lost.
    async fn flushed(&self) -> Result<()>;

    /// Hands over one push at once.
    ///
    /// # Errors
    /// `Unreachable` when the way is lost; no other node gets it then.
    async fn send(&self, push: Push) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_push_is_not_read_as_one() {
        for (kind, data) in [("user", "{}"), ("channel", " {\"a\": 1.0}"), ("client", "{\"type\":\"x\"} ")] {
            let push = Push::read(kind, vec!["a".into()], data).expect("a push");
            assert_eq!((push.kind.name(), &*push.data), (kind, data));
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(Push::read("user", Vec::new(), &deep).is_some(), "depth is no reason");
        for (kind, data) in [
            ("users", "{}"),
            ("", "{}"),
            ("user", ""),
            ("user", "[]"),
            ("user", "{"),
            ("user", "{} {}"),
            ("user", "\"{\""),
        ] {
            assert_eq!(Push::read(kind, Vec::new(), data), None, "{kind} {data}");
        }
    }
}
