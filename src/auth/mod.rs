//! Credentials: signed tokens (JWT) are verified here and turned into a viewer. Only the configured algorithm
//! is accepted, whatever a token says of itself.

mod algorithm;
mod credential;
mod mint;

pub use algorithm::Algorithm;
pub use credential::{Credential, Mode};
pub use mint::{Claims, Mint};

use crate::error::{Error, Kind, Result};
use crate::viewer::Viewer;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// How tokens are verified.
#[derive(Debug, Clone)]
pub struct Settings {
    pub algorithm: Algorithm,
    /// The shared secret, or the public key in PEM.
    pub secret: Secret,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// What `aud` must contain.
    pub audience: Option<String>,
    /// The claims (dotted names) that hold the roles and the workspaces: a list, or a text with spaces.
    pub roles_claim: String,
    pub workspaces_claim: String,
}

/// A secret, or where it is. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Text(String),
    /// Read when it is needed; a newline at its end is not part of it.
    File(PathBuf),
}

/// Why a credential is not accepted; for the log and for a developer, without the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// None was given, and one is required.
    Missing,
    /// It is not a token, or longer than any that is looked at.
    Malformed,
    /// It is signed with another algorithm than the configured one.
    Algorithm,
    /// It was not signed with our key.
    Signature,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// A claim is missing or not what it must be (`sub`, `exp`, `iss`, `aud`).
    Claim,
}

/// Verifies tokens.
#[derive(Clone)]
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
    roles_claim: String,
    workspaces_claim: String,
}

impl Settings {
    /// The settings that need no word: half a minute of leeway, the claims `roles` and `workspaces`.
    pub fn new(algorithm: Algorithm, secret: Secret) -> Settings {
        Settings {
            algorithm,
            secret,
            leeway: Duration::from_secs(30),
            issuer: None,
            audience: None,
            roles_claim: "roles".to_owned(),
            workspaces_claim: "workspaces".to_owned(),
        }
    }
}

impl Verifier {
    /// A verifier with these settings; reads the secret's file.
    ///
    /// # Errors
    /// `Configuration` when the file cannot be read or holds no key of the algorithm.
    pub fn new(settings: &Settings) -> Result<Verifier> {
        let mut validation = Validation::new(settings.algorithm.get());
        validation.leeway = settings.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "sub"]);
        if let Some(issuer) = &settings.issuer {
            validation.required_spec_claims.insert("iss".to_owned());
            validation.set_issuer(&[issuer]);
        }
        match &settings.audience {
            Some(audience) => {
                validation.required_spec_claims.insert("aud".to_owned());
                validation.set_audience(&[audience]);
            }
            None => validation.validate_aud = false,
        }
        Ok(Verifier {
            key: settings.algorithm.decoding_key(settings.secret.read()?.as_bytes())?,
            validation,
            roles_claim: settings.roles_claim.clone(),
            workspaces_claim: settings.workspaces_claim.clone(),
        })
    }

    /// Who shows this token.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(&self, token: &str) -> std::result::Result<Viewer, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::Malformed);
        }
        let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &self.key, &self.validation)?.claims;
        let subject = match claims.get("sub") {
            Some(Value::String(subject)) if !subject.is_empty() => subject.as_str().into(),
            _ => return Err(Denied::Claim),
        };
        let leeway = i64::try_from(self.validation.leeway).unwrap_or(i64::MAX);
        Ok(Viewer {
            subject: Some(subject),
            roles: words(&claims, &self.roles_claim),
            workspaces: words(&claims, &self.workspaces_claim),
            // Within the leeway it is still accepted, so it also ends with the leeway.
            expires: claims.get("exp").and_then(Value::as_f64).map(|at| (at as i64).saturating_add(leeway)),
            claims,
        })
    }
}

/// The words of a claim: a list of texts, or one text in which spaces separate them. A dotted name walks into
/// objects unless a claim has the whole name.
fn words(claims: &Map<String, Value>, name: &str) -> Vec<Arc<str>> {
    let nested = || {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    match claims.get(name).or_else(nested) {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        Some(Value::String(text)) => text.split_whitespace().map(Arc::from).collect(),
        _ => Vec::new(),
    }
}

impl Secret {
    /// A secret as it is.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret::Text(text.into())
    }

    fn read(&self) -> Result<String> {
        let path = match self {
            Secret::Text(text) => return Ok(text.clone()),
            Secret::File(path) => path,
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::because(Kind::Configuration, format!("cannot read the secret in {}", path.display()), error)
        })?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(Error::new(Kind::Configuration, format!("the secret in {} is empty", path.display()))),
            secret => Ok(secret.to_owned()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Text(_) => f.write_str("***"),
            Secret::File(path) => write!(f, "the content of {}", path.display()),
        }
    }
}

impl From<jsonwebtoken::errors::Error> for Denied {
    fn from(error: jsonwebtoken::errors::Error) -> Denied {
        match error.kind() {
            ErrorKind::ExpiredSignature => Denied::Expired,
            ErrorKind::ImmatureSignature => Denied::NotYet,
            ErrorKind::InvalidSignature => Denied::Signature,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
                Denied::Algorithm
            }
            ErrorKind::MissingRequiredClaim(_)
            | ErrorKind::InvalidClaimFormat(_)
            | ErrorKind::InvalidIssuer
            | ErrorKind::InvalidAudience
            | ErrorKind::InvalidSubject => Denied::Claim,
            _ => Denied::Malformed,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denied::Missing => "a credential is required",
            Denied::Malformed => "the credential is not a token",
            Denied::Algorithm => "the token is signed with another algorithm than the configured one",
            Denied::Signature => "the token's signature is wrong",
            Denied::Expired => "the token has expired",
            Denied::NotYet => "the token is not valid yet",
            Denied::Claim => "a claim of the token is missing or wrong",
        })
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests;
