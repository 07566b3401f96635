//! A named operation on the server's side. It runs when a client or a backend calls it, and says what is answered and
//! what is pushed.

use crate::relay::Push;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// What an operation is called with.
#[derive(Debug)]
pub struct Call {
    pub name: Arc<str>,
    /// A JSON object, its values as the caller wrote them. Where the operation declares fields, it has no others.
    pub context: Box<RawValue>,
    pub viewer: Viewer,
    /// An operation ends by itself when this has passed.
    pub timeout: Duration,
}

/// Who calls, as an operation is told. Its JSON is what operations in SQL and behind a URL get.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Viewer {
    /// `n::` and 24 hexadecimal digits.
    pub root_id: String,
    pub authenticated: bool,
    /// Of the socket that calls; `None`: it is no socket.
    pub client_id: Option<Arc<str>>,
    pub channel_id: Option<Arc<str>>,
    /// The reference that the call is about; the caller's own root where it names none.
    pub node: String,
    pub claims: Map<String, Value>,
}

/// What an operation has done.
#[derive(Debug, Default)]
pub struct Done {
    pub reports: Vec<Box<RawValue>>,
    /// What is to be pushed, in this order, before the answer.
    pub pushes: Vec<Push>,
}

/// Why an operation did not do it. Nothing is pushed then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Its author says why, to whoever called.
    Author(String),
    /// For reasons that are only in the log, where the operation itself has put them.
    Failed,
    /// It took longer than it may.
    TimedOut,
}

/// A way of running an operation. Runs on the main runtime.
#[async_trait]
pub trait Walker: Send + Sync {
    /// Runs it once; it is never tried again.
    ///
    /// # Errors
    /// Why nothing was done.
    async fn run(&self, call: &Call) -> Result<Done, Failure>;

    /// Whether the other nodes learn of its pushes without the relay.
    fn reaches_other_nodes(&self) -> bool {
        false
    }
}
