//! What is told of a new row of revisions.

use super::{FilesReplica, Turn, Version};
use crate::event;
use crate::files::message::{About, Message, Operation};
use crate::files::rows::Revision;

/// The kind of every revision.
const KIND: &str = "Core#Revision";

impl FilesReplica {
    /// Tells of a revision that was made; whether the row could be read.
    pub(super) fn take_revision(&mut self, turn: &mut Turn<'_>) -> bool {
        if turn.event.operation != event::Operation::Created {
            return true;
        }
        let Version::Read(revision) = turn.after(Revision::read) else { return false };
        if self.known.live_file(&revision.key).is_some() {
            let message = Message {
                file: revision.key.clone(),
                about: About::Contents,
                operation: Operation::Created,
                kind: KIND.into(),
                id: revision.id.clone(),
                parent: Some(revision.key.clone()),
                data: Some(revision.document()),
            };
            turn.tell(message, &self.known.rights(&revision.key));
        }
        true
    }
}
