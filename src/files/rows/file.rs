//! A file: a space, a project, whatever has contents or children.

use super::{CHANGE, Members, Permission, is_deleted, optional, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// A row of the part files.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub key: Arc<str>,
    pub kind: Arc<str>,
    pub owner: Arc<str>,
    /// From the outermost to the direct one.
    pub parents: Vec<Arc<str>>,
    /// Every member that clients see, as it is stored: without defaults, permissions, and what tells of deletion.
    pub stored: Members,
    pub deleted: bool,
    pub deleted_info: Option<Value>,
    /// The change record.
    pub change: Option<Value>,
}

/// Members that are never stored: they are computed for whoever reads.
const COMPUTED: [&str; 3] = ["permissions", "permissionIds", "capabilities"];

impl File {
    /// Reads a row's members; `None` when they make no file.
    pub fn read(mut members: Members) -> Option<File> {
        let names = |value: &Value| {
            value.as_array()?.iter().map(|parent| parent.as_str().map(Into::into)).collect::<Option<Vec<Arc<str>>>>()
        };
        let file = File {
            key: text(&members, "key")?,
            kind: text(&members, "kind")?,
            owner: text(&members, "owner")?,
            parents: optional(&members, "parents", names)?.unwrap_or_default(),
            stored: Members::new(),
            deleted: is_deleted(&members)?,
            deleted_info: members.remove("deletedInfo"),
            change: members.remove(CHANGE),
        };
        let is_object = |value: &Value| value.is_object().then_some(());
        optional(&members, "info", is_object)?;
        optional(&members, "lastModified", is_object)?;
        members.remove("deleted");
        COMPUTED.iter().for_each(|name| drop(members.remove(*name)));
        Some(File { stored: members, ..file })
    }

    /// The members of its row.
    pub fn members(&self) -> Members {
        let mut members = self.stored.clone();
        members.insert("deleted".to_owned(), json!(self.deleted));
        members.extend(self.deleted_info.clone().map(|info| ("deletedInfo".to_owned(), info)));
        members.extend(self.change.clone().map(|change| (CHANGE.to_owned(), change)));
        members
    }

    /// The direct parent.
    pub fn parent(&self) -> Option<&Arc<str>> {
        self.parents.last()
    }

    /// The file as clients see it, with its live permissions in order; without what is computed for each.
    pub fn document<'a>(&self, permissions: impl IntoIterator<Item = &'a Permission>) -> Value {
        let mut document = self.stored.clone();
        let (ids, permissions): (Vec<Value>, Vec<Value>) =
            permissions.into_iter().map(|one| (json!(&*one.key), one.document())).unzip();
        document.insert("permissionIds".to_owned(), ids.into());
        document.insert("permissions".to_owned(), permissions.into());
        for (name, default) in
            [("parents", json!([])), ("info", json!({})), ("lastModified", json!({"user": &*self.owner, "time": 0}))]
        {
            document.entry(name.to_owned()).or_insert(default);
        }
        Value::Object(document)
    }
}
