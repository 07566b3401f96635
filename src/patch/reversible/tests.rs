use super::super::tests::{document, operation};
use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Applies a patch to a document: (document, patch, tuples), as JSON.
fn applied(document: Value, patch: Value) -> (Value, Value, Value) {
    let ops = parse(patch).expect("a patch");
    let applied = apply(&document, &ops).expect("it applies");
    let undone = apply(&applied.document, &undo(&applied.revert)).expect("it can be taken back").document;
    assert_eq!(undone, document, "{}", applied.revert.to_value());
    (applied.document, applied.patch.to_value(), applied.revert.to_value())
}

#[test]
fn every_row_of_the_table_of_tuples() {
    for (before, op, tuples) in [
        (json!({}), json!({"op":"add","path":"/a","value":1}), json!([[{"op":"add","path":"/a","value":1}]])),
        (json!({"a":0}), json!({"op":"add","path":"/a","value":1}), json!([[{"op":"add","path":"/a","value":1},0]])),
        (
            json!({"a":null}),
            json!({"op":"add","path":"/a","value":1}),
            json!([[{"op":"add","path":"/a","value":1},null]]),
        ),
        (json!([1]), json!({"op":"add","path":"","value":2}), json!([[{"op":"add","path":"","value":2},[1]]])),
        (json!([1]), json!({"op":"add","path":"/0","value":2}), json!([[{"op":"add","path":"/0","value":2}]])),
        (json!([1]), json!({"op":"add","path":"/-","value":2}), json!([[{"op":"add","path":"/1","value":2}]])),
        (json!({"a":1}), json!({"op":"remove","path":"/a"}), json!([[{"op":"remove","path":"/a"},1]])),
        (json!([1, 2]), json!({"op":"remove","path":"/0"}), json!([[{"op":"remove","path":"/0"},1]])),
        (
            json!({"a":1}),
            json!({"op":"replace","path":"/a","value":2}),
            json!([[{"op":"replace","path":"/a","value":2},1]]),
        ),
        (json!(1), json!({"op":"replace","path":"","value":2}), json!([[{"op":"replace","path":"","value":2},1]])),
        (
            json!({"a":1}),
            json!({"op":"move","from":"/a","path":"/b"}),
            json!([[{"op":"move","from":"/a","path":"/b"}]]),
        ),
        (
            json!([1, 2, 3]),
            json!({"op":"move","from":"/0","path":"/-"}),
            json!([[{"op":"move","from":"/0","path":"/2"}]]),
        ),
        (
            json!({"a":1}),
            json!({"op":"move","from":"/a","path":"/a"}),
            json!([[{"op":"move","from":"/a","path":"/a"}]]),
        ),
        (
            json!({"a":1,"b":2}),
            json!({"op":"move","from":"/a","path":"/b"}),
            json!([[{"op":"remove","path":"/a"},1],[{"op":"replace","path":"/b","value":1},2]]),
        ),
        (
            json!({"a":{"b":1}}),
            json!({"op":"move","from":"/a/b","path":""}),
            json!([[{"op":"remove","path":"/a/b"},1],[{"op":"replace","path":"","value":1},{"a":{}}]]),
        ),
        (
            json!({"a":[1],"b":2}),
            json!({"op":"copy","from":"/b","path":"/a/-"}),
            json!([[{"op":"add","path":"/a/1","value":2}]]),
        ),
        (json!({"a":1}), json!({"op":"test","path":"/a","value":1}), json!([[{"op":"test","path":"/a","value":1}]])),
    ] {
        assert_eq!(applied(before, json!([op])).2, tuples);
    }
}

#[test]
fn what_is_sent_is_what_was_applied() {
    let sent = json!([
        {"op":"add","path":"/labels","value":["a"],"note":"no member of an operation"},
        {"op":"add","path":"/labels/-","value":"b"},
        {"op":"copy","from":"/labels","path":"/more"},
        {"op":"remove","path":"/labels/0"},
    ]);
    let (document, patch, _) = applied(json!({}), sent);
    assert_eq!(document, json!({"labels":["b"],"more":["a","b"]}));
    let expected = json!([
        {"op":"add","path":"/labels","value":["a"]},
        {"op":"add","path":"/labels/-","value":"b"},
        {"op":"add","path":"/more","value":["a","b"]},
        {"op":"remove","path":"/labels/0"},
    ]);
    assert_eq!(patch, expected, "no value is touched by a later operation");
}

#[test]
fn what_cannot_be_applied_is_named() {
    let document = json!({"a":[1],"s":"text"});
    for (patch, fault) in [
        (json!({}), Fault::Malformed),
        (json!([1]), Fault::Malformed),
        (json!([{"op":"zap","path":"/a"}]), Fault::Malformed),
        (json!([{"op":"add","value":1}]), Fault::Malformed),
        (json!([{"op":"add","path":"/a"}]), Fault::Malformed),
        (json!([{"op":"move","path":"/a"}]), Fault::Malformed),
        (json!([{"op":"add","path":"a","value":1}]), Fault::Pointer("a".into())),
        (json!([{"op":"add","path":"/~2","value":1}]), Fault::Pointer("/~2".into())),
        (json!([{"op":"copy","from":"/constructor/x","path":"/b"}]), Fault::Pointer("/constructor/x".into())),
        (json!([{"op":"add","path":"/a/__proto__","value":1}]), Fault::Pointer("/a/__proto__".into())),
        (json!([{"op":"replace","path":"/x","value":1}]), Fault::Location),
        (json!([{"op":"remove","path":"/a/1"}]), Fault::Location),
        (json!([{"op":"move","from":"/x","path":"/y"}]), Fault::Location),
        (json!([{"op":"test","path":"/s","value":1}]), Fault::Test),
        (json!([{"op":"add","path":"/x/y","value":1}]), Fault::Target),
        (json!([{"op":"add","path":"/s/y","value":1}]), Fault::Target),
        (json!([{"op":"move","from":"/a","path":"/a/b"}]), Fault::Target),
        (json!([{"op":"add","path":"/a/x","value":1}]), Fault::Index),
        (json!([{"op":"add","path":"/a/2","value":1}]), Fault::Index),
        (json!([{"op":"remove","path":""}]), Fault::Root),
    ] {
        let refused = parse(patch.clone()).and_then(|ops| apply(&document, &ops));
        assert_eq!(refused, Err(fault), "{patch}");
    }
    assert_eq!(parse(json!([{"op":"add","path":"/a","value":null}])).map(|ops| ops.len()), Ok(1));
}

#[test]
fn a_difference_has_one_order() {
    for (before, after, patch) in [
        (
            json!({"b":1,"c":{"x":1},"z":0,"d":0}),
            json!({"a":1,"c":{"x":2},"y":2,"d":1}),
            json!([
                {"op":"remove","path":"/b"},
                {"op":"remove","path":"/z"},
                {"op":"replace","path":"/c/x","value":2},
                {"op":"replace","path":"/d","value":1},
                {"op":"add","path":"/a","value":1},
                {"op":"add","path":"/y","value":2},
            ]),
        ),
        (json!([1, 2, 3]), json!([2, 3]), json!([{"op":"remove","path":"/0"}])),
        (json!([1, 2, 9]), json!([9]), json!([{"op":"remove","path":"/1"},{"op":"remove","path":"/0"}])),
        (
            json!([0, {"n":1}, 2, 3, 9]),
            json!([0, {"n":2}, 9]),
            json!([{"op":"replace","path":"/1/n","value":2},{"op":"remove","path":"/3"},{"op":"remove","path":"/2"}]),
        ),
        (
            json!([1, 9]),
            json!([1, 2, 3, 9]),
            json!([{"op":"add","path":"/1","value":2},{"op":"add","path":"/2","value":3}]),
        ),
        (json!({"a":[]}), json!({"a":{}}), json!([{"op":"replace","path":"/a","value":{}}])),
        (
            json!({"a":{"b":1,"constructor":{"c":1}}}),
            json!({"a":{"b":1,"constructor":{"c":2}}}),
            json!([{"op":"replace","path":"/a","value":{"b":1,"constructor":{"c":2}}}]),
        ),
        (json!({"constructor":1,"b":1}), json!({"constructor":1}), json!([{"op":"remove","path":"/b"}])),
    ] {
        assert_eq!(diff(&before, &after).0.to_value(), patch);
    }
}

#[test]
fn tuples_padded_or_cut_are_none() {
    let (add, remove) = (json!({"op":"add","path":"/a","value":1}), json!({"op":"remove","path":"/a"}));
    for tuples in [
        json!({}),
        json!([add]),
        json!([[]]),
        json!([[add, 1, null]]),
        json!([[remove]]),
        json!([[{"op":"test","path":"","value":1}, null]]),
        json!([[{"op":"copy","from":"/a","path":"/b"}]]),
    ] {
        assert_eq!(Tuples::parse(tuples.clone()), Err(Fault::Malformed), "{tuples}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_applies_can_be_taken_back(document in document(), operations in prop::collection::vec(operation(), 1..6)) {
        // What does not apply is left out, so that most patches are of several steps.
        let (mut patch, mut reached) = (Vec::new(), document.clone());
        for operation in operations {
            if let Ok(applied) = parse(json!([operation])).and_then(|ops| apply(&reached, &ops)) {
                reached = applied.document;
                patch.push(operation);
            }
        }
        let applied = apply(&document, &parse(patch.into()).unwrap()).unwrap();
        prop_assert_eq!(&applied.document, &reached);
        let again = apply(&document, &applied.patch).unwrap();
        prop_assert_eq!(&again.document, &reached, "the patch that is sent does the same");
        let back = apply(&reached, &undo(&applied.revert)).unwrap();
        prop_assert_eq!(back.document, document);
        prop_assert_eq!(Tuples::parse(applied.revert.to_value()).unwrap(), applied.revert);
    }

    #[test]
    fn a_difference_applies_and_can_be_taken_back(before in document(), after in document()) {
        let (patch, revert) = diff(&before, &after);
        prop_assert_eq!(patch.is_empty(), before == after);
        let patch = parse(patch.to_value()).expect("clients can follow every path of it");
        let applied = apply(&before, &patch).unwrap();
        prop_assert_eq!(&applied.document, &after);
        prop_assert_eq!(&applied.revert, &revert);
        prop_assert_eq!(apply(&after, &undo(&revert)).unwrap().document, before);
    }
}
