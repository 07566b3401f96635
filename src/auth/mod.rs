//! Credentials: whoever connects may show a token, and is a viewer by it. Signed tokens (JWT) are verified with
//! keys, others by asking their issuer.
//!
//! Promises: `none` and whatever is not configured is no algorithm; a public key is never a shared secret; a bad
//! token is never good in another way; what cannot be judged is not called bad; no token is ever logged.

mod algorithm;
mod claims;
mod credential;
mod denied;
pub mod doctor;
mod due;
mod gate;
mod introspection;
mod jwks;
mod jwt;
mod keys;
mod mint;
mod outward;
mod secret;
mod throttle;

pub use algorithm::Algorithm;
pub use claims::Rules;
pub use credential::{Carrier, Shown, bearer, is_same};
pub use denied::Denied;
pub use due::Due;
pub use gate::{Gate, Lease, Mode, Pass};
pub use introspection::{Client, IntrospectionSettings};
pub use jwks::{Place, Published};
pub use jwt::{JwtSettings, KeySource};
pub use mint::{Claims, Mint};
pub use secret::Secret;
pub use throttle::{Throttle, ThrottleSettings};

use crate::error::Result;
use crate::event::Timestamp;
use crate::viewer::Viewer;
use async_trait::async_trait;
use introspection::Introspection;
use jwt::{Head, Jwt};
use std::time::Duration;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// How credentials are verified, and what follows from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub jwt: Option<JwtSettings>,
    pub introspection: Option<IntrospectionSettings>,
    /// Where tokens are looked for, and in which order.
    pub tokens_from: Vec<Carrier>,
    pub on_expiry: OnExpiry,
    pub throttle: ThrottleSettings,
}

/// What becomes of a connection when its credential ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExpiry {
    /// It is closed.
    Close,
    /// It stays, and its viewer is anonymous from then on.
    Downgrade,
    /// Nothing: the credential was good when it was shown.
    Keep,
}

impl Settings {
    /// Tokens signed with one secret, and for everything else what needs no word.
    pub fn new(algorithm: Algorithm, secret: Secret) -> Settings {
        let keys = KeySource::Own(vec![secret]);
        let jwt = JwtSettings { algorithms: vec![algorithm], keys, rules: Rules::default() };
        Settings { jwt: Some(jwt), ..Settings::nothing() }
    }

    /// No way of verifying anything.
    pub fn nothing() -> Settings {
        Settings {
            jwt: None,
            introspection: None,
            tokens_from: Carrier::usual(),
            on_expiry: OnExpiry::Close,
            throttle: ThrottleSettings::default(),
        }
    }
}

/// A way of verifying tokens.
#[async_trait]
pub trait Verify: Send + Sync {
    /// Who shows this token, or why it is not accepted.
    async fn verify(&self, token: &str) -> std::result::Result<Viewer, Denied>;

    /// After which time a good token must be verified again; `None`: it is good until it expires.
    fn recheck_after(&self, _token: &str) -> Option<Duration> {
        None
    }
}

/// Verifies tokens, in every configured way.
pub struct Verifier {
    jwt: Option<Jwt>,
    introspection: Option<Introspection>,
}

impl Verifier {
    /// A verifier with these settings; reads their files, and begins to follow published keys, which need not be
    /// there yet. To be called within a runtime.
    ///
    /// # Errors
    /// `Configuration` when a file cannot be read or holds no key of its algorithm.
    pub fn new(settings: &Settings) -> Result<Verifier> {
        Ok(Verifier {
            jwt: settings.jwt.as_ref().map(Jwt::new).transpose()?,
            introspection: settings.introspection.as_ref().map(Introspection::new).transpose()?,
        })
    }

    /// A token that is signed is judged by its signature, and by nothing else, where signatures can be verified.
    fn way(&self, token: &str) -> std::result::Result<Way<'_>, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::Malformed);
        }
        let is_word = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        match (Head::of(token), &self.jwt, &self.introspection) {
            (Some(head), Some(jwt), _) => Ok(Way::Signed(jwt, head)),
            (_, _, Some(introspection)) if is_word => Ok(Way::Opaque(introspection)),
            _ => Err(Denied::Malformed),
        }
    }
}

#[async_trait]
impl Verify for Verifier {
    async fn verify(&self, token: &str) -> std::result::Result<Viewer, Denied> {
        let now = Timestamp::now().0 / 1000;
        match self.way(token)? {
            Way::Signed(jwt, head) => jwt.verify(token, &head, now).await,
            Way::Opaque(introspection) => introspection.verify(token, now).await,
        }
    }

    fn recheck_after(&self, token: &str) -> Option<Duration> {
        match self.way(token) {
            Ok(Way::Opaque(introspection)) => introspection.recheck,
            _ => None,
        }
    }
}

/// How one token is judged.
enum Way<'a> {
    Signed(&'a Jwt, Head),
    Opaque(&'a Introspection),
}

#[cfg(test)]
mod tests;
