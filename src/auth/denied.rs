//! Why a credential is not accepted.

use std::fmt;
use std::time::Duration;

/// How long a client waits before it shows again what nobody could judge.
const UNAVAILABLE: Duration = Duration::from_secs(5);

/// Why a credential is not accepted; for the log and for a developer, without the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// None was given, and one is required.
    Missing,
    /// It is not a token, or longer than any that is looked at.
    Malformed,
    /// It is signed with another algorithm than the configured ones.
    Algorithm,
    /// It was signed with a key that the issuer does not publish.
    Key,
    /// It was not signed with our key.
    Signature,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// A claim is missing or not what it must be (subject, expiry, `iss`, `aud`).
    Claim,
    /// It was given to a client whose tokens are not accepted.
    Client,
    /// The issuer says that it is no longer, or never was, a token.
    Inactive,
    /// Whoever could judge it does not answer. It may be good.
    Unavailable,
    /// Too many bad ones came from there, so this one, bad too, is not even answered late.
    TooMany { retry_after: Duration },
}

impl Denied {
    /// In a word, for counting.
    pub fn name(self) -> &'static str {
        match self {
            Denied::Missing => "missing",
            Denied::Malformed => "malformed",
            Denied::Algorithm => "algorithm",
            Denied::Key => "key",
            Denied::Signature => "signature",
            Denied::Expired => "expired",
            Denied::NotYet => "not_yet",
            Denied::Claim => "claim",
            Denied::Client => "client",
            Denied::Inactive => "inactive",
            Denied::Unavailable => "unavailable",
            Denied::TooMany { .. } => "too_many",
        }
    }

    /// When it is worth asking again, where the credential itself is not known to be bad.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Denied::Unavailable => Some(UNAVAILABLE),
            Denied::TooMany { retry_after } => Some(retry_after),
            _ => None,
        }
    }

    /// Whether it could have been a guess. What was signed with a good key once was none.
    pub fn may_be_guess(self) -> bool {
        match self {
            Denied::Malformed | Denied::Algorithm | Denied::Key | Denied::Signature | Denied::Inactive => true,
            Denied::Missing | Denied::Expired | Denied::NotYet => false,
            Denied::Claim | Denied::Client | Denied::Unavailable | Denied::TooMany { .. } => false,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denied::Missing => "a credential is required",
            Denied::Malformed => "the credential is not a token",
            Denied::Algorithm => "the token is signed with another algorithm than the configured ones",
            Denied::Key => "the token is signed with a key that is not known",
            Denied::Signature => "the token's signature is wrong",
            Denied::Expired => "the token has expired",
            Denied::NotYet => "the token is not valid yet",
            Denied::Claim => "a claim of the token is missing or wrong",
            Denied::Client => "tokens of this client are not accepted",
            Denied::Inactive => "the token is not active",
            Denied::Unavailable => "the token cannot be judged at the moment",
            Denied::TooMany { .. } => "too many bad credentials came from this address",
        })
    }
}

impl std::error::Error for Denied {}
