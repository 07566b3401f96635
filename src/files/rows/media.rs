//! The contents of a file.

use super::{CHANGE, Members, is_deleted, optional, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// A row of the part media.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// The key of the file.
    pub key: Arc<str>,
    pub mime: Arc<str>,
    pub value: Value,
    /// When the newest revision was made.
    pub revised: i64,
    pub deleted: bool,
    /// The change record.
    pub change: Option<Value>,
}

impl Media {
    /// Reads a row's members; `None` when they make no contents.
    pub fn read(mut members: Members) -> Option<Media> {
        Some(Media {
            key: text(&members, "key")?,
            mime: text(&members, "mime")?,
            revised: optional(&members, "revised", Value::as_i64)?.unwrap_or(0),
            deleted: is_deleted(&members)?,
            value: members.remove("value").unwrap_or_default(),
            change: members.remove(CHANGE),
        })
    }

    /// The members of its row.
    pub fn members(&self) -> Members {
        let mut members = Members::new();
        members.insert("key".to_owned(), json!(&*self.key));
        members.insert("mime".to_owned(), json!(&*self.mime));
        members.insert("value".to_owned(), self.value.clone());
        members.insert("revised".to_owned(), json!(self.revised));
        members.insert("deleted".to_owned(), json!(self.deleted));
        members.extend(self.change.clone().map(|change| (CHANGE.to_owned(), change)));
        members
    }

    /// The `kind` inside contents that are an object with one.
    pub fn kind(&self) -> Option<&str> {
        self.value.get("kind").and_then(Value::as_str)
    }
}
