//! Changing a document: RFC 6902 patches and RFC 7396 merges, applied within bounds, and the difference of two
//! documents there and back.

mod array;

use crate::error::{Error, Kind, Result};
use json_patch::jsonptr::{Pointer, PointerBuf, Token};
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::Value;
use std::fmt;

/// More operations than this are refused.
const MAX_OPERATIONS: usize = 10_000;

/// Documents are not made deeper than this; what reads them again has its limit at 128.
const MAX_DEPTH: usize = 100;

/// What one patch may cost: values moved and copied, and array elements shifted aside.
const MAX_WORK: usize = 10_000_000;

/// A copied value takes memory, so it costs this much more than a moved one.
const COPY_COST: usize = 10;

/// The operations of a patch, in order. `Display` writes them as JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ops(Vec<PatchOperation>);

impl Ops {
    /// Reads `[{"op": "add", "path": "/a", "value": 1}, …]`.
    ///
    /// # Errors
    /// `Malformed` when it is no JSON patch, or one of more than 10,000 operations.
    pub fn parse(patch: Value) -> Result<Ops> {
        if patch.as_array().is_some_and(|operations| operations.len() > MAX_OPERATIONS) {
            return Err(malformed(format!("a JSON patch may have at most {MAX_OPERATIONS} operations")));
        }
        let patch: Patch = serde_json::from_value(patch)
            .map_err(|cause| Error::because(Kind::Malformed, "this is no JSON patch (RFC 6902)", cause))?;
        Ok(Ops(patch.0))
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Ops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

/// The document after all operations.
///
/// # Errors
/// `Malformed` when one of them does not apply, or they ask for too much: too deep, too large.
pub fn apply(document: &Value, ops: &Ops) -> Result<Value> {
    let mut document = document.clone();
    let mut work = 0;
    for (index, operation) in ops.0.iter().enumerate() {
        let refused =
            |why: String| malformed(format!("operation {} of the patch, at '{}': {why}", index + 1, operation.path()));
        work += cost(&document, operation).map_err(|why| refused(why.to_owned()))?;
        if work > MAX_WORK {
            return Err(refused("the patch asks for too much".to_owned()));
        }
        json_patch::patch_unsafe(&mut document, std::slice::from_ref(operation))
            .map_err(|error| refused(error.kind.to_string()))?;
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
/// aligned, so that one inserted in the middle is one operation.
pub fn diff(before: &Value, after: &Value) -> Ops {
    let mut difference = Difference { path: PointerBuf::new(), ops: Vec::new() };
    difference.values(before, after);
    Ops(difference.ops)
}

/// What leads back from the document that `ops` make of `before`.
///
/// # Errors
/// As [`apply`].
pub fn revert(before: &Value, ops: &Ops) -> Result<Ops> {
    Ok(diff(&apply(before, ops)?, before))
}

/// What an operation costs beyond a step, or why it must not be done.
fn cost(document: &Value, operation: &PatchOperation) -> std::result::Result<usize, &'static str> {
    let deep = operation.path().count();
    let found = |path: &Pointer| document.pointer(path.as_str());
    let (value, factor) = match operation {
        PatchOperation::Add(add) => (Some(&add.value), 1),
        PatchOperation::Replace(replace) => (Some(&replace.value), 1),
        PatchOperation::Move(moved) => (found(&moved.from), 1),
        PatchOperation::Copy(copied) => (found(&copied.from), COPY_COST),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => (None, 0),
    };
    let nodes = match (value, MAX_DEPTH.checked_sub(deep)) {
        (Some(value), Some(left)) => size(value, left).ok_or("the document would be too deep")?,
        (Some(_), None) => return Err("the document would be too deep"),
        (None, _) => 0,
    };
    let shifted = operation.path().parent().and_then(found).and_then(Value::as_array).map_or(0, Vec::len);
    Ok(nodes * factor + shifted / 16)
}

/// The number of values within a value; `None` when it is deeper than allowed.
fn size(value: &Value, depth: usize) -> Option<usize> {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(elements) => Box::new(elements.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => return Some(1),
    };
    let depth = depth.checked_sub(1)?;
    inner.try_fold(1, |total, value| Some(total + size(value, depth)?))
}

fn malformed(sentence: String) -> Error {
    Error::new(Kind::Malformed, sentence)
}

/// The operations found so far, and where in the document the search is.
struct Difference {
    path: PointerBuf,
    ops: Vec<PatchOperation>,
}

impl Difference {
    fn values(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (before, after) if before == after => {}
            (Value::Object(before), Value::Object(after)) => {
                for (name, value) in before {
                    self.at(name, |here| match after.get(name) {
                        Some(new) => here.values(value, new),
                        None => here.remove(),
                    });
                }
                for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                    self.at(name, |here| here.add(value));
                }
            }
            (Value::Array(before), Value::Array(after)) => self.arrays(before, after),
            (_, after) => {
                let (path, value) = (self.path.clone(), after.clone());
                self.ops.push(PatchOperation::Replace(ReplaceOperation { path, value }));
            }
        }
    }

    fn arrays(&mut self, before: &[Value], after: &[Value]) {
        let mut index = 0;
        for step in array::align(before, after) {
            match step {
                array::Step::Removed => self.at(index, Difference::remove),
                array::Step::Added(value) => self.at(index, |here| here.add(value)),
                array::Step::Kept(old, new) => self.at(index, |here| here.values(old, new)),
            }
            index += usize::from(!matches!(step, array::Step::Removed));
        }
    }

    fn at<'a>(&mut self, step: impl Into<Token<'a>>, find: impl FnOnce(&mut Difference)) {
        self.path.push_back(step);
        find(self);
        self.path.pop_back();
    }

    fn add(&mut self, value: &Value) {
        self.ops.push(PatchOperation::Add(AddOperation { path: self.path.clone(), value: value.clone() }));
    }

    fn remove(&mut self) {
        self.ops.push(PatchOperation::Remove(RemoveOperation { path: self.path.clone() }));
    }
}

#[cfg(test)]
mod tests;
