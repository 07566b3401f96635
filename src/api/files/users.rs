//! Who uses the store, who has access to a file, and what the store is.

use super::Api;
use super::answer;
use super::asker::Asker;
use super::failure::Failure;
use super::routes::Key;
use super::visit::Visit;
use crate::audience::Who;
use crate::files::rows::{Members, User};
use crate::store::transaction::{Intent, Lock};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `GET /store`: for everybody.
pub(super) async fn store(State(api): State<Api>, uri: Uri) -> Response {
    let mut hosting = json!({"port": api.settings.port});
    if let Some(prefix) = uri.path().strip_suffix("/store").filter(|prefix| !prefix.is_empty()) {
        hosting["prefix"] = json!(prefix);
    }
    let store = json!({
        "auth": {"path": "/auth/login"},
        "hosting": hosting,
        "mode": "multi-user",
        "capabilities": ["files"],
    });
    answer::json(StatusCode::OK, &store)
}

/// `GET /users/me`: JSON that does not say so, as clients know it.
pub(super) async fn me(State(api): State<Api>, asker: Result<Asker, Failure>) -> Result<Response, Failure> {
    let asker = asker.map_err(|failure| failure.with_location("/sessions"))?;
    let mut visit = Visit::begin(&api, &asker, Intent::Read).await?;
    let user = match visit.user(&asker.subject).await? {
        Some(user) => user,
        None => by_claims(&asker),
    };
    let body = user.document().to_string();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

/// `GET /files/KEY/users`: who was given access, in order; not the owner.
pub(super) async fn list(State(api): State<Api>, asker: Asker, Key(key): Key) -> Result<Response, Failure> {
    let mut visit = Visit::begin(&api, &asker, Intent::Read).await?;
    let (file, _) = visit.enter(&key, Lock::No).await?;
    let mut items = Vec::new();
    for permission in visit.permissions(&file.key).await?.iter() {
        if let Who::Subject(subject) = &permission.who
            && *subject != file.owner
        {
            let unknown = || User {
                key: subject.clone(),
                name: permission.display_name.clone().unwrap_or_else(|| subject.clone()),
                rest: Members::new(),
            };
            items.push(visit.user(subject).await?.unwrap_or_else(unknown).document());
        }
    }
    Ok(answer::json(StatusCode::OK, &json!({ "items": items })))
}

/// Somebody as the token knows them.
fn by_claims(asker: &Asker) -> User {
    let known = ["email", "picture", "tags", "locale"];
    let rest = known.into_iter().filter_map(|name| Some((name.to_owned(), asker.claim(name)?.clone())));
    User {
        key: asker.subject.clone(),
        name: asker.name().unwrap_or_else(|| asker.subject.clone()),
        rest: rest.collect(),
    }
}
