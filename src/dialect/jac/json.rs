//! JSON as it was written: what is passed on is not read, so nothing of it can change.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Objects and lists may be nested so deep.
const DEEPEST: usize = 128;

/// What kind of value a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    List,
    Text,
    Number,
    Flag,
    Null,
}

/// The members of an object, their values as they were written.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of what is known to be an object, or of nothing.
    pub(super) fn of(object: &'a RawValue) -> Members<'a> {
        serde_json::from_str(object.get()).unwrap_or_default()
    }

    /// The value of a member; of one that is given twice, the last.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// A key that is borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The one value that a text is; `None` when it is not JSON, or nested too deep.
pub(super) fn parse(text: &str) -> Option<&RawValue> {
    let value = serde_json::from_str::<&RawValue>(text).ok()?;
    (depth(value.get()) <= DEEPEST).then_some(value)
}

/// What kind of value this is.
pub(super) fn shape(value: &RawValue) -> Shape {
    match value.get().as_bytes().first() {
        Some(b'{') => Shape::Object,
        Some(b'[') => Shape::List,
        Some(b'"') => Shape::Text,
        Some(b't' | b'f') => Shape::Flag,
        Some(b'n') => Shape::Null,
        _ => Shape::Number,
    }
}

/// A text; `None` when the value is none, or one that no text can be.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The elements of a list; `None` when it is none.
pub(super) fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// Whether a number is a whole one.
pub(super) fn is_whole(value: &RawValue) -> bool {
    shape(value) == Shape::Number && !value.get().contains(['.', 'e', 'E'])
}

/// The same value without whitespace; `None` when it is longer than so many bytes.
pub(super) fn compact(value: &RawValue, longest: usize) -> Option<Box<RawValue>> {
    let mut out = String::new();
    let (mut is_in_text, mut is_escaped) = (false, false);
    for letter in value.get().chars() {
        if !is_in_text && letter.is_ascii_whitespace() {
            continue;
        }
        if out.len() + letter.len_utf8() > longest {
            return None;
        }
        out.push(letter);
        is_in_text ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
    }
    RawValue::from_string(out).ok()
}

fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut is_in_text, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            b'"' if !is_escaped => is_in_text = !is_in_text,
            b'{' | b'[' if !is_in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_escaped = byte == b'\\' && !is_escaped;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_not_read() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(128)).is_some());
        assert!(parse(&nested(129)).is_none());
        assert!(parse(&nested(1_000_000)).is_none(), "and no stack is too small for it");
        assert!(parse(&format!(r#"["{}\"["]"#, "[".repeat(500))).is_some(), "brackets in a text are text");
        for text in ["", " ", "{nope", "{} {}", "nul", "\u{feff}{}"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn members_are_as_they_were_written_and_the_last_one_counts() {
        let value = parse(r#" {"a": 1, "\u0062":{ "x" : 1e400 },"a":1.50} "#).unwrap();
        let members = Members::of(value);
        assert_eq!(members.get("a").map(RawValue::get), Some("1.50"));
        assert_eq!(members.get("b").map(RawValue::get), Some(r#"{ "x" : 1e400 }"#));
        assert!(members.get("c").is_none());
        assert!(Members::of(parse("[1]").unwrap()).get("a").is_none());
    }

    #[test]
    fn compact_is_without_whitespace_outside_texts() {
        let value = parse("{ \"a\\\" b\" : [ 1 ,\t\"ä  \\\\\" ] }").unwrap();
        assert_eq!(
            compact(value, 100).map(|out| out.get().to_owned()).as_deref(),
            Some("{\"a\\\" b\":[1,\"ä  \\\\\"]}")
        );
        assert!(compact(value, 5).is_none());
    }

    #[test]
    fn whole_numbers_have_neither_fraction_nor_exponent() {
        for (text, whole) in [("5", true), ("-0", true), ("5.0", false), ("1e3", false), ("\"5\"", false)] {
            assert_eq!(is_whole(parse(text).unwrap()), whole, "{text}");
        }
    }
}
