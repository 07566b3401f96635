//! What a patch may cost, so that a small text does not make a large or a deep document.

use super::{Fallible, Fault};
use json_patch::PatchOperation;
use json_patch::jsonptr::Pointer;
use serde_json::Value;

/// Documents are not made deeper than this; what reads them again has its limit at 128.
const MAX_DEPTH: usize = 100;

/// What one patch may cost: values moved and copied, and array elements shifted aside.
const MAX_WORK: usize = 10_000_000;

/// A copied value takes memory, so it costs this much more than a moved one.
const COPY_COST: usize = 10;

/// What a patch has cost so far.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    work: usize,
}

impl Bounds {
    /// Counts an operation that is about to be done.
    ///
    /// # Errors
    /// `TooMuch` when it must not be.
    pub(super) fn spend(&mut self, document: &Value, operation: &PatchOperation) -> Fallible<()> {
        self.work += cost(document, operation).ok_or(Fault::TooMuch)?;
        if self.work > MAX_WORK { Err(Fault::TooMuch) } else { Ok(()) }
    }
}

/// What an operation costs beyond a step; `None` when the document would be too deep.
fn cost(document: &Value, operation: &PatchOperation) -> Option<usize> {
    let found = |path: &Pointer| document.pointer(path.as_str());
    let (value, factor) = match operation {
        PatchOperation::Add(add) => (Some(&add.value), 1),
        PatchOperation::Replace(replace) => (Some(&replace.value), 1),
        PatchOperation::Move(moved) => (found(&moved.from), 1),
        PatchOperation::Copy(copied) => (found(&copied.from), COPY_COST),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => (None, 0),
    };
    let nodes = match value {
        Some(value) => size(value, MAX_DEPTH.checked_sub(operation.path().count())?)?,
        None => 0,
    };
    let shifted = operation.path().parent().and_then(found).and_then(Value::as_array).map_or(0, Vec::len);
    Some(nodes * factor + shifted / 16)
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
