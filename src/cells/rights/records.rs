//! The rows that rights are made of.

use crate::cells::rows::{Fields, Part};
use std::sync::Arc;

/// One of them, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    User(User),
    Role(Role),
    Workspace(Workspace),
    Acl(Acl),
}

/// A user, or a group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub uuid: Arc<str>,
    pub login: Arc<str>,
    pub group_path: Arc<str>,
    pub group_label: Arc<str>,
    pub is_group: bool,
    pub profile: Arc<str>,
    /// In the order in which they count.
    pub roles: Vec<Arc<str>>,
    pub locks: Vec<Arc<str>>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub label: Arc<str>,
    pub is_team: bool,
    pub group_role: bool,
    pub user_role: bool,
    pub last_updated: i64,
}

/// A workspace, without its roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub slug: Arc<str>,
    pub label: Arc<str>,
    pub description: Arc<str>,
    pub scope: Arc<str>,
    pub last_updated: i64,
}

/// An access rule. What it does not name is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    pub action: Arc<str>,
    pub value: Arc<str>,
    pub role: Arc<str>,
    pub workspace: Arc<str>,
    pub node: Arc<str>,
}

impl Record {
    /// Reads a row; `None`: rights are not made of such.
    pub fn read(part: Part, fields: &Fields<'_>) -> Option<Record> {
        Some(match part {
            Part::Users => Record::User(User::read(fields)),
            Part::Roles => Record::Role(Role::read(fields)),
            Part::Workspaces => Record::Workspace(Workspace::read(fields)),
            Part::Acls => Record::Acl(Acl::read(fields)),
            _ => return None,
        })
    }
}

impl User {
    /// Reads a row.
    pub fn read(fields: &Fields<'_>) -> User {
        let or = |text: &'static str, column: &str| match fields.text(column) {
            "" => text.into(),
            given => given.into(),
        };
        User {
            uuid: fields.key(),
            login: fields.text("login").into(),
            group_path: or("/", "group_path"),
            group_label: fields.text("group_label").into(),
            is_group: fields.flag("is_group"),
            profile: or("standard", "profile"),
            roles: fields.texts("roles"),
            locks: fields.texts("locks"),
        }
    }

    /// Whether this user may not come in.
    pub fn is_locked(&self) -> bool {
        self.locks.iter().any(|lock| &**lock == "logout")
    }
}

impl Role {
    /// Reads a row.
    pub fn read(fields: &Fields<'_>) -> Role {
        Role {
            label: fields.text("label").into(),
            is_team: fields.flag("is_team"),
            group_role: fields.flag("group_role"),
            user_role: fields.flag("user_role"),
            last_updated: fields.number("last_updated"),
        }
    }
}

impl Workspace {
    /// Reads a row.
    pub fn read(fields: &Fields<'_>) -> Workspace {
        Workspace {
            slug: fields.text("slug").into(),
            label: fields.text("label").into(),
            description: fields.text("description").into(),
            scope: fields.text("scope").into(),
            last_updated: fields.number("last_updated"),
        }
    }
}

impl Acl {
    /// Reads a row.
    pub fn read(fields: &Fields<'_>) -> Acl {
        Acl {
            action: fields.text("action_name").into(),
            value: fields.text("action_value").into(),
            role: fields.text("role_id").into(),
            workspace: fields.text("workspace_id").into(),
            node: fields.text("node_id").into(),
        }
    }
}
