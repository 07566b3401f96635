//! Rows of a file store as documents, and back.
//!
//! A row has one of two shapes: columns in snake case with the members nobody knows in `body`, or a flat document
//! in camel case. Both are read to *members*: a flat object in camel case without nulls, from which the typed rows
//! are read. Reading is lenient: a row that means nothing is `None`, and nothing that a row holds can do harm.

mod change;
mod file;
mod media;
mod permission;
mod revision;
#[cfg(test)]
mod tests;
mod user;

pub use change::{Change, Told, n_of};
pub use file::File;
pub use media::Media;
pub use permission::{Order, Permission};
pub use revision::Revision;
pub use user::User;

use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The members of a row.
pub type Members = Map<String, Value>;

/// What rows are about; each part of a file store is a resource of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Files,
    Permissions,
    Media,
    Revisions,
    Users,
}

/// How a product keeps rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A column for each member, in snake case.
    Columns,
    /// A document of the members.
    Flat,
}

/// The member under which a change names itself: like every name that begins so, none of a client's members. The
/// column is called `change`.
pub const CHANGE: &str = "_change";

/// The member of columns that holds all members without one.
pub const BODY: &str = "body";

impl Part {
    /// Every part.
    pub const ALL: [Part; 5] = [Part::Files, Part::Permissions, Part::Media, Part::Revisions, Part::Users];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Part::Files => "files",
            Part::Permissions => "permissions",
            Part::Media => "media",
            Part::Revisions => "revisions",
            Part::Users => "users",
        }
    }

    /// The members that have a column of their own.
    pub fn members(self) -> &'static [&'static str] {
        match self {
            Part::Files => {
                &["key", "kind", "owner", "parents", "info", "lastModified", "deleted", "deletedInfo", CHANGE]
            }
            Part::Permissions => &[
                "key",
                "file",
                "seq",
                "type",
                "owner",
                "role",
                "addingUser",
                "displayName",
                "expirationTime",
                "deleted",
                "deletedTime",
                "deletingUser",
                CHANGE,
            ],
            Part::Media => &["key", "mime", "value", "revised", "deleted", CHANGE],
            Part::Revisions => &["id", "key", "kind", "created", "deleted", "patch", "modification", CHANGE],
            Part::Users => &["key", "name", "email", "picture", "tags", "locale"],
        }
    }

    /// The member that a row is known by.
    pub fn id(self) -> &'static str {
        match self {
            Part::Revisions => "id",
            _ => "key",
        }
    }
}

/// How the rows of one part stand in their store.
#[derive(Debug, Clone)]
pub struct Mapping {
    part: Part,
    shape: Shape,
    /// Member → its name in the store.
    names: HashMap<&'static str, String>,
}

impl Mapping {
    /// The usual names, but for those members that `fields` names otherwise (member → name in the store).
    pub fn new(part: Part, shape: Shape, fields: &[(String, String)]) -> Mapping {
        let usual = |member: &str| match (shape, member) {
            (Shape::Flat, member) => member.to_owned(),
            (Shape::Columns, member) => snake(member.trim_start_matches('_')),
        };
        let named = |member: &str| {
            let written = member.trim_start_matches('_');
            fields.iter().find(|(of, _)| of == written).map(|(_, name)| name.clone())
        };
        let own = part.members().iter();
        let mut names: HashMap<_, _> =
            own.map(|member| (*member, named(member).unwrap_or_else(|| usual(member)))).collect();
        if part == Part::Files && shape == Shape::Columns {
            names.insert(BODY, named(BODY).unwrap_or_else(|| BODY.to_owned()));
        }
        Mapping { part, shape, names }
    }

    /// What the rows are about.
    pub fn part(&self) -> Part {
        self.part
    }

    /// How the store keeps the rows.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How the store names a member.
    pub fn name<'a>(&'a self, member: &'a str) -> &'a str {
        self.names.get(member).map_or(member, String::as_str)
    }

    /// The members of a row; `None` when it is no object.
    pub fn members(&self, id: &str, row: &Value) -> Option<Members> {
        let row = row.as_object()?;
        let mut members = match self.shape {
            Shape::Columns => match row.get(self.name(BODY)) {
                Some(Value::Object(body)) if self.names.contains_key(BODY) => body.clone(),
                _ => Members::new(),
            },
            Shape::Flat => {
                let is_renamed = |name: &str| self.names.values().any(|own| own == name);
                let rest = row.iter().filter(|(name, _)| !is_renamed(name) && *name != "id" && *name != "_id");
                rest.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
        };
        for member in self.part.members() {
            match row.get(self.name(member)) {
                Some(value) if !value.is_null() => members.insert((*member).to_owned(), value.clone()),
                _ => members.remove(*member),
            };
        }
        // Whatever the row calls it: its id is what everybody else knows it by.
        members.insert(self.part.id().to_owned(), Value::from(id));
        Some(members)
    }

    /// The row that holds these members. Columns are all there, with null for what is absent, but for `seq`, which
    /// the database draws.
    pub fn row(&self, members: Members) -> Value {
        match self.shape {
            Shape::Flat => members.into_iter().map(|(member, value)| (self.name(&member).to_owned(), value)).collect(),
            Shape::Columns => self.columns(members),
        }
    }

    /// The row that holds these members, in place of one that may hold more than members: other columns, `seq`.
    pub fn row_over(&self, stored: Value, members: Members) -> Value {
        match (self.shape, stored, self.row(members)) {
            (Shape::Columns, Value::Object(mut stored), Value::Object(row)) => {
                stored.extend(row);
                Value::Object(stored)
            }
            (_, _, row) => row,
        }
    }

    fn columns(&self, mut members: Members) -> Value {
        let mut row = Members::new();
        for member in self.part.members() {
            let value = members.remove(*member);
            if *member != "seq" {
                row.insert(self.name(member).to_owned(), value.unwrap_or_else(|| absent(member)));
            }
        }
        if self.names.contains_key(BODY) {
            row.insert(self.name(BODY).to_owned(), Value::Object(members));
        }
        Value::Object(row)
    }
}

/// What a column holds for a member that is absent.
fn absent(member: &str) -> Value {
    match member {
        "parents" => json!([]),
        "info" => json!({}),
        "deleted" => json!(false),
        "revised" => json!(0),
        _ => Value::Null,
    }
}

/// `addingUser` → `adding_user`.
fn snake(member: &str) -> String {
    let mut name = String::with_capacity(member.len() + 2);
    for letter in member.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// A member that must be text.
fn text(members: &Members, name: &str) -> Option<Arc<str>> {
    members.get(name).and_then(Value::as_str).map(Into::into)
}

/// A member that may be absent, but if it is there, must be what `read` takes; the outer `None`: it is not.
fn optional<T>(members: &Members, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<Option<T>> {
    match members.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => read(value).map(Some),
    }
}

/// A member that is a text, or absent.
fn optional_text(members: &Members, name: &str) -> Option<Option<Arc<str>>> {
    optional(members, name, |value| value.as_str().map(Into::into))
}

/// `deleted`; absent is false.
fn is_deleted(members: &Members) -> Option<bool> {
    optional(members, "deleted", Value::as_bool).map(|deleted| deleted.unwrap_or(false))
}
