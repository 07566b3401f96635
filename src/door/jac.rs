//! The way in to pushes: everybody is let in. Whoever shows a good token is its user, everybody else the public one.

use crate::api::admit;
use crate::door::{Admission, Asking, Door};
use crate::event::Timestamp;
use crate::jac::identity::{self, Identity};
use crate::jac::talk::{Exchange, Guest, JacTalk};
use crate::shard::Manners;
use async_trait::async_trait;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use uuid::Uuid;

/// The longest name of a channel, in bytes.
const LONGEST_CHANNEL: usize = 1024;

/// The door of pushes.
pub struct JacDoor {
    pub path: String,
    pub exchange: Arc<Exchange>,
    pub manners: Manners,
    /// The largest message of a client, in bytes.
    pub max_message: usize,
    /// Whether what is shown here counts again for a `change_user` without a token.
    pub keeps_token: bool,
}

#[async_trait]
impl Door for JacDoor {
    fn takes(&self, path: &str) -> bool {
        path == self.path
    }

    fn chooses_protocol(&self) -> bool {
        false
    }

    async fn admit(&self, asking: Asking<'_>) -> Result<Admission, Response> {
        let channel = channel(asking.query).unwrap_or_else(fresh_id);
        if channel.len() > LONGEST_CHANNEL {
            let body = r#"{"detail":"channel_id is too long"}"#;
            let kind = (header::CONTENT_TYPE, "application/json");
            return Err((StatusCode::BAD_REQUEST, [kind], body).into_response());
        }
        let passport = &self.exchange.passport;
        let nobody = passport.public(asking.peer).await.map_err(admit::refuse)?;
        let shown = asking.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let token = shown.and_then(|value| identity::bearer(str::from_utf8(value).ok()?));
        let identity = match &token {
            Some(token) => {
                passport.judge(token, &nobody.lease).await.unwrap_or_else(|_| Identity::public(nobody.lease))
            }
            None => nobody,
        };
        let guest = Guest {
            client: fresh_id().into(),
            channel: channel.into(),
            identity,
            shown: token.filter(|_| self.keeps_token),
        };
        let start = JacTalk::start(guest, self.exchange.clone());
        Ok(Admission { start, manners: self.manners.clone(), max_message: self.max_message })
    }
}

/// The last channel that a query names, where it is not empty.
fn channel(query: Option<&str>) -> Option<String> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.rfind(|(name, _)| *name == "channel_id")?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// An id that nobody has had: the time in seconds, and 32 digits.
fn fresh_id() -> String {
    format!("{}:{}", Timestamp::now().0 / 1000, Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_channel_counts_and_is_decoded() {
        for (query, expected) in [
            ("channel_id=room1", Some("room1")),
            ("channel_id=a&x=1&channel_id=b", Some("b")),
            ("token=t&channel_id=a+b%2Bc%C3%A4", Some("a b+c\u{e4}")),
            ("channel_id=a&channel_id=", None),
            ("channel_id", None),
            ("channel=x", None),
            ("", None),
        ] {
            assert_eq!(channel(Some(query)).as_deref(), expected, "{query}");
        }
        assert_eq!(channel(None), None);
    }

    #[test]
    fn an_id_is_a_time_and_32_digits() {
        let id = fresh_id();
        let (seconds, digits) = id.split_once(':').expect("two parts");
        assert!(seconds.len() >= 10 && seconds.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(digits.as_bytes()[12], b'4', "a uuid of version 4");
        assert_ne!(id, fresh_id());
    }
}
