//! Dotted names: how they are read, and what they reach in a document.

use crate::filter::Path;
use serde_json::Value;
use std::fmt;

impl Path {
    /// Splits a dotted name. Every text is one; empty words are legal.
    pub fn parse(dotted: &str) -> Path {
        Path(dotted.split('.').map(Box::from).collect())
    }

    /// Whether this is the name of the key, `id`.
    pub fn is_id(&self) -> bool {
        matches!(&*self.0, [word] if **word == *"id")
    }

    /// Whether `visit` accepts any of the values that this name reaches. It reaches several where it passes
    /// through an array, and none where a word is missing.
    pub fn reaches<'a>(&self, document: &'a Value, mut visit: impl FnMut(&'a Value) -> bool) -> bool {
        reach(document, &self.0, &mut visit)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// The array index that a word names, if it is one.
pub(crate) fn index(word: &str) -> Option<usize> {
    let canonical = word == "0" || !word.starts_with('0');
    if canonical && word.bytes().all(|byte| byte.is_ascii_digit()) { word.parse().ok() } else { None }
}

fn reach<'a>(value: &'a Value, words: &[Box<str>], visit: &mut impl FnMut(&'a Value) -> bool) -> bool {
    let Some((word, rest)) = words.split_first() else { return visit(value) };
    match value {
        Value::Object(fields) => fields.get(&**word).is_some_and(|inner| reach(inner, rest, visit)),
        Value::Array(elements) => match index(word) {
            Some(index) => elements.get(index).is_some_and(|element| reach(element, rest, visit)),
            None => elements.iter().any(|element| element.is_object() && reach(element, words, visit)),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_walks_into_objects_and_arrays() {
        let document = json!({"a": [{"b": 1}, {"b": [2, 3]}, [{"b": 4}], 5], "0": {"1": 6}, "": {"": 7}});
        for (dotted, reached) in [
            ("a.b", json!([1, [2, 3]])),
            ("a.1.b", json!([[2, 3]])),
            ("a.1.b.0", json!([2])),
            ("a.b.0", json!([2])),
            ("a.2.b", json!([4])),
            ("a.3", json!([5])),
            ("a.9", json!([])),
            ("a.01", json!([])),
            ("0.1", json!([6])),
            (".", json!([7])),
            ("a.b.c.d", json!([])),
        ] {
            let mut values = Vec::new();
            Path::parse(dotted).reaches(&document, |value| {
                values.push(value.clone());
                false
            });
            assert_eq!(Value::Array(values), reached, "{dotted}");
        }
    }
}
