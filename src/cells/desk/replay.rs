//! What a socket missed, told from the log with the rights of today.

use crate::cells::change;
use crate::cells::desk::{Desk, RIGHTS, Replay, Replayed, Seat, tell};
use crate::cells::feed::{Holds, Logged};
use crate::cells::rights::Record;
use crate::cells::rows::Part;
use crate::dialect::cells::shape::Unreadable;
use crate::event::Operation;
use std::time::Instant;

/// So many frames may be pushed at once when a socket is told from the log no longer.
const LAST: usize = 64;

impl Desk {
    /// Says what a socket is told of some entries; once it has come as far as the desk itself, what happens is pushed
    /// to it.
    pub(super) async fn replay(&mut self, replay: Replay) {
        let Replay { seat, entries, upto, answer } = replay;
        let Some(mut flow) = self.replays.remove(&seat) else { return };
        let now = Instant::now();
        let mut replayed = Replayed { reached: self.upto, ..Replayed::default() };
        let mut changes = Vec::new();
        for logged in entries {
            if matches!(logged.entry.event.operation, Operation::Reset(_)) {
                replayed.is_broken = true;
                break;
            }
            // What cannot be read was counted when it was logged.
            if let Ok(Some(change)) = self.missed(&logged) {
                flow.take(change, logged.entry.offset, now, &mut changes);
            }
        }
        let is_last = upto >= self.upto || replayed.is_broken;
        if replayed.is_broken {
            changes.clear();
        } else if is_last {
            flow.flush(&mut changes);
        }
        for change in &changes {
            tell::one(&self.people, seat, change, self.settings.tells_admins, &mut replayed.frames);
        }
        if is_last && replayed.frames.len() <= LAST {
            // They are in its mailbox before anything that happens next.
            self.hand_out(replayed.frames.drain(..).map(|frame| (seat, frame)).collect()).await;
            replayed.is_live = true;
            let reached = self.upto;
            if let Some(sitting) = self.people.sitting(seat) {
                (sitting.is_live, sitting.told) = (true, Some(reached));
            }
        } else {
            self.replays.insert(seat, flow);
        }
        if answer.send(replayed).is_err() {
            self.leave(seat);
        }
    }

    /// A socket is gone, or is nobody from now on.
    pub(super) fn leave(&mut self, seat: Seat) {
        self.people.rise(seat);
        self.chat.sit(seat, None);
        self.replays.remove(&seat);
    }

    /// What an entry of the past means.
    fn missed(&self, logged: &Logged) -> Result<Option<change::Change>, Unreadable> {
        let event = &logged.entry.event;
        match self.settings.places.at(&event.resource) {
            Some((part, Holds::Rows)) if RIGHTS.contains(&part) => self.missed_identity(part, logged),
            Some((part, holds)) => self.change(part, holds, logged),
            None => Ok(None),
        }
    }

    fn missed_identity(&self, part: Part, logged: &Logged) -> Result<Option<change::Change>, Unreadable> {
        let event = &logged.entry.event;
        if self.settings.places.has_events(Part::IdmChanges) {
            return Ok(None);
        }
        let read = |document| {
            let fields = self.settings.names.fields(part, &event.id, document)?;
            Some((fields.key(), Record::read(part, &fields)?))
        };
        let (before, after) = (event.before.as_ref().and_then(read), event.after.as_ref().and_then(read));
        let record = match (event.operation, before, after) {
            (Operation::Removed, before, _) => before,
            (_, before, after) if before == after => None,
            (_, _, after) => after,
        };
        let idm = record.map(|(key, record)| change::idm(event.operation, &key, &record));
        Ok(idm.transpose()?.map(change::Change::Idm))
    }
}
