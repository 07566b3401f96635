//! Pushes between the nodes of one program. What is relayed is told at most once and is in no log.

use crate::error::Result;
use async_trait::async_trait;
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
