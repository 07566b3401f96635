//! Changing a document: RFC 6902 patches and RFC 7396 merges, applied within bounds, the difference of two
//! documents, and patches that can be taken back ([`reversible`]).
//!
//! Promise: a patch is applied as a whole or not at all.

mod array;
mod bounds;
mod difference;
mod fault;
pub mod reversible;
mod step;

pub use fault::Fault;

use crate::error::{Error, Kind, Result};
use bounds::Bounds;
use difference::{Arrays, Difference};
use json_patch::PatchOperation;
use json_patch::jsonptr::Pointer;
use serde_json::Value;
use std::fmt;

/// More operations than this are refused.
const MAX_OPERATIONS: usize = 10_000;

/// The operations of a patch, in order. `Display` writes them as JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ops(Vec<PatchOperation>);

/// One operation of a patch, to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a>(&'a PatchOperation);

impl Ops {
    /// Reads `[{"op": "add", "path": "/a", "value": 1}, …]`.
    ///
    /// # Errors
    /// `Malformed` when it is no JSON patch, or one of more than 10,000 operations.
    pub fn parse(patch: Value) -> Result<Ops> {
        Ops::read(patch, |_| true)
            .map_err(|fault| Error::because(Kind::Malformed, "this is no JSON patch (RFC 6902)", fault))
    }

    /// As [`Ops::parse`]; a pointer that is not `allowed` is a fault like a malformed one.
    fn read(patch: Value, allowed: impl Fn(&Pointer) -> bool) -> Fallible<Ops> {
        let Value::Array(operations) = patch else { return Err(Fault::Malformed) };
        if operations.len() > MAX_OPERATIONS {
            return Err(Fault::TooMuch);
        }
        operations.into_iter().map(|operation| read_operation(operation, &allowed)).collect::<Fallible<_>>().map(Ops)
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The operations, in order.
    pub fn iter(&self) -> impl Iterator<Item = Operation<'_>> {
        self.0.iter().map(Operation)
    }

    /// Drops the operations that `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(Operation<'_>) -> bool) {
        self.0.retain(|operation| keep(Operation(operation)));
    }

    /// Adds operations behind these.
    pub fn append(&mut self, mut others: Ops) {
        self.0.append(&mut others.0);
    }

    /// The operations as a JSON array.
    pub fn to_value(&self) -> Value {
        self.0.iter().map(value_of).collect()
    }
}

impl fmt::Display for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

impl<'a> Operation<'a> {
    /// `add`, `remove`, `replace`, `move`, `copy` or `test`.
    pub fn word(self) -> &'static str {
        match self.0 {
            PatchOperation::Add(_) => "add",
            PatchOperation::Remove(_) => "remove",
            PatchOperation::Replace(_) => "replace",
            PatchOperation::Move(_) => "move",
            PatchOperation::Copy(_) => "copy",
            PatchOperation::Test(_) => "test",
        }
    }

    /// The JSON pointer of `path`, as text.
    pub fn path(self) -> &'a str {
        self.0.path().as_str()
    }

    /// The JSON pointer of `from`, as text, where there is one.
    pub fn from(self) -> Option<&'a str> {
        match self.0 {
            PatchOperation::Move(moved) => Some(moved.from.as_str()),
            PatchOperation::Copy(copied) => Some(copied.from.as_str()),
            _ => None,
        }
    }

    /// The name of the outermost member that `path` leads into; `None` for the whole document.
    pub fn member(self) -> Option<String> {
        first_name(self.0.path())
    }

    /// The same of `from`.
    pub fn member_from(self) -> Option<String> {
        match self.0 {
            PatchOperation::Move(moved) => first_name(&moved.from),
            PatchOperation::Copy(copied) => first_name(&copied.from),
            _ => None,
        }
    }

    /// The `value` of an operation that has one.
    pub fn value(self) -> Option<&'a Value> {
        match self.0 {
            PatchOperation::Add(add) => Some(&add.value),
            PatchOperation::Replace(replace) => Some(&replace.value),
            PatchOperation::Test(test) => Some(&test.value),
            _ => None,
        }
    }
}

fn first_name(path: &Pointer) -> Option<String> {
    path.first().map(|token| token.decoded().into_owned())
}

/// What a patch, or one step of it, comes to.
type Fallible<T> = std::result::Result<T, Fault>;

/// One operation of a patch. Its pointers are looked at by themselves, for they are refused in other words.
fn read_operation(operation: Value, allowed: &impl Fn(&Pointer) -> bool) -> Fallible<PatchOperation> {
    let needed = match operation.get("op").and_then(Value::as_str) {
        Some("move" | "copy") => &["path", "from"][..],
        Some(_) => &["path"],
        None => return Err(Fault::Malformed),
    };
    for name in needed {
        let text = operation.get(name).and_then(Value::as_str).ok_or(Fault::Malformed)?;
        if !Pointer::parse(text).is_ok_and(allowed) {
            return Err(Fault::Pointer(text.to_owned()));
        }
    }
    serde_json::from_value(operation).map_err(|_| Fault::Malformed)
}

/// An operation as JSON.
fn value_of(operation: &PatchOperation) -> Value {
    serde_json::to_value(operation).expect("an operation has text keys only")
}

/// The document after all operations.
///
/// # Errors
/// `Malformed` when one of them does not apply, or they ask for too much: too deep, too large.
pub fn apply(document: &Value, ops: &Ops) -> Result<Value> {
    let (mut document, mut bounds) = (document.clone(), Bounds::default());
    for (index, operation) in ops.0.iter().enumerate() {
        let done = bounds.spend(&document, operation).and_then(|()| step::step(&mut document, operation));
        done.map_err(|fault| {
            let sentence = format!("operation {} of the patch, at '{}': {fault}", index + 1, operation.path());
            Error::new(Kind::Malformed, sentence)
        })?;
    }
    Ok(document)
}

/// The document after a merge: objects are merged, null removes, everything else replaces.
pub fn merge(document: &Value, patch: &Value) -> Value {
    let mut document = document.clone();
    json_patch::merge(&mut document, patch);
    document
}

/// What leads from one document to the other: `add`, `remove` and `replace` only. Elements of arrays are
/// aligned, so that several inserted or removed in between are an operation each.
pub fn diff(before: &Value, after: &Value) -> Ops {
    Difference::of(before, after, Arrays::Aligned).ops()
}

#[cfg(test)]
mod tests;
