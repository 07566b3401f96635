//! A role on a file for somebody: a user, a group, or anyone.

use super::{CHANGE, Members, is_deleted, n_of, optional, optional_text, text};
use crate::audience::{Grant, Role, Who};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::sync::Arc;

/// A row of the part permissions.
#[derive(Debug, Clone, PartialEq)]
pub struct Permission {
    pub key: Arc<str>,
    /// The key of the file that it is for.
    pub file: Arc<str>,
    pub order: Order,
    pub who: Who,
    pub role: Role,
    pub adding_user: Arc<str>,
    pub display_name: Option<Arc<str>>,
    /// The last millisecond in which it gives its role.
    pub expiration_time: Option<i64>,
    pub deleted: bool,
    pub deleted_time: Option<i64>,
    pub deleting_user: Option<Arc<str>>,
    /// The change id of the request that wrote the row.
    pub n: Option<Arc<str>>,
}

/// `seq`: which permission was given first; a growing number, or a time as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Order {
    #[default]
    Unknown,
    Number(i64),
    Time(Arc<str>),
}

impl Permission {
    /// Reads a row's members; `None` when they make no permission.
    pub fn read(members: Members) -> Option<Permission> {
        let owner = optional_text(&members, "owner")?;
        let who = match (&*text(&members, "type")?, owner) {
            ("user", Some(user)) => Who::Subject(user),
            ("group", Some(group)) => Who::Group(group),
            ("anyone", _) => Who::Anyone,
            _ => return None,
        };
        let order = optional(&members, "seq", |seq| match seq {
            Value::String(time) => Some(Order::Time(time.as_str().into())),
            seq => seq.as_i64().map(Order::Number),
        });
        Some(Permission {
            key: text(&members, "key")?,
            file: text(&members, "file")?,
            order: order?.unwrap_or_default(),
            who,
            role: Role::from_word(&text(&members, "role")?)?,
            adding_user: text(&members, "addingUser")?,
            display_name: optional_text(&members, "displayName")?,
            expiration_time: optional(&members, "expirationTime", Value::as_i64)?,
            deleted: is_deleted(&members)?,
            deleted_time: optional(&members, "deletedTime", Value::as_i64)?,
            deleting_user: optional_text(&members, "deletingUser")?,
            n: members.get(CHANGE).and_then(n_of),
        })
    }

    /// The members of its row.
    pub fn members(&self) -> Members {
        let mut members = self.visible();
        members.insert("file".to_owned(), json!(&*self.file));
        members.insert("deleted".to_owned(), json!(self.deleted));
        let seq = match &self.order {
            Order::Unknown => None,
            Order::Number(number) => Some(json!(number)),
            Order::Time(time) => Some(json!(&**time)),
        };
        let rest = [
            ("seq", seq),
            ("deletedTime", self.deleted_time.map(Value::from)),
            ("deletingUser", self.deleting_user.as_deref().map(Value::from)),
            (CHANGE, self.n.as_deref().map(Value::from)),
        ];
        members.extend(rest.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        members
    }

    /// The permission as clients see it.
    pub fn document(&self) -> Value {
        let mut document = self.visible();
        document.insert("kind".to_owned(), json!("Core#Permission"));
        Value::Object(document)
    }

    fn visible(&self) -> Members {
        let (word, owner) = match &self.who {
            Who::Subject(user) => ("user", Some(user)),
            Who::Group(group) => ("group", Some(group)),
            Who::Anyone => ("anyone", None),
        };
        let members = [
            ("key", Some(json!(&*self.key))),
            ("type", Some(json!(word))),
            ("owner", owner.map(|owner| json!(&**owner))),
            ("role", Some(json!(self.role.word()))),
            ("addingUser", Some(json!(&*self.adding_user))),
            ("displayName", self.display_name.as_deref().map(Value::from)),
            ("expirationTime", self.expiration_time.map(Value::from)),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// In the order in which they were given.
    pub fn by_order(&self, other: &Permission) -> Ordering {
        (&self.order, &self.key).cmp(&(&other.order, &other.key))
    }

    /// What it gives while it is live.
    pub fn grant(&self) -> Grant {
        Grant { who: self.who.clone(), role: self.role, until: self.expiration_time }
    }
}
