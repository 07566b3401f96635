//! The keys that verify signatures: our own secrets, or those that an issuer publishes (JWK Set, RFC 7517).

use crate::auth::{Algorithm, Denied, Secret};
use crate::error::{Error, Kind, Result};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

/// More keys than anybody publishes.
const MOST: usize = 200;

/// A modulus with fewer bytes can be factored (RFC 7518, 3.3).
const SHORTEST_MODULUS: usize = 256;

/// Keys by which tokens may be signed.
pub(super) struct Keys {
    keys: Vec<Key>,
}

struct Key {
    /// What tokens call it; our own have no name.
    id: Option<String>,
    /// Those of the configured algorithms that it is for.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
    is_own: bool,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Our own, any of which may have signed: shared secrets, or public keys in PEM.
    ///
    /// # Errors
    /// `Configuration` when one cannot be read or is no key of these algorithms.
    pub fn own(algorithms: &[Algorithm], secrets: &[Secret]) -> Result<Keys> {
        let mut keys = Vec::new();
        for secret in secrets {
            let text = secret.read()?;
            for algorithm in algorithms {
                let key = algorithm.decoding_key(text.as_bytes())?;
                keys.push(Key { id: None, algorithms: vec![*algorithm], key, is_own: true });
            }
        }
        Ok(Keys { keys })
    }

    /// Those of a published set that are for these algorithms. A secret among them is no key: everybody can read it.
    ///
    /// # Errors
    /// `Malformed` when it is no set of keys.
    pub fn published(algorithms: &[Algorithm], text: &[u8]) -> Result<Keys> {
        let set: Set = serde_json::from_slice(text)
            .map_err(|error| Error::because(Kind::Malformed, "this is no set of keys (JWKS)", error))?;
        let known = set.keys.into_iter().take(MOST).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(Keys { keys: known.filter_map(|jwk| Key::published(algorithms, &jwk)).collect() })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed a token of this algorithm that names this key, or none.
    ///
    /// # Errors
    /// `Key` when none can have.
    pub fn fitting(&self, algorithm: Algorithm, id: Option<&str>) -> std::result::Result<Vec<&DecodingKey>, Denied> {
        let fitting = || self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
        let named = fitting().filter(|key| key.id.is_some() && key.id.as_deref() == id);
        let mut found: Vec<&Key> = named.collect();
        if found.is_empty() {
            // Where either side names none, the only one there is must be meant.
            found = fitting().filter(|key| key.id.is_none() || id.is_none()).collect();
            if found.len() > 1 && !found.iter().all(|key| key.is_own) {
                found.clear();
            }
        }
        if found.is_empty() { Err(Denied::Key) } else { Ok(found.into_iter().map(|key| &key.key).collect()) }
    }
}

impl Key {
    fn published(algorithms: &[Algorithm], jwk: &Jwk) -> Option<Key> {
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let is_meant = |algorithm: &Algorithm| {
            algorithm.fits(&jwk.algorithm) && common.key_algorithm.is_none_or(|own| own == algorithm.get().into())
        };
        let algorithms: Vec<Algorithm> = algorithms.iter().copied().filter(is_meant).collect();
        if !signs || algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Key { id: common.key_id.clone(), algorithms, key, is_own: false })
    }
}

impl Algorithm {
    /// Whether a published key is one of this algorithm.
    fn fits(self, key: &AlgorithmParameters) -> bool {
        use jsonwebtoken::Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512};
        match (self.get(), key) {
            (HS256 | HS384 | HS512, _) => false,
            (ES256, AlgorithmParameters::EllipticCurve(key)) => key.curve == EllipticCurve::P256,
            (ES384, AlgorithmParameters::EllipticCurve(key)) => key.curve == EllipticCurve::P384,
            (EdDSA, AlgorithmParameters::OctetKeyPair(key)) => key.curve == EllipticCurve::Ed25519,
            (ES256 | ES384 | EdDSA, _) => false,
            // Four letters of base64 are three bytes.
            (_, AlgorithmParameters::RSA(key)) => key.n.len() * 3 / 4 >= SHORTEST_MODULUS,
            (_, _) => false,
        }
    }
}
