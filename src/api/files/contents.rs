//! The contents of a file: read, and patched. Each patch leaves a revision.

use super::FilesApi;
use super::answer;
use super::asker::Asker;
use super::body;
use super::failure::Failure;
use super::meta;
use super::mutation::{Mutation, carry_out};
use super::patching::{PatchRequest, has_changed_nature};
use super::visit::Visit;
use crate::audience::Role;
use crate::event::Timestamp;
use crate::files::capabilities::SPACE;
use crate::files::rows::{File, Media, Revision, Told};
use crate::patch::reversible;
use crate::store::transaction::{Intent, Lock};
use async_trait::async_trait;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// `GET /files/KEY?alt=media`.
pub(super) async fn read(api: &FilesApi, asker: &Asker, key: &str) -> Result<Response, Failure> {
    let mut visit = Visit::begin(api, asker, Intent::Read).await?;
    let (file, _) = visit.enter(key, Lock::No).await?;
    must_have_contents(&file)?;
    let media = live(&mut visit, &file, Lock::No).await?.ok_or_else(Failure::not_found)?;
    let text = match &media.value {
        Value::String(text) if !is_json(&media.mime) => text.clone(),
        value => value.to_string(),
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, with_charset(&media.mime))], text).into_response())
}

/// `PATCH /files/KEY?alt=media`: answers what everybody is told.
pub(super) async fn patch(api: &FilesApi, asker: &Asker, key: String, request: Request) -> Result<Response, Failure> {
    let request = PatchRequest::read(body::json(request).await?)?.of_contents()?;
    let told = carry_out(api, asker, &ContentsPatch { key, request }).await?;
    Ok(answer::json(StatusCode::OK, &told.to_value()))
}

struct ContentsPatch {
    key: String,
    request: PatchRequest,
}

#[async_trait]
impl Mutation for ContentsPatch {
    type Done = Told;

    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<Told, Failure> {
        let (file, _) = visit.enter_as(Role::Writer, &self.key, Lock::Change).await?;
        must_have_contents(&file)?;
        let media = live(visit, &file, Lock::Change).await?.ok_or_else(Failure::not_found)?;
        let applied = reversible::apply(&media.value, &self.request.ops)?;
        if applied.document.is_null() {
            return Err(Failure::no_contents());
        }
        if has_changed_nature(&media.value, &applied.document) {
            return Err(Failure::restricted_path(""));
        }
        let (api, told, author) = (visit.api, self.request.told(&applied), visit.author().await?);
        let created = visit.now.max(media.revised.saturating_add(1));
        let revision = Revision {
            id: revision_id(&file.key, created).into(),
            key: file.key.clone(),
            kind: file.kind.clone(),
            created,
            deleted: false,
            patch: told.revert.clone(),
            modification: author.at(created),
            n: Some(visit.n.clone()),
        };
        visit.insert(&api.revisions, &revision.id, revision.members()).await?;
        let change = Some(visit.change_told(told.clone()));
        let media = Media { value: applied.document, revised: created, change, ..media };
        visit.update(&api.media, &file.key, media.members()).await?;
        let mut document = visit.document(&file).await?;
        let (ops, tuples) = meta::touch(&mut document, &author, visit.now);
        let told_of_file = Told { patch: ops.to_value(), revert: tuples.to_value(), ..told.clone() };
        meta::write(visit, document, told_of_file).await?;
        Ok(told)
    }
}

/// The contents of a file, unless there are none.
pub(super) async fn live(visit: &mut Visit<'_>, file: &File, lock: Lock) -> Result<Option<Media>, Failure> {
    let api = visit.api;
    let media = api.media.get(&mut *visit.transaction, &file.key, lock, Media::read).await?;
    Ok(media.filter(|media| !media.deleted))
}

/// Refuses what is about the contents of a file that cannot have any.
pub(super) fn must_have_contents(file: &File) -> Result<(), Failure> {
    match &*file.kind {
        SPACE => Err(Failure::malformed("Spaces have no media. Remove the \"alt\" parameter.")),
        _ => Ok(()),
    }
}

/// Whether contents of this type are JSON.
pub(super) fn is_json(mime: &str) -> bool {
    mime.to_ascii_lowercase().contains("json")
}

/// `~media~KEY~2026-11-21T08:14:47.614Z~`: in the order of these texts revisions were made.
fn revision_id(key: &str, created: i64) -> String {
    format!("~media~{key}~{}~", Timestamp(created))
}

fn with_charset(mime: &str) -> String {
    match mime.to_ascii_lowercase().contains("charset") {
        true => mime.to_owned(),
        false => format!("{mime}; charset=utf-8"),
    }
}
