//! JSON values compared as filters compare them: numbers exactly, null as if it were not there.

use crate::filter::number::Number;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::fmt::{self, Write};

/// A total order whose `Equal` is deep equality: `1` is `1.0`, and keys with null do not count.
pub fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => Number::new(a).cmp(&Number::new(b)),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let different = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|order| order.is_ne());
            different.unwrap_or(a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => object_order(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Keys of a map ascend, so equal maps are walked in step.
fn object_order(a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let mut others = b.iter().filter(|(_, value)| !value.is_null());
    for (key, value) in a.iter().filter(|(_, value)| !value.is_null()) {
        let Some((other_key, other_value)) = others.next() else { return Ordering::Greater };
        let different = key.cmp(other_key).then_with(|| order(value, other_value));
        if different.is_ne() {
            return different;
        }
    }
    if others.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

/// Sorts values and names equal ones once.
pub fn ascending(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by(order);
    values.dedup_by(|a, b| order(a, b).is_eq());
    values
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// The value without the keys of objects that hold null.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(without_nulls).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, inner)| !inner.is_null())
            .map(|(key, inner)| (key.clone(), without_nulls(inner)))
            .collect(),
        other => other.clone(),
    }
}

/// A scalar as the text that `id` is compared as; `None` for null, an object, or an array.
pub fn as_text(value: &Value) -> Option<String> {
    with_text(value, str::to_owned)
}

/// Calls `look` with that text, without allocating.
pub fn with_text<R>(value: &Value, look: impl FnOnce(&str) -> R) -> Option<R> {
    match value {
        Value::String(text) => Some(look(text)),
        Value::Bool(true) => Some(look("true")),
        Value::Bool(false) => Some(look("false")),
        Value::Number(number) => {
            let mut digits = Digits { bytes: [0; 40], length: 0 };
            write!(digits, "{}", Number::new(number)).ok()?;
            Some(look(str::from_utf8(&digits.bytes[..digits.length]).ok()?))
        }
        _ => None,
    }
}

/// Room for the text of any number: at most 25 bytes.
struct Digits {
    bytes: [u8; 40],
    length: usize,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn deep_equality_knows_no_spelling_and_no_null() {
        for (a, b, equal) in [
            (json!({"a": 1, "b": [1.0]}), json!({"b": [1], "a": 1.0, "c": null}), true),
            (json!({"a": {"b": null}}), json!({"a": {}}), true),
            (json!({"a": 1}), json!({"a": 1, "b": 0}), false),
            (json!([1, null]), json!([1]), false),
            (json!("1"), json!(1), false),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false),
        ] {
            assert_eq!(order(&a, &b).is_eq(), equal, "{a} and {b}");
            assert_eq!(order(&a, &b), order(&b, &a).reverse(), "{a} and {b}");
        }
    }

    #[test]
    fn every_number_has_a_text() {
        for (value, text) in [
            (json!(7), "7"),
            (json!(7.0), "7"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(-2.225_073_858_507_201_4e-308), "-2.2250738585072014e-308"),
            (json!(false), "false"),
            (json!("x"), "x"),
        ] {
            assert_eq!(as_text(&value).as_deref(), Some(text));
        }
        assert_eq!(as_text(&json!([1])), None);
    }
}
