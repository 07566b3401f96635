//! What talks ask of the desk, and how they reach it.

use crate::cells::desk::Chatting;
use crate::cells::feed::Logged;
use crate::cells::rights::Refused;
use crate::event::{Offset, Position};
use crate::shard::Peer;
use crate::viewer::Viewer;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the desk. Full means that talks wait.
const WAITING: usize = 1024;

/// A socket, as the desk knows it. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat(pub u64);

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    Event,
    Chat,
}

/// What a token says of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    pub subject: Option<Arc<str>>,
    pub name: Option<Arc<str>>,
    pub email: Option<Arc<str>>,
}

impl Claims {
    /// Those of a verified token.
    pub fn of(viewer: &Viewer) -> Claims {
        let text = |name: &str| viewer.claims.get(name).and_then(|claim| claim.as_str()).map(Arc::from);
        Claims { subject: text("sub"), name: text("name"), email: text("email") }
    }
}

/// What a talk asks for.
pub enum Command {
    /// A socket shows who it is; whoever it was before is replaced.
    Subscribe(Subscribe),
    /// It is nobody from now on.
    Unsubscribe(Seat),
    /// It is closed.
    Gone(Seat),
    /// What it missed.
    Replay(Replay),
    /// It says something in the chat.
    Chat(Chatting),
}

/// A socket with a verified token.
pub struct Subscribe {
    pub seat: Seat,
    pub peer: Peer,
    pub channel: Channel,
    pub claims: Claims,
    /// What it has heard so far, if it asks for positions.
    pub resume: Option<Resume>,
    pub answer: oneshot::Sender<Result<Welcome, Refused>>,
}

/// What a socket has heard that asks for positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// Everything up to here, which the log still knows.
    After(Offset),
    /// Nothing that could be gone on from.
    Anew,
}

/// Where a socket begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Everything up to here is to be told by [`Command::Replay`], or was never told.
    pub position: Position,
}

/// Some entries that a socket missed, oldest first.
pub struct Replay {
    pub seat: Seat,
    pub entries: Vec<Logged>,
    /// They are all there are up to here.
    pub upto: Offset,
    pub answer: oneshot::Sender<Replayed>,
}

/// What a socket is told of what it missed.
#[derive(Debug, Default)]
pub struct Replayed {
    pub frames: Vec<Bytes>,
    /// How far the desk has come itself.
    pub reached: Offset,
    /// What comes next is pushed to it; nothing is missing.
    pub is_live: bool,
    /// The history is broken in between.
    pub is_broken: bool,
}

/// The way to the desk.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    seats: Arc<AtomicU64>,
}

impl Handle {
    /// A way to a desk that is opened with the receiver.
    pub fn new() -> (Handle, mpsc::Receiver<Command>) {
        let (commands, inbox) = mpsc::channel(WAITING);
        (Handle { commands, seats: Arc::default() }, inbox)
    }

    /// A seat for one more socket.
    pub fn seat(&self) -> Seat {
        Seat(self.seats.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks for something. The desk is gone only when the program ends.
    pub async fn send(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }
}
