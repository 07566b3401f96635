//! Makes tokens, for an operator who has no identity provider at hand.

use crate::auth::Settings;
use crate::error::{Error, Kind, Result};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Whom a token names.
#[derive(Debug, Clone)]
pub struct Claims {
    pub subject: String,
    pub roles: Vec<String>,
    pub workspaces: Vec<String>,
    pub lifetime: Duration,
}

/// Signs tokens.
pub struct Mint {
    header: Header,
    key: EncodingKey,
    settings: Settings,
}

impl Mint {
    /// A mint whose tokens are accepted where `settings` verify. Their secret must be able to sign: of an
    /// algorithm with two keys it must be the private one.
    ///
    /// # Errors
    /// `Configuration` when the secret cannot be read or is no key that signs.
    pub fn new(settings: &Settings) -> Result<Mint> {
        Ok(Mint {
            header: Header::new(settings.algorithm.get()),
            key: settings.algorithm.encoding_key(settings.secret.read()?.as_bytes())?,
            settings: settings.clone(),
        })
    }

    /// A token that is valid from `now`, in seconds since 1970.
    ///
    /// # Errors
    /// `Configuration` when the key cannot sign.
    pub fn sign(&self, claims: &Claims, now: i64) -> Result<String> {
        let expires = now.saturating_add(i64::try_from(claims.lifetime.as_secs()).unwrap_or(i64::MAX));
        let mut body = Map::new();
        body.insert("sub".to_owned(), claims.subject.as_str().into());
        body.insert("iat".to_owned(), now.into());
        body.insert("exp".to_owned(), expires.into());
        for (name, value) in [("iss", &self.settings.issuer), ("aud", &self.settings.audience)] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        put(&mut body, &self.settings.roles_claim, &claims.roles);
        put(&mut body, &self.settings.workspaces_claim, &claims.workspaces);
        jsonwebtoken::encode(&self.header, &body, &self.key).map_err(|error| {
            Error::because(Kind::Configuration, "cannot sign; the secret must be the private key", error)
        })
    }
}

/// Puts words where the verifier looks for them: a dotted name is objects within objects.
fn put(body: &mut Map<String, Value>, name: &str, words: &[String]) {
    if words.is_empty() {
        return;
    }
    match name.split_once('.') {
        None => {
            body.insert(name.to_owned(), json!(words));
        }
        Some((outer, rest)) => {
            let inner = body.entry(outer).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, words);
            }
        }
    }
}
