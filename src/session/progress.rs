//! `progress`: quiet is not the same as stalled. A watch that asked for it hears, after a while without a
//! message, up to where and when everything was told.

use crate::event::Timestamp;
use crate::message::Notice;
use crate::session::Session;
use crate::session::subscription::Place;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long to wait for the shard to hand out what the log already has.
const LOOK: Duration = Duration::from_millis(20);

impl Session {
    /// Sees to it that watches with progress hear of it.
    pub(super) fn report_progress(self: &Rc<Self>) {
        if !std::mem::replace(&mut self.state.borrow_mut().is_reporting_progress, true) {
            let session = Rc::clone(self);
            tokio::task::spawn_local(async move { session.reporting_progress().await });
        }
    }

    async fn reporting_progress(self: Rc<Self>) {
        while let Some(due) = self.next_due() {
            let wait = due.saturating_duration_since(Instant::now());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shard.ended(self.socket.get()) => break,
            }
            // Everything that the log has by now must have been handed out before that can be said.
            let (time, last) = (Timestamp::now(), self.shard.log.last());
            while self.shard.processed() < last && self.is_open() {
                self.shard.advance(LOOK).await;
            }
            if !self.shard.room_for_pushes(self.socket.get()).await {
                break;
            }
            self.tell_progress(time);
        }
        self.state.borrow_mut().is_reporting_progress = false;
    }

    fn next_due(&self) -> Option<Instant> {
        let state = self.state.borrow();
        let dues = state.subscriptions.iter().filter_map(|one| {
            let last = one.extras.as_ref()?.last_told()?;
            Some(last + one.progress?)
        });
        dues.min()
    }

    fn tell_progress(&self, time: Timestamp) {
        let now = Instant::now();
        let processed = self.shard.processed();
        for one in &self.state.borrow().subscriptions {
            let (Some(extras), Some(interval)) = (&one.extras, one.progress) else { continue };
            if extras.last_told().is_some_and(|last| now < last + interval) {
                continue;
            }
            extras.touch(now);
            if one.place == Place::Live {
                // It may have been told from the log what the shard has yet to hand out.
                let position = self.shard.hub.position(processed.max(one.live_from));
                self.tell(one.address(), &Notice::Progress { position, time });
            }
        }
    }
}
