//! Which rows are meant. One verdict for a stored row, for a change, and for a line in a log.
//!
//! The rules, with their corners:
//!
//! - Null is absent, everywhere: `{"f":null}` is `{"f":{"$exists":false}}`; a null in `$in` adds "or absent", so
//!   a null in `$nin`, like `{"$ne":null}`, asks for presence; keys with null do not count in deep equality.
//!   (A null *element* of an array does count there: it holds a place.)
//! - Types never convert, except that `id` is compared as text, with the document's `id` and with the row's key.
//!   Every row has a key, so `id` always exists.
//! - Numbers are compared exactly, whatever their spelling: `1` is `1.0`, and 2^53 is not 2^53 + 1.
//! - A dotted name walks into objects. In an array a number picks an element; another word tries every element
//!   that is an object. At its end, a test with a scalar operand also tries the elements of an array (one level
//!   deep). An operand that is an object or array is compared with the whole value.
//! - A negation (`$ne`, `$nin`, `$not`, `$nor`) is exactly the opposite of what it negates: true when absent, and
//!   on an array true if no element matches.
//! - Nothing to fulfil is fulfilled: an empty object, `$and` or `$nor` is every row. Nothing to choose from is not:
//!   an empty `$or` or `$in` is no row; hence an empty `$nin` is every row.
//! - Strings ascend by code point. A range whose operand is neither number nor string is no row.

mod canonical;
mod matches;
pub mod number;
mod parse;
pub(crate) mod path;
#[cfg(test)]
mod tests;
pub mod text;
mod topic;
pub mod value;

use crate::filter::text::fold;
use crate::filter::value::{as_text, ascending, without_nulls};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A condition on a row. Built by [`Filter::parse`] and the functions here, which keep it simple: no `And` or
/// `Or` with fewer than two parts, no `Not` of a `Not`, no null operand.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every row.
    All,
    /// No row.
    Nothing,
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// A test of what stands at a path.
    Field {
        path: Path,
        test: Test,
    },
    /// The row's key matches a topic pattern: words between dots, `*` one word, `#` none or more.
    Topic(Topic),
}

/// A dotted name, split: `tags.0.name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(pub Arc<[Box<str>]>);

/// What a field must be. Negations (`$ne`, `$nin`, `$not`) are `Filter::Not` around one of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Equal(Value),
    Greater(Value),
    AtLeast(Value),
    Less(Value),
    AtMost(Value),
    /// One of these, which ascend by [`value::order`] without a repeat.
    In(Vec<Value>),
    /// `true`: present and not null.
    Exists(bool),
    StartsWith {
        text: Box<str>,
        fold: bool,
    },
    Contains {
        text: Box<str>,
        fold: bool,
    },
    EndsWith {
        text: Box<str>,
        fold: bool,
    },
    /// `%` is any run of characters.
    Like {
        pattern: Box<str>,
        fold: bool,
    },
    /// The last element of an array is this text. Only for questions of our own; clients cannot ask it.
    Last(Box<str>),
    /// `Equal` and `In` on strings without regard to letter case (a resource with `ignore_case`). The strings
    /// are folded; what is no string is compared as in `In`. They ascend as in `In`.
    EqualFolded(Vec<Value>),
}

/// A topic pattern, split into words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic(pub Arc<[Box<str>]>);

/// Why something is no filter, in one sentence for a developer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl Filter {
    /// A field equals a value, by the rules above.
    pub fn equal(path: Path, operand: &Value) -> Filter {
        if operand.is_null() {
            return Filter::exists(path, false);
        }
        let test = Test::Equal(path.operand(operand));
        Filter::Field { path, test }
    }

    /// A field equals one of some values.
    pub fn one_of(path: Path, operands: &[Value]) -> Filter {
        let present = operands.iter().filter(|operand| !operand.is_null());
        let mut values = ascending(present.map(|operand| path.operand(operand)).collect());
        let known = match values.len() {
            0 => Filter::Nothing,
            1 => Filter::Field { path: path.clone(), test: Test::Equal(values.remove(0)) },
            _ => Filter::Field { path: path.clone(), test: Test::In(values) },
        };
        match operands.iter().any(Value::is_null) {
            true => Filter::either(vec![Filter::exists(path, false), known]),
            false => known,
        }
    }

    /// A field compares with an operand as one of the four ranges says; with an operand of another type than number
    /// or string nothing does.
    pub fn range(path: Path, range: fn(Value) -> Test, operand: &Value) -> Filter {
        match path.operand(operand) {
            operand @ (Value::Number(_) | Value::String(_)) => Filter::Field { path, test: range(operand) },
            _ => Filter::Nothing,
        }
    }

    /// A field is an array whose last element is this text.
    pub fn last(path: Path, text: &str) -> Filter {
        Filter::Field { path, test: Test::Last(text.into()) }
    }

    /// A field is present and not null, or (`wanted` is false) is not.
    pub fn exists(path: Path, wanted: bool) -> Filter {
        match (path.is_id(), wanted) {
            (true, true) => Filter::All,
            (true, false) => Filter::Nothing,
            _ => Filter::Field { path, test: Test::Exists(wanted) },
        }
    }

    /// The rows that match any of these: `All` absorbs the rest, equal ones are named once, in an order that does
    /// not depend on the order given.
    pub fn any(filters: Vec<Filter>) -> Filter {
        match Filter::either(filters) {
            Filter::Or(parts) => {
                let sorted: BTreeMap<String, Filter> = parts.into_iter().map(|part| (part.canonical(), part)).collect();
                Filter::either(sorted.into_values().collect())
            }
            other => other,
        }
    }

    /// As `any`, in the order given.
    fn either(filters: Vec<Filter>) -> Filter {
        let mut parts = Vec::new();
        for filter in filters {
            match filter {
                Filter::All => return Filter::All,
                Filter::Nothing => {}
                Filter::Or(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        match parts.len() {
            0 => Filter::Nothing,
            1 => parts.remove(0),
            _ => Filter::Or(parts),
        }
    }

    /// The rows that match every one of these: `Nothing` absorbs the rest.
    pub fn every(filters: Vec<Filter>) -> Filter {
        let mut parts = Vec::new();
        for filter in filters {
            match filter {
                Filter::Nothing => return Filter::Nothing,
                Filter::All => {}
                Filter::And(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        match parts.len() {
            0 => Filter::All,
            1 => parts.remove(0),
            _ => Filter::And(parts),
        }
    }

    /// The rows that match both.
    pub fn both(a: Filter, b: Filter) -> Filter {
        Filter::every(vec![a, b])
    }

    /// The rows that this filter does not match.
    pub fn negated(self) -> Filter {
        match self {
            Filter::All => Filter::Nothing,
            Filter::Nothing => Filter::All,
            Filter::Not(inner) => *inner,
            Filter::Field { path, test: Test::Exists(wanted) } => Filter::exists(path, !wanted),
            other => Filter::Not(Box::new(other)),
        }
    }

    /// The same filter for a resource whose strings are compared without regard to letter case: equality and the
    /// tests of parts of a string. Ranges keep the order of code points, topics their letters.
    pub fn ignoring_case(self) -> Filter {
        match self {
            Filter::And(parts) => Filter::every(parts.into_iter().map(Filter::ignoring_case).collect()),
            Filter::Or(parts) => Filter::either(parts.into_iter().map(Filter::ignoring_case).collect()),
            Filter::Not(inner) => inner.ignoring_case().negated(),
            Filter::Field { path, test } => Filter::Field { path, test: test.ignoring_case() },
            other => other,
        }
    }
}

impl Test {
    fn ignoring_case(self) -> Test {
        match self {
            Test::Equal(operand @ Value::String(_)) => Test::EqualFolded(vec![folded(operand)]),
            Test::In(operands) => Test::EqualFolded(ascending(operands.into_iter().map(folded).collect())),
            Test::StartsWith { text, .. } => Test::StartsWith { text: fold(&text).collect(), fold: true },
            Test::Contains { text, .. } => Test::Contains { text: fold(&text).collect(), fold: true },
            Test::EndsWith { text, .. } => Test::EndsWith { text: fold(&text).collect(), fold: true },
            Test::Like { pattern, .. } => Test::Like { pattern: fold(&pattern).collect(), fold: true },
            other => other,
        }
    }
}

impl Path {
    /// An operand as it is compared at this path: without nulls, and as text where the path is `id`.
    fn operand(&self, operand: &Value) -> Value {
        match self.is_id() {
            true => as_text(operand).map_or_else(|| without_nulls(operand), Value::String),
            false => without_nulls(operand),
        }
    }
}

fn folded(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(fold(&text).collect()),
        other => other,
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}
