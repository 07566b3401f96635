//! What is told of a changed row of media.

use super::{FilesReplica, Turn, is_own_write};
use crate::files::known::KnownMedia;
use crate::files::message::{About, Message, Operation};
use crate::files::rows::Media;
use serde_json::Value;

impl FilesReplica {
    /// Moves what is known; whether the row could be read.
    pub(super) fn take_media(&mut self, turn: &mut Turn<'_>) -> bool {
        let key = &turn.event.id;
        let version = turn.after(Media::read);
        let is_read = !version.is_unreadable();
        let after = version.read();
        let known = after.as_ref().map(KnownMedia::from);
        let before = match turn.is_late {
            true => turn.late_before(turn.before(Media::read).as_ref().map(KnownMedia::from), known.as_ref()),
            false => self.known.media(key).cloned(),
        };
        if !turn.is_late {
            self.known.put_media(key, known.clone());
        }
        let Some(file) = self.known.live_file(key).cloned() else { return is_read };
        let was = before.filter(|media| !media.deleted);
        match (was, after.filter(|media| !media.deleted)) {
            (Some(was), Some(media)) => {
                if let Some(patch) = patch(turn, &was, &media) {
                    let kind = media.kind().map_or(file.kind.clone(), Into::into);
                    let message = Message::of_file(About::Contents, key, &file, Operation::Patch, Some(patch));
                    turn.tell(Message { kind, ..message }, &self.known.rights(key));
                }
            }
            (Some(_), None) if is_read => {
                let message = Message::of_file(About::Contents, key, &file, Operation::Deleted, None);
                turn.tell(message, &self.known.rights(key));
            }
            _ => {}
        }
        is_read
    }
}

/// What is told of contents that stay, if anything is.
fn patch(turn: &mut Turn<'_>, was: &KnownMedia, media: &Media) -> Option<Value> {
    let n = KnownMedia::from(media).n;
    if let Some(patch) = turn.recorded(is_own_write(was.n.as_ref(), n.as_ref()), media.change.as_ref()) {
        return Some(patch);
    }
    match turn.before(Media::read) {
        Some(before) => turn.difference(&before.value, &media.value),
        None => turn.set_whole(&media.value),
    }
}
