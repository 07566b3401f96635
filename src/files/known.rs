//! What is known of the rows of a file store without reading them: enough to say who has which role on a file.

use crate::audience::{Grant, Rights, Role, Who};
use crate::files::rows::{File, Media, Order, Permission, n_of};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A chain of parents is followed this far.
pub const MAX_DEPTH: usize = 64;

/// What is held of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownFile {
    pub kind: Arc<str>,
    pub owner: Arc<str>,
    pub parent: Option<Arc<str>>,
    pub deleted: bool,
    /// The change id that its row has.
    pub n: Option<Arc<str>>,
}

/// What is held of contents.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownMedia {
    pub deleted: bool,
    pub n: Option<Arc<str>>,
}

/// Files, permissions and contents by key.
#[derive(Debug, Default)]
pub struct Known {
    files: HashMap<Arc<str>, KnownFile>,
    permissions: HashMap<Arc<str>, Permission>,
    /// The live permissions of each file, in the order in which they were given.
    of_file: HashMap<Arc<str>, BTreeSet<(Order, Arc<str>)>>,
    media: HashMap<Arc<str>, KnownMedia>,
}

impl From<&File> for KnownFile {
    fn from(file: &File) -> KnownFile {
        KnownFile {
            kind: file.kind.clone(),
            owner: file.owner.clone(),
            parent: file.parent().cloned(),
            deleted: file.deleted,
            n: file.change.as_ref().and_then(n_of),
        }
    }
}

impl From<&Media> for KnownMedia {
    fn from(media: &Media) -> KnownMedia {
        KnownMedia { deleted: media.deleted, n: media.change.as_ref().and_then(n_of) }
    }
}

/// What a file gives by itself, nearest first: everything to its owner, then what its live permissions say.
pub fn own_levels<'a>(owner: &Arc<str>, live: impl IntoIterator<Item = &'a Permission>) -> [Vec<Grant>; 2] {
    let owner = Grant { who: Who::Subject(owner.clone()), role: Role::Owner, until: None };
    [vec![owner], live.into_iter().map(Permission::grant).collect()]
}

impl Known {
    /// A file, deleted or not.
    pub fn file(&self, key: &str) -> Option<&KnownFile> {
        self.files.get(key)
    }

    /// A file that is not deleted.
    pub fn live_file(&self, key: &str) -> Option<&KnownFile> {
        self.files.get(key).filter(|file| !file.deleted)
    }

    /// A permission, live or not.
    pub fn permission(&self, key: &str) -> Option<&Permission> {
        self.permissions.get(key)
    }

    /// Contents, deleted or not.
    pub fn media(&self, key: &str) -> Option<&KnownMedia> {
        self.media.get(key)
    }

    /// The live permissions of a file, in order.
    pub fn permissions_of(&self, file: &str) -> Vec<Permission> {
        let live = self.of_file.get(file).into_iter().flatten();
        live.filter_map(|(_, key)| self.permissions.get(key)).cloned().collect()
    }

    /// What is now known of a file; `None`: there is none.
    pub fn put_file(&mut self, key: &Arc<str>, file: Option<KnownFile>) {
        match file {
            Some(file) => drop(self.files.insert(key.clone(), file)),
            None => drop(self.files.remove(key)),
        }
    }

    /// What is now known of contents; `None`: there are none.
    pub fn put_media(&mut self, key: &Arc<str>, media: Option<KnownMedia>) {
        match media {
            Some(media) => drop(self.media.insert(key.clone(), media)),
            None => drop(self.media.remove(key)),
        }
    }

    /// What is now known of a permission; `None`: there is none.
    pub fn put_permission(&mut self, key: &Arc<str>, permission: Option<Permission>) {
        if let Some(old) = self.permissions.remove(key)
            && let Some(live) = self.of_file.get_mut(&old.file)
        {
            live.remove(&(old.order, key.clone()));
            if live.is_empty() {
                self.of_file.remove(&old.file);
            }
        }
        let Some(permission) = permission else { return };
        if !permission.deleted {
            let live = self.of_file.entry(permission.file.clone()).or_default();
            live.insert((permission.order.clone(), key.clone()));
        }
        self.permissions.insert(key.clone(), permission);
    }

    /// Forgets every file, to be told them anew.
    pub fn forget_files(&mut self) {
        self.files.clear();
    }

    /// Forgets every permission.
    pub fn forget_permissions(&mut self) {
        self.permissions.clear();
        self.of_file.clear();
    }

    /// Forgets all contents.
    pub fn forget_media(&mut self) {
        self.media.clear();
    }

    /// Who has a role on a file: its owner, then those with a live permission, then the same of its parents. A
    /// deleted or missing parent ends the search; on a deleted or missing file nobody has one.
    pub fn rights(&self, key: &str) -> Rights {
        self.live_file(key).map_or_else(Rights::default, |file| self.rights_on(key, file))
    }

    /// The same for a file as it is given here.
    pub fn rights_on(&self, key: &str, file: &KnownFile) -> Rights {
        let mut levels = Vec::new();
        let mut next = Some((key, file));
        for _ in 0..MAX_DEPTH {
            let Some((key, file)) = next.filter(|(_, file)| !file.deleted) else { break };
            let live = self.of_file.get(key).into_iter().flatten();
            levels.extend(own_levels(&file.owner, live.filter_map(|(_, key)| self.permissions.get(key))));
            next = file.parent.as_deref().and_then(|parent| Some((parent, self.files.get(parent)?)));
        }
        Rights::new(levels)
    }
}
