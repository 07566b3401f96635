//! How the connections of a shard end: with a goodbye, in silence, or broken off.

use crate::frame;
use crate::message::{Farewell, Goodbye};
use crate::shard::{Shard, SocketId};
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;

impl Shard {
    /// Says goodbye, as the owner says it; nothing follows.
    pub fn close(self: &Rc<Self>, id: SocketId, goodbye: Goodbye) {
        let owner = self.state.borrow().sockets.get(id).map(|socket| socket.owner.clone());
        if let Some(owner) = owner {
            self.close_as(id, owner.goodbye(goodbye));
        }
    }

    /// Ends the connection in this way; nothing follows.
    pub fn close_as(self: &Rc<Self>, id: SocketId, farewell: Farewell) {
        if !self.is_open(id) {
            return;
        }
        match farewell {
            Farewell::Close(code, reason) => {
                self.metrics.closes(code).inc();
                let mut close = Vec::new();
                frame::push_close(&mut close, code, &reason);
                self.send_last(id, &close.into());
            }
            Farewell::End => self.send_last(id, &Bytes::new()),
            Farewell::BreakOff => self.break_off(id),
        }
    }

    /// Sends a close frame, or nothing; nothing follows it.
    pub fn send_last(self: &Rc<Self>, id: SocketId, close: &Bytes) {
        if !close.is_empty() {
            self.send(id, close);
        }
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(id) {
            socket.say_no_more();
        }
    }

    /// Ends the connection without a word.
    pub fn break_off(&self, id: SocketId) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(id) {
            socket.break_off();
        }
    }

    /// The socket does not read what is pushed.
    pub(super) fn end_slow(self: &Rc<Self>, id: SocketId) {
        self.metrics.closes(Goodbye::Slow.code()).inc();
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(id) {
            socket.say_slow();
        }
    }

    /// How long to wait for a closing peer.
    pub fn patience(&self) -> Duration {
        self.settings.write_timeout.min(Duration::from_secs(2))
    }
}
