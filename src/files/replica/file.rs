//! What is told of a changed row of files.

use super::{FilesReplica, Turn, is_own_write};
use crate::audience::Rights;
use crate::files::known::KnownFile;
use crate::files::message::{About, Message, Operation};
use crate::files::rows::File;
use serde_json::Value;

impl FilesReplica {
    /// Moves what is known; whether the row could be read.
    pub(super) fn take_file(&mut self, turn: &mut Turn<'_>) -> bool {
        let key = &turn.event.id;
        let version = turn.after(File::read);
        let is_read = !version.is_unreadable();
        let after = version.read();
        let known = after.as_ref().map(KnownFile::from);
        let before = match turn.is_late {
            true => turn.late_before(turn.before(File::read).as_ref().map(KnownFile::from), known.as_ref()),
            false => self.known.file(key).cloned(),
        };
        if !turn.is_late {
            self.known.put_file(key, known.clone());
        }
        let was = before.as_ref().filter(|file| !file.deleted);
        let is = known.as_ref().filter(|file| !file.deleted);
        match (was, is, after) {
            (None, Some(known), Some(file)) => {
                let data = file.document(&self.known.permissions_of(key));
                let message = Message::of_file(About::Metadata, key, known, Operation::Created, Some(data));
                turn.tell(message, &self.rights_of(key, known));
            }
            (Some(was), Some(known), Some(file)) => {
                if let Some(patch) = patch(turn, was, &file) {
                    let message = Message::of_file(About::Metadata, key, known, Operation::Patch, Some(patch));
                    turn.tell(message, &self.rights_of(key, known));
                }
            }
            (Some(was), None, _) if is_read => {
                let rights = self.rights_of(key, was);
                for about in [About::Metadata, About::Contents] {
                    turn.tell(Message::of_file(about, key, was, Operation::Deleted, None), &rights);
                }
            }
            _ => {}
        }
        is_read
    }

    /// Who has a role on a file in this version; where something newer is known of it, that decides.
    fn rights_of(&self, key: &str, file: &KnownFile) -> Rights {
        self.known.rights_on(key, self.known.live_file(key).unwrap_or(file))
    }
}

/// What is told of a live file that stays live, if it is told anything.
fn patch(turn: &mut Turn<'_>, was: &KnownFile, file: &File) -> Option<Value> {
    let n = KnownFile::from(file).n;
    if let Some(patch) = turn.recorded(is_own_write(was.n.as_ref(), n.as_ref()), file.change.as_ref()) {
        return Some(patch);
    }
    let after = Value::Object(file.stored.clone());
    match turn.before(File::read) {
        Some(before) => turn.difference(&Value::Object(before.stored), &after),
        None => turn.set_whole(&after),
    }
}
