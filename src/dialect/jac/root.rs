//! References to users: `n:<anything>:<24 hexadecimal digits>`, of which only the digits count.

use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// How many digits name a user.
const DIGITS: usize = 24;

/// Whoever has shown no credential.
const PUBLIC: &str = "000000000000000000000001";

/// A user; shows itself as `n::672b35cec309e5ef8469c372`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root(Arc<str>);

impl Root {
    /// Everybody who has shown no credential.
    pub fn public() -> Root {
        Root(PUBLIC.into())
    }

    /// The user that a reference names; `None`: it is none.
    pub fn named(reference: &str) -> Option<Root> {
        let mut parts = reference.split(':');
        let (kind, _, digits) = (parts.next()?, parts.next()?, parts.next()?);
        let is_reference = kind.eq_ignore_ascii_case("n") && parts.next().is_none();
        Root::of_digits(digits).filter(|_| is_reference)
    }

    /// The user that a claim, or a field of a record, names: by a reference, by its digits, or by any other text, of
    /// which a hash is taken.
    pub fn of(text: &str) -> Root {
        Root::of_digits(text).or_else(|| Root::named(text)).unwrap_or_else(|| {
            let hash = Sha256::digest(text.as_bytes());
            let digits: String = hash.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
            Root(digits.into())
        })
    }

    /// The digits, in lower case.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Whether it is that of whoever has shown no credential.
    pub fn is_public(&self) -> bool {
        &*self.0 == PUBLIC
    }

    fn of_digits(text: &str) -> Option<Root> {
        let are_digits = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        are_digits.then(|| Root(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n::{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_reference_only_the_digits_count() {
        let one = Root::of_digits("672b35cec309e5ef8469c372");
        for reference in [
            "n::672b35cec309e5ef8469c372",
            "n:root:672b35cec309e5ef8469c372",
            "N::672B35CEC309E5EF8469C372",
            "n:ä ö:672B35cec309e5ef8469c372",
        ] {
            assert_eq!(Root::named(reference), one, "{reference}");
        }
        assert_eq!(one.map(|root| root.to_string()).as_deref(), Some("n::672b35cec309e5ef8469c372"));
    }

    #[test]
    fn what_has_another_form_is_no_reference() {
        for text in [
            "",
            "zzz",
            "672b35cec309e5ef8469c372",
            "n:672b35cec309e5ef8469c372",
            "n:::672b35cec309e5ef8469c372",
            "e::672b35cec309e5ef8469c372",
            "n::672b35cec309e5ef8469c37",
            "n::672b35cec309e5ef8469c3722",
            "n::672b35cec309e5ef8469c37g",
            "n::672b35cec309e5ef8469c372\n",
            " n::672b35cec309e5ef8469c372",
        ] {
            assert_eq!(Root::named(text), None, "{text:?}");
        }
    }

    #[test]
    fn any_text_of_a_claim_names_a_user() {
        for text in ["672B35CEC309E5EF8469C372", "n:x:672b35cec309e5ef8469c372"] {
            assert_eq!(Root::of(text).to_string(), "n::672b35cec309e5ef8469c372");
        }
        // echo -n ann@example.com | sha256sum
        assert_eq!(Root::of("ann@example.com").digits(), "71d4f55f72fa128dfb468a1a");
        assert_ne!(Root::of("ann"), Root::of("bob"));
        assert!(Root::of("n::000000000000000000000001").is_public() && !Root::of("").is_public());
    }
}
