//! Patches that can be taken back: beside the operations that were done, a tuple for each says what it put aside.
//!
//! A tuple is `[op]` or `[op, previous]`, nothing trailing; in its `op` a final `-` of the path is the real index.
//! Whoever takes a patch back walks the tuples from the last to the first ([`undo`]).
//!
//! | done | tuples | taken back by |
//! |---|---|---|
//! | `add` of a new member, or into an array | `[op]` | `remove` path |
//! | `add` over a member, or of the whole | `[op, old]` | `add` path old |
//! | `remove`, `replace` | `[op, old]` | `add`, `replace` path old |
//! | `move` to a new member, or into an array | `[op]` | `move` path → from |
//! | `move` over a member | `[remove FROM, value]`, `[replace PATH value, old]` | `replace` PATH old, `add` FROM value |
//! | `test` | `[op]` | `test` |
//!
//! A `copy` counts as an `add` of the value that it copied.

use super::bounds::Bounds;
use super::difference::{Arrays, CLOSED_NAMES, Difference};
use super::step::{Done, step};
use super::{Fallible, Fault, Ops, value_of};
use json_patch::jsonptr::Pointer;
use json_patch::{AddOperation, MoveOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde_json::Value;

/// What was done to a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The document afterwards.
    pub document: Value,
    /// The operations that were applied, values as they were at that moment.
    pub patch: Ops,
    pub revert: Tuples,
}

/// What takes a patch back: a tuple for each step, in the order in which it was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tuples(Vec<Tuple>);

/// One step: what was done, and what it put aside.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tuple {
    pub(super) op: PatchOperation,
    pub(super) previous: Option<Value>,
}

/// Reads a patch that every client can follow: paths through `__proto__` or `constructor` are refused.
///
/// # Errors
/// `Malformed`, `Pointer` or `TooMuch`, of the first operation that is refused.
pub fn parse(patch: Value) -> Result<Ops, Fault> {
    Ops::read(patch, |pointer| !is_closed(pointer))
}

/// Applies a patch as a whole, and says how to take it back.
///
/// # Errors
/// The first operation that does not apply, or that asks for too much.
pub fn apply(document: &Value, ops: &Ops) -> Result<Applied, Fault> {
    let (mut document, mut bounds) = (document.clone(), Bounds::default());
    let (mut patch, mut revert) = (Vec::with_capacity(ops.len()), Vec::with_capacity(ops.len()));
    for operation in &ops.0 {
        bounds.spend(&document, operation)?;
        let done = step(&mut document, operation)?;
        patch.push(match &done {
            Done::Copied { add, .. } => PatchOperation::Add(add.clone()),
            _ => operation.clone(),
        });
        remember(&document, operation, done, &mut revert);
    }
    Ok(Applied { document, patch: Ops(patch), revert: Tuples(revert) })
}

/// What leads from one document to the other, and back. Lost members first, then changed, then new ones, by name;
/// arrays are compared place by place between their equal ends.
pub fn diff(before: &Value, after: &Value) -> (Ops, Tuples) {
    let tuples = Difference::of(before, after, Arrays::Trimmed).tuples();
    (Ops(tuples.iter().map(|tuple| tuple.op.clone()).collect()), Tuples(tuples))
}

/// The operations that take a patch back.
pub fn undo(tuples: &Tuples) -> Ops {
    Ops(tuples.0.iter().rev().map(Tuple::undo).collect())
}

impl Tuples {
    /// Reads tuples as [`Tuples::to_value`] writes them.
    ///
    /// # Errors
    /// `Malformed`, or `Pointer`, where they are none.
    pub fn parse(tuples: Value) -> Result<Tuples, Fault> {
        let Value::Array(tuples) = tuples else { return Err(Fault::Malformed) };
        tuples.into_iter().map(Tuple::parse).collect::<Fallible<_>>().map(Tuples)
    }

    /// `[[op], [op, previous], …]`.
    pub fn to_value(&self) -> Value {
        self.0.iter().map(Tuple::to_value).collect()
    }

    /// Adds tuples behind these.
    pub fn append(&mut self, mut others: Tuples) {
        self.0.append(&mut others.0);
    }
}

impl Tuple {
    fn parse(tuple: Value) -> Fallible<Tuple> {
        let Value::Array(parts) = tuple else { return Err(Fault::Malformed) };
        let mut parts = parts.into_iter();
        let op = super::read_operation(parts.next().ok_or(Fault::Malformed)?, &|_: &Pointer| true)?;
        let previous = parts.next();
        let has_it = previous.is_some();
        let is_whole = parts.next().is_none()
            && match op {
                PatchOperation::Add(_) => true,
                PatchOperation::Remove(_) | PatchOperation::Replace(_) => has_it,
                PatchOperation::Move(_) | PatchOperation::Test(_) => !has_it,
                PatchOperation::Copy(_) => false,
            };
        if is_whole { Ok(Tuple { op, previous }) } else { Err(Fault::Malformed) }
    }

    fn to_value(&self) -> Value {
        std::iter::once(value_of(&self.op)).chain(self.previous.clone()).collect()
    }

    fn undo(&self) -> PatchOperation {
        let path = self.op.path().to_buf();
        match (&self.op, self.previous.clone()) {
            (PatchOperation::Replace(_), Some(value)) => PatchOperation::Replace(ReplaceOperation { path, value }),
            (PatchOperation::Move(moved), _) => {
                PatchOperation::Move(MoveOperation { from: path, path: moved.from.clone() })
            }
            (PatchOperation::Test(test), _) => PatchOperation::Test(test.clone()),
            (_, Some(value)) => PatchOperation::Add(AddOperation { path, value }),
            (_, None) => PatchOperation::Remove(RemoveOperation { path }),
        }
    }
}

/// Adds the tuples of an operation that was just done.
fn remember(document: &Value, operation: &PatchOperation, done: Done, revert: &mut Vec<Tuple>) {
    let mut push = |op, previous| revert.push(Tuple { op, previous });
    match (operation, done) {
        (PatchOperation::Add(add), Done::Put { at, old }) => {
            push(PatchOperation::Add(AddOperation { path: at, value: add.value.clone() }), old);
        }
        (_, Done::Copied { add, at, old }) => push(PatchOperation::Add(AddOperation { path: at, ..add }), old),
        (PatchOperation::Move(moved), Done::Moved { at, old }) => match old {
            None => push(PatchOperation::Move(MoveOperation { from: moved.from.clone(), path: at }), None),
            Some(old) => {
                let value = document.pointer(at.as_str()).cloned().unwrap_or_default();
                let remove = RemoveOperation { path: moved.from.clone() };
                push(PatchOperation::Remove(remove), Some(value.clone()));
                push(PatchOperation::Replace(ReplaceOperation { path: at, value }), Some(old));
            }
        },
        (operation, Done::Lost(old)) => push(operation.clone(), Some(old)),
        (operation, _) => push(operation.clone(), None),
    }
}

/// Whether a path leads through a name that clients in JavaScript do not follow.
fn is_closed(pointer: &Pointer) -> bool {
    pointer.tokens().any(|token| CLOSED_NAMES.contains(&&*token.decoded()))
}

#[cfg(test)]
mod tests;
