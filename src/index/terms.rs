//! Which terms of a filter can be looked up. A row that matches the filter fulfils them, so whoever is found by
//! none of them need not be asked.

use crate::filter::number::Number;
use crate::filter::{Filter, Path, Test, Topic};
use crate::index::field::{Probe, Term};
use crate::index::span::{Edge, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What of a row a term is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The values at a path; for `id`, the key too.
    Field(Path),
    /// The row's key as a topic.
    Key,
    /// The last word of the key.
    LastWord,
}

/// One term with its place.
pub type Placed = (Place, Term);

/// Terms of which every matching row fulfils at least one; `None` when there are no such terms.
pub fn of_field(path: &Path, test: &Test) -> Option<Vec<Placed>> {
    let terms = match test {
        Test::Equal(operand) => vec![same(operand)?],
        Test::In(operands) => operands.iter().map(same).collect::<Option<_>>()?,
        Test::EqualFolded(operands) => operands.iter().map(same_folded).collect::<Option<_>>()?,
        Test::StartsWith { text, fold } => vec![beginning(text, *fold)],
        Test::Like { pattern, fold } => {
            let prefix = pattern.split('%').next().filter(|prefix| !prefix.is_empty())?;
            vec![beginning(prefix, *fold)]
        }
        Test::Greater(_) | Test::AtLeast(_) | Test::Less(_) | Test::AtMost(_) => vec![Range::of(test)?.term()],
        Test::Last(text) => vec![Term::Text(Probe::Is((**text).into()))],
        Test::Exists(_) | Test::Contains { .. } | Test::EndsWith { .. } => return None,
    };
    Some(terms.into_iter().map(|term| (Place::Field(path.clone()), term)).collect())
}

/// The same for a topic: by its whole key, its first words, or its last.
pub fn of_topic(topic: &Topic) -> Option<Vec<Placed>> {
    let beginning = topic.beginning();
    if topic.is_literal() {
        return Some(vec![(Place::Key, Term::Text(Probe::Is(beginning.into())))]);
    }
    if !beginning.is_empty() {
        return Some(vec![(Place::Key, Term::Text(Probe::Within(Span::prefix(&beginning))))]);
    }
    topic.last_word().map(|word| vec![(Place::LastWord, Term::Text(Probe::Is(word.into())))])
}

/// The ranges among the parts of an `And` that stand at one path, as one term each: `$gte` and `$lt` of one field
/// become a span with two ends.
pub fn of_ranges(parts: &[Filter]) -> Vec<Placed> {
    let mut numbers: BTreeMap<&Path, Vec<Span<Number>>> = BTreeMap::new();
    let mut texts: BTreeMap<&Path, Vec<Span<Arc<str>>>> = BTreeMap::new();
    for part in parts {
        let Filter::Field { path, test } = part else { continue };
        match Range::of(test) {
            Some(Range::Number(span)) => numbers.entry(path).or_default().push(span),
            Some(Range::Text(span)) => texts.entry(path).or_default().push(span),
            None => {}
        }
    }
    let numbers = numbers.into_iter().filter(|(_, spans)| spans.len() > 1);
    let texts = texts.into_iter().filter(|(_, spans)| spans.len() > 1);
    let numbers = numbers.map(|(path, spans)| (Place::Field(path.clone()), Range::Number(narrowest(spans)).term()));
    let texts = texts.map(|(path, spans)| (Place::Field(path.clone()), Range::Text(narrowest(spans)).term()));
    numbers.chain(texts).collect()
}

/// The span between the highest low and the lowest high edge. Values that pass every span, each edge by a value
/// of its own, meet it.
fn narrowest<K: Ord>(spans: Vec<Span<K>>) -> Span<K> {
    spans.into_iter().fold(Span { low: Edge::First, high: Edge::Last }, |narrow, span| Span {
        low: narrow.low.max(span.low),
        high: narrow.high.min(span.high),
    })
}

/// A range test as a span.
enum Range {
    Number(Span<Number>),
    Text(Span<Arc<str>>),
}

impl Range {
    fn of(test: &Test) -> Option<Range> {
        match test {
            Test::Greater(Value::Number(low)) => Some(Range::Number(above(Edge::After(Number::new(low))))),
            Test::AtLeast(Value::Number(low)) => Some(Range::Number(above(Edge::Before(Number::new(low))))),
            Test::Less(Value::Number(high)) => Some(Range::Number(below(Edge::Before(Number::new(high))))),
            Test::AtMost(Value::Number(high)) => Some(Range::Number(below(Edge::After(Number::new(high))))),
            Test::Greater(Value::String(low)) => Some(Range::Text(above(Edge::After(low.as_str().into())))),
            Test::AtLeast(Value::String(low)) => Some(Range::Text(above(Edge::Before(low.as_str().into())))),
            Test::Less(Value::String(high)) => Some(Range::Text(below(Edge::Before(high.as_str().into())))),
            Test::AtMost(Value::String(high)) => Some(Range::Text(below(Edge::After(high.as_str().into())))),
            _ => None,
        }
    }

    fn term(self) -> Term {
        match self {
            Range::Number(span) => Term::Number(Probe::Within(span)),
            Range::Text(span) => Term::Text(Probe::Within(span)),
        }
    }
}

fn above<K>(low: Edge<K>) -> Span<K> {
    Span { low, high: Edge::Last }
}

fn below<K>(high: Edge<K>) -> Span<K> {
    Span { low: Edge::First, high }
}

fn same(operand: &Value) -> Option<Term> {
    match operand {
        Value::Bool(flag) => Some(Term::Flag(Probe::Is(*flag))),
        Value::Number(number) => Some(Term::Number(Probe::Is(Number::new(number)))),
        Value::String(text) => Some(Term::Text(Probe::Is(text.as_str().into()))),
        _ => None,
    }
}

fn same_folded(operand: &Value) -> Option<Term> {
    match operand {
        Value::String(text) => Some(Term::Folded(Probe::Is(text.as_str().into()))),
        other => same(other),
    }
}

fn beginning(prefix: &str, folds: bool) -> Term {
    let probe = Probe::Within(Span::prefix(prefix));
    if folds { Term::Folded(probe) } else { Term::Text(probe) }
}
