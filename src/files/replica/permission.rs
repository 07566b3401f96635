//! What is told of a changed row of permissions: to the user whom it is for, and of the file's list of them.

use super::{AccessTo, FilesReplica, Turn, is_own_write};
use crate::audience::{Grant, Rights, Role, Who};
use crate::event;
use crate::files::known::KnownFile;
use crate::files::message::{About, Message, Operation};
use crate::files::rows::Permission;
use serde_json::{Value, json};
use std::sync::Arc;

/// A file's live permissions, and who has a role by them.
struct Sharing {
    permissions: Vec<Permission>,
    rights: Rights,
}

impl FilesReplica {
    /// Moves what is known; whether the row could be read.
    pub(super) fn take_permission(&mut self, turn: &mut Turn<'_>) -> bool {
        let version = turn.after(Permission::read);
        let is_read = !version.is_unreadable();
        let after = version.read();
        let before = match turn.is_late {
            true => turn.late_before(turn.before(Permission::read), after.as_ref()),
            false => self.known.permission(&turn.event.id).cloned(),
        };
        let mut files: Vec<Arc<str>> = [&before, &after].into_iter().flatten().map(|one| one.file.clone()).collect();
        files.dedup();
        let sharings: Vec<Sharing> = files.iter().map(|file| self.sharing(file)).collect();
        if !turn.is_late {
            self.known.put_permission(&turn.event.id, after.clone());
        }
        if !is_read {
            return false;
        }
        for (key, sharing) in files.into_iter().zip(sharings) {
            if let Some(file) = self.known.live_file(&key).cloned() {
                let of_file = |one: &Option<Permission>| one.clone().filter(|one| one.file == key);
                self.tell_sharing(turn, &key, &file, [of_file(&before), of_file(&after)], sharing);
            }
        }
        true
    }

    fn sharing(&self, file: &str) -> Sharing {
        Sharing { permissions: self.known.permissions_of(file), rights: self.known.rights(file) }
    }

    fn tell_sharing(
        &self,
        turn: &mut Turn<'_>,
        key: &Arc<str>,
        file: &KnownFile,
        [before, after]: [Option<Permission>; 2],
        was: Sharing,
    ) {
        let is = self.sharing(key);
        let n = |permission: &Option<Permission>| permission.as_ref().and_then(|one| one.n.clone());
        let is_own_write = is_own_write(n(&before).as_ref(), n(&after).as_ref());
        let is_marker = before.is_none()
            && turn.event.operation == event::Operation::Created
            && after.as_ref().is_some_and(|one| one.deleted);
        let live = |one: Option<Permission>| one.filter(|one| !one.deleted);
        let message = |operation, data| Message::of_file(About::Metadata, key, file, operation, data);
        let removed = |turn: &mut Turn<'_>, permission: &Permission| {
            if let Who::Subject(user) = &permission.who {
                turn.tell(message(Operation::AccessRemoved, None), &self.hearers(user, &was.rights));
            }
        };
        let granted = |turn: &mut Turn<'_>, permission: &Permission| {
            if let Who::Subject(user) = &permission.who {
                let message = message(Operation::AccessGranted, Some(permission.document()));
                turn.tell(message, &self.hearers(user, &is.rights));
            }
        };
        if is_marker {
            after.iter().for_each(|marker| removed(turn, marker));
            return;
        }
        let (lost, given) = (live(before), live(after));
        let is_changed = lost.as_ref().map(Permission::document) != given.as_ref().map(Permission::document);
        match (&lost, &given) {
            (Some(lost), None) => removed(turn, lost),
            (None, Some(given)) => granted(turn, given),
            (Some(lost), Some(given)) if is_changed || is_own_write => {
                if lost.who != given.who {
                    removed(turn, lost);
                }
                granted(turn, given);
            }
            _ => {}
        }
        if is_own_write {
            return;
        }
        let patch = match turn.is_late {
            true if is_changed => turn.set_whole(&listed(&is.permissions)),
            true => None,
            false => turn.difference(&listed(&was.permissions), &listed(&is.permissions)),
        };
        if let Some(patch) = patch {
            turn.tell(message(Operation::Patch, Some(patch)), &is.rights);
        }
    }

    /// Who hears that this user was given or lost a permission, when these have a role.
    fn hearers(&self, user: &Arc<str>, rights: &Rights) -> Rights {
        let own = Rights::of([user.clone()], Role::Reader);
        match self.settings.access_to {
            AccessTo::Affected => own,
            AccessTo::Everyone => {
                let is_named = |grant: &&Grant| grant.who != Who::Anyone;
                let named = |level: &Vec<Grant>| level.iter().filter(is_named).cloned().collect();
                Rights::new(own.levels().iter().cloned().chain(rights.levels().iter().map(named)).collect())
            }
        }
    }
}

/// The part of a file that permissions make.
fn listed(permissions: &[Permission]) -> Value {
    let keys: Vec<&str> = permissions.iter().map(|permission| &*permission.key).collect();
    json!({
        "permissionIds": keys,
        "permissions": permissions.iter().map(Permission::document).collect::<Vec<_>>(),
    })
}
