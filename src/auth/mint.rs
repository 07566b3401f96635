//! Makes tokens, for an operator who has no identity provider at hand.

use crate::auth::{KeySource, Rules, Settings};
use crate::error::{Error, Kind, Result};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Whom a token names.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    pub subject: String,
    pub roles: Vec<String>,
    pub workspaces: Vec<String>,
    pub groups: Vec<String>,
    pub lifetime: Duration,
}

/// Signs tokens.
pub struct Mint {
    header: Header,
    key: EncodingKey,
    rules: Rules,
}

impl Mint {
    /// A mint whose tokens are accepted where `settings` verify. Their secret must be able to sign: of an
    /// algorithm with two keys it must be the private one.
    ///
    /// # Errors
    /// `Configuration` when there is no secret, or it cannot be read or is no key that signs.
    pub fn new(settings: &Settings) -> Result<Mint> {
        let missing = || Error::new(Kind::Configuration, "there is no secret to sign with");
        let jwt = settings.jwt.as_ref().ok_or_else(missing)?;
        let KeySource::Own(secrets) = &jwt.keys else { return Err(missing()) };
        let (algorithm, secret) = jwt.algorithms.first().zip(secrets.first()).ok_or_else(missing)?;
        Ok(Mint {
            header: Header::new(algorithm.get()),
            key: algorithm.encoding_key(secret.read()?.as_bytes())?,
            rules: jwt.rules.clone(),
        })
    }

    /// A token that is valid from `now`, in seconds since 1970.
    ///
    /// # Errors
    /// `Configuration` when the key cannot sign.
    pub fn sign(&self, claims: &Claims, now: i64) -> Result<String> {
        self.sign_with(claims, Map::new(), now)
    }

    /// The same with `more` claims, which count where nothing else says what they are.
    ///
    /// # Errors
    /// As `sign`.
    pub fn sign_with(&self, claims: &Claims, more: Map<String, Value>, now: i64) -> Result<String> {
        let expires = now.saturating_add(i64::try_from(claims.lifetime.as_secs()).unwrap_or(i64::MAX));
        let mut body = more;
        body.insert("iat".to_owned(), now.into());
        body.insert("exp".to_owned(), expires.into());
        for (name, values) in [("iss", &self.rules.issuers), ("aud", &self.rules.audiences)] {
            if let Some(value) = values.first() {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        if let Some(name) = self.rules.expiry_claims.first() {
            put(&mut body, name, expires.into());
        }
        if let Some(name) = self.rules.subject_claims.first() {
            put(&mut body, name, claims.subject.as_str().into());
        }
        for (name, words) in [
            (&self.rules.roles_claim, &claims.roles),
            (&self.rules.workspaces_claim, &claims.workspaces),
            (&self.rules.groups_claim, &claims.groups),
        ] {
            if !words.is_empty() {
                put(&mut body, name, json!(words));
            }
        }
        jsonwebtoken::encode(&self.header, &body, &self.key).map_err(|error| {
            Error::because(Kind::Configuration, "cannot sign; the secret must be the private key", error)
        })
    }
}

/// Puts a value where the verifier looks for it: a dotted name is objects within objects.
fn put(body: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            body.insert(name.to_owned(), value);
        }
        Some((outer, rest)) => {
            let inner = body.entry(outer).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
