//! What can be asked of the rows of a resource, and a row of the answer.

use crate::document::Document;
use crate::event::Offset;
use crate::filter::path::index;
use crate::filter::{Filter, Path};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is asked of a resource.
#[derive(Debug, Clone)]
pub struct Query {
    pub filter: Arc<Filter>,
    /// In which order; ties, and no order at all, ascend by key (by code point).
    pub sort: Vec<Sort>,
    pub skip: usize,
    /// `None`: all of them, or `Kind::TooMany`.
    pub limit: Option<usize>,
    /// More rows than this in one answer are `Kind::TooMany`, never a cut list.
    pub max_items: usize,
}

impl Query {
    /// All records that pass a filter, by key, however many they are.
    pub fn all(filter: Arc<Filter>) -> Query {
        Query { filter, sort: Vec::new(), skip: 0, limit: None, max_items: usize::MAX }
    }
}

/// A record of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: Arc<str>,
    pub document: Document,
    /// Where a line of a log stands in it; 0 for a record.
    pub offset: Offset,
}

impl Row {
    /// A record.
    pub fn new(id: impl Into<Arc<str>>, document: Document) -> Row {
        Row { id: id.into(), document, offset: 0 }
    }
}

/// One field to sort by: absent first, then numbers, strings by code point, the rest by their JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    pub path: Path,
    pub direction: Direction,
}

/// Which way a sort goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// The document with only these fields, and `id`. What is no object has no fields and stays whole.
///
/// A name through an array keeps its part of every element, or of the one that a number names. An object or array
/// of which nothing is kept is left out.
pub fn project(document: &Document, fields: &[Path]) -> Document {
    let Value::Object(whole) = document.value() else { return document.clone() };
    let names: Vec<&[Box<str>]> = fields.iter().map(|path| &*path.0).collect();
    let mut kept = kept_of_object(whole, &names);
    if let Some(id) = whole.get("id") {
        kept.insert("id".to_owned(), id.clone());
    }
    Document::new(Value::Object(kept))
}

fn kept_of(value: &Value, names: &[&[Box<str>]]) -> Option<Value> {
    if names.iter().any(|name| name.is_empty()) {
        return Some(value.clone());
    }
    match value {
        Value::Object(fields) => Some(kept_of_object(fields, names)).filter(|kept| !kept.is_empty()).map(Value::Object),
        Value::Array(elements) => {
            let kept: Vec<Value> = elements
                .iter()
                .enumerate()
                .filter_map(|(at, element)| kept_of(element, &names_in_element(names, at)))
                .collect();
            Some(kept).filter(|kept| !kept.is_empty()).map(Value::Array)
        }
        _ => None,
    }
}

fn kept_of_object(fields: &Map<String, Value>, names: &[&[Box<str>]]) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in fields {
        let inner: Vec<&[Box<str>]> = names
            .iter()
            .filter_map(|name| name.split_first())
            .filter_map(|(word, rest)| (**word == **key).then_some(rest))
            .collect();
        if let Some(value) = kept_of(value, &inner) {
            kept.insert(key.clone(), value);
        }
    }
    kept
}

/// The names as they go on in an element of an array.
fn names_in_element<'a>(names: &[&'a [Box<str>]], at: usize) -> Vec<&'a [Box<str>]> {
    let mut inner = Vec::new();
    for name in names {
        match name.split_first() {
            Some((word, rest)) if index(word) == Some(at) => inner.push(rest),
            Some((word, _)) if index(word).is_none() => inner.push(*name),
            _ => {}
        }
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_named_fields_are_kept_and_id() {
        let document = json!({"id": 1, "a": {"b": 1, "c": {"d": 2}}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4], "n": null});
        for (fields, kept) in [
            (vec!["a"], json!({"id": 1, "a": {"b": 1, "c": {"d": 2}}})),
            (vec!["a.b", "a.c.e"], json!({"id": 1, "a": {"b": 1}})),
            (vec!["a.b", "a"], json!({"id": 1, "a": {"b": 1, "c": {"d": 2}}})),
            (vec!["l.x"], json!({"id": 1, "l": [{"x": 1}, {"x": 3}]})),
            (vec!["l.0.y"], json!({"id": 1, "l": [{"y": 2}]})),
            (vec!["l.2", "l.y"], json!({"id": 1, "l": [{"y": 2}, 4]})),
            (vec!["a.b.c", "zz", "l.7"], json!({"id": 1})),
            (vec!["n"], json!({"id": 1, "n": null})),
        ] {
            let names: Vec<Path> = fields.iter().map(|field| Path::parse(field)).collect();
            assert_eq!(*project(&Document::new(document.clone()), &names).value(), kept, "{fields:?}");
        }
        assert_eq!(*project(&Document::new(json!([1])), &[Path::parse("a")]).value(), json!([1]));
    }
}
