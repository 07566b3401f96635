//! Expired permissions, deleted: those who had them are told so, and the lists of them shrink.

use super::meta;
use super::patching::difference;
use super::table::Table;
use super::visit::Author;
use crate::error::{Kind, Result};
use crate::files::rows::{Change, File, Permission};
use crate::filter::{Filter, Test};
use crate::store::Store;
use crate::store::transaction::{Intent, Lock, Transaction};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// Permissions that are looked for at a time.
const AT_A_TIME: usize = 100;

/// Who deletes them, where that is written.
const SWEEPER: &str = "tidings";

/// Deletes expired permissions.
pub struct Sweeper {
    pub store: Arc<dyn Store>,
    pub files: Table,
    pub permissions: Table,
}

impl Sweeper {
    /// Deletes the permissions that expired before this time (milliseconds since 1970); how many there were.
    ///
    /// Those of one file are one transaction, like a request that removes them. What somebody else deleted or
    /// prolonged meanwhile is left alone.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn sweep(&self, now: i64) -> Result<usize> {
        let mut swept = 0;
        loop {
            let mut some = 0;
            for file in self.files_with_expired(now).await? {
                some += match self.sweep_file(&file, now).await {
                    // Others came between; they may have done the same.
                    Err(error) if error.kind() == Kind::Conflict => 0,
                    done => done?,
                };
            }
            if some == 0 {
                return Ok(swept);
            }
            swept += some;
        }
    }

    /// Some of the files that have any.
    async fn files_with_expired(&self, now: i64) -> Result<BTreeSet<Arc<str>>> {
        let mut transaction = self.store.begin(Intent::Read).await?;
        let expired = Filter::range(self.permissions.path("expirationTime"), Test::Less, &json!(now));
        let question = self.permissions.all().and(self.permissions.live()).and(expired).at_most(AT_A_TIME);
        let found = self.permissions.find(&mut *transaction, question, Permission::read).await?;
        Ok(found.into_iter().map(|permission| permission.file).collect())
    }

    async fn sweep_file(&self, key: &str, now: i64) -> Result<usize> {
        let mut transaction = self.store.begin(Intent::Change).await?;
        let file = self.files.get(&mut *transaction, key, Lock::Change, File::read).await?;
        let of_it = self.permissions.all().and(self.permissions.is("file", key)).and(self.permissions.live());
        let mut live = self.permissions.find(&mut *transaction, of_it, Permission::read).await?;
        live.sort_by(Permission::by_order);
        let is_expired = |one: &Permission| one.expiration_time.is_some_and(|until| until < now);
        let (expired, left): (Vec<_>, Vec<_>) = live.iter().cloned().partition(is_expired);
        let n: Arc<str> = Uuid::new_v4().simple().to_string().into();
        let swept = expired.len();
        for permission in expired {
            let (deleted_time, deleting_user) = (Some(now), Some(SWEEPER.into()));
            let permission =
                Permission { deleted: true, deleted_time, deleting_user, n: Some(n.clone()), ..permission };
            self.permissions.update(&mut *transaction, &permission.key, permission.members()).await?;
        }
        if let Some(file) = file.filter(|file| !file.deleted && swept > 0) {
            self.tell(&mut *transaction, &file, &live, &left, n, now).await?;
        }
        transaction.commit().await?;
        Ok(swept)
    }

    /// Writes the file, of which everybody is told that its lists have shrunk.
    async fn tell(
        &self,
        transaction: &mut dyn Transaction,
        file: &File,
        live: &[Permission],
        left: &[Permission],
        n: Arc<str>,
        now: i64,
    ) -> Result<()> {
        let (before, mut after) = (file.document(live), file.document(left));
        meta::touch(&mut after, &Author::named(SWEEPER), now);
        let told = difference(&n, &before, &after);
        let change = Change { n, told: Some(told), user: Some(SWEEPER.into()) };
        let Value::Object(members) = after else { return Ok(()) };
        let Some(file) = File::read(members) else { return Ok(()) };
        let file = File { change: Some(change.to_value()), ..file };
        self.files.update(transaction, &file.key, file.members()).await
    }
}
