//! The history of a file's contents.

use super::Api;
use super::answer;
use super::asker::Asker;
use super::failure::Failure;
use super::page::Page;
use super::query::{Alt, Parameters};
use super::routes::Key;
use super::visit::{Visit, is_by};
use crate::files::rows::Revision;
use crate::filter::{Filter, Test};
use crate::query::Direction;
use crate::store::transaction::{Intent, Lock};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

/// `GET /files/KEY/revisions`: the newest first.
pub(super) async fn list(State(api): State<Api>, asker: Asker, Key(key): Key, uri: Uri) -> Result<Response, Failure> {
    let parameters = Parameters::of(uri.query());
    parameters.only_media(Alt::Media)?;
    let mut page = Page::read(&parameters)?;
    let mut visit = Visit::begin(&api, &asker, Intent::Read).await?;
    let (file, _) = visit.enter(&key, Lock::No).await?;
    let table = &api.revisions;
    let mut question = table.all().and(table.is("key", &file.key)).and(table.live());
    if let Some(after) = &page.after {
        question = question.and(Filter::range(table.path("id"), Test::Less, &json!(after)));
    }
    let question = question.sorted(table.by("id", Direction::Descending)).at_most(page.limit);
    let revisions = table.find(&mut *visit.transaction, question, Revision::read).await?;
    page.after = revisions.last().map(|revision| revision.id.to_string()).or(page.after);
    let items: Vec<Value> = revisions.iter().map(|revision| shown(revision, &asker)).collect();
    Ok(answer::json(StatusCode::OK, &json!({"items": items, "cursor": page.cursor()})))
}

fn shown(revision: &Revision, asker: &Asker) -> Value {
    let mut document = revision.document();
    document["modification"]["byMe"] = is_by(&revision.modification, &asker.subject).into();
    document
}
