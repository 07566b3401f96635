//! A record as JSON: shared, unchangeable, turned into text at most once however many people read it.

use serde_json::Value;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// One version of a record (or the body of a message). Cheap to clone.
#[derive(Clone)]
pub struct Document(Arc<Inner>);

struct Inner {
    value: Value,
    text: OnceLock<Box<str>>,
}

impl Document {
    /// Wraps a value that will not change any more.
    pub fn new(value: Value) -> Document {
        Document(Arc::new(Inner { value, text: OnceLock::new() }))
    }

    /// The value, for filters.
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// The JSON text, made on first use and kept. Keys are sorted, so equal documents have equal text.
    pub fn text(&self) -> &str {
        self.0.text.get_or_init(|| self.0.value.to_string().into_boxed_str())
    }

    /// A hash of the content; equal documents have equal fingerprints within one process.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.text().hash(&mut hasher);
        hasher.finish()
    }

    /// A new value made of this one, for somebody who must change it; copies only if it is shared.
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => inner.value,
            Err(shared) => shared.value.clone(),
        }
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Document {
        Document::new(value)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Document) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
