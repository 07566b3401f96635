//! A socket as seen from other threads: what is pushed to it there is no answer and no entry of the log.

use crate::frame;
use crate::message::{Farewell, Goodbye};
use crate::shard::{Command, Shard, ShardId, SocketId};
use bytes::Bytes;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A socket, as seen from other threads. It keeps neither the socket nor its shard alive.
#[derive(Clone)]
pub struct Peer {
    shard: ShardId,
    commands: mpsc::WeakUnboundedSender<Command>,
    pub id: SocketId,
}

impl Peer {
    /// Runs something on the thread of its shard, which is given the socket's number. Returns whether the shard is
    /// still there; the socket need not be.
    pub fn run(&self, command: impl FnOnce(&Rc<Shard>, SocketId) + Send + 'static) -> bool {
        let id = self.id;
        let Some(commands) = self.commands.upgrade() else { return false };
        commands.send(Box::new(move |shard| command(shard, id))).is_ok()
    }

    /// Ends the connection.
    pub fn close(&self, farewell: Farewell) {
        self.run(move |shard, id| shard.close_as(id, farewell));
    }
}

/// Pushes whole frames to sockets, to each in this order. Completes when each has them, or is gone or told to go.
pub async fn hand_out(frames: Vec<(Peer, Bytes)>) {
    let mut shards: HashMap<ShardId, (Peer, Vec<(SocketId, Bytes)>)> = HashMap::new();
    for (peer, frame) in frames {
        let (_, own) = shards.entry(peer.shard).or_insert_with(|| (peer.clone(), Vec::new()));
        own.push((peer.id, frame));
    }
    let mut handed = Vec::with_capacity(shards.len());
    for (peer, frames) in shards.into_values() {
        let (done, told) = oneshot::channel();
        peer.run(move |shard, _| {
            for (id, frame) in &frames {
                shard.push(*id, frame);
            }
            let _ = done.send(());
        });
        handed.push(told);
    }
    for told in handed {
        // A shard that is gone has no sockets left.
        let _ = told.await;
    }
}

impl Shard {
    /// One of its sockets, for other threads.
    pub fn peer(&self, id: SocketId) -> Peer {
        Peer { shard: self.id, commands: self.commands.clone(), id }
    }

    /// Sees to the pings of a socket that has its own.
    pub fn look_after(self: &Rc<Self>, id: SocketId) {
        if self.keepalive(id).is_some() {
            tokio::task::spawn_local(Rc::clone(self).keep_alive(id));
        }
    }

    /// Pings a socket, and gives it up when nothing is heard of it.
    async fn keep_alive(self: Rc<Self>, id: SocketId) {
        let Some(keepalive) = self.keepalive(id) else { return };
        let mut ping = Vec::new();
        frame::push_ping(&mut ping, b"");
        let ping = Bytes::from(ping);
        let never = Duration::from_secs(u64::from(u32::MAX));
        let mut pings = tokio::time::interval(keepalive.ping.unwrap_or(never));
        pings.tick().await;
        loop {
            let Some(heard) = self.last_heard(id) else { return };
            let rest = keepalive.silence.map_or(never, |silence| silence.saturating_sub(heard.elapsed()));
            if rest.is_zero() {
                return self.close(id, Goodbye::Silent);
            }
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                _ = pings.tick() => self.send(id, &ping),
                () = self.ended(id) => return,
            }
        }
    }
}
