//! What a row says of the change that made it as it is: written by the Files API, so that what it did is told as
//! it was asked for.

use serde_json::{Value, json};
use std::sync::Arc;

/// The change record of a file or of its contents.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Names the request that wrote the row; equal in every row that it wrote.
    pub n: Arc<str>,
    /// What is told of an update; `None` for an insert or a deletion.
    pub told: Option<Told>,
    /// Who asked for it.
    pub user: Option<Arc<str>>,
}

/// A patch as its asker named it, with what takes it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub id: Value,
    pub app: Value,
    pub app_version: Value,
    pub patch: Value,
    pub revert: Value,
}

impl Told {
    /// A patch that nobody else gave a name to: this program made it, under this id.
    pub fn ours(id: &str, patch: Value, revert: Value) -> Told {
        Told { id: json!(id), app: json!("tidings"), app_version: json!(env!("CARGO_PKG_VERSION")), patch, revert }
    }

    /// `{"id","app","appVersion","patch","revert"}`, as clients are told it.
    pub fn to_value(&self) -> Value {
        json!({
            "id": self.id,
            "app": self.app,
            "appVersion": self.app_version,
            "patch": self.patch,
            "revert": self.revert,
        })
    }
}

impl Change {
    /// Reads a change record; `None` when it names no change.
    pub fn read(record: &Value) -> Option<Change> {
        let member = |name: &str| record.get(name).filter(|value| !value.is_null()).cloned();
        let told = || {
            Some(Told {
                id: member("id")?,
                app: member("app")?,
                app_version: member("appVersion")?,
                patch: member("patch").filter(Value::is_array)?,
                revert: member("revert").filter(Value::is_array)?,
            })
        };
        let user = member("user").and_then(|user| user.as_str().map(Into::into));
        Some(Change { n: n_of(record)?, told: told(), user })
    }

    /// The record as it stands in a row.
    pub fn to_value(&self) -> Value {
        let mut record = self.told.as_ref().map_or_else(|| json!({}), Told::to_value);
        record["n"] = json!(&*self.n);
        if let Some(user) = &self.user {
            record["user"] = json!(&**user);
        }
        record
    }
}

/// The change id in a change record, or in what permissions and revisions have in its place: the id alone.
pub fn n_of(record: &Value) -> Option<Arc<str>> {
    match record.get("n").unwrap_or(record) {
        Value::String(n) => Some(n.as_str().into()),
        Value::Number(n) => Some(n.to_string().into()),
        _ => None,
    }
}
