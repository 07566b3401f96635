//! A socket in its shard: answers and pushes written at once if it takes them, else kept in its mailbox and
//! written as it does.

use crate::event::Offset;
use crate::frame;
use crate::hub::GroupId;
use crate::mailbox::Mailbox;
use crate::mailbox::PUSHED;
use crate::message::{Farewell, Goodbye};
use crate::shard::{Keepalive, Manners, Owner, Shard, SocketId, WatchId};
use crate::wire::Wire;
use bytes::Bytes;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The most that is written to a socket in one call while its mailbox drains.
const DRAIN_BYTES: usize = 64 * 1024;

/// How long a peer that was closed because it does not read may take to read that.
const LINGER: Duration = Duration::from_secs(60);

/// One socket.
pub struct Socket {
    wire: Rc<Wire>,
    mailbox: Mailbox,
    pub owner: Rc<dyn Owner>,
    pub manners: Manners,
    /// Where its watches stand.
    pub places: Vec<Place>,
    /// Completes waits for room, and for the end.
    changed: Rc<Notify>,
    /// Pushes are not queued until its watches are live again.
    pub held_back: bool,
    ending: Ending,
    /// Pings that nothing was heard since.
    pub unanswered: u8,
    /// When the peer was heard last.
    heard: Instant,
    /// It is not read, because what was heard of it is being done.
    is_busy: bool,
    /// Two of its watches are in one group, so it cannot simply be written the group's frames.
    pub is_twice_in_a_group: bool,
    /// Which flush counted it, and how many of its watches that flush concerns.
    pub concerned: (u64, u32),
}

/// A membership of one of the socket's watches.
pub struct Place {
    pub watch: WatchId,
    pub group: GroupId,
    pub member: usize,
    /// It has left the hub and only tells what was published before.
    pub retired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// The close frame is queued; nothing may follow it.
    Said,
    /// The connection cannot be written any more.
    Broken,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// It is written, or waits in the mailbox.
    Yes,
    /// It waits, and nobody is draining the mailbox yet.
    Blocked,
    /// There is no room for it.
    Full,
    /// The socket is ending, or held back.
    No,
}

impl Socket {
    /// A socket with nothing waiting.
    pub fn new(wire: Rc<Wire>, owner: Rc<dyn Owner>, manners: Manners) -> Socket {
        Socket {
            wire,
            mailbox: Mailbox::default(),
            owner,
            manners,
            places: Vec::new(),
            changed: Rc::default(),
            held_back: false,
            ending: Ending::No,
            unanswered: 0,
            heard: Instant::now(),
            is_busy: false,
            is_twice_in_a_group: false,
            concerned: (0, 0),
        }
    }

    /// One of its watches is now in a group.
    pub fn take_place(&mut self, watch: WatchId, group: GroupId, member: usize) {
        self.is_twice_in_a_group |= self.places.iter().any(|place| place.group == group);
        self.places.push(Place { watch, group, member, retired: false });
    }

    /// Writes whole frames, or queues them while not more than `room` bytes wait.
    pub fn queue(&mut self, watch: Option<WatchId>, frames: &Bytes, room: usize) -> Queued {
        if self.ending != Ending::No {
            return Queued::No;
        }
        if !self.mailbox.is_empty() {
            if self.mailbox.len() + frames.len() > room {
                return Queued::Full;
            }
            self.mailbox.push(watch, frames.clone());
            return Queued::Yes;
        }
        let written = self.write_some(frames);
        if self.ending == Ending::Broken || (written == frames.len() && !self.wire.wants_write()) {
            return Queued::Yes;
        }
        if written < frames.len() {
            // What is left of a frame that was begun must be written, whatever becomes of its watch.
            self.mailbox.push(if written > 0 { None } else { watch }, frames.slice(written..));
        }
        Queued::Blocked
    }

    /// The same for frames of several watches, all of them or none.
    pub fn queue_each(&mut self, frames: &[(Offset, WatchId, Bytes)], room: usize) -> Queued {
        if self.mailbox.is_empty() {
            let bytes = frames.iter().map(|(_, _, frame)| &frame[..]).collect::<Vec<_>>().concat();
            return self.queue(None, &bytes.into(), room);
        }
        if self.ending != Ending::No {
            return Queued::No;
        }
        if self.mailbox.len() + frames.iter().map(|(_, _, frame)| frame.len()).sum::<usize>() > room {
            return Queued::Full;
        }
        for (_, watch, frame) in frames {
            self.mailbox.push(Some(*watch), frame.clone());
        }
        Queued::Yes
    }

    /// Writes what the socket takes now; a failure breaks it.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.wire.try_write(&bytes[written..]) {
                Ok(0) => self.break_off(),
                Ok(count) => {
                    written += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.break_off(),
            }
            break;
        }
        written
    }

    /// A close for a peer that does not read: behind what it was sent the beginning of, in place of all else.
    pub(super) fn say_slow(&mut self) {
        let Farewell::Close(code, reason) = self.owner.goodbye(Goodbye::Slow) else { return self.break_off() };
        let mut close = Vec::new();
        frame::push_close(&mut close, code, &reason);
        self.mailbox.keep_first();
        self.mailbox.push(None, close.into());
        self.ending = Ending::Said;
        self.notify();
    }

    /// Nothing may follow what waits.
    pub(super) fn say_no_more(&mut self) {
        if self.ending == Ending::No {
            self.ending = Ending::Said;
        }
        self.notify();
    }

    /// Nothing is written any more; whoever waits for the socket learns of it.
    pub fn break_off(&mut self) {
        self.ending = Ending::Broken;
        self.mailbox.clear();
        self.notify();
    }

    /// Wakes everybody who waits for a change of this socket.
    pub fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// Writes what waits, as far as the socket takes it; whether anything still waits.
    fn drain_some(&mut self) -> bool {
        let mut scratch = vec![0; self.mailbox.len().min(DRAIN_BYTES)];
        loop {
            let front = self.mailbox.front(&mut scratch);
            if front.is_empty() {
                return self.wire.wants_write();
            }
            let (length, written) = (front.len(), self.write_some(front));
            if self.ending == Ending::Broken {
                return false;
            }
            self.mailbox.advance(written);
            if written < length {
                return true;
            }
        }
    }
}

impl Shard {
    /// Sends an answer or a control frame. It is never refused while the socket lives: whoever sends many
    /// waits for `room` in between.
    pub fn send(self: &Rc<Self>, id: SocketId, frame: &Bytes) {
        self.send_as(id, None, frame);
    }

    /// Sends what a watch is told while it is not live; dropped again if the watch ends before it is written.
    pub fn send_for(self: &Rc<Self>, id: SocketId, watch: WatchId, frame: &Bytes) {
        self.metrics.deliveries.inc_by(1);
        self.send_as(id, Some(watch), frame);
    }

    fn send_as(self: &Rc<Self>, id: SocketId, watch: Option<WatchId>, frame: &Bytes) {
        let queued = match self.state.borrow_mut().sockets.get_mut(id) {
            Some(socket) => socket.queue(watch, frame, usize::MAX),
            None => return,
        };
        self.metrics.bytes_written.inc_by(frame.len() as u64);
        if queued == Queued::Blocked {
            self.drain(id);
        }
    }

    /// Starts writing what waits for a socket that began to block.
    pub(super) fn drain(self: &Rc<Self>, id: SocketId) {
        tokio::task::spawn_local(Rc::clone(self).draining(id));
    }

    async fn draining(self: Rc<Self>, id: SocketId) {
        let Some(wire) = self.wire(id) else { return };
        let own = self.state.borrow().sockets.get(id).and_then(|socket| socket.manners.write_timeout);
        let mut patience = own.unwrap_or(self.settings.write_timeout);
        loop {
            let writable = tokio::time::timeout(patience, wire.writable()).await;
            let mut state = self.state.borrow_mut();
            let Some(socket) = state.sockets.get_mut(id) else { return };
            match writable {
                Ok(Ok(())) => {}
                Err(_) if socket.ending == Ending::No => {
                    self.metrics.closes(Goodbye::Slow.code()).inc();
                    socket.say_slow();
                    if socket.ending == Ending::Broken {
                        return;
                    }
                    if socket.mailbox.len() > self.settings.push_bytes {
                        return socket.break_off();
                    }
                    patience = LINGER;
                    continue;
                }
                Ok(Err(_)) | Err(_) => return socket.break_off(),
            }
            let waits = socket.drain_some();
            socket.changed.notify_waiters();
            if !waits {
                return;
            }
        }
    }

    fn wire(&self, id: SocketId) -> Option<Rc<Wire>> {
        self.state.borrow().sockets.get(id).map(|socket| socket.wire.clone())
    }

    /// Completes when less than `reply_bytes` wait for the socket; whether it still lives.
    pub async fn room(&self, id: SocketId) -> bool {
        self.less_than(id, self.settings.reply_bytes).await
    }

    /// Completes when less than half of what pushes may fill waits for the socket; whether it still lives.
    pub async fn room_for_pushes(&self, id: SocketId) -> bool {
        self.less_than(id, self.settings.push_bytes / 2).await
    }

    /// Completes when nothing waits for the socket; whether it still lives.
    pub async fn written(&self, id: SocketId) -> bool {
        self.less_than(id, 1).await
    }

    async fn less_than(&self, id: SocketId, bytes: usize) -> bool {
        loop {
            let changed = {
                let state = self.state.borrow();
                let Some(socket) = state.sockets.get(id) else { return false };
                if socket.ending == Ending::Broken {
                    return false;
                }
                if socket.mailbox.len() < bytes {
                    return true;
                }
                socket.changed.clone()
            };
            // One thread: nothing can have changed between the look and the wait.
            changed.notified().await;
        }
    }

    /// Whether so much waits for the socket that no more pushes should be queued.
    pub fn is_full(&self, id: SocketId) -> bool {
        self.state.borrow().sockets.get(id).is_none_or(|socket| socket.mailbox.len() >= self.settings.push_bytes)
    }

    /// Whether the socket can be written to and has not been told goodbye.
    pub fn is_open(&self, id: SocketId) -> bool {
        self.state.borrow().sockets.get(id).is_some_and(|socket| socket.ending == Ending::No)
    }

    /// Waits for so long, or until the socket ends; whether it is still open.
    pub async fn wait(&self, id: SocketId, time: Duration) -> bool {
        if !time.is_zero() {
            let _ = tokio::time::timeout(time, self.ended(id)).await;
        }
        self.is_open(id)
    }

    /// Completes once the socket is told goodbye or broken.
    pub async fn ended(&self, id: SocketId) {
        while self.is_open(id) {
            let Some(changed) = self.state.borrow().sockets.get(id).map(|socket| socket.changed.clone()) else {
                return;
            };
            changed.notified().await;
        }
    }

    /// Pushes whole frames that cannot be told later. A socket that does not read is told to go when too many wait.
    pub fn push(self: &Rc<Self>, id: SocketId, frames: &Bytes) {
        let queued = match self.state.borrow_mut().sockets.get_mut(id) {
            Some(socket) if socket.mailbox.pushed() < socket.manners.waiting.frames => {
                socket.queue(Some(PUSHED), frames, socket.manners.waiting.bytes)
            }
            Some(socket) if socket.ending == Ending::No => Queued::Full,
            _ => return,
        };
        match queued {
            Queued::No => return,
            Queued::Full => return self.end_slow(id),
            Queued::Blocked => self.drain(id),
            Queued::Yes => {}
        }
        self.metrics.deliveries.inc_by(1);
        self.metrics.bytes_written.inc_by(frames.len() as u64);
    }

    /// Drops the pushes of an ended watch that still wait.
    pub(super) fn discard(&self, id: SocketId, watch: WatchId) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(id) {
            socket.mailbox.discard(watch);
            socket.changed.notify_waiters();
        }
    }

    /// The peer was heard.
    pub fn heard(&self, id: SocketId) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(id) {
            socket.unanswered = 0;
            socket.heard = Instant::now();
        }
    }

    /// Whether what was heard of the peer is being done, and the peer is not read meanwhile. That is no silence.
    pub fn busy(&self, id: SocketId, is_busy: bool) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(id) {
            socket.is_busy = is_busy;
            socket.heard = Instant::now();
        }
    }

    /// When the peer was heard last; `None`: it is gone.
    pub fn last_heard(&self, id: SocketId) -> Option<Instant> {
        let heard = |socket: &Socket| if socket.is_busy { Instant::now() } else { socket.heard };
        self.state.borrow().sockets.get(id).map(heard)
    }

    pub(super) fn keepalive(&self, id: SocketId) -> Option<Keepalive> {
        self.state.borrow().sockets.get(id)?.manners.keepalive.clone()
    }
}
