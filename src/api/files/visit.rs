//! What one request does in the store: one transaction, in which files are read together with who may do what.
//!
//! Roles are judged by what the transaction reads, never from memory, so a request sees what the one before it left.

use super::FilesApi;
use super::asker::Asker;
use super::failure::Failure;
use super::table::Table;
use crate::audience::{Rights, Role};
use crate::error::Result;
use crate::event::Timestamp;
use crate::files::capabilities::capabilities;
use crate::files::known::{MAX_DEPTH, own_levels};
use crate::files::rows::{CHANGE, Change, File, Members, Permission, Told, User, n_of};
use crate::store::transaction::{Intent, Lock, Transaction};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// A transaction of somebody, with what it has read so far.
pub(super) struct Visit<'a> {
    pub(super) api: &'a FilesApi,
    pub(super) asker: &'a Asker,
    pub(super) transaction: Box<dyn Transaction + 'a>,
    /// Milliseconds since 1970, the same for all of it.
    pub(super) now: i64,
    /// Names what it changes, in every row that it writes.
    pub(super) n: Arc<str>,
    /// How many rows were written that bear the change id.
    pub(super) written: usize,
    files: HashMap<Arc<str>, Option<Arc<File>>>,
    /// Live ones, in the order in which they were given.
    permissions: HashMap<Arc<str>, Arc<[Permission]>>,
}

/// Whether a modification is somebody's own.
pub(super) fn is_by(modification: &Value, subject: &str) -> bool {
    modification.get("user").and_then(Value::as_str) == Some(subject)
}

/// Somebody who changes something, as files remember it.
pub(super) struct Author {
    user: Arc<str>,
    name: Arc<str>,
}

impl<'a> Visit<'a> {
    pub(super) async fn begin(api: &'a FilesApi, asker: &'a Asker, intent: Intent) -> Result<Visit<'a>> {
        Ok(Visit {
            api,
            asker,
            transaction: api.store.begin(intent).await?,
            now: Timestamp::now().0,
            n: Uuid::new_v4().simple().to_string().into(),
            written: 0,
            files: HashMap::new(),
            permissions: HashMap::new(),
        })
    }

    /// A live file on which the asker has a role, with that role.
    ///
    /// # Errors
    /// 404 for one that is not there, was deleted, or is nothing to the asker.
    pub(super) async fn enter(&mut self, key: &str, lock: Lock) -> std::result::Result<(Arc<File>, Role), Failure> {
        let api = self.api;
        let file = api.files.get(&mut *self.transaction, key, lock, File::read).await?.map(Arc::new);
        self.files.insert(key.into(), file.clone());
        let file = file.filter(|file| !file.deleted).ok_or_else(Failure::not_found)?;
        let role = self.role(&file).await?.ok_or_else(Failure::not_found)?;
        Ok((file, role))
    }

    /// The same, for who needs at least some role.
    ///
    /// # Errors
    /// Also 403, where the role is too low.
    pub(super) async fn enter_as(
        &mut self,
        needed: Role,
        key: &str,
        lock: Lock,
    ) -> std::result::Result<(Arc<File>, Role), Failure> {
        let (file, role) = self.enter(key, lock).await?;
        if role < needed { Err(Failure::insufficient()) } else { Ok((file, role)) }
    }

    /// What the asker may do with a file: as its owner, by its permissions, or by those of its parents, the nearest
    /// first. A parent that is gone ends the search.
    pub(super) async fn role(&mut self, file: &Arc<File>) -> Result<Option<Role>> {
        self.foresee([file]).await?;
        let mut file = file.clone();
        for _ in 0..MAX_DEPTH {
            if file.deleted {
                return Ok(None);
            }
            let levels = own_levels(&file.owner, &*self.permissions(&file.key).await?);
            let role = Rights::new(levels.into()).role(&self.asker.sight, self.now);
            let parent = match (role, file.parent()) {
                (None, Some(parent)) => self.file(parent).await?,
                (role, _) => return Ok(role),
            };
            match parent {
                Some(parent) => file = parent,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Reads in one go what will be asked of these files: permissions, parents and theirs.
    pub(super) async fn foresee<'f>(&mut self, files: impl IntoIterator<Item = &'f Arc<File>>) -> Result<()> {
        let mut keys: Vec<Arc<str>> = Vec::new();
        for file in files {
            self.files.insert(file.key.clone(), Some(file.clone()));
            keys.extend(file.parents.iter().rev().take(MAX_DEPTH).cloned());
            keys.push(file.key.clone());
        }
        self.read_files(&keys).await?;
        self.read_permissions(&keys).await
    }

    /// Files by key, deleted ones too; `None` where there is none.
    pub(super) async fn read_files(&mut self, keys: &[Arc<str>]) -> Result<()> {
        let unknown: Vec<_> = keys.iter().filter(|key| !self.files.contains_key(*key)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let table = &self.api.files;
        let question = table.all().and(table.is_among("key", unknown.iter().map(|key| &**key)));
        let found = table.find(&mut *self.transaction, question, File::read).await?;
        self.files.extend(unknown.into_iter().map(|key| (key, None)));
        self.files.extend(found.into_iter().map(|file| (file.key.clone(), Some(Arc::new(file)))));
        Ok(())
    }

    async fn read_permissions(&mut self, keys: &[Arc<str>]) -> Result<()> {
        let unknown: Vec<_> = keys.iter().filter(|key| !self.permissions.contains_key(*key)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let table = &self.api.permissions;
        let of_these = table.is_among("file", unknown.iter().map(|key| &**key));
        let question = table.all().and(of_these).and(table.live());
        let mut found = table.find(&mut *self.transaction, question, Permission::read).await?;
        found.sort_by(Permission::by_order);
        let mut by_file: HashMap<Arc<str>, Vec<Permission>> =
            unknown.into_iter().map(|key| (key, Vec::new())).collect();
        for permission in found {
            by_file.entry(permission.file.clone()).or_default().push(permission);
        }
        self.permissions.extend(by_file.into_iter().map(|(key, permissions)| (key, permissions.into())));
        Ok(())
    }

    /// A file as this transaction has read it.
    pub(super) async fn file(&mut self, key: &Arc<str>) -> Result<Option<Arc<File>>> {
        self.read_files(std::slice::from_ref(key)).await?;
        Ok(self.files.get(key).cloned().flatten())
    }

    /// The live permissions of a file, in the order in which they were given.
    pub(super) async fn permissions(&mut self, key: &Arc<str>) -> Result<Arc<[Permission]>> {
        self.read_permissions(std::slice::from_ref(key)).await?;
        Ok(self.permissions.get(key).cloned().unwrap_or_default())
    }

    /// A file as everybody with a role sees it, but for what depends on who that is.
    pub(super) async fn document(&mut self, file: &File) -> Result<Value> {
        Ok(file.document(&*self.permissions(&file.key).await?))
    }

    /// A file as the asker sees it.
    pub(super) async fn shown(&mut self, file: &File, role: Role) -> Result<Value> {
        let mut document = self.document(file).await?;
        document["capabilities"] = capabilities(&file.kind, role);
        document["lastModified"]["byMe"] = is_by(&document["lastModified"], &self.asker.subject).into();
        Ok(document)
    }

    /// Writes a new row.
    pub(super) async fn insert(&mut self, table: &Table, id: &str, members: Members) -> Result<()> {
        self.count(&members);
        table.insert(&mut *self.transaction, id, members).await
    }

    /// Writes another version of a row.
    pub(super) async fn update(&mut self, table: &Table, id: &str, members: Members) -> Result<()> {
        self.count(&members);
        table.update(&mut *self.transaction, id, members).await
    }

    fn count(&mut self, members: &Members) {
        if members.get(CHANGE).and_then(n_of).is_some_and(|n| n == self.n) {
            self.written += 1;
        }
    }

    /// The change record of a row that is new or gone: there is nothing more to be told of it.
    pub(super) fn change(&self) -> Value {
        Change { n: self.n.clone(), told: None, user: None }.to_value()
    }

    /// The change record of a row of which this is told.
    pub(super) fn change_told(&self, told: Told) -> Value {
        Change { n: self.n.clone(), told: Some(told), user: Some(self.asker.subject.clone()) }.to_value()
    }

    /// Somebody, if the store knows its users and this is one.
    pub(super) async fn user(&mut self, key: &str) -> Result<Option<User>> {
        match &self.api.users {
            Some(users) => users.get(&mut *self.transaction, key, Lock::No, User::read).await,
            None => Ok(None),
        }
    }

    /// The asker, by the name that the store knows, or the token, or none.
    pub(super) async fn author(&mut self) -> Result<Author> {
        let user = self.asker.subject.clone();
        let name = self.user(&user).await?.map(|user| user.name);
        Ok(Author { name: name.or_else(|| self.asker.name()).unwrap_or_else(|| user.clone()), user })
    }
}

impl Author {
    /// Somebody of whom no more is known.
    pub(super) fn named(name: &str) -> Author {
        Author { user: name.into(), name: name.into() }
    }

    /// `{"user","name","time"}`.
    pub(super) fn at(&self, time: i64) -> Value {
        json!({"user": &*self.user, "name": &*self.name, "time": time})
    }
}
