//! Somebody who uses the file store.

use super::{Members, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// A row of the part users.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The subject of the user's credentials.
    pub key: Arc<str>,
    pub name: Arc<str>,
    /// `email`, `picture`, `tags` and `locale`, as far as they are known.
    pub rest: Members,
}

impl User {
    /// Reads a row's members; `None` when they make no user.
    pub fn read(mut members: Members) -> Option<User> {
        let (key, name) = (text(&members, "key")?, text(&members, "name")?);
        members.retain(|member, _| matches!(member.as_str(), "email" | "picture" | "tags" | "locale"));
        Some(User { key, name, rest: members })
    }

    /// The members of its row.
    pub fn members(&self) -> Members {
        let mut members = self.rest.clone();
        members.insert("key".to_owned(), json!(&*self.key));
        members.insert("name".to_owned(), json!(&*self.name));
        members
    }

    /// The user as clients see it.
    pub fn document(&self) -> Value {
        let mut document = self.members();
        document.insert("kind".to_owned(), json!("Core#User"));
        Value::Object(document)
    }
}
