//! One operation done to a document, with what it put aside.

use super::{Fallible, Fault};
use json_patch::jsonptr::{Pointer, PointerBuf, Token};
use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;
use std::mem;

/// What was done.
#[derive(Debug, PartialEq)]
pub(super) enum Done {
    /// A value was put at a place, `-` resolved; what had been there is gone.
    Put { at: PointerBuf, old: Option<Value> },
    /// A value was copied to a place; the copy said as an `add`.
    Copied { add: AddOperation, at: PointerBuf, old: Option<Value> },
    /// A value was removed or replaced.
    Lost(Value),
    /// A value was moved to a place; what had been there is gone.
    Moved { at: PointerBuf, old: Option<Value> },
    /// A test held.
    Tested,
}

/// Does one operation. When it fails, the document may be changed half-way.
pub(super) fn step(document: &mut Value, operation: &PatchOperation) -> Fallible<Done> {
    match operation {
        PatchOperation::Add(add) => {
            let (at, old) = put(document, &add.path, add.value.clone())?;
            Ok(Done::Put { at, old })
        }
        PatchOperation::Remove(remove) => take(document, &remove.path).map(Done::Lost),
        PatchOperation::Replace(replace) => {
            let place = find(document, &replace.path)?;
            Ok(Done::Lost(mem::replace(place, replace.value.clone())))
        }
        PatchOperation::Move(moved) if moved.from == moved.path => {
            find(document, &moved.from)?;
            Ok(Done::Moved { at: moved.path.clone(), old: None })
        }
        PatchOperation::Move(moved) if moved.path.starts_with(&moved.from) => Err(Fault::Target),
        PatchOperation::Move(moved) => {
            let value = take(document, &moved.from)?;
            let (at, old) = put(document, &moved.path, value)?;
            Ok(Done::Moved { at, old })
        }
        PatchOperation::Copy(copied) => {
            let value = find(document, &copied.from)?.clone();
            let (at, old) = put(document, &copied.path, value.clone())?;
            Ok(Done::Copied { add: AddOperation { path: copied.path.clone(), value }, at, old })
        }
        PatchOperation::Test(test) => match find(document, &test.path) {
            Ok(found) if *found == test.value => Ok(Done::Tested),
            Ok(_) | Err(Fault::Location) => Err(Fault::Test),
            Err(fault) => Err(fault),
        },
    }
}

/// Puts a value at a path: where that is, and what was there.
fn put(document: &mut Value, path: &Pointer, value: Value) -> Fallible<(PointerBuf, Option<Value>)> {
    let Some((parent, last)) = path.split_back() else {
        return Ok((PointerBuf::new(), Some(mem::replace(document, value))));
    };
    match container(document, parent)? {
        Value::Object(fields) => Ok((path.to_buf(), fields.insert(last.decoded().into_owned(), value))),
        Value::Array(elements) => {
            let index = if last.is_next() { elements.len() } else { index(&last)? };
            if index > elements.len() {
                return Err(Fault::Index);
            }
            elements.insert(index, value);
            Ok((parent.with_trailing_token(index), None))
        }
        _ => Err(Fault::Target),
    }
}

/// Takes away what is at a path.
fn take(document: &mut Value, path: &Pointer) -> Fallible<Value> {
    let (parent, last) = path.split_back().ok_or(Fault::Root)?;
    match container(document, parent)? {
        Value::Object(fields) => fields.remove(&*last.decoded()).ok_or(Fault::Location),
        Value::Array(elements) => {
            let index = place(&last, elements)?;
            Ok(elements.remove(index))
        }
        _ => Err(Fault::Target),
    }
}

/// What is at a path.
fn find<'a>(document: &'a mut Value, path: &Pointer) -> Fallible<&'a mut Value> {
    let Some((parent, last)) = path.split_back() else { return Ok(document) };
    match container(document, parent)? {
        Value::Object(fields) => fields.get_mut(&*last.decoded()).ok_or(Fault::Location),
        Value::Array(elements) => {
            let index = place(&last, elements)?;
            Ok(&mut elements[index])
        }
        _ => Err(Fault::Target),
    }
}

fn container<'a>(document: &'a mut Value, path: &Pointer) -> Fallible<&'a mut Value> {
    document.pointer_mut(path.as_str()).ok_or(Fault::Target)
}

/// Which element of these is meant.
fn place(token: &Token<'_>, elements: &[Value]) -> Fallible<usize> {
    if token.is_next() {
        return Err(Fault::Location);
    }
    Some(index(token)?).filter(|index| *index < elements.len()).ok_or(Fault::Location)
}

fn index(token: &Token<'_>) -> Fallible<usize> {
    let digits = token.encoded();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| is_number).ok_or(Fault::Index)
}
