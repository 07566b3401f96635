//! Which sockets of this node a push reaches: each is in the topic of its client id, of its channel and of its user.
//!
//! Promise: who leaves leaves nothing behind, neither its seat nor the topic that it was the last in.

use crate::dialect::jac::root::Root;
use crate::frame;
use crate::relay::{Deliver, Kind, Push};
use crate::shard::{Peer, hand_out};
use async_trait::async_trait;
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Frames that are handed out at a time, so that many ids of large topics take no memory for all of them at once.
const AT_A_TIME: usize = 8192;

/// A table that is this much larger than what is in it gives memory back.
const MOST_EMPTY: usize = 4;

/// Every topic that somebody is in.
#[derive(Default)]
pub struct Topics {
    users: Mutex<Table>,
    channels: Mutex<Table>,
    clients: Mutex<Table>,
    seats: AtomicU64,
}

/// By the id; that of a user is its 24 digits.
type Table = HashMap<Arc<str>, Members>;

/// A place in one topic; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(u64);

/// In the order in which they came. Most topics have one.
enum Members {
    One(Seat, Peer),
    Many(BTreeMap<Seat, Peer>),
}

impl Topics {
    /// A socket is reached by this id from now on; that of a user is any reference to it.
    pub fn join(&self, kind: Kind, id: &str, peer: &Peer) -> Seat {
        let seat = Seat(self.seats.fetch_add(1, Ordering::Relaxed));
        let Some(key) = key(kind, id) else { return seat };
        let mut table = self.table(kind);
        match table.get_mut(&*key) {
            Some(members) => members.add(seat, peer.clone()),
            None => _ = table.insert(key.into(), Members::One(seat, peer.clone())),
        }
        seat
    }

    /// It is not reached any more.
    pub fn leave(&self, kind: Kind, id: &str, seat: Seat) {
        let Some(key) = key(kind, id) else { return };
        let mut table = self.table(kind);
        if table.get_mut(&*key).is_some_and(|members| members.remove(seat)) {
            table.remove(&*key);
            if table.capacity() > MOST_EMPTY * (table.len() + 16) {
                table.shrink_to_fit();
            }
        }
    }

    /// How many topics there are.
    pub fn count(&self) -> usize {
        [Kind::User, Kind::Channel, Kind::Client].into_iter().map(|kind| self.table(kind).len()).sum()
    }

    fn members(&self, kind: Kind, id: &str) -> Vec<Peer> {
        let Some(key) = key(kind, id) else { return Vec::new() };
        match self.table(kind).get(&*key) {
            Some(Members::One(_, peer)) => vec![peer.clone()],
            Some(Members::Many(peers)) => peers.values().cloned().collect(),
            None => Vec::new(),
        }
    }

    fn table(&self, kind: Kind) -> MutexGuard<'_, Table> {
        let table = match kind {
            Kind::User => &self.users,
            Kind::Channel => &self.channels,
            Kind::Client => &self.clients,
        };
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Deliver for Topics {
    async fn deliver(&self, push: &Push) {
        let frame = frame::text(push.data.as_bytes());
        let mut frames: Vec<(Peer, Bytes)> = Vec::new();
        for id in &push.ids {
            frames.extend(self.members(push.kind, id).into_iter().map(|peer| (peer, frame.clone())));
            if frames.len() >= AT_A_TIME {
                hand_out(std::mem::take(&mut frames)).await;
            }
        }
        hand_out(frames).await;
    }
}

impl Members {
    fn add(&mut self, seat: Seat, peer: Peer) {
        match self {
            Members::One(first, other) => {
                *self = Members::Many(BTreeMap::from([(*first, other.clone()), (seat, peer)]));
            }
            Members::Many(peers) => _ = peers.insert(seat, peer),
        }
    }

    /// Whether nobody is left.
    fn remove(&mut self, seat: Seat) -> bool {
        match self {
            Members::One(only, _) => *only == seat,
            Members::Many(peers) => {
                peers.remove(&seat);
                peers.is_empty()
            }
        }
    }
}

/// What a topic goes by; `None`: nobody is in it, as for a user whose id is no reference.
fn key(kind: Kind, id: &str) -> Option<Cow<'_, str>> {
    match kind {
        Kind::User => Some(Cow::Owned(Root::named(id)?.digits().to_owned())),
        Kind::Channel | Kind::Client => Some(Cow::Borrowed(id)),
    }
}

#[cfg(test)]
mod tests;
