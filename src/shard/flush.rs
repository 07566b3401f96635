//! Writing what was gathered: one contiguous buffer per group, written to each member with one call. Only a
//! socket that several groups of the same flush concern gets a buffer of its own, in log order.

use crate::event::{Offset, Reason};
use crate::hub::form::Told;
use crate::hub::{Delivery, GroupId, News};
use crate::shard::members::{Member, NEVER};
use crate::shard::socket::{Queued, Socket};
use crate::shard::{Owner, SocketId, State, WatchId};
use bytes::Bytes;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Deliveries of one flush, about.
pub const MAX_DELIVERIES: usize = 4096;

/// Gathering lasts this many times as long as the last flush took, so that flushing never fills more than
/// about a fifth of a core's time, and a quiet server adds nothing.
const GATHER_FACTOR: u32 = 4;

/// When to flush next.
pub struct Gather {
    longest: Duration,
    gap: Duration,
    last: Instant,
}

impl Gather {
    /// Gathers at most so long; zero turns gathering off.
    pub fn new(longest: Duration) -> Gather {
        Gather { longest, gap: Duration::ZERO, last: Instant::now() }
    }

    /// Completes when it is time: at once after a pause, after the gap under load.
    pub async fn wait(&self) {
        let rest = self.gap.saturating_sub(self.last.elapsed());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }

    /// A flush that began at `start` is done; whether more came meanwhile tells load from a quiet server.
    pub fn flushed(&mut self, start: Instant, more_waits: bool) {
        self.last = Instant::now();
        let gap = if more_waits { (self.last - start) * GATHER_FACTOR } else { Duration::ZERO };
        // A gap below the timer's resolution would only be sleep.
        self.gap = if gap < Duration::from_millis(1) { Duration::ZERO } else { gap.min(self.longest) };
    }
}

/// What owners have to be told, and which sockets have to be drained, after a flush.
#[derive(Default)]
pub struct Calls {
    pub held_back: Vec<(Rc<dyn Owner>, Offset)>,
    pub resets: Vec<(Rc<dyn Owner>, WatchId, Offset, Reason)>,
    pub blocked: Vec<SocketId>,
    /// Pushes handed to sockets, and their bytes.
    pub deliveries: u64,
    pub bytes: u64,
}

/// The frames of one group in this flush.
struct Batch {
    group: GroupId,
    deliveries: Vec<Delivery>,
    /// All of them behind each other, made when the first member needs it.
    joined: Option<Bytes>,
    /// Whether every member gets the same bytes.
    is_plain: bool,
}

impl Batch {
    fn joined(&mut self) -> Bytes {
        let deliveries = &self.deliveries;
        self.joined
            .get_or_insert_with(|| match &deliveries[..] {
                [Delivery { news: News::Change(told), .. }] => told.frame.clone(),
                _ => deliveries
                    .iter()
                    .filter_map(|delivery| match &delivery.news {
                        News::Change(told) => Some(&told.frame[..]),
                        News::Reset(_) => None,
                    })
                    .collect::<Vec<_>>()
                    .concat()
                    .into(),
            })
            .clone()
    }
}

/// What one socket gets that cannot be shared.
#[derive(Default)]
struct Own {
    frames: Vec<(Offset, WatchId, Bytes)>,
    /// Where the history of a watch is broken: what comes after that is for its owner to tell.
    breaks: Vec<(Offset, WatchId)>,
}

impl State {
    /// Writes deliveries to the members of their groups; afterwards everything up to `upto` is queued.
    pub fn flush(&mut self, deliveries: Vec<Delivery>, upto: Offset) -> Calls {
        let mut calls = Calls::default();
        let before = self.processed;
        self.processed = self.processed.max(upto);
        if !deliveries.is_empty() {
            self.flushes += 1;
            let mut batches = batches(deliveries);
            self.count_concerned(&batches);
            let own = self.write_shared(&mut batches, before, &mut calls);
            self.write_own(own, before, &mut calls);
        }
        self.forget_retired();
        calls
    }

    /// Counts for each socket how many of its watches this flush concerns.
    fn count_concerned(&mut self, batches: &[Batch]) {
        if batches.len() < 2 {
            return;
        }
        for batch in batches {
            let Some(members) = self.groups.get(&batch.group) else { continue };
            for (_, member) in members {
                let Some(socket) = self.sockets.get_mut(member.socket) else { continue };
                let (flush, count) = socket.concerned;
                socket.concerned = (self.flushes, if flush == self.flushes { count + 1 } else { 1 });
            }
        }
    }

    fn write_shared(&mut self, batches: &mut [Batch], before: Offset, calls: &mut Calls) -> HashMap<SocketId, Own> {
        let mut own: HashMap<SocketId, Own> = HashMap::new();
        let is_only_batch = batches.len() == 1;
        let now = Instant::now();
        for batch in batches {
            let (Some(first), Some(last)) = (batch.deliveries.first(), batch.deliveries.last()) else { continue };
            let (first, last) = (first.offset, last.offset);
            let Some(members) = self.groups.get(&batch.group) else { continue };
            for (_, member) in members {
                let Some(socket) = self.sockets.get_mut(member.socket) else { continue };
                if member.from == NEVER || socket.held_back {
                    continue;
                }
                let is_alone = !socket.is_twice_in_a_group && (is_only_batch || socket.concerned == (self.flushes, 1));
                if batch.is_plain && is_alone && member.from < first && last <= member.until {
                    let bytes = batch.joined();
                    if let Some(extras) = &member.extras {
                        extras.touch(now);
                    }
                    calls.deliveries += batch.deliveries.len() as u64;
                    let queued = socket.queue(Some(member.watch), &bytes, self.push_bytes);
                    note(queued, socket, member.socket, bytes.len(), before, calls);
                    continue;
                }
                collect_own(batch, member, now, &socket.owner, &mut own, calls);
            }
        }
        own
    }

    fn write_own(&mut self, own: HashMap<SocketId, Own>, before: Offset, calls: &mut Calls) {
        for (id, Own { mut frames, breaks }) in own {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            frames.retain(|(offset, watch, _)| !breaks.iter().any(|(at, of)| of == watch && at < offset));
            frames.sort_by_key(|(offset, watch, _)| (*offset, *watch));
            if frames.is_empty() {
                continue;
            }
            calls.deliveries += frames.len() as u64;
            let queued = socket.queue_each(&frames, self.push_bytes);
            note(queued, socket, id, frames.iter().map(|(_, _, frame)| frame.len()).sum(), before, calls);
        }
    }
}

/// The deliveries by group; those of a group stay in log order.
fn batches(deliveries: Vec<Delivery>) -> Vec<Batch> {
    let mut places: HashMap<GroupId, usize> = HashMap::new();
    let mut batches: Vec<Batch> = Vec::new();
    for delivery in deliveries {
        let place = *places.entry(delivery.group).or_insert_with(|| {
            batches.push(Batch { group: delivery.group, deliveries: Vec::new(), joined: None, is_plain: true });
            batches.len() - 1
        });
        let batch = &mut batches[place];
        batch.is_plain &= matches!(&delivery.news, News::Change(Told { row: None, .. }));
        batch.deliveries.push(delivery);
    }
    batches
}

/// What a member gets that does not simply get all of its group's frames.
fn collect_own(
    batch: &Batch,
    member: &Member,
    now: Instant,
    owner: &Rc<dyn Owner>,
    own: &mut HashMap<SocketId, Own>,
    calls: &mut Calls,
) {
    let due =
        batch.deliveries.iter().filter(|delivery| member.from < delivery.offset && delivery.offset <= member.until);
    for delivery in due {
        match &delivery.news {
            News::Reset(reason) => {
                calls.resets.push((owner.clone(), member.watch, delivery.offset, *reason));
                own.entry(member.socket).or_default().breaks.push((delivery.offset, member.watch));
            }
            News::Change(told) => {
                if let Some(extras) = &member.extras {
                    extras.touch(now);
                }
                let frame = match &member.extras {
                    Some(extras) => extras.choose(told),
                    None => &told.frame,
                };
                own.entry(member.socket).or_default().frames.push((delivery.offset, member.watch, frame.clone()));
            }
        }
    }
}

/// Keeps account of what became of a push; a socket that has no room for it is held back.
fn note(queued: Queued, socket: &mut Socket, id: SocketId, bytes: usize, before: Offset, calls: &mut Calls) {
    match queued {
        Queued::Yes => calls.bytes += bytes as u64,
        Queued::Blocked => {
            calls.bytes += bytes as u64;
            calls.blocked.push(id);
        }
        Queued::Full => {
            socket.held_back = true;
            calls.held_back.push((socket.owner.clone(), before));
        }
        Queued::No => {}
    }
}
