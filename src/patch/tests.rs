use super::*;
use proptest::prelude::*;
use serde_json::json;

fn ops(patch: Value) -> Ops {
    Ops::parse(patch).unwrap()
}

#[test]
fn a_patch_is_applied_in_order_or_not_at_all() {
    let document = json!({"a": [1, 2], "b": {"c": 1}});
    let patch = json!([
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "move", "from": "/b/c", "path": "/d"},
        {"op": "copy", "from": "/a", "path": "/b/e"},
        {"op": "remove", "path": "/a/0"},
        {"op": "replace", "path": "/d", "value": null},
    ]);
    assert_eq!(apply(&document, &ops(patch)).unwrap(), json!({"a": [2, 3], "b": {"e": [1, 2, 3]}, "d": null}));
}

#[test]
fn what_does_not_apply_is_said_in_a_sentence() {
    let document = json!({"a": [1], "s": "text"});
    for (operation, words) in [
        (json!({"op": "remove", "path": "/b"}), "operation 1 of the patch, at '/b': there is nothing"),
        (json!({"op": "remove", "path": ""}), "the whole document"),
        (json!({"op": "remove", "path": "/a/-"}), "there is nothing"),
        (json!({"op": "add", "path": "/a/2", "value": 1}), "no such place in the array"),
        (json!({"op": "add", "path": "/a/01", "value": 1}), "no such place in the array"),
        (json!({"op": "add", "path": "/a/+1", "value": 1}), "no such place in the array"),
        (json!({"op": "add", "path": "/s/0", "value": 1}), "invalid target"),
        (json!({"op": "add", "path": "/x/y", "value": 1}), "invalid target"),
        (json!({"op": "test", "path": "/a", "value": []}), "the test failed"),
        (json!({"op": "test", "path": "/b", "value": []}), "the test failed"),
        (json!({"op": "move", "from": "/a", "path": "/a/0"}), "invalid target"),
        (json!({"op": "copy", "from": "/x", "path": "/y"}), "there is nothing"),
    ] {
        let error = apply(&document, &ops(json!([operation]))).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.to_string().contains(words), "{error}");
    }
    for patch in
        [json!(null), json!({}), json!([1]), json!([{"op": "jump", "path": ""}]), json!([{"op": "add", "path": "a"}])]
    {
        assert_eq!(Ops::parse(patch).unwrap_err().kind(), Kind::Malformed);
    }
}

#[test]
fn a_patch_cannot_ask_for_more_than_there_is_room_for() {
    assert!(Ops::parse(Value::Array(vec![json!({"op": "remove", "path": "/a"}); 10_001])).is_err());
    let many = vec![json!({"op": "add", "path": "/a", "value": 1}); 10_000];
    assert_eq!(apply(&json!({}), &ops(many.into())).unwrap(), json!({"a": 1}));

    let doubling = vec![json!({"op": "copy", "from": "", "path": "/a/b"}); 10_000];
    assert!(apply(&json!({"a": {}}), &ops(doubling.into())).is_err());
    let wider: Vec<_> = (0..10_000).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/{n}")})).collect();
    assert!(apply(&json!({"a": vec![0; 1_000]}), &ops(wider.into())).is_err());
    let deeper: Vec<_> = (1..10_000).map(|n| json!({"op": "add", "path": "/a".repeat(n), "value": {}})).collect();
    assert!(apply(&json!({}), &ops(deeper.into())).is_err());
    let shifting = vec![json!({"op": "add", "path": "/0", "value": 0}); 10_000];
    assert!(apply(&json!(vec![0; 1_000_000]), &ops(shifting.into())).is_err());
}

#[test]
fn a_merge_merges_objects_and_null_removes() {
    let merged = merge(&json!({"a": {"b": 1, "c": 2}, "d": [1]}), &json!({"a": {"b": null, "x": {"y": null}}, "d": 3}));
    assert_eq!(merged, json!({"a": {"c": 2, "x": {}}, "d": 3}));
}

#[test]
fn an_array_is_told_by_what_changed_in_it() {
    for (before, after, expected) in [
        (json!([1, 2, 3, 4]), json!([1, 2, 9, 3, 4]), json!([{"op": "add", "path": "/2", "value": 9}])),
        (json!([1, 2, 3, 4]), json!([1, 3, 4]), json!([{"op": "remove", "path": "/1"}])),
        (json!([1, 2, 3]), json!([1, 7, 3]), json!([{"op": "replace", "path": "/1", "value": 7}])),
        (
            json!([{"id": 1, "n": 1}, {"id": 2, "n": 1}]),
            json!([{"id": 0}, {"id": 1, "n": 1}, {"id": 2, "n": 2}]),
            json!([{"op": "add", "path": "/0", "value": {"id": 0}}, {"op": "replace", "path": "/2/n", "value": 2}]),
        ),
        (
            json!({"a~b/c": [[1, 2], "x"]}),
            json!({"a~b/c": [[2], "x"]}),
            json!([{"op": "remove", "path": "/a~0b~1c/0/0"}]),
        ),
        (json!(1), json!([1]), json!([{"op": "replace", "path": "", "value": [1]}])),
    ] {
        assert_eq!(diff(&before, &after).to_string(), expected.to_string());
        assert_eq!(apply(&before, &diff(&before, &after)).unwrap(), after);
    }
}

#[test]
fn large_arrays_are_compared_place_by_place() {
    let before: Vec<_> = (0..20_000).collect();
    let after: Vec<_> = (0..20_000).map(|n| n + 1).collect();
    let ops = diff(&json!(before), &json!(after));
    assert_eq!(ops.len(), 20_000);
    let with_one_more = json!([&before[..9_000], &[7], &before[9_000..]].concat());
    assert_eq!(diff(&json!(before), &with_one_more).len(), 1, "the equal ends are found at any size");
}

/// Small documents whose names and values often meet.
pub(super) fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4i64).prop_map(Value::from),
        prop_oneof!["", "a", "~/é"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let name = prop_oneof!["a", "b", "id", "", "x~y", "/", "0", "constructor"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..7).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_difference_leads_there_and_back(before in document(), after in document()) {
        let forward = diff(&before, &after);
        prop_assert_eq!(apply(&before, &forward).unwrap(), after.clone());
        prop_assert_eq!(apply(&after, &diff(&after, &before)).unwrap(), before.clone());
        prop_assert_eq!(forward.is_empty(), before == after);
        let read = Ops::parse(serde_json::from_str(&forward.to_string()).unwrap()).unwrap();
        prop_assert_eq!(read, forward);
    }
}

/// Operations that often apply to them.
pub(super) fn operation() -> impl Strategy<Value = Value> {
    let path = || prop_oneof!["", "/a", "/0", "/a/0", "/a/a", "/a/-", "/id/b", "/-", "/b/1", "/"];
    let word = prop_oneof!["add", "remove", "replace", "move", "copy", "test"];
    (word, path(), path(), document())
        .prop_map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}))
}
