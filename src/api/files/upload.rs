//! Contents as a whole: put for the first time in silence, replaced by a patch that everybody is told.

use super::Api;
use super::answer;
use super::asker::Asker;
use super::body;
use super::contents::{is_json, must_have_contents};
use super::failure::Failure;
use super::mutation::{Mutation, carry_out};
use super::patching::difference;
use super::query::{Alt, Parameters};
use super::routes::Key;
use super::visit::Visit;
use crate::audience::Role;
use crate::files::rows::Media;
use crate::store::transaction::Lock;
use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

/// `PUT /files/KEY?alt=media`.
pub(super) async fn put(
    State(api): State<Api>,
    asker: Asker,
    Key(key): Key,
    request: Request,
) -> Result<Response, Failure> {
    Parameters::of(request.uri().query()).only_media(Alt::Meta)?;
    let mime = body::mime(request.headers())?;
    let bytes = body::bytes(request).await?;
    let value = match is_json(&mime) {
        true => body::parse(&bytes)?,
        false => Value::from(body::text(&bytes)?),
    };
    if value.is_null() {
        return Err(Failure::no_contents());
    }
    let upload = Upload { key, mime: mime.into(), value };
    carry_out(&api, &asker, &upload).await?;
    Ok(answer::stored(&upload.key))
}

struct Upload {
    key: String,
    mime: Arc<str>,
    value: Value,
}

#[async_trait]
impl Mutation for Upload {
    type Done = ();

    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<(), Failure> {
        let (file, _) = visit.enter_as(Role::Writer, &self.key, Lock::Change).await?;
        must_have_contents(&file)?;
        let api = visit.api;
        let stored = api.media.get(&mut *visit.transaction, &file.key, Lock::Change, Media::read).await?;
        let mut media = Media {
            key: file.key.clone(),
            mime: self.mime.clone(),
            value: self.value.clone(),
            revised: 0,
            deleted: false,
            change: Some(visit.change()),
        };
        let Some(stored) = stored else {
            return Ok(visit.insert(&api.media, &file.key, media.members()).await?);
        };
        media.revised = stored.revised;
        if !stored.deleted {
            if stored.kind().is_some() || media.kind().is_some() {
                return Err(Failure::not_replaceable(&self.key));
            }
            media.change = match stored.value == media.value {
                // Then nothing is told, as of any write that changes nothing.
                true => stored.change,
                false => Some(visit.change_told(difference(&visit.n, &stored.value, &self.value))),
            };
        }
        Ok(visit.update(&api.media, &file.key, media.members()).await?)
    }
}
