//! Which paths there are, and what answers them. `/file` is `/files`.

use super::asker::Asker;
use super::failure::Failure;
use super::query::{Alt, Parameters};
use super::{
    Api, FilesApi, batch, contents, create, delete, listing, meta, revisions, sessions, sharing, upload, users,
};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, RawPathParams, Request, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use std::sync::Arc;

/// Below what there is, everything else is nothing; behind a prefix, everything.
const UNKNOWN: [&str; 6] = [
    "/{*rest}",
    "/users/{*rest}",
    "/files/{key}/{what}",
    "/file/{key}/{what}",
    "/files/{key}/{what}/{*rest}",
    "/file/{key}/{what}/{*rest}",
];

/// The routes, behind every prefix.
pub fn router(api: FilesApi) -> Router {
    let mut router: Router<Api> = Router::new();
    for prefix in &api.settings.prefixes {
        let mut routes: Vec<(String, MethodRouter<Api>)> = vec![
            ("/store".to_owned(), get(users::store)),
            ("/users/me".to_owned(), get(users::me)),
            ("/sessions".to_owned(), post(sessions::post)),
            ("/shared".to_owned(), get(listing::shared)),
        ];
        for files in ["/files", "/file"] {
            let file = get(read).patch(patch).put(upload::put).delete(delete::delete);
            routes.extend([
                (files.to_owned(), get(listing::list).post(create::post)),
                (format!("{files}/batch"), post(batch::post)),
                (format!("{files}/{{key}}"), file),
                (format!("{files}/{{key}}/users"), get(users::list).patch(sharing::patch)),
                (format!("{files}/{{key}}/revisions"), get(revisions::list)),
            ]);
        }
        for (path, methods) in routes {
            router = router.route(&format!("{prefix}{path}"), methods.fallback(async || Failure::wrong_method()));
        }
        for rest in if prefix.is_empty() { &UNKNOWN[1..] } else { &UNKNOWN } {
            router = router.route(&format!("{prefix}{rest}"), any(async || Failure::not_found()));
        }
    }
    let max_body = api.settings.max_body;
    router.layer(DefaultBodyLimit::max(max_body)).with_state(Arc::new(api))
}

/// `GET /files/KEY[?alt=media]`.
async fn read(State(api): State<Api>, asker: Asker, Key(key): Key, uri: Uri) -> Result<Response, Failure> {
    match Parameters::of(uri.query()).alt(Alt::Meta)? {
        Alt::Meta => meta::read(&api, &asker, &key).await,
        Alt::Media => contents::read(&api, &asker, &key).await,
    }
}

/// `PATCH /files/KEY[?alt=media]`.
async fn patch(State(api): State<Api>, asker: Asker, Key(key): Key, request: Request) -> Result<Response, Failure> {
    match Parameters::of(request.uri().query()).alt(Alt::Meta)? {
        Alt::Meta => meta::patch(&api, &asker, key, request).await,
        Alt::Media => contents::patch(&api, &asker, key, request).await,
    }
}

/// The key of the file that a path names.
pub(super) struct Key(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Key, Failure> {
        let parameters = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Failure::not_found())?;
        parameters.iter().next().map(|(_, key)| Key(key.to_owned())).ok_or_else(Failure::not_found)
    }
}
