//! Signed tokens (JWT). Only the configured algorithms are accepted, whatever a token says of itself.

use crate::auth::jwks::{Jwks, Published};
use crate::auth::keys::Keys;
use crate::auth::{Algorithm, Denied, Rules, Secret};
use crate::error::Result;
use crate::viewer::Viewer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// How signed tokens are verified.
#[derive(Debug, Clone, PartialEq)]
pub struct JwtSettings {
    pub algorithms: Vec<Algorithm>,
    pub keys: KeySource,
    pub rules: Rules,
}

/// Where the keys are.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySource {
    /// The shared secret, or the public key in PEM, and whatever it replaces: tokens of any of them are accepted.
    Own(Vec<Secret>),
    Published(Published),
}

/// What the head of a token says of it.
pub(super) struct Head {
    algorithm: String,
    key: Option<String>,
    /// Something that must be understood, and is not.
    is_critical: bool,
}

impl Head {
    /// The head of a token of three parts; `None` when the token is no JWT.
    pub fn of(token: &str) -> Option<Head> {
        let parts: Vec<&str> = token.split('.').collect();
        let [head, body, signature] = parts[..] else { return None };
        let is_encoded = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_encoded(body) || !is_encoded(signature) {
            return None;
        }
        let fields: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Head { algorithm: text("alg")?, key: text("kid"), is_critical: fields.contains_key("crit") })
    }
}

/// Verifies signed tokens.
pub(super) struct Jwt {
    algorithms: Vec<Algorithm>,
    keys: Source,
    pub rules: Rules,
}

enum Source {
    Own(Keys),
    Published(Arc<Jwks>),
}

impl Jwt {
    /// Reads its secrets; keys that are published elsewhere are read from now on.
    pub fn new(settings: &JwtSettings) -> Result<Jwt> {
        let algorithms = settings.algorithms.clone();
        let keys = match &settings.keys {
            KeySource::Own(secrets) => Source::Own(Keys::own(&algorithms, secrets)?),
            KeySource::Published(published) => Source::Published(Jwks::follow(published, &algorithms)?),
        };
        Ok(Jwt { algorithms, keys, rules: settings.rules.clone() })
    }

    /// Who shows this token.
    pub async fn verify(&self, token: &str, head: &Head, now: i64) -> std::result::Result<Viewer, Denied> {
        let algorithm = head.algorithm.parse::<Algorithm>().ok().filter(|one| self.algorithms.contains(one));
        let algorithm = algorithm.ok_or(Denied::Algorithm)?;
        if head.is_critical {
            return Err(Denied::Malformed);
        }
        let id = head.key.as_deref();
        let claims = match &self.keys {
            Source::Own(keys) => claims(token, algorithm, &keys.fitting(algorithm, id)?)?,
            Source::Published(jwks) => {
                let keys = jwks.holding(algorithm, id).await?;
                claims(token, algorithm, &keys.fitting(algorithm, id)?)?
            }
        };
        self.rules.viewer(claims, now)
    }
}

/// The claims, if one of these keys signed them. What the claims say is judged by nobody yet.
fn claims(token: &str, algorithm: Algorithm, keys: &[&DecodingKey]) -> std::result::Result<Map<String, Value>, Denied> {
    let mut signed = Validation::new(algorithm.get());
    signed.required_spec_claims = HashSet::new();
    signed.validate_exp = false;
    signed.validate_aud = false;
    let mut denied = Denied::Key;
    for key in keys {
        match jsonwebtoken::decode::<Map<String, Value>>(token, key, &signed) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(error) => denied = denied_by(&error),
        }
    }
    Err(denied)
}

fn denied_by(error: &jsonwebtoken::errors::Error) -> Denied {
    match error.kind() {
        ErrorKind::InvalidSignature => Denied::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            Denied::Algorithm
        }
        _ => Denied::Malformed,
    }
}
