//! The metadata of a file: read, and patched.

use super::FilesApi;
use super::answer;
use super::asker::Asker;
use super::body;
use super::failure::Failure;
use super::mutation::{Mutation, carry_out};
use super::patching::PatchRequest;
use super::visit::{Author, Visit};
use crate::audience::Role;
use crate::files::rows::{File, Told};
use crate::patch::Ops;
use crate::patch::reversible::{self, Tuples};
use crate::store::transaction::{Intent, Lock};
use async_trait::async_trait;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// `GET /files/KEY`.
pub(super) async fn read(api: &FilesApi, asker: &Asker, key: &str) -> Result<Response, Failure> {
    let mut visit = Visit::begin(api, asker, Intent::Read).await?;
    let (file, role) = visit.enter(key, Lock::No).await?;
    Ok(answer::json(StatusCode::OK, &visit.shown(&file, role).await?))
}

/// `PATCH /files/KEY`: answers what everybody is told.
pub(super) async fn patch(api: &FilesApi, asker: &Asker, key: String, request: Request) -> Result<Response, Failure> {
    let request = PatchRequest::read(body::json(request).await?)?.of_file()?;
    let told = carry_out(api, asker, &MetaPatch { key, request }).await?;
    Ok(answer::json(StatusCode::OK, &told.to_value()))
}

struct MetaPatch {
    key: String,
    request: PatchRequest,
}

#[async_trait]
impl Mutation for MetaPatch {
    type Done = Told;

    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<Told, Failure> {
        let (file, _) = visit.enter_as(Role::Writer, &self.key, Lock::Change).await?;
        let before = visit.document(&file).await?;
        let mut applied = reversible::apply(&before, &self.request.ops)?;
        if self.request.ops.is_empty() {
            return Ok(self.request.told(&applied));
        }
        if !applied.document["info"].is_object() {
            return Err(Failure::malformed_patch());
        }
        let (ops, tuples) = touch(&mut applied.document, &visit.author().await?, visit.now);
        applied.patch.append(ops);
        applied.revert.append(tuples);
        let told = self.request.told(&applied);
        write(visit, applied.document, told.clone()).await?;
        Ok(told)
    }
}

/// Says in a file's document that it was modified, and what of it changed by that. Times of one file only grow.
pub(super) fn touch(document: &mut Value, author: &Author, now: i64) -> (Ops, Tuples) {
    let before = document["lastModified"].take();
    let previous = before.get("time").and_then(Value::as_i64).unwrap_or(0);
    let after = author.at(now.max(previous.saturating_add(1)));
    document["lastModified"] = after.clone();
    reversible::diff(&json!({"lastModified": before}), &json!({"lastModified": after}))
}

/// Writes a live file as its document is now, and what is told of the change.
pub(super) async fn write(visit: &mut Visit<'_>, document: Value, told: Told) -> Result<(), Failure> {
    let Value::Object(members) = document else { return Err(Failure::malformed_patch()) };
    let mut file = File::read(members).ok_or_else(Failure::malformed_patch)?;
    file.change = Some(visit.change_told(told));
    let api = visit.api;
    Ok(visit.update(&api.files, &file.key, file.members()).await?)
}
