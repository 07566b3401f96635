use super::*;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use proptest::prelude::*;
use serde_json::json;

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn applied(before: &Document, update: &Document) -> Option<Value> {
    after(&form::document(&raw(before)), &raw(update))
}

#[test]
fn every_kind_of_change_is_applied() {
    let before = doc! { "_id": 1, "a": { "b": [1, 2, { "c": 3 }], "0": "zero" }, "n": Bson::Null, "gone": true };
    for (update, expected) in [
        (doc! { "updatedFields": { "x": 1 } }, json!({"x": 1})),
        (
            doc! { "updatedFields": { "n": 5, "a.b.2.c": 4 } },
            json!({"n": 5, "a": {"b": [1, 2, {"c": 4}], "0": "zero"}}),
        ),
        (doc! { "updatedFields": { "a.0": 1, "a.b.0": 9 } }, json!({"a": {"b": [9, 2, {"c": 3}], "0": 1}})),
        (doc! { "updatedFields": { "a.b.5": 1 } }, json!({"a": {"b": [1, 2, {"c": 3}, null, null, 1], "0": "zero"}})),
        (doc! { "updatedFields": { "a.b.1": Bson::Null } }, json!({"a": {"b": [1, null, {"c": 3}], "0": "zero"}})),
        (doc! { "updatedFields": { "a": Bson::Null } }, json!({"a": null})),
        (doc! { "removedFields": ["gone", "a.0", "was.never"] }, json!(null)),
        (doc! { "removedFields": ["gone", "a.0"] }, json!({"gone": null, "a": {"b": [1, 2, {"c": 3}]}})),
        (
            doc! { "truncatedArrays": [{ "field": "a.b", "newSize": 1 }], "updatedFields": { "a.b.1": 7 } },
            json!({"a": {"b": [1, 7], "0": "zero"}}),
        ),
        (doc! {}, json!({})),
    ] {
        let mut whole = form::document(&raw(&before));
        let expected = expected.as_object().map(|changed| {
            for (name, value) in changed {
                match value {
                    Value::Null => whole.as_object_mut().unwrap().remove(name),
                    value => whole.as_object_mut().unwrap().insert(name.clone(), value.clone()),
                };
            }
            whole
        });
        assert_eq!(applied(&before, &update), expected, "{update}");
    }
}

#[test]
fn a_name_with_dots_is_told_apart_or_not_guessed() {
    let before = doc! { "_id": 1, "a.b": 1, "a": { "b": 2, "0": 3 }, "l": [1] };
    assert_eq!(applied(&before, &doc! { "updatedFields": { "a.b": 5 } }), None);
    let told = |path: Document, dotted: &str| {
        applied(&before, &doc! { "updatedFields": { dotted: 5 }, "disambiguatedPaths": path })
    };
    let flat = told(doc! { "a.b": ["a.b"] }, "a.b").unwrap();
    assert_eq!((&flat["a.b"], &flat["a"]["b"]), (&json!(5), &json!(2)));
    let deep = told(doc! { "a.b": ["a", "b"] }, "a.b").unwrap();
    assert_eq!((&deep["a.b"], &deep["a"]["b"]), (&json!(1), &json!(5)));
    assert_eq!(told(doc! { "a.0": ["a", "0"] }, "a.0").unwrap()["a"]["0"], json!(5));
    assert_eq!(told(doc! { "l.0": ["l", 0] }, "l.0").unwrap()["l"], json!([5]));
    assert_eq!(told(doc! { "a.0": ["a", 0] }, "a.0"), None);
    assert_eq!(told(doc! { "a.0": "?" }, "a.0"), None);
}

#[test]
fn what_cannot_be_is_refused_and_what_nobody_sees_is_passed_over() {
    let before = doc! { "_id": 1, "id": 2, "l": [1], "s": "x" };
    for update in [
        doc! { "updatedFields": { "l.x": 1 } },
        doc! { "updatedFields": { "l.-1": 1 } },
        doc! { "updatedFields": { "l.2000000000": 1 } },
        doc! { "updatedFields": { "s.x": 1 } },
        doc! { "updatedFields": { "none.x": 1 } },
        doc! { "removedFields": ["l.0"] },
        doc! { "removedFields": [1] },
        doc! { "truncatedArrays": [{ "field": "s", "newSize": 1 }] },
        doc! { "truncatedArrays": [{ "field": "l", "newSize": -1 }] },
    ] {
        assert_eq!(applied(&before, &update), None, "{update}");
    }
    let hidden = applied(&before, &doc! { "updatedFields": { "id": 3 }, "removedFields": ["id"] });
    assert_eq!(hidden.unwrap()["id"], json!(1));
}

/// A change of a document, as a writer would make it, together with what the server would say of it.
#[derive(Debug, Clone)]
enum Edit {
    Set(usize, Bson),
    Remove(usize),
    Truncate(usize, usize),
    Push(usize, Bson),
}

fn value() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Bson::Int32),
        "[a-z]{0,3}".prop_map(Bson::String),
        Just(Bson::Null),
        any::<f64>().prop_map(Bson::Double),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Bson::Array),
            prop::collection::vec(("[a-c0-2]", inner), 0..4)
                .prop_map(|fields| { Bson::Document(fields.into_iter().collect()) }),
        ]
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), value()).prop_map(|(at, value)| Edit::Set(at, value)),
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), 0..3usize).prop_map(|(at, size)| Edit::Truncate(at, size)),
        (any::<usize>(), value()).prop_map(|(at, value)| Edit::Push(at, value)),
    ]
}

/// The paths of everything in a document, and whether each is an array.
fn paths(value: &Bson, prefix: &str, found: &mut Vec<String>) {
    let mut below = |name: String, inner: &Bson| {
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        found.push(path.clone());
        paths(inner, &path, found);
    };
    match value {
        Bson::Document(fields) => fields.iter().for_each(|(name, inner)| below(name.clone(), inner)),
        Bson::Array(elements) => {
            elements.iter().enumerate().for_each(|(index, inner)| below(index.to_string(), inner));
        }
        _ => {}
    }
}

fn at<'a>(value: &'a mut Bson, path: &str) -> Option<&'a mut Bson> {
    path.split('.').filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Bson::Document(fields) => fields.get_mut(step),
        Bson::Array(elements) => elements.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Makes the edit and says what the server would say; nothing when there is nothing to edit.
fn make(record: &mut Bson, edit: Edit) -> Option<Document> {
    let mut all = Vec::new();
    paths(record, "", &mut all);
    let all: Vec<String> = all.into_iter().filter(|path| !path.starts_with("_id")).collect();
    let choose = |at: usize| all.get(at.checked_rem(all.len())?).cloned();
    match edit {
        Edit::Set(place, value) => {
            let path = choose(place).unwrap_or_else(|| "new".into());
            match at(record, &path) {
                Some(there) => *there = value.clone(),
                None => drop(record.as_document_mut()?.insert(path.clone(), value.clone())),
            }
            Some(doc! { "updatedFields": { path: value } })
        }
        Edit::Remove(place) => {
            let path = choose(place)?;
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", &path));
            at(record, parent)?.as_document_mut()?.remove(name);
            Some(doc! { "removedFields": [path] })
        }
        Edit::Truncate(place, size) => {
            let path = choose(place)?;
            at(record, &path)?.as_array_mut()?.truncate(size);
            Some(doc! { "truncatedArrays": [{ "field": path, "newSize": size as i32 }] })
        }
        Edit::Push(place, value) => {
            let path = choose(place)?;
            let elements = at(record, &path)?.as_array_mut()?;
            elements.push(value.clone());
            let last = format!("{path}.{}", elements.len() - 1);
            Some(doc! { "updatedFields": { last: value } })
        }
    }
}

proptest! {
    #[test]
    fn what_is_derived_is_what_was_stored(fields in prop::collection::vec(("[a-c]", value()), 0..4),
                                          edits in prop::collection::vec(edit(), 1..6)) {
        let mut record: Document = fields.into_iter().collect();
        record.insert("_id", 1);
        let mut stored = Bson::Document(record);
        for edit in edits {
            let before = stored.clone();
            let Some(told) = make(&mut stored, edit) else {
                stored = before;
                continue;
            };
            let derived = applied(before.as_document().unwrap(), &told);
            prop_assert_eq!(derived, Some(form::document(&raw(stored.as_document().unwrap()))), "{}", told);
        }
    }

    #[test]
    fn torn_descriptions_do_no_harm(at in 4..90usize, byte in any::<u8>()) {
        let update = doc! { "updatedFields": { "a.0": 1 }, "removedFields": ["b"],
                            "truncatedArrays": [{ "field": "a", "newSize": 1 }] };
        let mut bytes = raw(&update).into_bytes();
        let end = bytes.len() - 1;
        bytes[at.min(end - 1)] = byte;
        let _ = after(&json!({"a": [1, 2], "b": 1}), RawDocument::from_bytes(&bytes).unwrap());
    }
}
