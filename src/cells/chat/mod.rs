//! The chat: rooms, who is in them, and what is said there. All of it is in the rows of rooms and messages; what is
//! told is caused by the feed of these rows, whoever wrote them.
//!
//! The desk shows it the rows, in the order of the log, and who is there. What a client asks for is done by the
//! client's own talk ([`Errand`]).

mod attachment;
mod clerk;
mod column;
mod errand;
mod permission;
mod place;
mod presence;
mod room_feed;
mod row;
mod state;
#[cfg(test)]
mod tests;
mod writing;

pub use clerk::Clerk;
pub use errand::Errand;
pub use place::Place;

use crate::cells::desk::Seat;
use crate::cells::rights::Viewer;
use crate::cells::rows::Names;
use crate::dialect::cells::chat::{Asked, RoomKey};
use crate::error::Error;
use crate::metrics::Metrics;
use bytes::Bytes;
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Between two looks at what all nodes said of who is present.
const SWEEP: Duration = Duration::from_secs(20);

/// The longest between two looks at who has become absent.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// How the chat works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a sign of life lasts.
    pub presence_ttl: Duration,
    /// What a client is that never gives one.
    pub silent: Silent,
    /// Frames that may wait for one socket.
    pub waiting: usize,
    /// Where what is told comes from.
    pub told_by: ToldBy,
}

/// What a client is that never says that it is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silent {
    /// Absent after a while.
    Absent,
    /// Present as long as it is connected.
    Present,
}

/// Where what is told comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy {
    Rows,
    /// Events that somebody else sends of every change of the rows.
    Events,
}

/// Frames for sockets.
#[derive(Debug, Default)]
pub struct Told {
    /// In the order in which each is to have them.
    pub frames: Vec<(Seat, Bytes)>,
    /// Those for which too much waits.
    pub slow: Vec<Seat>,
}

/// A login that has gone from a room.
type Ended = (RoomKey, Arc<str>);

/// What the desk and the errands work on together.
struct Shared {
    state: Mutex<State>,
    clerk: Clerk,
    metrics: Arc<Metrics>,
}

/// The chat, as the desk has it.
pub struct Chat {
    shared: Arc<Shared>,
    settings: Settings,
    /// What is being written down of who is present.
    writing: JoinSet<()>,
    swept: Option<Instant>,
}

impl Chat {
    /// A chat whose rooms are not known yet.
    pub fn new(settings: Settings, clerk: Clerk, metrics: Arc<Metrics>) -> Chat {
        let state = Mutex::new(State::new(settings.clone()));
        Chat { shared: Arc::new(Shared { state, clerk, metrics }), settings, writing: JoinSet::new(), swept: None }
    }

    /// How often time has to pass for it.
    pub fn pace(&self) -> Duration {
        (self.settings.presence_ttl / 10).clamp(Duration::from_millis(1), LONGEST_LOOK)
    }

    /// Somebody is at a socket from now on, or has other rights; `None`: nobody is.
    pub fn sit(&mut self, seat: Seat, viewer: Option<&Arc<Viewer>>) {
        let ended = self.shared.state().sit(seat, viewer);
        self.write_down(ended);
    }

    /// The socket is closed.
    pub fn gone(&mut self, seat: Seat) {
        self.shared.state().gone(seat, Instant::now());
    }

    /// What a frame leads to; the talk of the socket does it before it hears the next one. Nothing where nobody is at
    /// the socket.
    pub fn command(&mut self, seat: Seat, asked: Asked) -> Option<Errand> {
        let mut state = self.shared.state();
        state.viewer(seat)?;
        if let Asked::Join { room, .. } | Asked::History(room, _) = &asked
            && let Some(key) = state.key(room)
        {
            // From here on everything waits until the answer is sent.
            state.shut(seat, &key);
        }
        Some(Errand { shared: self.shared.clone(), seat, asked })
    }

    /// A node of the tree is at this path now, without slashes at its ends; `None`: it is no more.
    pub fn node(&mut self, node: &str, path: Option<&str>) {
        let ended = self.shared.state().node(node, path);
        self.write_down(ended);
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let now = Instant::now();
        let over = self.shared.state().tick(now);
        self.write_down(over);
        if self.swept.is_some_and(|swept| now.duration_since(swept) >= SWEEP) {
            self.sweep();
        }
        while self.writing.try_join_next().is_some() {}
    }

    /// Sees to what nodes said of who is present: what is old is removed, what is still so is said again.
    fn sweep(&mut self) {
        self.swept = Some(Instant::now());
        let keys: Vec<RoomKey> = {
            let state = self.shared.state();
            let rooms = state.rooms.values().filter(|row| {
                let has = |login: &str| state.has(&row.room.key, login);
                self.shared.clerk.settled(row, None, &has).is_some()
            });
            rooms.map(|row| row.room.key.clone()).collect()
        };
        let shared = self.shared.clone();
        self.writing.spawn(async move {
            for key in keys {
                let has = |login: &str| shared.state().has(&key, login);
                if let Err(error) = shared.clerk.settle(&key, None, None, &has).await {
                    shared.failed(&error);
                }
            }
        });
    }

    fn write_down(&mut self, ended: Vec<Ended>) {
        for ended in ended {
            let shared = self.shared.clone();
            self.writing.spawn(async move {
                if let Err(error) = shared.settle(ended).await {
                    shared.failed(&error);
                }
            });
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> &Names {
        &self.clerk.names
    }

    fn failed(&self, error: &Error) {
        self.metrics.dropped(&self.clerk.rooms.resource.source, "chat failure").inc();
        tracing::warn!(error = %error.chain(), "the rows of the chat cannot be used");
    }
}
