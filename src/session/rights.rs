//! Another viewer on the same connection: a new credential may show more, or less.
//!
//! A watch that has a list is given a new one, with the reason why. One that was never told rows cannot be told
//! which of them are gone, so its connection ends and the client begins again.

use crate::access::Bound;
use crate::event::Reason;
use crate::message::{Asked, Code, Goodbye, Refusal};
use crate::session::Session;
use crate::session::subscription::{Held, Number, Subscription};
use crate::shard::WatchId;
use crate::viewer::Viewer;
use std::sync::Arc;

impl Session {
    /// From now on this is who the client is. What it loses or gains by that takes effect at once.
    pub fn become_viewer(&self, viewer: Viewer) {
        self.viewer.replace(viewer);
        if self.is_any_opened() {
            return self.close(Goodbye::Rights);
        }
        let (lost, changed) = self.rebind();
        self.end_lost(&lost);
        if self.is_any_blind(&changed) {
            return self.close(Goodbye::Rights);
        }
        let is_changed = |one: &Subscription| changed.contains(&one.id);
        self.put_behind(is_changed, self.shard.processed());
        for one in self.state.borrow_mut().subscriptions.iter_mut().filter(|one| is_changed(one)) {
            one.joined = one.joined.stale();
        }
        for id in changed {
            self.start_over(id, Reason::Rights);
        }
    }

    /// Binds every watch to what its resource is to the viewer now. Returns the watches that can have no list of a
    /// resource that is unknown now, and the units of which something else is seen.
    fn rebind(&self) -> (Vec<Number>, Vec<WatchId>) {
        let (mut lost, mut changed) = (Vec::new(), Vec::new());
        let viewer = self.viewer.borrow();
        for one in &mut self.state.borrow_mut().subscriptions {
            let Some(name) = &one.name else { continue };
            let channel = self.terms.catalog.channel(name);
            let known = channel.and_then(|channel| channel.bind(&viewer));
            if known.is_none() {
                lost.extend(one.watches.iter().filter(|held| !held.can_restart).map(|held| held.number));
            }
            let bound = known.unwrap_or_else(Bound::nothing);
            if bound != one.bound {
                one.watches.iter_mut().for_each(|held| held.filter = Arc::new(bound.limit(&held.asked)));
                one.bound = bound;
                changed.push(one.id);
            }
        }
        (lost, changed)
    }

    /// Ends watches of what may not be read any longer.
    fn end_lost(&self, lost: &[Number]) {
        let is_lost = |held: &Held| lost.contains(&held.number);
        let mut addresses = Vec::new();
        for one in &self.state.borrow().subscriptions {
            for held in one.watches.iter().filter(|held| is_lost(held)) {
                addresses.push(one.address_of(held));
            }
        }
        self.end(|_, held| is_lost(held));
        for address in addresses {
            let summary = "this may not be read any longer".to_owned();
            self.refuse(&address, &Refusal { code: Code::Resource, summary, asked: Asked::Watch });
        }
    }

    /// Whether a door opened a watch for the viewer before: only by coming in again does it see with other eyes.
    fn is_any_opened(&self) -> bool {
        self.state.borrow().subscriptions.iter().any(|one| one.served.resource.private)
    }

    /// Whether some of these units show records to a client that never got a list of them.
    fn is_any_blind(&self, units: &[WatchId]) -> bool {
        let state = self.state.borrow();
        let mut meant = state.subscriptions.iter().filter(|one| units.contains(&one.id));
        meant.any(|one| !one.served.resource.append_only && one.watches.iter().any(|held| !held.can_restart))
    }
}
