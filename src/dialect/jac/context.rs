//! The fields that an operation declares, and a call's context held against them.

use crate::dialect::jac::finding::{Finding, Place, Wanted};
use crate::dialect::jac::json::{self, Members, Shape, shape};
use serde_json::value::RawValue;

/// A declared field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub r#type: Type,
    /// Whether it may be absent.
    pub is_optional: bool,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    Number,
    Boolean,
    List,
    Dictionary,
    Any,
}

/// The words for them in a configuration.
pub const TYPES: [(&str, Type); 7] = [
    ("str", Type::Text),
    ("int", Type::Integer),
    ("float", Type::Number),
    ("bool", Type::Boolean),
    ("list", Type::List),
    ("dict", Type::Dictionary),
    ("any", Type::Any),
];

impl Field {
    /// Reads `str`, or `str?` for one that may be absent; `None`: there is no such type.
    pub fn read(name: &str, text: &str) -> Option<Field> {
        let word = text.strip_suffix('?').unwrap_or(text);
        let (_, r#type) = TYPES.into_iter().find(|(one, _)| *one == word)?;
        Some(Field { name: name.to_owned(), r#type, is_optional: text.len() > word.len() })
    }
}

impl Type {
    /// What a value should be and is not.
    fn missed_by(self, value: &RawValue) -> Option<Wanted> {
        let (fits, wanted) = match self {
            Type::Text => (json::text(value).is_some(), Wanted::Text),
            Type::Integer => (json::is_whole(value), Wanted::Integer),
            Type::Number => (shape(value) == Shape::Number, Wanted::Number),
            Type::Boolean => (shape(value) == Shape::Flag, Wanted::Boolean),
            Type::List => (shape(value) == Shape::List, Wanted::List),
            Type::Dictionary => (shape(value) == Shape::Object, Wanted::Dictionary),
            Type::Any => return None,
        };
        (!fits).then_some(wanted)
    }
}

/// What of a context, an object, is passed on: the declared fields, as they were written. Places begin with `around`.
///
/// # Errors
/// Everything that is wrong with them, in the order of the declaration.
pub fn check(
    fields: &[Field],
    context: &RawValue,
    around: Option<&'static str>,
) -> Result<Box<RawValue>, Vec<Finding>> {
    let members = Members::of(context);
    let (mut findings, mut passed) = (Vec::new(), String::from("{"));
    for field in fields {
        let loc = || around.into_iter().map(Place::from).chain([Place::Name(field.name.clone().into())]).collect();
        match members.get(&field.name) {
            None if field.is_optional => {}
            None => findings.push(Finding::missing(loc(), context)),
            Some(value) => match field.r#type.missed_by(value) {
                Some(wanted) => findings.push(Finding::not(wanted, loc(), value)),
                None => {
                    let comma = if passed.len() > 1 { "," } else { "" };
                    passed += &format!("{comma}{}:{}", serde_json::Value::from(&*field.name), value.get());
                }
            },
        }
    }
    passed.push('}');
    match findings.is_empty() {
        // It is put together from JSON, so it is JSON.
        true => Ok(RawValue::from_string(passed).unwrap_or_else(|_| context.to_owned())),
        false => Err(findings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(fields: &[(&str, &str)], context: &str) -> Result<String, serde_json::Value> {
        let fields: Vec<Field> = fields.iter().map(|(name, text)| Field::read(name, text).expect("a type")).collect();
        let context = RawValue::from_string(context.to_owned()).expect("JSON");
        let passed = check(&fields, &context, None).map(|passed| passed.get().to_owned());
        passed.map_err(|findings| serde_json::to_value(findings).expect("JSON"))
    }

    #[test]
    fn declared_fields_pass_as_they_were_written_and_others_do_not() {
        let fields = [("a", "any"), ("b\"", "float?"), ("c", "str?")];
        let context = r#"{"z":1, "b\"": 12345678901234567890.50 ,"a":{ "x": 1e400}}"#;
        assert_eq!(checked(&fields, context).unwrap(), r#"{"a":{ "x": 1e400},"b\"":12345678901234567890.50}"#);
        assert_eq!(checked(&[], r#"{"z":1}"#).unwrap(), "{}");
    }

    #[test]
    fn every_type_is_held_against_its_values() {
        let values = ["\"x\"", "5", "5.5", "true", "[]", "{}", "null"];
        for (word, name, fitting) in [
            ("str", "string_type", "\"x\""),
            ("int", "int_type", "5"),
            ("float", "float_type", "5 5.5"),
            ("bool", "bool_type", "true"),
            ("list", "list_type", "[]"),
            ("dict", "dict_type", "{}"),
        ] {
            for value in values {
                let outcome = checked(&[("f", word)], &format!(r#"{{"f":{value}}}"#));
                match fitting.split(' ').any(|one| one == value) {
                    true => assert!(outcome.is_ok(), "{word} {value}"),
                    false => assert_eq!(outcome.unwrap_err()[0]["type"], name, "{word} {value}"),
                }
            }
        }
        assert!(values.iter().all(|value| checked(&[("f", "any")], &format!(r#"{{"f":{value}}}"#)).is_ok()));
        assert_eq!(Field::read("f", "string"), None);
    }

    #[test]
    fn everything_that_is_wrong_is_told_in_order() {
        let findings = checked(&[("a", "str"), ("b", "int"), ("c", "dict?")], r#"{"c":5}"#).unwrap_err();
        let expected = serde_json::json!([
            {"type": "missing", "loc": ["a"], "msg": "Field required", "input": {"c": 5}},
            {"type": "missing", "loc": ["b"], "msg": "Field required", "input": {"c": 5}},
            {"type": "dict_type", "loc": ["c"], "msg": "Input should be a valid dictionary", "input": 5},
        ]);
        assert_eq!(findings, expected);
    }
}
