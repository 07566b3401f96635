//! Who is connected.

use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// A subject with what its credential says of it. The anonymous viewer has none of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Viewer {
    pub subject: Option<Arc<str>>,
    pub roles: Vec<Arc<str>>,
    pub workspaces: Vec<Arc<str>>,
    pub groups: Vec<Arc<str>>,
    pub claims: Map<String, Value>,
    /// When the credential ends, in seconds since 1970.
    pub expires: Option<i64>,
}

impl Viewer {
    /// Somebody who has shown no credential.
    pub fn anonymous() -> Viewer {
        Viewer::default()
    }

    /// Whether a valid credential has been shown.
    pub fn is_authenticated(&self) -> bool {
        self.subject.is_some()
    }

    /// What the credential says under a name.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        claim(&self.claims, name)
    }
}

/// One of these claims. A dotted name walks into objects, unless a claim has the whole name.
pub fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let nested = || {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    claims.get(name).or_else(nested)
}

/// What somebody shows to say who they are. Never logged: it shows itself as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Arc<str>);

impl Token {
    /// The token with this text, good or not.
    pub fn new(text: impl Into<Arc<str>>) -> Token {
        Token(text.into())
    }

    /// The text, for whoever verifies it.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
