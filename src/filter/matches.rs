//! The verdict: whether a row matches. Called for every candidate of every change, so nothing here allocates.

use crate::filter::text::{after, beyond, ends, fold, like};
use crate::filter::value::{order, with_text};
use crate::filter::{Filter, Path, Test};
use serde_json::Value;
use std::cmp::Ordering;

impl Filter {
    /// Whether the row with this key and this document matches.
    pub fn matches(&self, key: &str, document: &Value) -> bool {
        match self {
            Filter::All => true,
            Filter::Nothing => false,
            Filter::And(parts) => parts.iter().all(|part| part.matches(key, document)),
            Filter::Or(parts) => parts.iter().any(|part| part.matches(key, document)),
            Filter::Not(inner) => !inner.matches(key, document),
            Filter::Field { path, test } => field_matches(path, test, key, document),
            Filter::Topic(topic) => topic.matches(key),
        }
    }
}

fn field_matches(path: &Path, test: &Test, key: &str, document: &Value) -> bool {
    if path.is_id() {
        return match test {
            Test::Exists(wanted) => *wanted,
            test => test.accepts_text(key) || path.reaches(document, |id| test.accepts_id(id)),
        };
    }
    match test {
        Test::Exists(wanted) => path.reaches(document, |value| !value.is_null()) == *wanted,
        test => path.reaches(document, |value| test.accepts(value)),
    }
}

impl Test {
    /// Whether a value passes, itself or as an array that has an element which does.
    fn accepts(&self, value: &Value) -> bool {
        match value {
            Value::Array(elements) => {
                self.accepts_whole(value) || elements.iter().any(|element| self.accepts_scalar(element))
            }
            Value::Object(_) => self.accepts_whole(value),
            scalar => self.accepts_scalar(scalar),
        }
    }

    /// The same for a document's `id`, whose scalars are compared as text.
    fn accepts_id(&self, id: &Value) -> bool {
        let as_text = |scalar: &Value| with_text(scalar, |text| self.accepts_text(text)).unwrap_or(false);
        match id {
            Value::Array(elements) => self.accepts_whole(id) || elements.iter().any(as_text),
            Value::Object(_) => self.accepts_whole(id),
            scalar => as_text(scalar),
        }
    }

    /// Whether a value that is no string is equal to an operand.
    fn accepts_whole(&self, value: &Value) -> bool {
        match self {
            Test::Equal(operand) => order(operand, value).is_eq(),
            Test::In(operands) | Test::EqualFolded(operands) => is_among(operands, value),
            Test::Last(text) => value.as_array().and_then(|elements| elements.last()?.as_str()) == Some(text),
            _ => false,
        }
    }

    fn accepts_scalar(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::String(text)) => self.accepts_text(text),
            (_, Value::Array(_) | Value::Object(_) | Value::Null) => false,
            (Test::Equal(_) | Test::In(_) | Test::EqualFolded(_), _) => self.accepts_whole(value),
            (_, Value::Number(_)) => self.accepts_order(|operand| operand.is_number().then(|| order(value, operand))),
            _ => false,
        }
    }

    fn accepts_text(&self, text: &str) -> bool {
        match self {
            Test::In(operands) => {
                operands.binary_search_by(|operand| text_order(operand, |operand| operand.cmp(text))).is_ok()
            }
            Test::EqualFolded(operands) => operands
                .binary_search_by(|operand| text_order(operand, |operand| operand.chars().cmp(fold(text))))
                .is_ok(),
            Test::StartsWith { text: part, fold: false } => text.starts_with(&**part),
            Test::StartsWith { text: part, fold: true } => after(fold(text), part).is_some(),
            Test::Contains { text: part, fold: false } => text.contains(&**part),
            Test::Contains { text: part, fold: true } => beyond(fold(text), part).is_some(),
            Test::EndsWith { text: part, fold: false } => text.ends_with(&**part),
            Test::EndsWith { text: part, fold: true } => ends(fold(text), part),
            Test::Like { pattern, fold: false } => like(text.chars(), pattern),
            Test::Like { pattern, fold: true } => like(fold(text), pattern),
            test => test.accepts_order(|operand| operand.as_str().map(|operand| text.cmp(operand))),
        }
    }

    /// Equality and ranges, given how the value compares with the operand (`None`: another type).
    fn accepts_order(&self, compared: impl Fn(&Value) -> Option<Ordering>) -> bool {
        match self {
            Test::Equal(operand) => compared(operand).is_some_and(Ordering::is_eq),
            Test::Greater(operand) => compared(operand).is_some_and(Ordering::is_gt),
            Test::AtLeast(operand) => compared(operand).is_some_and(Ordering::is_ge),
            Test::Less(operand) => compared(operand).is_some_and(Ordering::is_lt),
            Test::AtMost(operand) => compared(operand).is_some_and(Ordering::is_le),
            _ => false,
        }
    }
}

fn is_among(operands: &[Value], value: &Value) -> bool {
    operands.binary_search_by(|operand| order(operand, value)).is_ok()
}

/// How an operand compares with a string in the order of [`order`]; `compare` decides between strings.
fn text_order(operand: &Value, compare: impl Fn(&str) -> Ordering) -> Ordering {
    match operand {
        Value::String(operand) => compare(operand),
        Value::Array(_) | Value::Object(_) => Ordering::Greater,
        _ => Ordering::Less,
    }
}
