//! Which part of the matching rows: `limit`, `skip`, `sort`, and of `options` also `fields`.

use super::fields::Fields;
use crate::filter::Path;
use crate::message::Page;
use crate::query::{Direction, Sort};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Reads the field `options` of a message over what its params said; `Err` is what is wrong with it.
pub fn read(options: Option<&str>, page: &mut Page) -> Result<(), String> {
    let Some(text) = options else { return Ok(()) };
    let fields = Fields::read(text).ok_or("options must be an object")?;
    read_page(&fields, page)?;
    if let Some(names) = fields.get("fields") {
        let names: Vec<String> =
            serde_json::from_str(names).map_err(|_| "options.fields must be an array of strings")?;
        page.fields = names.iter().map(|name| Path::parse(name)).collect();
    }
    Ok(())
}

/// Reads `limit`, `skip` and `sort`, which may stand in params too.
pub fn read_page(fields: &Fields<'_>, page: &mut Page) -> Result<(), String> {
    if let Some(limit) = fields.get("limit") {
        page.limit = Some(count(limit).ok_or("limit must be a whole number, 0 or more")?);
    }
    if let Some(skip) = fields.get("skip") {
        page.skip = count(skip).ok_or("skip must be a whole number, 0 or more")?;
    }
    if let Some(sort) = fields.get("sort") {
        page.sort = sorts(sort).ok_or(r#"sort must be "name desc", an array of those, or {"name":-1}"#)?;
    }
    Ok(())
}

/// A whole number, also as `5.0`; larger than memory means as many as there are.
fn count(text: &str) -> Option<usize> {
    let number: f64 = serde_json::from_str(text).ok()?;
    (number >= 0.0 && number.fract() == 0.0).then_some(number as usize)
}

fn sorts(text: &str) -> Option<Vec<Sort>> {
    match serde_json::from_str(text).ok()? {
        Value::String(term) => Some(vec![sort_term(&term)?]),
        Value::Array(terms) => terms.iter().map(|term| sort_term(term.as_str()?)).collect(),
        Value::Object(_) => {
            let Pairs(pairs) = serde_json::from_str(text).ok()?;
            pairs.iter().map(|(name, direction)| sort_by(name, direction_of(direction)?)).collect()
        }
        _ => None,
    }
}

/// `name`, `name asc`, `name desc`.
fn sort_term(term: &str) -> Option<Sort> {
    let mut words = term.split_ascii_whitespace();
    let name = words.next()?;
    let direction = words.next().map_or(Some(Direction::Ascending), direction_word)?;
    if words.next().is_some() { None } else { sort_by(name, direction) }
}

fn sort_by(name: &str, direction: Direction) -> Option<Sort> {
    (!name.is_empty()).then(|| Sort { path: Path::parse(name), direction })
}

fn direction_of(value: &Value) -> Option<Direction> {
    match value {
        Value::String(word) => direction_word(word),
        number if number.as_f64() == Some(1.0) => Some(Direction::Ascending),
        number if number.as_f64() == Some(-1.0) => Some(Direction::Descending),
        _ => None,
    }
}

fn direction_word(word: &str) -> Option<Direction> {
    if word.eq_ignore_ascii_case("asc") {
        Some(Direction::Ascending)
    } else if word.eq_ignore_ascii_case("desc") {
        Some(Direction::Descending)
    } else {
        None
    }
}

/// The fields of an object in the order they were sent in, which decides between sort terms.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(options: &str) -> Result<Page, String> {
        let mut page = Page::default();
        read(Some(options), &mut page).map(|()| page)
    }

    fn sort(name: &str, direction: Direction) -> Sort {
        Sort { path: Path::parse(name), direction }
    }

    #[test]
    fn every_form_of_sort_is_read_in_its_order() {
        use Direction::{Ascending, Descending};
        for (text, expected) in [
            (r#""name""#, vec![sort("name", Ascending)]),
            (r#""name desc""#, vec![sort("name", Descending)]),
            (r#"["type","name DESC"]"#, vec![sort("type", Ascending), sort("name", Descending)]),
            (r#"{"name":-1}"#, vec![sort("name", Descending)]),
            (
                r#"{"z":1,"a.b":-1.0,"m":"asc"}"#,
                vec![sort("z", Ascending), sort("a.b", Descending), sort("m", Ascending)],
            ),
            ("[]", vec![]),
        ] {
            assert_eq!(page(&format!(r#"{{"sort":{text}}}"#)).unwrap().sort, expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_fields_are_read() {
        let page = page(r#"{"limit":5.0,"skip":2,"fields":["a.b","c"],"other":true}"#).unwrap();
        assert_eq!((page.limit, page.skip), (Some(5), 2));
        assert_eq!(page.fields, vec![Path::parse("a.b"), Path::parse("c")]);
        assert_eq!(self::page(r#"{"limit":0}"#).unwrap().limit, Some(0));
        assert_eq!(self::page(r#"{"limit":1e30}"#).unwrap().limit, Some(usize::MAX));
        assert_eq!(self::page(r#"{"limit":null,"sort":null}"#).unwrap(), Page::default());
    }

    #[test]
    fn a_wrong_type_is_told_not_guessed() {
        for options in [
            "5",
            "[]",
            "true",
            r#""x""#,
            r#"{"limit":-1}"#,
            r#"{"limit":1.5}"#,
            r#"{"limit":"5"}"#,
            r#"{"limit":1e400}"#,
            r#"{"skip":true}"#,
            r#"{"skip":-0.5}"#,
            r#"{"sort":1}"#,
            r#"{"sort":""}"#,
            r#"{"sort":"name down"}"#,
            r#"{"sort":"name desc please"}"#,
            r#"{"sort":[1]}"#,
            r#"{"sort":{"name":2}}"#,
            r#"{"sort":{"":1}}"#,
            r#"{"fields":"a"}"#,
            r#"{"fields":[1]}"#,
            r#"{"fields":{"a":1}}"#,
        ] {
            assert!(page(options).is_err(), "{options}");
        }
    }
}
