//! Who is connected.

use serde_json::{Map, Value};
use std::sync::Arc;

/// A subject with what its credential says of it. The anonymous viewer has none of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Viewer {
    pub subject: Option<Arc<str>>,
    pub roles: Vec<Arc<str>>,
    pub workspaces: Vec<Arc<str>>,
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
}
