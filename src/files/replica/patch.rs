//! What is told of a changed row: the patch that its writer made, or the difference of two versions.

use super::Turn;
use crate::event::Stamp;
use crate::files::rows::{Change, Told};
use crate::patch::reversible;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// The name that is counted under where there is no version before.
const NO_BEFORE: &str = "no_before";

impl Turn<'_> {
    /// The patch as its writer recorded it, if it did.
    pub(super) fn recorded(&self, is_own_write: bool, change: Option<&Value>) -> Option<Value> {
        let told = change.filter(|_| is_own_write).and_then(Change::read)?.told?;
        Some(told.to_value())
    }

    /// The patch from one version to the next; `None`: they do not differ.
    pub(super) fn difference(&self, before: &Value, after: &Value) -> Option<Value> {
        let (patch, revert) = reversible::diff(before, after);
        (!patch.is_empty()).then(|| self.generated(patch.to_value(), revert.to_value()))
    }

    /// The patch to a version when the one before is not known: it sets every member, and cannot be taken back.
    pub(super) fn set_whole(&mut self, after: &Value) -> Option<Value> {
        self.lacks = Some(NO_BEFORE);
        let add = |path: String, value: &Value| json!({"op": "add", "path": path, "value": value});
        let patch: Value = match after {
            Value::Object(members) => {
                members.iter().map(|(name, value)| add(format!("/{}", escaped(name)), value)).collect()
            }
            whole => json!([add(String::new(), whole)]),
        };
        Some(self.generated(patch, json!([])))
    }

    fn generated(&self, patch: Value, revert: Value) -> Value {
        Told::ours(&self.generated_id(), patch, revert).to_value()
    }

    /// 16 hex digits; the same on every node and in every replay.
    fn generated_id(&self) -> String {
        let event = self.event;
        let stamp = match event.stamp {
            Stamp::None => format!("-{}", event.time.0),
            Stamp::Transaction(number) => format!("x{number}"),
            Stamp::Time(number) => format!("t{number}"),
            Stamp::Offset(number) => format!("o{number}"),
        };
        let hash = Sha1::digest(format!("{}\0{}\0{stamp}", event.resource, event.id));
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
