//! The state of one client: requests in, notices out. Knows no wire format; the dialect it was given turns
//! notices into text.
//!
//! Answers keep the order of their requests, because a request is finished before the next is begun. Lists
//! and replays of watches are prepared beside that, and hold up nothing.

mod barrier;
mod behind;
mod prepare;
mod progress;
mod read;
mod rights;
pub mod standing;
mod subscription;
#[cfg(test)]
mod tests;
mod watches;

use crate::access::Bound;
use crate::audience::Sight;
use crate::auth::{Lease, Pass};
use crate::catalog::{Catalog, Served};
use crate::dialect::Dialect;
use crate::error::{Error, Kind};
use crate::event::{Offset, Reason, Timestamp};
use crate::frame;
use crate::message::{Action, Address, Asked, Code, Farewell, Goodbye, Notice, Refusal, Request, Watch};
use crate::session::subscription::{Number, Subscription, Way};
use crate::shard::{Owner, Shard, SocketId, Visitor, WatchId};
use crate::viewer::Viewer;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Lists of one connection that may be under way at a time.
const LISTS_AT_A_TIME: usize = 4;

/// What a client may ask for at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Watches per connection.
    pub watches: usize,
    /// Rows per list.
    pub items: usize,
    /// How long a barrier waits.
    pub barrier: Duration,
}

/// What every session of a path has in common.
pub struct Terms {
    pub catalog: Arc<Catalog>,
    pub dialect: Arc<dyn Dialect>,
    pub limits: Limits,
}

/// What a client's coming in asks for by itself.
pub struct Opening {
    pub address: Address,
    pub resource: Arc<str>,
    pub watch: Watch,
    /// Whose eyes the watch has, as long as the connection lives; the resource may be a private one. `None`: the
    /// viewer's, as if it had asked.
    pub sight: Option<Sight>,
    pub on_break: OnBreak,
}

/// What follows when the history of what is watched breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBreak {
    /// The client is told, and given a fresh list.
    StartOver,
    /// The connection ends: a gap in what it is told would look whole.
    End,
}

/// One client's session. Lives on its shard's thread.
pub struct Session {
    me: Weak<Session>,
    id: Uuid,
    viewer: RefCell<Viewer>,
    /// What the viewer's rights rest on, and the task that sees to their end, where they have one.
    lease: RefCell<Lease>,
    looking: RefCell<Option<JoinHandle<()>>>,
    terms: Arc<Terms>,
    shard: Rc<Shard>,
    socket: Cell<SocketId>,
    state: RefCell<State>,
    /// Lists are fetched a few at a time, so that their rows do not pile up here.
    lists: Semaphore,
}

#[derive(Default)]
struct State {
    subscriptions: Vec<Subscription>,
    next_watch: WatchId,
    next_number: Number,
    /// The task that tells from the log what is not live is running.
    is_catching_up: bool,
    is_reporting_progress: bool,
}

impl Session {
    /// A session with a new id, for a socket that is attached next.
    pub fn new(pass: Pass, terms: Arc<Terms>, shard: Rc<Shard>) -> Rc<Session> {
        let Pass { viewer, lease } = pass;
        Rc::new_cyclic(|me| Session {
            me: me.clone(),
            id: Uuid::new_v4(),
            viewer: RefCell::new(viewer),
            lease: RefCell::new(lease),
            looking: RefCell::default(),
            terms,
            shard,
            socket: Cell::new(SocketId::MAX),
            state: RefCell::default(),
            lists: Semaphore::new(LISTS_AT_A_TIME),
        })
    }

    /// The shard's number for the socket that it speaks through, which is there until the credential ends.
    pub fn attach(self: &Rc<Self>, socket: SocketId) {
        self.socket.set(socket);
        self.look_after();
    }

    /// Does what comes with the connection.
    pub fn open(self: &Rc<Self>, opening: Opening) {
        let Opening { address, resource, watch, sight, on_break } = opening;
        let way = match sight {
            None => self.way(&resource),
            Some(sight) => {
                let known = self.terms.catalog.resource(&resource).ok_or_else(unknown);
                known.map(|served| Way { name: None, served, bound: Bound::with_eyes(sight), on_break })
            }
        };
        if let Err((code, summary)) = way.and_then(|way| self.watch(address.clone(), way, watch)) {
            self.refuse(&address, &Refusal { code, summary, asked: Asked::Watch });
        }
    }

    /// Does what is asked; returns when the answer is queued.
    pub async fn handle(self: &Rc<Self>, request: Request) {
        let Request { address, resource, action } = request;
        let asked = match &action {
            Action::Query { .. } | Action::Get { .. } | Action::GetNothing => Asked::Read,
            Action::Watch(_) => Asked::Watch,
            Action::Stop(_) => Asked::Stop,
            Action::Barrier => Asked::Barrier,
            Action::Present { .. } => Asked::Present,
            Action::Identify => Asked::Unknown,
        };
        if let Err((code, summary)) = self.act(&address, &resource, action).await {
            self.refuse(&address, &Refusal { code, summary, asked });
        }
    }

    async fn act(self: &Rc<Self>, address: &Address, resource: &str, action: Action) -> Result<(), (Code, String)> {
        match action {
            Action::Identify => self.tell(address, &Notice::Session { id: &self.id.to_string() }),
            Action::Stop(stop) => self.stop(address, &stop),
            Action::Barrier => self.barrier(address, resource).await?,
            Action::Present { token } => self.present(token).await?,
            Action::Query { filter, page } if resource.ends_with('*') => {
                self.query_family(address, resource, &filter, &page).await?;
            }
            Action::Query { filter, page } => {
                let (served, bound) = self.served(resource)?;
                self.query(address, &served, &bound, filter, page).await?;
            }
            Action::Get { filter, criteria } => {
                let (served, bound) = self.served(resource)?;
                self.get(address, &served, &bound, filter, &criteria).await?;
            }
            Action::GetNothing => {
                self.served(resource)?;
                self.tell(address, &Notice::Blank);
            }
            Action::Watch(watch) => {
                let way = self.way(resource)?;
                self.watch(address.clone(), way, *watch)?;
            }
        }
        Ok(())
    }

    /// Tells the client that something is not done, if its dialect does.
    pub fn refuse(&self, address: &Address, refusal: &Refusal) {
        self.tell(address, &Notice::Refused(refusal));
    }

    fn tell(&self, address: &Address, notice: &Notice<'_>) {
        if let Some(text) = self.terms.dialect.encode(address, notice) {
            self.shard.send(self.socket.get(), &frame::text(text.as_bytes()));
        }
    }

    /// Who this is, as an operator may know it, on a channel since then.
    pub fn visitor(&self, channel: &Arc<str>, opened: Timestamp) -> Visitor {
        let (viewer, state) = (self.viewer.borrow(), self.state.borrow());
        let mut watching: Vec<Arc<str>> = Vec::new();
        for one in &state.subscriptions {
            if !watching.contains(&one.served.resource.name) {
                watching.push(one.served.resource.name.clone());
            }
        }
        Visitor {
            id: self.id.to_string().into(),
            dialect: self.terms.dialect.name(),
            channel: channel.clone(),
            watching,
            subject: viewer.subject.clone(),
            roles: viewer.roles.clone(),
            opened,
        }
    }

    /// The resource behind a name with what this viewer may see of it, if it may know of it.
    fn served(&self, name: &str) -> Result<(Arc<Served>, Bound), (Code, String)> {
        let channel = self.terms.catalog.channel(name);
        let seen = channel.and_then(|channel| Some((channel.served.clone(), channel.bind(&self.viewer.borrow())?)));
        seen.ok_or_else(unknown)
    }

    /// The same, for a watch.
    fn way(&self, name: &str) -> Result<Way, (Code, String)> {
        let (served, bound) = self.served(name)?;
        Ok(Way { name: Some(name.into()), served, bound, on_break: OnBreak::StartOver })
    }

    fn close(&self, goodbye: Goodbye) {
        self.shard.close(self.socket.get(), goodbye);
    }

    fn is_open(&self) -> bool {
        self.shard.is_open(self.socket.get())
    }
}

/// The same for what there is not and for what a viewer may not know of.
fn unknown() -> (Code, String) {
    (Code::Resource, "there is no such resource".to_owned())
}

/// What a client hears of an error of a store: its kind, never its text.
fn refusal_of(error: &Error) -> (Code, String) {
    match error.kind() {
        Kind::TooMany => (Code::TooMany, error.to_string()),
        _ => (Code::Store, "the store cannot answer now".to_owned()),
    }
}

impl Owner for Session {
    fn held_back(&self, after: Offset) {
        // The shard could not queue what comes after: everything live is told from the log now.
        self.put_behind(|_| true, after);
    }

    fn reset(&self, watch: WatchId, offset: Offset, reason: Reason) {
        self.put_behind(|one| one.id == watch, offset);
        self.start_over(watch, reason);
    }

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        self.terms.dialect.goodbye(goodbye)
    }
}
