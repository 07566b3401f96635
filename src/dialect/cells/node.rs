//! A file or a folder with its metadata, and who may read those parts of it that belong to users.

use crate::dialect::cells::shape::{Object, Unreadable, long, quoted, word};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

const KINDS: &[&str] = &["UNKNOWN", "LEAF", "COLLECTION"];
const ACTIONS: &[&str] = &["ANY", "OWNER", "READ", "WRITE", "EDIT_RULES"];
const EFFECTS: &[&str] = &["deny", "allow"];

/// Metadata whose name begins so is nobody's business.
pub const INTERNAL: &str = "pydio:";

/// A node of the tree. Its path has no slash at either end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    pub uuid: Arc<str>,
    pub path: Arc<str>,
    pub kind: Kind,
    pub size: i64,
    pub mtime: i64,
    pub mode: i32,
    pub etag: Arc<str>,
    /// What everybody may know who sees the node: JSON text by name, nothing internal.
    pub meta: BTreeMap<String, String>,
    /// What users said of it, by namespace.
    pub user_meta: BTreeMap<String, Namespace>,
}

/// Which kind of node it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kind(usize);

/// What users said of a node under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// JSON text.
    pub value: String,
    pub policies: Policies,
}

/// Who may read something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// Subjects that may read, and those that may not.
    allow: Vec<Box<str>>,
    deny: Vec<Box<str>>,
}

/// Where a node is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// The uuid of the workspace.
    pub workspace: &'a str,
    /// The path in it.
    pub path: String,
    /// It is one of several roots of the workspace.
    pub is_root: bool,
}

impl Node {
    /// The name: the last segment of its path.
    pub fn name(&self) -> &str {
        name_of(&self.path)
    }

    /// Reads a node of an event, whose metadata are JSON texts.
    ///
    /// # Errors
    /// When something in it is of another type than it should be.
    pub fn read(node: &Map<String, Value>) -> Result<Node, Unreadable> {
        let value = |key: &str| node.get(key).filter(|value| !value.is_null());
        let text = |key: &str| match value(key) {
            None => Ok(""),
            Some(value) => value.as_str().ok_or(Unreadable),
        };
        let number = |key: &str| value(key).map_or(Ok(0), long);
        let mut meta = BTreeMap::new();
        if let Some(store) = value("MetaStore") {
            for (name, json) in store.as_object().ok_or(Unreadable)? {
                let json = json.as_str().ok_or(Unreadable)?;
                // One bad value would lose the client the whole event.
                if !name.starts_with(INTERNAL) && serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok() {
                    meta.insert(name.clone(), json.to_owned());
                }
            }
        }
        Ok(Node {
            uuid: text("Uuid")?.into(),
            path: text("Path")?.trim_matches('/').into(),
            kind: value("Type").map_or(Ok(Kind::default()), Kind::read)?,
            size: number("Size")?,
            mtime: number("MTime")?,
            mode: i32::try_from(number("Mode")?).map_err(|_| Unreadable)?,
            etag: text("Etag")?.into(),
            meta,
            user_meta: BTreeMap::new(),
        })
    }

    /// Writes it as it is seen at a place by somebody who `may_read` what these policies guard.
    pub(super) fn write(&self, place: &Place<'_>, may_read: impl Fn(&Policies) -> bool) -> Object {
        let name = quoted(self.name());
        let workspace = quoted(place.workspace);
        let mut meta: BTreeMap<&str, &str> = BTreeMap::new();
        meta.insert("name", &name);
        meta.extend(self.meta.iter().map(|(name, json)| (name.as_str(), json.as_str())));
        let readable = self.user_meta.iter().filter(|(_, namespace)| may_read(&namespace.policies));
        meta.extend(readable.map(|(name, namespace)| (name.as_str(), namespace.value.as_str())));
        meta.insert("EventWorkspaceId", &workspace);
        if place.is_root {
            meta.insert("ws_root", "\"true\"");
        }
        let mut store = Object::default();
        for (name, json) in meta {
            store.json(name, &quoted(json));
        }
        let mut object = Object::default();
        object.text("Uuid", &self.uuid);
        object.text("Path", &place.path);
        object.text("Type", self.kind.word());
        object.long("Size", self.size);
        object.long("MTime", self.mtime);
        object.number("Mode", i64::from(self.mode));
        object.text("Etag", &self.etag);
        object.object("MetaStore", store);
        object
    }
}

/// The last segment of a path.
pub fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

impl Kind {
    /// Reads its word or number.
    ///
    /// # Errors
    /// When there is no such kind.
    pub fn read(value: &Value) -> Result<Kind, Unreadable> {
        word(KINDS, value).map(Kind)
    }

    fn word(self) -> &'static str {
        if self.0 == 0 { "" } else { KINDS.get(self.0).copied().unwrap_or_default() }
    }
}

impl Policies {
    /// Reads a list of `{"Action":…,"Subject":…,"Effect":…}`; only those about reading count.
    ///
    /// # Errors
    /// When it is no such list.
    pub fn read(list: &Value) -> Result<Policies, Unreadable> {
        let mut policies = Policies::default();
        for policy in list.as_array().ok_or(Unreadable)? {
            let policy = policy.as_object().ok_or(Unreadable)?;
            let number = |key: &str, words| policy.get(key).map_or(Ok(0), |value| word(words, value));
            let (action, effect) = (number("Action", ACTIONS)?, number("Effect", EFFECTS)?);
            let subject = policy.get("Subject").and_then(Value::as_str).ok_or(Unreadable)?;
            if ACTIONS.get(action) == Some(&"READ") {
                let subjects = if effect == 0 { &mut policies.deny } else { &mut policies.allow };
                subjects.push(subject.into());
            }
        }
        Ok(policies)
    }

    /// Whether somebody may read who is these subjects: one that may not wins over one that may.
    pub fn let_read(&self, is_subject: impl Fn(&str) -> bool) -> bool {
        let is_one = |subjects: &[Box<str>]| subjects.iter().any(|subject| is_subject(subject));
        !is_one(&self.deny) && is_one(&self.allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_may_read_is_said_by_name_or_number_and_a_denial_wins() {
        let read =
            |policies: Value| Policies::read(&policies).map(|read| read.let_read(|one| ["*", "user:a"].contains(&one)));
        for (policies, may) in [
            (json!([]), false),
            (json!([{"Action": "READ", "Subject": "*", "Effect": "allow"}]), true),
            (json!([{"Action": 2, "Subject": "user:a", "Effect": 1}]), true),
            (json!([{"Action": "READ", "Subject": "user:b", "Effect": "allow"}]), false),
            (json!([{"Action": "READ", "Subject": "*", "Effect": 1}, {"Action": 2, "Subject": "user:a"}]), false),
            (json!([{"Action": "WRITE", "Subject": "*", "Effect": "allow"}]), false),
            (json!([{"Subject": "*", "Effect": "allow"}]), false),
        ] {
            assert_eq!(read(policies.clone()), Ok(may), "{policies}");
        }
        for policies in [json!({}), json!([7]), json!([{"Action": "LOOK", "Subject": "*"}]), json!([{"Action": 2}])] {
            assert_eq!(read(policies.clone()), Err(Unreadable), "{policies}");
        }
    }

    #[test]
    fn metadata_of_an_event_that_are_internal_or_no_json_are_left_out() {
        let node = json!({"Uuid": "n", "Path": "/ds1/a.txt/", "Type": 1, "Size": "12", "MetaStore":
            {"mime": "\"text/plain\"", "pydio:x": "1", "bad": "{", "count": "3"}});
        let node = Node::read(node.as_object().expect("an object")).expect("a node");
        let place = Place { workspace: "w", path: "s/a.txt".to_owned(), is_root: false };
        let text = r#"{"Uuid":"n","Path":"s/a.txt","Type":"LEAF","Size":"12","MetaStore":{"EventWorkspaceId":"\"w\"","count":"3","mime":"\"text/plain\"","name":"\"a.txt\""}}"#;
        assert_eq!(node.write(&place, |_| false).end(), text);
        assert_eq!(&*node.path, "ds1/a.txt");
        for wrong in [json!({"Uuid": 7}), json!({"Type": "DIR"}), json!({"MetaStore": {"a": 1}}), json!({"Size": "x"})]
        {
            assert_eq!(Node::read(wrong.as_object().expect("an object")), Err(Unreadable), "{wrong}");
        }
    }
}
