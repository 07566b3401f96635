//! A request to patch: `{"id","app","appVersion","patch"}`. What its sender calls it comes back unchanged, to everybody.

use super::failure::Failure;
use crate::files::rows::Told;
use crate::patch::reversible::{self, Applied};
use crate::patch::{Operation, Ops};
use serde_json::{Map, Value};

/// A patch to be applied, and how its sender knows it again.
pub(super) struct PatchRequest {
    pub(super) id: Value,
    pub(super) app: Value,
    pub(super) app_version: Value,
    pub(super) ops: Ops,
}

/// Members of a file that are not changed by patches: the store keeps them, or other requests change them.
const PROTECTED: [&str; 10] = [
    "permissions",
    "permissionIds",
    "deleted",
    "deletedInfo",
    "parents",
    "key",
    "kind",
    "owner",
    "lastModified",
    "capabilities",
];

/// Members of contents that are not changed.
const FIXED: [&str; 2] = ["key", "kind"];

impl PatchRequest {
    /// Reads a body.
    pub(super) fn read(body: Value) -> Result<PatchRequest, Failure> {
        let mut members = match body {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let mut take = |name: &str| {
            let is_there = |value: &Value| !value.is_null() && value != "";
            let missing = || Failure::malformed(format!("Invalid patch schema. Missing \"{name}\" property."));
            members.remove(name).filter(is_there).ok_or_else(missing)
        };
        let (app, app_version, id, patch) = (take("app")?, take("appVersion")?, take("id")?, take("patch")?);
        Ok(PatchRequest { id, app, app_version, ops: reversible::parse(patch)? })
    }

    /// For a file: operations on what is protected are left out, the file as a whole is not replaced.
    pub(super) fn of_file(mut self) -> Result<PatchRequest, Failure> {
        if self.ops.iter().any(|operation| operation.path().is_empty()) {
            return Err(Failure::restricted_path(""));
        }
        self.ops.retain(|operation| !is_protected(operation));
        Ok(self)
    }

    /// For contents: what they are is not changed.
    pub(super) fn of_contents(self) -> Result<PatchRequest, Failure> {
        let is_fixed = |name: Option<String>| name.is_some_and(|name| FIXED.contains(&name.as_str()));
        for operation in self.ops.iter() {
            if is_fixed(operation.member()) {
                return Err(Failure::restricted_path(operation.path()));
            }
            if operation.word() == "move" && is_fixed(operation.member_from()) {
                return Err(Failure::restricted_path(operation.from().unwrap_or_default()));
            }
        }
        Ok(self)
    }

    /// What everybody is told of it.
    pub(super) fn told(&self, applied: &Applied) -> Told {
        Told {
            id: self.id.clone(),
            app: self.app.clone(),
            app_version: self.app_version.clone(),
            patch: applied.patch.to_value(),
            revert: applied.revert.to_value(),
        }
    }
}

/// What everybody is told of a change whose sender did not name it.
pub(super) fn difference(n: &str, before: &Value, after: &Value) -> Told {
    let (patch, revert) = reversible::diff(before, after);
    Told::ours(n.get(..16).unwrap_or(n), patch.to_value(), revert.to_value())
}

/// Whether contents became something else, as only an operation on the whole of them can make them.
pub(super) fn has_changed_nature(before: &Value, after: &Value) -> bool {
    FIXED.iter().any(|name| before.get(name) != after.get(name))
}

fn is_protected(operation: Operation<'_>) -> bool {
    let is =
        |name: Option<String>| name.is_some_and(|name| PROTECTED.contains(&name.as_str()) || name.starts_with('_'));
    is(operation.member()) || is(operation.member_from())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(patch: Value) -> PatchRequest {
        let body = json!({"id": 0, "app": "x", "appVersion": "1", "patch": patch});
        PatchRequest::read(body).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    #[test]
    fn operations_on_what_is_protected_are_dropped_by_whole_names() {
        let kept = |patch: Value| request(patch).of_file().map(|request| request.ops.to_value());
        for (operation, is_kept) in [
            (json!({"op": "replace", "path": "/owner", "value": 1}), false),
            (json!({"op": "add", "path": "/permissions/0", "value": 1}), false),
            (json!({"op": "test", "path": "/lastModified/time", "value": 1}), false),
            (json!({"op": "add", "path": "/_change", "value": 1}), false),
            (json!({"op": "add", "path": "/_", "value": 1}), false),
            (json!({"op": "add", "path": "/keyboard", "value": 1}), true),
            (json!({"op": "add", "path": "/info/owner", "value": 1}), true),
            (json!({"op": "move", "path": "/labels", "from": "/parents"}), false),
            (json!({"op": "copy", "path": "/labels", "from": "/deletedInfo/user"}), false),
            (json!({"op": "move", "path": "/kind", "from": "/labels"}), false),
        ] {
            let expected = if is_kept { json!([operation]) } else { json!([]) };
            assert_eq!(kept(json!([operation])).expect("a patch"), expected);
        }
        assert!(kept(json!([{"op": "replace", "path": "", "value": {}}])).is_err());
    }

    #[test]
    fn what_contents_are_is_not_patched() {
        for (operation, is_kept) in [
            (json!({"op": "replace", "path": "/kind", "value": 1}), false),
            (json!({"op": "add", "path": "/key/x", "value": 1}), false),
            (json!({"op": "move", "path": "/a", "from": "/kind"}), false),
            (json!({"op": "copy", "path": "/a", "from": "/kind"}), true),
            (json!({"op": "replace", "path": "/keys", "value": 1}), true),
            (json!({"op": "replace", "path": "", "value": {}}), true),
        ] {
            assert_eq!(request(json!([operation])).of_contents().is_ok(), is_kept, "{operation}");
        }
    }
}
