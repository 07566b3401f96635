//! What a client shows when it connects, and whether it must show anything.

use crate::auth::{Denied, Verifier};
use crate::viewer::Viewer;
use percent_encoding::percent_decode_str;

/// Whether a client must show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Credentials are not read; everybody is anonymous.
    None,
    /// Without one a client is anonymous; one that is given must be valid.
    Optional,
    /// One must be given.
    Required,
}

/// What a request shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Absent,
    /// Something that is no token: another scheme than `Bearer`, not text.
    Unusable,
    Token(String),
}

impl Credential {
    /// Looks at the value of `Authorization` (`Bearer <token>`) first, then at `access_token` in the query.
    pub fn of(authorization: Option<&[u8]>, query: Option<&str>) -> Credential {
        if let Some(value) = authorization {
            let text = str::from_utf8(value).unwrap_or_default();
            return match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                    Credential::Token(token.trim().to_owned())
                }
                _ => Credential::Unusable,
            };
        }
        let given = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("access_token=")));
        match given.map(|token| percent_decode_str(token).decode_utf8()) {
            None => Credential::Absent,
            Some(Ok(token)) if !token.is_empty() => Credential::Token(token.into_owned()),
            Some(_) => Credential::Unusable,
        }
    }
}

impl Mode {
    /// Who this is. Without a verifier nothing that is shown can be believed.
    ///
    /// # Errors
    /// Why this client may not connect.
    pub fn admit(self, credential: &Credential, verifier: Option<&Verifier>) -> Result<Viewer, Denied> {
        match (self, credential) {
            (Mode::None, _) | (Mode::Optional, Credential::Absent) => Ok(Viewer::anonymous()),
            (Mode::Required, Credential::Absent) => Err(Denied::Missing),
            (_, Credential::Unusable) => Err(Denied::Malformed),
            (_, Credential::Token(token)) => verifier.ok_or(Denied::Signature)?.verify(token),
        }
    }
}
