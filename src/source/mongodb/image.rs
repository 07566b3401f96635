//! The record after an update, made of the record before it and of what the server says was changed.
//!
//! This is how the server itself would make a post-image, so nothing is gained by having it sent as well. An answer
//! that may be wrong is never given: where a path could mean two things (names with dots, on servers that do not
//! tell them apart) or leads nowhere, there is none.

use crate::mongodb::form;
use mongodb::bson::{RawBsonRef, RawDocument};
use serde_json::Value;

/// How many places an array may grow at once: what the server allows.
const PADDING: usize = 1_500_000;

/// One step of a path: as the server tells it, or as it stands between two dots.
enum Step<'a> {
    Name(&'a str),
    Index(usize),
    Either(&'a str),
}

/// The record after the update, or `None` when it cannot be told with certainty.
pub(super) fn after(before: &Value, update: &RawDocument) -> Option<Value> {
    let known = update.get_document("disambiguatedPaths").ok();
    let path = |dotted| path(dotted, known);
    let mut record = before.clone();
    if let Ok(arrays) = update.get_array("truncatedArrays") {
        for array in arrays {
            let array = array.ok()?.as_document()?;
            let size = number(form::get(array, "newSize")?)?;
            if let Some(Place { parent, last }) = find(&mut record, &path(array.get_str("field").ok()?)?)? {
                let Value::Array(elements) = element(parent, &last)? else { return None };
                elements.truncate(size);
            }
        }
    }
    if let Ok(removed) = update.get_array("removedFields") {
        for field in removed {
            if let Some(Place { parent, last }) = find(&mut record, &path(field.ok()?.as_str()?)?)? {
                let (Value::Object(fields), Step::Name(name) | Step::Either(name)) = (parent, last) else {
                    return None;
                };
                fields.remove(name);
            }
        }
    }
    if let Ok(updated) = update.get_document("updatedFields") {
        for field in updated {
            let (dotted, value) = field.ok()?;
            let path = path(dotted.as_str())?;
            if let Some(place) = find(&mut record, &path)? {
                set(place, form::inner(value, path.len() - 1))?;
            }
        }
    }
    Some(record)
}

/// Where a value stands: what holds it, and under what.
struct Place<'v, 'p> {
    parent: &'v mut Value,
    last: Step<'p>,
}

/// The steps of a path; `known` are the paths of this update that would be ambiguous.
fn path<'a>(dotted: &'a str, known: Option<&'a RawDocument>) -> Option<Vec<Step<'a>>> {
    match known.and_then(|known| form::get(known, dotted)) {
        Some(RawBsonRef::Array(steps)) => steps
            .into_iter()
            .map(|step| match step.ok()? {
                RawBsonRef::String(name) => Some(Step::Name(name)),
                index => number(index).map(Step::Index),
            })
            .collect(),
        Some(_) => None,
        None => Some(dotted.split('.').map(Step::Either).collect()),
    }
}

/// Follows a path to its last step; the inner `None` is a field that nobody sees.
fn find<'v, 'p>(record: &'v mut Value, path: &[Step<'p>]) -> Option<Option<Place<'v, 'p>>> {
    let (last, steps) = path.split_last()?;
    if let Some(Step::Name("id") | Step::Either("id")) = path.first() {
        // Hidden behind `_id`, see `form`.
        return Some(None);
    }
    let mut parent = record;
    for (at, step) in steps.iter().enumerate() {
        is_plain(parent, &path[at..])?;
        parent = element(parent, step)?;
    }
    let last = match last {
        Step::Name(name) => Step::Name(name),
        Step::Index(index) => Step::Index(*index),
        Step::Either(text) => Step::Either(text),
    };
    Some(Some(Place { parent, last }))
}

/// What a step leads to. On the way there is always something: the server tells of a new object as a whole.
fn element<'v>(parent: &'v mut Value, step: &Step<'_>) -> Option<&'v mut Value> {
    match (parent, step) {
        (Value::Object(fields), Step::Name(name) | Step::Either(name)) => fields.get_mut(*name),
        (Value::Array(elements), Step::Index(index)) => elements.get_mut(*index),
        (Value::Array(elements), Step::Either(text)) => elements.get_mut(text.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Nothing when some field has a name with dots that these steps could mean as well.
fn is_plain(parent: &Value, steps: &[Step<'_>]) -> Option<()> {
    let Value::Object(fields) = parent else { return Some(()) };
    let mut name = String::new();
    for (at, step) in steps.iter().enumerate() {
        let Step::Either(text) = step else { return Some(()) };
        if at > 0 {
            name.push('.');
        }
        name.push_str(text);
        if at > 0 && fields.contains_key(&name) {
            return None;
        }
    }
    Some(())
}

fn set(place: Place<'_, '_>, value: Value) -> Option<()> {
    match (place.parent, place.last) {
        (Value::Object(fields), Step::Name(name) | Step::Either(name)) if value.is_null() => {
            fields.remove(name);
        }
        (Value::Object(fields), Step::Name(name) | Step::Either(name)) => {
            fields.insert(name.to_owned(), value);
        }
        (Value::Array(elements), step) => {
            let index = match step {
                Step::Index(index) => index,
                Step::Either(text) => text.parse().ok()?,
                Step::Name(_) => return None,
            };
            if index >= elements.len() {
                if index - elements.len() > PADDING {
                    return None;
                }
                elements.resize(index + 1, Value::Null);
            }
            *elements.get_mut(index)? = value;
        }
        _ => return None,
    }
    Some(())
}

fn number(value: RawBsonRef<'_>) -> Option<usize> {
    match value {
        RawBsonRef::Int32(number) => number.try_into().ok(),
        RawBsonRef::Int64(number) => number.try_into().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
