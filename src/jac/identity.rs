//! Who somebody is by a token that it shows. One that is bad is no error: whoever shows it is the public user.

use crate::auth::{Denied, Gate, Lease, Pass, Shown};
use crate::dialect::jac::root::Root;
use crate::viewer::{Token, Viewer};
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::Arc;

/// What a value begins with that holds a token, in any case, and one character more.
const SCHEME: &str = "bearer";

/// A user, and what says so.
pub struct Identity {
    pub root: Root,
    pub claims: Map<String, Value>,
    /// When the credential ends, in seconds since 1970.
    pub expires: Option<i64>,
    pub lease: Lease,
}

/// What tells users by their tokens.
#[derive(Clone)]
pub struct Passport {
    /// It lets in who shows nothing.
    pub gate: Arc<Gate>,
    /// The first of these claims that is a text names the user.
    pub root_claims: Arc<[String]>,
}

impl Passport {
    /// Somebody who has shown nothing, or nothing good.
    ///
    /// # Errors
    /// When the gate does not let in who shows nothing.
    pub async fn public(&self, peer: Option<IpAddr>) -> Result<Identity, Denied> {
        let nothing = Shown { peer, ..Shown::default() };
        self.gate.admit(&nothing).await.map(|pass| Identity::public(pass.lease))
    }

    /// Whoever shows this token; a token of the public user is none.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn judge(&self, token: &Token, lease: &Lease) -> Result<Identity, Denied> {
        let Pass { viewer, lease } = lease.present(token).await?;
        self.identity(viewer, lease).ok_or(Denied::Claim)
    }

    /// Whether a token still holds.
    ///
    /// # Errors
    /// Why it does not; `Unavailable` when nobody could say.
    pub async fn judge_again(&self, lease: &Lease) -> Result<Identity, Denied> {
        let viewer = lease.recheck().await?;
        self.identity(viewer, lease.clone()).ok_or(Denied::Claim)
    }

    fn identity(&self, viewer: Viewer, lease: Lease) -> Option<Identity> {
        let text = |name: &String| viewer.claim(name)?.as_str().filter(|text| !text.is_empty());
        let root = Root::of(self.root_claims.iter().find_map(text)?);
        let identity = Identity { root, expires: viewer.expires, claims: viewer.claims, lease };
        Some(identity).filter(Identity::is_authenticated)
    }
}

impl Identity {
    /// The public user.
    pub fn public(mut lease: Lease) -> Identity {
        lease.forget();
        Identity { root: Root::public(), claims: Map::new(), expires: None, lease }
    }

    /// Whether it has shown a token.
    pub fn is_authenticated(&self) -> bool {
        !self.root.is_public()
    }
}

/// The token in a value like `Bearer <token>`: what follows the seventh character.
pub fn bearer(value: &str) -> Option<Token> {
    let is_scheme = value.get(..SCHEME.len()).is_some_and(|word| word.eq_ignore_ascii_case(SCHEME));
    let rest: String = value.chars().skip(SCHEME.len() + 1).collect();
    (is_scheme && !rest.is_empty()).then(|| Token::new(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_the_word_bearer_in_any_case() {
        let token = |value| bearer(value).map(|token| token.text().to_owned());
        for value in ["Bearer abc", "bearer abc", "BEARER abc", "bearer:abc", "bearer\tabc", "bearerääabc"] {
            let expected = if value.contains('ä') { "äabc" } else { "abc" };
            assert_eq!(token(value).as_deref(), Some(expected), "{value}");
        }
        for value in ["", "abc", "bearer", "Bearer ", "beare abc", "ü", "Basic abc"] {
            assert_eq!(token(value), None, "{value}");
        }
    }
}
