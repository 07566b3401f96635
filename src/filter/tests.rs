//! The filter language as a table, and what holds for every filter.

use crate::filter::{Filter, Path, Topic};
use crate::generate::{documents, filters, keys};
use proptest::prelude::*;
use serde_json::{Value, json};

fn parse(filter: &Value) -> Filter {
    Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

#[track_caller]
fn matching(filter: Value, documents: &[(&str, Value)]) -> Vec<usize> {
    let filter = parse(&filter);
    let all = documents.iter().enumerate();
    all.filter(|(_, (key, document))| filter.matches(key, document)).map(|(index, _)| index).collect()
}

#[test]
fn each_operator_decides_as_promised() {
    let rows = [
        ("n0", json!({"f": 1})),
        ("n1", json!({"f": "ab"})),
        ("n2", json!({"f": [1, "b"]})),
        ("n3", json!({"f": null})),
        ("n4", json!({})),
        ("n5", json!({"f": true})),
        ("n6", json!({"f": {"a": 1}})),
        ("n7", json!({"f": [[1], {"a": 1}]})),
        ("n8", json!({"f": 2.5})),
    ];
    for (operand, expected) in [
        (json!(1), vec![0, 2]),
        (json!(1.0), vec![0, 2]),
        (json!("b"), vec![2]),
        (json!(true), vec![5]),
        (json!(null), vec![3, 4]),
        (json!({"$eq": null}), vec![3, 4]),
        (json!({"$ne": null}), vec![0, 1, 2, 5, 6, 7, 8]),
        (json!({"$ne": 1}), vec![1, 3, 4, 5, 6, 7, 8]),
        (json!({"!": 1}), vec![1, 3, 4, 5, 6, 7, 8]),
        (json!({"not": [1, "ab"]}), vec![3, 4, 5, 6, 7, 8]),
        (json!({"$ne": [1, "ab"]}), vec![3, 4, 5, 6, 7, 8]),
        (json!({"a": 1}), vec![6]),
        (json!({"a": 1, "b": null}), vec![6]),
        (json!({"$eq": [1, "b"]}), vec![2]),
        (json!({"$in": [[1.0, "b"], "ab"]}), vec![1, 2]),
        (json!([1, 2.5]), vec![0, 2, 8]),
        (json!([]), vec![]),
        (json!({"$in": [null, true]}), vec![3, 4, 5]),
        (json!({"$nin": [null, true]}), vec![0, 1, 2, 6, 7, 8]),
        (json!({"$nin": []}), vec![0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (json!({"$gt": 1}), vec![8]),
        (json!({"greaterThanOrEqual": 1}), vec![0, 2, 8]),
        (json!({"<": 2, "lessThanOrEqual": 1}), vec![0, 2]),
        (json!({"$gt": ""}), vec![1, 2]),
        (json!({"$gt": null}), vec![]),
        (json!({"$lt": true}), vec![]),
        (json!({"$not": {"$gt": null}}), vec![0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (json!({"$not": {"$gt": 1}}), vec![0, 1, 2, 3, 4, 5, 6, 7]),
        (json!({"$exists": true}), vec![0, 1, 2, 5, 6, 7, 8]),
        (json!({"$exists": false}), vec![3, 4]),
        (json!({"$startsWith": "a"}), vec![1]),
        (json!({"contains": "b"}), vec![1, 2]),
        (json!({"endsWith": "b"}), vec![1, 2]),
        (json!({"like": "%b"}), vec![1, 2]),
        (json!({"$like": "a"}), vec![]),
        (json!({"$contains": ""}), vec![1, 2]),
        (json!({"$ne": {"$gte": 1}}), vec![1, 3, 4, 5, 6, 7]),
    ] {
        assert_eq!(matching(json!({"f": operand.clone()}), &rows), expected, "{operand}");
    }
}

#[test]
fn logic_joins_as_promised() {
    let rows = [("k", json!({"a": 1, "b": 1})), ("k", json!({"a": 1})), ("k", json!({"b": 1})), ("k", json!({}))];
    for (filter, expected) in [
        (json!({}), vec![0, 1, 2, 3]),
        (json!({"a": 1, "b": 1}), vec![0]),
        (json!({"$and": [{"a": 1}, {"b": 1}]}), vec![0]),
        (json!({"or": [{"a": 1}, {"b": 1}]}), vec![0, 1, 2]),
        (json!({"nor": [{"a": 1}, {"b": 1}]}), vec![3]),
        (json!({"$not": {"a": 1, "b": 1}}), vec![1, 2, 3]),
        (json!({"$and": []}), vec![0, 1, 2, 3]),
        (json!({"$nor": []}), vec![0, 1, 2, 3]),
        (json!({"$or": []}), vec![]),
        (json!({"$or": [{}, {"a": 1}]}), vec![0, 1, 2, 3]),
        (json!({"and": 1}), vec![]),
    ] {
        assert_eq!(matching(filter.clone(), &rows), expected, "{filter}");
    }
}

#[test]
fn id_is_compared_as_text_with_the_document_and_with_the_key() {
    let rows =
        [("7", json!({"id": 7})), ("k", json!({"id": "n1"})), ("n1", json!({})), ("x", json!({"id": ["a", 7.0]}))];
    for (operand, expected) in [
        (json!(7), vec![0, 3]),
        (json!("7"), vec![0, 3]),
        (json!(7.0), vec![0, 3]),
        (json!("n1"), vec![1, 2]),
        (json!(["n1", 7]), vec![0, 1, 2, 3]),
        (json!({"$ne": 7}), vec![1, 2]),
        (json!({"$gt": 60}), vec![0, 1, 2, 3]),
        (json!({"startsWith": "n"}), vec![1, 2]),
        (json!(null), vec![]),
        (json!({"$exists": true}), vec![0, 1, 2, 3]),
    ] {
        assert_eq!(matching(json!({"id": operand.clone()}), &rows), expected, "{operand}");
    }
}

#[test]
fn numbers_are_not_rounded_to_be_compared() {
    let rows = [("a", json!({"n": 9_007_199_254_740_993_u64})), ("b", json!({"n": 9_007_199_254_740_992_u64}))];
    assert_eq!(matching(json!({"n": 9_007_199_254_740_993_u64}), &rows), [0]);
    assert_eq!(matching(json!({"n": {"$gt": 9_007_199_254_740_992.0}}), &rows), [0]);
    assert_eq!(matching(json!({"n": {"$lte": 9_007_199_254_740_992.0}}), &rows), [1]);
}

#[test]
fn what_is_no_filter_is_malformed() {
    let many = |count: usize| json!({ "$or": vec![json!({"a": 1}); count] });
    let values = |count: usize| json!({ "a": (0..count).collect::<Vec<_>>() });
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
    for malformed in [
        json!(null),
        json!("n1"),
        json!([{}]),
        json!({"a": {"$foo": 1}}),
        json!({"a": {"$gt": 1, "b": 2}}),
        json!({"a": {"gt": 1, "b": 2}}),
        json!({"$gt": 1}),
        json!({"$where": "1"}),
        json!({"$and": {}}),
        json!({"$or": [1]}),
        json!({"or": ["a"]}),
        json!({"$nor": [null]}),
        json!({"$not": 1}),
        json!({"a": {"$in": 1}}),
        json!({"a": {"$nin": null}}),
        json!({"a": {"$exists": 1}}),
        json!({"a": {"contains": 5}}),
        json!({"a": {"$not": {"$foo": 1}}}),
        many(201),
        values(1_001),
        deep(101),
    ] {
        assert!(Filter::parse(&malformed).is_err(), "{malformed}");
    }
    for legal in
        [many(200), values(1_000), deep(100), json!({"a": {"$eq": {"$foo": 1}}}), json!({"a": {"b": {"$x": 1}}})]
    {
        parse(&legal);
    }
}

#[test]
fn letter_case_is_ignored_where_asked() {
    let rows = [("N1", json!({"f": "Straße"})), ("n2", json!({"f": ["ÄB", 5]})), ("n3", json!({"f": "x"}))];
    let matching = |filter: Value| -> Vec<usize> {
        let filter = parse(&filter).ignoring_case();
        (0..3).filter(|row| filter.matches(rows[*row].0, &rows[*row].1)).collect()
    };
    for (filter, expected) in [
        (json!({"f": "STRASSE"}), vec![]),
        (json!({"f": "STRAßE"}), vec![0]),
        (json!({"f": ["äb", "X"]}), vec![1, 2]),
        (json!({"f": ["Y", 5]}), vec![1]),
        (json!({"f": {"$ne": "ÄB"}}), vec![0, 2]),
        (json!({"f": {"startsWith": "sTr"}}), vec![0]),
        (json!({"f": {"contains": "RAS"}}), vec![]),
        (json!({"f": {"contains": "äB"}}), vec![1]),
        (json!({"f": {"endsWith": "SSE"}}), vec![]),
        (json!({"f": {"endsWith": "ßE"}}), vec![0]),
        (json!({"f": {"like": "S%A%E"}}), vec![0]),
        (json!({"id": "n1"}), vec![0]),
    ] {
        assert_eq!(matching(filter.clone()), expected, "{filter}");
    }
}

#[test]
fn equal_filters_have_equal_text_and_others_have_not() {
    let text = |filter: Value| parse(&filter).canonical();
    for (a, b) in [
        (json!({"a": 1, "b": {"c": [1.0]}}), json!({"b": {"c": [1]}, "a": 1.0})),
        (json!({"a": {">=": 2, "<": 9}}), json!({"a": {"$lt": 9.0, "gte": 2}})),
        (json!({"$and": [{"b": 1}, {"a": 1}]}), json!({"a": 1, "b": 1})),
        (json!({"a": null}), json!({"a": {"$exists": false}})),
        (json!({"a": [2, 1]}), json!({"a": {"$in": [1, 2, 2.0]}})),
        (json!({"a": [1]}), json!({"a": 1})),
        (json!({"id": 1}), json!({"id": "1"})),
        (json!({"$not": {"$not": {"a": 1}}}), json!({"a": 1})),
    ] {
        assert_eq!(text(a), text(b));
    }
    let different = [
        json!({"a": 1}),
        json!({"a": "1"}),
        json!({"a": {"$eq": [1]}}),
        json!({"a.b": 1}),
        json!({"a": {"b": 1}}),
        json!({"a": {"$ne": 1}}),
        json!({"a": {"$gt": 1}}),
        json!({"a": [1, 2]}),
        json!({"$or": [{"a": 1}, {"b": 2}]}),
        json!({"a": 1, "b": 2}),
        json!({"a\".\"b": 1}),
        json!({}),
        json!({"$or": []}),
    ];
    let texts: std::collections::BTreeSet<String> = different.iter().cloned().map(text).collect();
    assert_eq!(texts.len(), different.len());
}

#[test]
fn a_union_names_each_filter_once_in_one_order() {
    let (a, b) = (parse(&json!({"a": 1})), parse(&json!({"b": 1})));
    let union = Filter::any(vec![b.clone(), a.clone(), Filter::Nothing, b.clone()]);
    assert_eq!(union, Filter::Or(vec![a.clone(), b.clone()]));
    assert_eq!(Filter::any(vec![union.clone(), a.clone()]), union);
    assert_eq!(Filter::any(vec![a.clone(), a.clone()]), a);
    assert_eq!(Filter::any(vec![a, Filter::All, b]), Filter::All);
    assert_eq!(Filter::any(Vec::new()), Filter::Nothing);
}

/// The keys of every object in the opposite order, and integers spelled as fractions.
fn respelled(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().rev().map(|(key, value)| format!("{}:{}", json!(key), respelled(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(respelled).collect::<Vec<_>>().join(","))
        }
        Value::Number(number) if number.as_i64().is_some_and(|whole| whole.unsigned_abs() < 1 << 53) => {
            format!("{number}.0")
        }
        other => other.to_string(),
    }
}

/// Any JSON, with the words of the language in it.
fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec!["a", "$and", "or", "$in", ">", "like", "$not", "", "$", "id", "a..b", "not"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 30, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..4).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(word, value)| (word.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_is_parsed_panics(filter in anything(), document in anything(), key in ".{0,4}") {
        if let Ok(filter) = Filter::parse(&filter) {
            let negated = filter.clone().negated();
            prop_assert_ne!(filter.matches(&key, &document), negated.matches(&key, &document));
            filter.ignoring_case().matches(&key, &document);
        }
    }

    #[test]
    fn spelling_changes_neither_text_nor_verdict(filter in filters(), key in keys(), document in documents()) {
        let other: Value = serde_json::from_str(&respelled(&filter)).unwrap();
        let (filter, other) = (parse(&filter), parse(&other));
        prop_assert_eq!(filter.canonical(), other.canonical());
        prop_assert_eq!(filter.matches(&key, &document), other.matches(&key, &document));
    }

    #[test]
    fn equal_text_means_equal_verdict(a in filters(), b in filters(), key in keys(), document in documents()) {
        let (a, b) = (parse(&a), parse(&b));
        if a.canonical() == b.canonical() {
            prop_assert_eq!(a.matches(&key, &document), b.matches(&key, &document));
        }
    }

    #[test]
    fn joined_filters_decide_as_their_parts(a in filters(), b in filters(), key in keys(), document in documents()) {
        let (a, b) = (parse(&a), parse(&b));
        let (first, second) = (a.matches(&key, &document), b.matches(&key, &document));
        prop_assert_eq!(Filter::both(a.clone(), b.clone()).matches(&key, &document), first && second);
        prop_assert_eq!(Filter::any(vec![a, b]).matches(&key, &document), first || second);
    }

    #[test]
    fn ignoring_case_is_comparing_in_lower_case(
        word in prop::sample::select(vec!["$eq", "$ne", "startsWith", "contains", "endsWith", "like", "$in", "$nin"]),
        operand in "[aAbBéÉ%]{0,3}",
        texts in prop::collection::vec("[aAbBéÉ%]{0,4}", 1..3),
    ) {
        let filter = |operand: &str| match word {
            "$in" | "$nin" => parse(&json!({"a": {word: [operand, "ba", 1]}})),
            _ => parse(&json!({"a": {word: operand}})),
        };
        let lower: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        prop_assert_eq!(
            filter(&operand).ignoring_case().matches("k", &json!({ "a": texts })),
            filter(&operand.to_lowercase()).matches("k", &json!({ "a": lower }))
        );
    }

    #[test]
    fn a_topic_matches_as_its_words_say(pattern in "[a#*.]{0,7}", key in "[ab.]{0,7}") {
        prop_assert_eq!(Topic::parse(&pattern).matches(&key), slow(&split(&pattern), &split(&key)));
    }
}

fn split(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

fn slow(pattern: &[&str], words: &[&str]) -> bool {
    match pattern.split_first() {
        None => words.is_empty(),
        Some((&"#", rest)) => (0..=words.len()).any(|skipped| slow(rest, &words[skipped..])),
        Some((&wanted, rest)) => {
            words.split_first().is_some_and(|(&word, others)| (wanted == "*" || wanted == word) && slow(rest, others))
        }
    }
}

#[test]
fn a_path_is_written_as_it_was_read() {
    for dotted in ["a", "a.b.0", "", ".", "a..b"] {
        assert_eq!(Path::parse(dotted).to_string(), dotted);
    }
}
