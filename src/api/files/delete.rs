//! A file is deleted: it stays in the store, and is nothing to anybody.

use super::Api;
use super::asker::Asker;
use super::contents;
use super::failure::Failure;
use super::mutation::{Mutation, carry_out};
use super::routes::Key;
use super::visit::Visit;
use crate::audience::Role;
use crate::files::rows::{File, Media};
use crate::store::transaction::Lock;
use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;

/// `DELETE /files/KEY`.
pub(super) async fn delete(State(api): State<Api>, asker: Asker, Key(key): Key) -> Result<StatusCode, Failure> {
    carry_out(&api, &asker, &Deletion { key }).await?;
    Ok(StatusCode::NO_CONTENT)
}

struct Deletion {
    key: String,
}

#[async_trait]
impl Mutation for Deletion {
    type Done = ();

    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let (file, role) = visit.enter(&self.key, Lock::Change).await?;
        if role != Role::Owner {
            return Err(Failure::may_not_delete());
        }
        let (api, change) = (visit.api, visit.change());
        let file = File {
            deleted: true,
            deleted_info: Some(visit.author().await?.at(visit.now)),
            change: Some(change.clone()),
            ..File::clone(&file)
        };
        visit.update(&api.files, &file.key, file.members()).await?;
        if let Some(media) = contents::live(visit, &file, Lock::Change).await? {
            let media = Media { deleted: true, change: Some(change), ..media };
            visit.update(&api.media, &file.key, media.members()).await?;
        }
        Ok(())
    }
}
