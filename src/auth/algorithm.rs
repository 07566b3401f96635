//! The algorithms by which tokens can be signed, and their keys.

use crate::error::{Error, Kind, Result};
use jsonwebtoken::{AlgorithmFamily, DecodingKey, EncodingKey};
use std::fmt;
use std::str::FromStr;

const NAMES: &str = "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";

/// One algorithm; `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    pub(super) fn get(self) -> jsonwebtoken::Algorithm {
        self.0
    }

    /// The key that verifies: a shared secret, or a public key in PEM.
    pub(super) fn decoding_key(self, text: &[u8]) -> Result<DecodingKey> {
        match self.0.family() {
            AlgorithmFamily::Hmac => {
                self.must_be_secret(text)?;
                Ok(DecodingKey::from_secret(text))
            }
            AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(text).map_err(|error| self.no_key("public", error)),
            AlgorithmFamily::Ec => DecodingKey::from_ec_pem(text).map_err(|error| self.no_key("public", error)),
            AlgorithmFamily::Ed => DecodingKey::from_ed_pem(text).map_err(|error| self.no_key("public", error)),
        }
    }

    /// The key that signs: a shared secret, or a private key in PEM.
    pub(super) fn encoding_key(self, text: &[u8]) -> Result<EncodingKey> {
        match self.0.family() {
            AlgorithmFamily::Hmac => {
                self.must_be_secret(text)?;
                Ok(EncodingKey::from_secret(text))
            }
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(text).map_err(|error| self.no_key("private", error)),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(text).map_err(|error| self.no_key("private", error)),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(text).map_err(|error| self.no_key("private", error)),
        }
    }

    /// Whether it signs and verifies with one secret, that nobody else may know.
    pub fn is_shared(self) -> bool {
        self.0.family() == AlgorithmFamily::Hmac
    }

    /// Whether the same keys are for both.
    pub fn has_keys_of(self, other: Algorithm) -> bool {
        self.0.family() == other.0.family()
    }

    /// A public key is known to everybody, so with it everybody could sign.
    fn must_be_secret(self, text: &[u8]) -> Result<()> {
        match text.starts_with(b"-----BEGIN") {
            true => Err(Error::new(
                Kind::Configuration,
                format!("the secret is a key in PEM, which is no shared secret of {:?}", self.0),
            )),
            false => Ok(()),
        }
    }

    fn no_key(self, which: &str, error: jsonwebtoken::errors::Error) -> Error {
        let sentence = format!("the secret is not a {which} key in PEM that suits {:?}", self.0);
        Error::because(Kind::Configuration, sentence, error)
    }
}

impl Default for Algorithm {
    fn default() -> Algorithm {
        Algorithm(jsonwebtoken::Algorithm::HS256)
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Algorithm, String> {
        text.parse().map(Algorithm).map_err(|_| format!("\"{text}\" is given, one of {NAMES} is wanted"))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
