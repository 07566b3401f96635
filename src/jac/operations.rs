//! The operations there are, who may call them, and what a call has to have.

use crate::dialect::jac::context::{self, Field};
use crate::dialect::jac::decode::no_reference;
use crate::dialect::jac::finding::Finding;
use crate::dialect::jac::root::Root;
use crate::jac::push::Switchboard;
use crate::jac::walker::{Call, Done, Failure, Viewer, Walker};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Whether a caller must be logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    Required,
    /// It may be, or not.
    Optional,
    /// It must not be.
    Forbidden,
}

/// The ways in which an operation may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    pub websocket: bool,
    pub post: bool,
}

/// A way of calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Websocket,
    Post,
}

/// An operation.
pub struct Operation {
    pub name: Arc<str>,
    pub methods: Methods,
    pub auth: Auth,
    /// What a context has to have; `None`: anything is passed on.
    pub context: Option<Vec<Field>>,
    pub timeout: Duration,
    /// Whether it is called for other nodes than the caller's own root, too, and decides itself.
    pub nodes: bool,
    pub walker: Arc<dyn Walker>,
}

/// Whoever calls.
pub struct Caller<'a> {
    pub root: &'a Root,
    pub claims: &'a Map<String, Value>,
    /// The client id and the channel of a socket.
    pub socket: Option<(&'a Arc<str>, &'a Arc<str>)>,
}

/// Why an operation is not called.
#[derive(Debug)]
pub enum Uncalled {
    /// The context has not what it should have.
    Context(Vec<Finding>),
    Refused(Refusal),
}

/// Why somebody may not call an operation so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Only who is logged in may call it.
    NeedsLogin,
    /// Only who is not may.
    NeedsNoLogin,
    /// What is given for the node is no reference.
    NoReference(String),
    /// The caller has nothing to do with this node.
    NoAccess(Root),
}

impl Refusal {
    /// The sentence for it.
    pub fn sentence(&self, name: &str) -> String {
        match self {
            Refusal::NeedsLogin => format!("Event {name} requires to be authenticated!"),
            Refusal::NeedsNoLogin => format!("Event {name} requires to be unauthenticated!"),
            Refusal::NoReference(text) => no_reference(text),
            Refusal::NoAccess(root) => format!("You don't have access on target entry {root}!"),
        }
    }
}

impl From<Refusal> for Uncalled {
    fn from(refusal: Refusal) -> Uncalled {
        Uncalled::Refused(refusal)
    }
}

impl Failure {
    /// The sentence for it.
    pub fn sentence(&self, name: &str) -> String {
        match self {
            Failure::Author(sentence) => sentence.clone(),
            Failure::Failed => format!("Event {name} failed."),
            Failure::TimedOut => format!("Event {name} timed out!"),
        }
    }
}

/// All of them, by name.
#[derive(Default)]
pub struct Operations(HashMap<Arc<str>, Arc<Operation>>);

impl Operations {
    /// The operation with this name, if it may be called in this way.
    pub fn find(&self, name: &str, method: Method) -> Option<&Arc<Operation>> {
        self.0.get(name).filter(|operation| match method {
            Method::Websocket => operation.methods.websocket,
            Method::Post => operation.methods.post,
        })
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Operations {
        Operations(operations.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect())
    }
}

impl Operation {
    /// A call of it. `context` is an object; findings in it are said to be in `around`.
    ///
    /// # Errors
    /// The first reason why it is not called.
    pub fn call(
        &self,
        caller: &Caller<'_>,
        context: &RawValue,
        around: Option<&'static str>,
        node: Option<&str>,
    ) -> Result<Call, Uncalled> {
        match (self.auth, caller.root.is_public()) {
            (Auth::Required, true) => return Err(Refusal::NeedsLogin.into()),
            (Auth::Forbidden, false) => return Err(Refusal::NeedsNoLogin.into()),
            _ => {}
        }
        let context = match &self.context {
            Some(fields) => context::check(fields, context, around).map_err(Uncalled::Context)?,
            None => context.to_owned(),
        };
        let viewer = Viewer {
            root_id: caller.root.to_string(),
            authenticated: !caller.root.is_public(),
            client_id: caller.socket.map(|(client, _)| client.clone()),
            channel_id: caller.socket.map(|(_, channel)| channel.clone()),
            node: self.node(caller.root, node)?,
            claims: caller.claims.clone(),
        };
        Ok(Call { name: self.name.clone(), context, viewer, timeout: self.timeout })
    }

    fn node(&self, own: &Root, node: Option<&str>) -> Result<String, Refusal> {
        let Some(text) = node else { return Ok(own.to_string()) };
        match Root::named(text) {
            None => Err(Refusal::NoReference(text.to_owned())),
            Some(root) if root == *own => Ok(own.to_string()),
            Some(_) if self.nodes => Ok(text.to_owned()),
            Some(root) => Err(Refusal::NoAccess(root)),
        }
    }

    /// Runs it. What it pushes is in the mailboxes of this node before its reports are there.
    ///
    /// # Errors
    /// Why nothing was done.
    pub async fn run(&self, call: &Call, switchboard: &Switchboard) -> Result<Vec<Box<RawValue>>, Failure> {
        let Done { reports, pushes } = self.walker.run(call).await?;
        if self.walker.reaches_other_nodes() {
            switchboard.push_here(&pushes).await;
        } else {
            for push in &pushes {
                switchboard.push(push).await;
            }
        }
        Ok(reports)
    }
}
