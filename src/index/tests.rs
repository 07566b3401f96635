//! The index against a scan.

use crate::filter::{Filter, Topic};
use crate::generate::{documents, filters, keys};
use crate::index::Index;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn parse(filter: &Value) -> Filter {
    Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

/// Filters of every kind, as a resource may have them.
fn any_filters() -> impl Strategy<Value = Filter> {
    let topics = "(a|b|\\*|#|)(\\.(a|b|B|\\*|#|)){0,3}";
    prop_oneof![
        4 => filters().prop_map(|filter| parse(&filter)),
        2 => filters().prop_map(|filter| parse(&filter).ignoring_case()),
        1 => topics.prop_map(|pattern| Filter::Topic(Topic::parse(&pattern))),
        1 => (topics, filters())
            .prop_map(|(pattern, filter)| Filter::both(Filter::Topic(Topic::parse(&pattern)), parse(&filter))),
    ]
}

proptest! {
    #[test]
    fn whatever_matches_is_found(
        steps in vec((0..12_u32, any_filters()), 1..40),
        key in keys(),
        before in prop::option::of(documents()),
        after in prop::option::of(documents()),
    ) {
        let mut index = Index::new();
        let mut held: BTreeMap<u32, Filter> = BTreeMap::new();
        for (thing, filter) in steps {
            if let Some(old) = held.remove(&thing) {
                index.remove(thing, &old);
            } else {
                index.insert(thing, &filter);
                held.insert(thing, filter);
            }
        }
        let mut found = Vec::new();
        index.candidates(&key, before.as_ref(), after.as_ref(), &mut found);
        prop_assert!(found.is_sorted_by(|a, b| a < b), "each once: {:?}", found);
        prop_assert!(found.iter().all(|thing| held.contains_key(thing)), "nothing that was removed");
        for (thing, filter) in &held {
            let matches = [&before, &after].into_iter().flatten().any(|document| filter.matches(&key, document));
            prop_assert!(!matches || found.contains(thing), "{:?} is lost", filter);
        }
        for (thing, filter) in held {
            index.remove(thing, &filter);
        }
        prop_assert!(index.is_empty(), "{:?}", index);
    }
}

/// Ranges at one field, of numbers, of strings, and of both.
fn ranges() -> impl Strategy<Value = Filter> {
    let words = prop::sample::select(vec!["$gt", "$gte", "$lt", "$lte"]);
    vec((words, numbers_and_texts()), 1..4).prop_map(|tests| {
        Filter::every(tests.into_iter().map(|(word, operand)| parse(&json!({"a": {word: operand}}))).collect())
    })
}

fn numbers_and_texts() -> impl Strategy<Value = Value> {
    prop_oneof![(0..6_u8).prop_map(Value::from), "[abc]".prop_map(Value::from)]
}

proptest! {
    #[test]
    fn ranges_are_found_by_several_values_too(
        filters in vec(ranges(), 1..20),
        elements in vec(numbers_and_texts(), 0..4),
        one in numbers_and_texts(),
    ) {
        let mut index = Index::new();
        for (thing, filter) in filters.iter().enumerate() {
            index.insert(thing, filter);
        }
        for document in [json!({ "a": elements }), json!({ "a": one })] {
            let mut found = Vec::new();
            index.candidates("k", Some(&document), None, &mut found);
            for (thing, filter) in filters.iter().enumerate() {
                prop_assert!(!filter.matches("k", &document) || found.contains(&thing), "{:?} {}", filter, document);
            }
        }
    }
}

#[track_caller]
fn found(filters: &[Value], document: Value) -> Vec<usize> {
    let mut index = Index::new();
    for (thing, filter) in filters.iter().enumerate() {
        index.insert(thing, &parse(filter));
    }
    assert_eq!(index.catch_all(), 0);
    let mut found = Vec::new();
    index.candidates("k", None, Some(&document), &mut found);
    found
}

#[test]
fn what_can_be_looked_up_is_found_only_when_it_matches() {
    let filters = [
        json!({"a": 1}),
        json!({"a": "x"}),
        json!({"a": [true, "y"]}),
        json!({"a": {">=": 2, "<": 4}}),
        json!({"a": {">=": "m", "<": "n"}}),
        json!({"a": {"startsWith": "xy"}}),
        json!({"a": {"like": "xz%e"}}),
        json!({"id": "k"}),
        json!({"id": "other"}),
        json!({"$or": [{"a": 9}, {"b": 9}]}),
    ];
    for (document, expected) in [
        (json!({"a": 1.0}), vec![0, 7]),
        (json!({"a": "x"}), vec![1, 7]),
        (json!({"a": true}), vec![2, 7]),
        (json!({"a": [2, 5]}), vec![3, 7]),
        (json!({"a": [0, 5]}), vec![3, 7]),
        (json!({"a": 4}), vec![7]),
        (json!({"a": "mm"}), vec![4, 7]),
        (json!({"a": "xyz"}), vec![5, 7]),
        (json!({"a": "xz"}), vec![6, 7]),
        (json!({"b": 9}), vec![7, 9]),
        (json!({"id": "other"}), vec![7, 8]),
    ] {
        assert_eq!(found(&filters, document.clone()), expected, "{document}");
    }
}

#[test]
fn a_conjunction_is_found_by_its_least_crowded_term() {
    let filters: Vec<Value> = (0..1_000).map(|rack| json!({"kind": "compute", "rack": rack})).collect();
    assert!(found(&filters, json!({"kind": "compute", "rack": 500})).len() < 5);
    let slices: Vec<Value> =
        (0..1_000).map(|slice| json!({"kind": "compute", "rank": {">=": slice, "<": slice + 1}})).collect();
    assert!(found(&slices, json!({"kind": "compute", "rank": 500})).len() < 50);
}

#[test]
fn topics_are_found_by_their_words() {
    let mut index = Index::new();
    for (thing, pattern) in ["graph.started.#", "graph.*", "#.g1", "node.added", "*.#"].into_iter().enumerate() {
        index.insert(thing, &Filter::Topic(Topic::parse(pattern)));
    }
    let candidates = |key: &str| {
        let mut found = Vec::new();
        index.candidates(key, None, None, &mut found);
        found
    };
    assert_eq!(index.catch_all(), 1);
    assert_eq!(candidates("graph.started.g1"), [0, 1, 2, 4]);
    assert_eq!(candidates("node.added"), [3, 4]);
    assert_eq!(candidates("node.removed"), [4]);
}
