//! Many files at once.

use super::Api;
use super::answer;
use super::asker::Asker;
use super::body;
use super::failure::Failure;
use super::visit::Visit;
use crate::store::transaction::Intent;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// At most so many.
const MOST: usize = 1_000;

/// `POST /files/batch`: null for what is nothing to the asker.
pub(super) async fn post(State(api): State<Api>, asker: Asker, request: Request) -> Result<Response, Failure> {
    let keys = keys(&body::json(request).await?)
        .ok_or_else(|| Failure::malformed("Expected list of file keys in the message."))?;
    let mut visit = Visit::begin(&api, &asker, Intent::Read).await?;
    visit.read_files(&keys).await?;
    let mut files = Vec::with_capacity(keys.len());
    for key in &keys {
        files.push(visit.file(key).await?);
    }
    visit.foresee(files.iter().flatten()).await?;
    let mut items = Vec::with_capacity(keys.len());
    for file in files {
        items.push(match file {
            Some(file) => visit.item(&file).await?.unwrap_or_default(),
            None => Value::Null,
        });
    }
    Ok(answer::json(StatusCode::OK, &json!({ "items": items })))
}

fn keys(body: &Value) -> Option<Vec<Arc<str>>> {
    let keys = body.as_array().filter(|keys| keys.len() <= MOST)?;
    keys.iter().map(|key| key.as_str().map(Arc::from)).collect()
}
