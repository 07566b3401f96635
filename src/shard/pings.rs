//! One ping wheel per shard: every socket has a slot, and one slot is pinged at each turn. A peer
//! that was not heard for three pings is dropped.

use crate::frame;
use crate::shard::{Shard, SocketId};
use bytes::Bytes;
use std::rc::Rc;

/// Pings in a row that may go unanswered.
const PATIENCE: u8 = 3;

/// The slots of the wheel; a turn is the ping interval divided by their number.
const SLOTS: usize = 30;

impl Shard {
    /// Turns the wheel for as long as the shard lives.
    pub(super) async fn keep_pinging(self: Rc<Self>) {
        let Some(interval) = self.settings.ping else { return };
        let mut turns = tokio::time::interval(interval / SLOTS as u32);
        let mut ping = Vec::new();
        frame::push_ping(&mut ping, b"");
        let ping = Bytes::from(ping);
        for slot in (0..SLOTS).cycle() {
            turns.tick().await;
            let due = self.state.borrow().sockets.in_slot(slot, SLOTS);
            for id in due {
                self.ping(id, &ping);
            }
        }
    }

    fn ping(self: &Rc<Self>, id: SocketId, ping: &Bytes) {
        let is_silent = {
            let mut state = self.state.borrow_mut();
            let Some(socket) = state.sockets.get_mut(id).filter(|socket| socket.manners.keepalive.is_none()) else {
                return;
            };
            let is_silent = socket.unanswered >= PATIENCE;
            socket.unanswered = socket.unanswered.saturating_add(1);
            is_silent
        };
        if is_silent {
            self.break_off(id);
        } else {
            self.send(id, ping);
        }
    }
}
