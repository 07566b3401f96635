//! One step in the history of a file's contents.

use super::{CHANGE, Members, is_deleted, n_of, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// A row of the part revisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    pub id: Arc<str>,
    /// The key of the file.
    pub key: Arc<str>,
    /// The kind of the file.
    pub kind: Arc<str>,
    /// Milliseconds since 1970.
    pub created: i64,
    pub deleted: bool,
    /// The tuples that take it back.
    pub patch: Value,
    /// Who made it, and when.
    pub modification: Value,
    /// The change id of the request that wrote the row.
    pub n: Option<Arc<str>>,
}

impl Revision {
    /// Reads a row's members; `None` when they make no revision.
    pub fn read(mut members: Members) -> Option<Revision> {
        Some(Revision {
            id: text(&members, "id")?,
            key: text(&members, "key")?,
            kind: text(&members, "kind")?,
            created: members.get("created").and_then(Value::as_i64)?,
            deleted: is_deleted(&members)?,
            patch: members.remove("patch").filter(Value::is_array)?,
            modification: members.remove("modification").filter(Value::is_object)?,
            n: members.get(CHANGE).and_then(n_of),
        })
    }

    /// The members of its row.
    pub fn members(&self) -> Members {
        let mut members = Members::new();
        if let Value::Object(document) = self.document() {
            members = document;
        }
        members.extend(self.n.as_deref().map(|n| (CHANGE.to_owned(), json!(n))));
        members
    }

    /// The revision as clients see it; without what is computed for each.
    pub fn document(&self) -> Value {
        json!({
            "id": &*self.id,
            "key": &*self.key,
            "kind": &*self.kind,
            "created": self.created,
            "deleted": self.deleted,
            "patch": self.patch,
            "modification": self.modification,
        })
    }
}
