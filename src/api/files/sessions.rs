//! Tokens for whoever asks: for developers, where no identity provider is at hand. Each is somebody new.

use super::Api;
use super::failure::Failure;
use crate::auth::Claims;
use crate::event::Timestamp;
use crate::files::rows::{Members, User};
use crate::store::transaction::Intent;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, json};
use std::time::Duration;
use uuid::Uuid;

/// How long a token is good.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// `POST /sessions`: the bare token. Where tokens are not given away, there is no such path.
pub(super) async fn post(State(api): State<Api>) -> Result<Response, Failure> {
    let mint = api.mint.as_ref().ok_or_else(Failure::not_found)?;
    let subject = Uuid::new_v4().to_string();
    let name = format!("User {}", subject.get(..8).unwrap_or(&subject));
    if let Some(users) = &api.users {
        let user = User { key: subject.as_str().into(), name: name.as_str().into(), rest: Members::new() };
        let mut transaction = api.store.begin(Intent::Change).await?;
        users.insert(&mut *transaction, &subject, user.members()).await?;
        transaction.commit().await?;
    }
    let now = Timestamp::now().0 / 1000;
    let mut more = Map::new();
    more.insert("sid".to_owned(), json!(Uuid::new_v4().to_string()));
    more.insert("name".to_owned(), json!(name));
    more.insert("aud".to_owned(), json!("urn:api-client"));
    more.insert("iss".to_owned(), json!("urn:apic-store"));
    let claims = Claims { subject, lifetime: LIFETIME, ..Claims::default() };
    let token = mint.sign_with(&claims, more, now)?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::EXPIRES, http_date(now.saturating_add(LIFETIME.as_secs().cast_signed()))),
    ];
    Ok((StatusCode::OK, headers, token).into_response())
}

/// `Sat, 28 Nov 2026 16:47:57 GMT`.
fn http_date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_wants_it() {
        assert_eq!(http_date(1_795_884_477), "Sat, 28 Nov 2026 16:47:57 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
