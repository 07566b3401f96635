//! Telling from the log what is not live: after a list, after a resume, and when the socket was too slow. One
//! task per connection, only while there is something to tell; all its units advance together in log order.

use crate::event::{Entry, Offset, Operation, Reason, Timestamp};
use crate::log::Stretch;
use crate::message::{Goodbye, Transition};
use crate::session::Session;
use crate::session::subscription::{Joined, Number, Place, Subscription};
use crate::shard::WatchId;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for news when there is nothing to read.
const QUIET: Duration = Duration::from_secs(1);

/// What to read next.
enum Step {
    /// For one watch alone, entries that its unit was told already.
    Retell { id: WatchId, number: Number, after: Offset, upto: Offset },
    /// For every unit that is behind.
    Read { after: Offset },
    /// Nothing is behind any more.
    Done,
}

impl Session {
    /// Sees to it that what is behind is told.
    pub(super) fn catch_up(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if !std::mem::replace(&mut state.is_catching_up, true) {
            drop(state);
            let session = Rc::clone(self);
            tokio::task::spawn_local(async move { session.catching_up().await });
        }
    }

    async fn catching_up(self: Rc<Self>) {
        self.shard.metrics.lagging.inc();
        loop {
            if !self.shard.room_for_pushes(self.socket.get()).await || !self.is_open() {
                break;
            }
            match self.next_step() {
                Step::Done => break,
                Step::Retell { id, number, after, upto } => self.retell(id, number, after, upto).await,
                Step::Read { after } => self.read_on(after).await,
            }
        }
        self.state.borrow_mut().is_catching_up = false;
        self.shard.metrics.lagging.dec();
    }

    fn next_step(&self) -> Step {
        let state = self.state.borrow();
        for one in &state.subscriptions {
            if let Some(retell) = one.retells.first() {
                return Step::Retell { id: one.id, number: retell.number, after: retell.after, upto: retell.upto };
            }
        }
        let behind = state.subscriptions.iter().filter_map(|one| match one.place {
            Place::Behind(cursor) => Some(cursor),
            Place::Live | Place::Nowhere => None,
        });
        behind.min().map_or(Step::Done, |after| Step::Read { after })
    }

    async fn retell(&self, id: WatchId, number: Number, after: Offset, upto: Offset) {
        let entries = match self.read_log(after, upto).await {
            Ok(Stretch::Entries(entries)) => entries,
            Ok(Stretch::Gone(_)) => return self.start_over(id, Reason::Retention),
            Err(error) => return self.fail(&error),
        };
        let mut state = self.state.borrow_mut();
        let Some(one) = state.subscriptions.iter_mut().find(|one| one.id == id) else { return };
        for entry in &entries {
            if let Some(transition) = one.judge_for(number, entry) {
                self.push(one, entry, transition);
            }
        }
        let read = entries.last().map_or(upto, |entry| entry.offset);
        if let Some(retell) = one.retells.iter_mut().find(|retell| retell.number == number) {
            retell.after = read;
        }
        one.retells.retain(|retell| retell.after < retell.upto);
    }

    async fn read_on(&self, after: Offset) {
        let last = self.shard.log.last();
        let entries = match self.read_log(after, last).await {
            Ok(Stretch::Entries(entries)) => entries,
            Ok(Stretch::Gone(floor)) => return self.lost(floor),
            Err(error) => return self.fail(&error),
        };
        if entries.is_empty() {
            self.come_live();
            // What was appended during the read is not announced again.
            if self.is_anything_behind() && self.shard.log.last() <= after {
                self.shard.advance(QUIET).await;
            }
            return;
        }
        let resets = self.tell_entries(after, &entries);
        for (id, reason) in resets {
            self.start_over(id, reason);
        }
        self.come_live();
    }

    /// Tells entries to every unit whose cursor is before them; returns the units that one of them resets.
    fn tell_entries(&self, after: Offset, entries: &[Arc<Entry>]) -> Vec<(WatchId, Reason)> {
        let mut resets = Vec::new();
        let mut state = self.state.borrow_mut();
        for entry in entries {
            for one in &mut state.subscriptions {
                let Place::Behind(cursor) = one.place else { continue };
                if cursor < after || cursor >= entry.offset || resets.iter().any(|(id, _)| *id == one.id) {
                    continue;
                }
                match entry.event.operation {
                    Operation::Reset(reason) if one.is_reset_by(entry) => resets.push((one.id, reason)),
                    _ => {
                        if let Some(transition) = one.judge(entry) {
                            self.push(one, entry, transition);
                        }
                    }
                }
                one.place = Place::Behind(entry.offset);
            }
            if self.shard.is_full(self.socket.get()) {
                break;
            }
        }
        resets
    }

    fn push(&self, one: &Subscription, entry: &Entry, transition: Transition) {
        let position = || one.position(&self.shard.hub, entry.offset);
        let variant = one.form.variant(entry, &one.bound.sight, Timestamp::now());
        let Some(told) = one.form.tell(entry, transition, variant, position) else { return };
        let frame = match &one.extras {
            Some(extras) => {
                extras.touch(Instant::now());
                extras.choose(&told)
            }
            None => &told.frame,
        };
        self.shard.send_for(self.socket.get(), one.id, frame);
    }

    /// Makes live what has been told everything that the shard has handed out.
    fn come_live(&self) {
        let socket = self.socket.get();
        let mut state = self.state.borrow_mut();
        for one in &mut state.subscriptions {
            let Place::Behind(cursor) = one.place else { continue };
            if !one.retells.is_empty() || cursor < self.shard.processed() {
                continue;
            }
            if !one.forget_contained(&self.shard.hub, cursor) {
                continue;
            }
            let joined = match one.joined {
                Joined::Yes(offset) => offset,
                Joined::No | Joined::Stale => {
                    self.shard.leave_group(socket, one.id);
                    let offset = self.shard.join(socket, one.id, &one.wish(), one.extras.clone());
                    one.joined = Joined::Yes(offset);
                    offset
                }
            };
            // Up to where the group was joined, the log has to be read; the shard tells what comes after.
            if cursor >= joined {
                self.shard.go_live(socket, one.id, cursor);
                one.place = Place::Live;
                one.live_from = cursor;
                one.set_back.clear();
            }
        }
    }

    fn is_anything_behind(&self) -> bool {
        self.state.borrow().subscriptions.iter().any(|one| matches!(one.place, Place::Behind(_)))
    }

    /// The log no longer has what some units have not been told.
    fn lost(&self, floor: Offset) {
        let lost: Vec<WatchId> = self
            .state
            .borrow()
            .subscriptions
            .iter()
            .filter(|one| matches!(one.place, Place::Behind(cursor) if cursor < floor))
            .map(|one| one.id)
            .collect();
        for id in lost {
            self.start_over(id, Reason::Retention);
        }
    }

    fn fail(&self, error: &crate::error::Error) {
        tracing::error!(error = %error.chain(), "the log cannot be read");
        self.close(Goodbye::Internal);
    }
}
