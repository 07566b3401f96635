//! One thread that owns sockets and the local part of the watch groups, with no lock in it. It writes each
//! group's frames to its members as one contiguous buffer, keeps pings and write deadlines, and holds back
//! the pushes of a socket that does not read.
//!
//! Promise: one slow client costs itself only. It holds a bounded mailbox; past that it is a cursor in the
//! log, which its owner moves.

mod ending;
mod extras;
mod flush;
mod manners;
mod members;
mod peer;
mod pings;
mod socket;
mod sockets;
mod visitor;

pub use extras::Extras;
pub use manners::{Keepalive, Manners, Waiting};
pub use peer::{Peer, hand_out};
pub use visitor::Visitor;

use crate::event::{Offset, Reason};
use crate::hub::{GroupId, Hub, Publication, ShardId};
use crate::log::Log;
use crate::message::{Farewell, Goodbye};
use crate::metrics::Metrics;
use crate::shard::flush::Gather;
use crate::shard::members::{Member, Retired};
use crate::shard::socket::Socket;
use crate::shard::sockets::Sockets;
use crate::wire::Wire;
use bytes::Bytes;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::LocalSet;

/// Which socket of a shard; never used again.
pub type SocketId = usize;

/// Which watch of a socket; chosen by the socket's owner.
pub type WatchId = u32;

/// At most this long between two goodbyes: a few clients that all come back at once are no burden to anybody.
const GOODBYE_STEP: Duration = Duration::from_millis(10);

/// How long to wait for news of what was handed out before looking again.
const PASSING: Duration = Duration::from_secs(1);

/// Bytes read of one socket at a time.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What is the same for every socket.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest that pushes are gathered under load; zero: never.
    pub gather: Duration,
    /// Between two pings; `None`: never.
    pub ping: Option<Duration>,
    /// How long a socket may take nothing while something waits for it.
    pub write_timeout: Duration,
    /// Pushed bytes that may wait for one socket; past it its watches go on by cursor.
    pub push_bytes: usize,
    /// Bytes of answers that may wait for one socket before its next request is read.
    pub reply_bytes: usize,
}

#[cfg(test)]
impl Settings {
    /// Nothing is gathered, and nobody is pinged.
    pub(crate) fn of_a_test() -> Settings {
        Settings {
            gather: Duration::ZERO,
            ping: None,
            write_timeout: Duration::from_secs(1),
            push_bytes: 1 << 20,
            reply_bytes: 1 << 20,
        }
    }
}

/// What a socket's owner hears from the shard. Called when the shard is not busy with its own state.
pub trait Owner {
    /// The socket does not read: everything up to `after` was queued, pushes after it were not and will not
    /// be until the watches are made live again.
    fn held_back(&self, after: Offset);

    /// The history of what this watch follows is broken at this offset. What comes after it was not queued, and
    /// must be told from the log.
    fn reset(&self, watch: WatchId, offset: Offset, reason: Reason);

    /// How the client is told of an end.
    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        goodbye.into()
    }

    /// Who the client is, as an operator may know it; `None`: nobody.
    fn visitor(&self) -> Option<Visitor> {
        None
    }

    /// The frame that tells the client what an operator says; `None` when its dialect has no way to say it.
    fn announcement(&self, _data: &str) -> Option<Bytes> {
        None
    }
}

struct State {
    sockets: Sockets<Socket>,
    groups: HashMap<GroupId, Slab<Member>>,
    retired: VecDeque<Retired>,
    /// Everything up to this offset was queued on the live sockets it concerns.
    processed: Offset,
    flushes: u64,
    /// Pushed bytes that may wait for one socket.
    push_bytes: usize,
}

/// A shard, as seen on its own thread.
pub struct Shard {
    id: ShardId,
    pub hub: Arc<Hub>,
    pub log: Arc<dyn Log>,
    pub metrics: Arc<Metrics>,
    /// The runtime for work that may block or talk to databases.
    pub runtime: tokio::runtime::Handle,
    pub settings: Settings,
    /// Where every socket's bytes are read to, one at a time.
    pub scratch: RefCell<Box<[u8]>>,
    state: RefCell<State>,
    advanced: Notify,
    is_going_down: Cell<bool>,
    sockets: Arc<AtomicUsize>,
    /// Its own inbox, which does not keep it alive.
    commands: mpsc::WeakUnboundedSender<Command>,
}

type Command = Box<dyn FnOnce(&Rc<Shard>) + Send>;

/// A shard, as seen from other threads.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    sockets: Arc<AtomicUsize>,
}

impl Handle {
    /// Runs something on the shard's thread. Returns whether the shard is still there.
    pub fn run(&self, command: impl FnOnce(&Rc<Shard>) + Send + 'static) -> bool {
        self.commands.send(Box::new(command)).is_ok()
    }

    /// Runs something on the shard's thread and tells what it says; `None` when the shard is no longer there.
    pub async fn ask<T: Send + 'static>(&self, question: impl FnOnce(&Rc<Shard>) -> T + Send + 'static) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        self.run(move |shard| _ = sender.send(question(shard)));
        answer.await.ok()
    }

    /// Completes once everything up to this offset was handed to its live sockets. One that is told from the log is
    /// not waited for.
    pub async fn passed(&self, upto: Offset) {
        let (sender, passed) = oneshot::channel();
        let wait = move |shard: &Rc<Shard>| {
            let shard = Rc::clone(shard);
            tokio::task::spawn_local(async move {
                while shard.processed() < upto {
                    shard.advance(PASSING).await;
                }
                let _ = sender.send(());
            });
        };
        if self.sockets() > 0 && self.run(wait) {
            let _ = passed.await;
        }
    }

    /// How many sockets it owns.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }
}

/// What a shard needs to begin.
pub struct Start {
    pub id: ShardId,
    pub hub: Arc<Hub>,
    pub log: Arc<dyn Log>,
    pub metrics: Arc<Metrics>,
    pub runtime: tokio::runtime::Handle,
    pub settings: Settings,
    pub publications: mpsc::Receiver<Publication>,
}

/// Starts a shard on a thread of its own. It ends when its handles are gone.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub fn start(start: Start) -> std::io::Result<(Handle, std::thread::JoinHandle<()>)> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let sockets = Arc::new(AtomicUsize::new(0));
    let own = mpsc::UnboundedSender::downgrade(&commands);
    let handle = Handle { commands, sockets: sockets.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name(format!("shard-{}", start.id)).spawn(move || {
        let Start { id, hub, log, metrics, runtime: main, settings, publications } = start;
        let state = State {
            sockets: Sockets::default(),
            groups: HashMap::new(),
            retired: VecDeque::new(),
            processed: hub.published(),
            flushes: 0,
            push_bytes: settings.push_bytes,
        };
        let shard = Rc::new(Shard {
            id,
            hub,
            log,
            metrics,
            runtime: main,
            settings,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into()),
            state: RefCell::new(state),
            advanced: Notify::new(),
            is_going_down: Cell::new(false),
            sockets,
            commands: own,
        });
        LocalSet::new().block_on(&runtime, shard.live(publications, inbox));
    })?;
    Ok((handle, thread))
}

impl Shard {
    async fn live(
        self: Rc<Self>,
        mut publications: mpsc::Receiver<Publication>,
        mut inbox: mpsc::UnboundedReceiver<Command>,
    ) {
        if self.settings.ping.is_some() {
            tokio::task::spawn_local(Rc::clone(&self).keep_pinging());
        }
        let mut gather = Gather::new(self.settings.gather);
        loop {
            tokio::select! {
                biased;
                command = inbox.recv() => match command {
                    Some(command) => command(&self),
                    None => break,
                },
                publication = publications.recv() => match publication {
                    Some(publication) => self.publish(publication, &mut publications, &mut gather).await,
                    None => break,
                },
            }
        }
        // Owners hold the shard and the shard holds them: without this, sockets would stay open.
        let left = std::mem::take(&mut self.state.borrow_mut().sockets);
        drop(left);
    }

    async fn publish(
        self: &Rc<Self>,
        first: Publication,
        publications: &mut mpsc::Receiver<Publication>,
        gather: &mut Gather,
    ) {
        let (mut upto, mut deliveries) = (first.upto, first.deliveries);
        gather.wait().await;
        while deliveries.len() < flush::MAX_DELIVERIES
            && let Ok(next) = publications.try_recv()
        {
            upto = next.upto;
            deliveries.extend(next.deliveries);
        }
        let start = Instant::now();
        let calls = self.state.borrow_mut().flush(deliveries, upto);
        gather.flushed(start, !publications.is_empty());
        self.attend(calls);
        self.advanced.notify_waiters();
        // Let the sockets' own tasks read between two flushes.
        tokio::task::yield_now().await;
    }

    /// Tells owners what the shard noticed, and drains the sockets that began to block.
    fn attend(self: &Rc<Self>, calls: flush::Calls) {
        self.metrics.deliveries.inc_by(calls.deliveries);
        self.metrics.bytes_written.inc_by(calls.bytes);
        if calls.bytes > 0 {
            self.metrics.flush_bytes.observe(calls.bytes as f64);
        }
        self.metrics.held_back.inc_by(calls.held_back.len() as u64);
        for id in calls.blocked {
            self.drain(id);
        }
        for (owner, after) in calls.held_back {
            owner.held_back(after);
        }
        for (owner, watch, offset, reason) in calls.resets {
            owner.reset(watch, offset, reason);
        }
    }

    /// Everything up to this offset was queued on the live sockets it concerns.
    pub fn processed(&self) -> Offset {
        self.state.borrow().processed
    }

    /// Completes when the shard has handed out more, or heard that nothing more is to come, or after `longest`.
    pub async fn advance(&self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.advanced.notified()).await;
    }

    /// Takes over a socket. Its watches and answers go by the returned id until `remove`.
    pub fn add(&self, wire: Rc<Wire>, owner: Rc<dyn Owner>, manners: Manners) -> SocketId {
        let mut state = self.state.borrow_mut();
        let id = state.sockets.insert(Socket::new(wire, owner, manners));
        self.sockets.fetch_add(1, Ordering::Relaxed);
        self.metrics.connections.inc();
        id
    }

    /// Whether sockets are being told to go.
    pub fn is_going_down(&self) -> bool {
        self.is_going_down.get()
    }

    /// Lets go of a socket and of every watch it has.
    pub fn remove(&self, id: SocketId) {
        let socket = {
            let mut state = self.state.borrow_mut();
            let Some(mut socket) = state.sockets.remove(id) else { return };
            socket.break_off();
            for place in &socket.places {
                state.drop_member(place.group, place.member);
            }
            socket
        };
        for place in socket.places.iter().filter(|place| !place.retired) {
            self.hub.leave(self.id, place.group);
        }
        self.sockets.fetch_sub(1, Ordering::Relaxed);
        self.metrics.connections.dec();
        // Whoever still waits for this socket finds that it is gone.
        socket.notify();
    }

    /// The server goes down: every socket is told so, one that still comes at once. Many are spread evenly over
    /// `over`, as a courtesy to whoever they come back to, or over what they have of their own, if that is shorter.
    pub fn say_goodbye(self: &Rc<Self>, over: Duration) {
        self.is_going_down.set(true);
        let mut parties: HashMap<Option<Duration>, Vec<SocketId>> = HashMap::new();
        {
            let state = self.state.borrow();
            for id in state.sockets.ids() {
                let parting = state.sockets.get(id).and_then(|socket| socket.manners.parting);
                parties.entry(parting).or_default().push(id);
            }
        }
        for (parting, ids) in parties {
            let many = ids.len().max(1) as u32;
            let step = parting.map_or((over / many).min(GOODBYE_STEP), |parting| parting.min(over) / many);
            tokio::task::spawn_local(Rc::clone(self).part_from(ids, step));
        }
    }

    async fn part_from(self: Rc<Self>, ids: Vec<SocketId>, step: Duration) {
        for id in ids {
            self.close(id, Goodbye::GoingDown);
            if !step.is_zero() {
                tokio::time::sleep(step).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
