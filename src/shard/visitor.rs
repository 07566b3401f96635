//! Who the sockets of a shard belong to, for an operator who looks at them or has something to say to them.

use crate::event::Timestamp;
use crate::shard::{Owner, Shard, SocketId};
use std::rc::Rc;
use std::sync::Arc;

/// One client, as an operator may know it.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// What it knows its connection by.
    pub id: Arc<str>,
    /// The dialect it speaks.
    pub dialect: &'static str,
    /// Where it came in: a channel, or a path.
    pub channel: Arc<str>,
    /// The resources that it watches.
    pub watching: Vec<Arc<str>>,
    pub subject: Option<Arc<str>>,
    pub roles: Vec<Arc<str>>,
    /// When it came.
    pub opened: Timestamp,
}

impl Shard {
    /// Everybody whom an operator may know.
    pub fn visitors(&self) -> Vec<Visitor> {
        self.owners().into_iter().filter_map(|(_, owner)| owner.visitor()).collect()
    }

    /// Says something to those for whom `is_meant` holds, as the dialect of each says it. How many were told, and how
    /// many were not, among those whom an operator may know.
    pub fn announce(self: &Rc<Self>, data: &str, is_meant: impl Fn(&Visitor) -> bool) -> (u64, u64) {
        let (mut sent, mut skipped) = (0, 0);
        for (id, owner) in self.owners() {
            let Some(visitor) = owner.visitor() else { continue };
            match owner.announcement(data).filter(|_| is_meant(&visitor) && self.is_open(id)) {
                Some(frame) => {
                    self.push(id, &frame);
                    sent += 1;
                }
                None => skipped += 1,
            }
        }
        (sent, skipped)
    }

    fn owners(&self) -> Vec<(SocketId, Rc<dyn Owner>)> {
        let state = self.state.borrow();
        let ids = state.sockets.ids().into_iter();
        ids.filter_map(|id| Some((id, state.sockets.get(id)?.owner.clone()))).collect()
    }
}
