//! The fields of a JSON object, each still text: what has to be given back as it came is never rebuilt.

use serde_json::value::RawValue;
use std::collections::HashMap;

/// A message nested deeper than this is not looked at.
const DEEPEST: usize = 100;

/// The fields of one object; of a name that stands twice the last counts, as in every JavaScript.
pub struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Reads an object; `None` for any other text.
    pub fn read(text: &'a str) -> Option<Fields<'a>> {
        serde_json::from_str(text).ok().map(Fields)
    }

    /// Reads what a stranger sent; `None` also when it is nested too deep to be handled safely.
    pub fn read_message(text: &'a str) -> Option<Fields<'a>> {
        if is_too_deep(text) { None } else { Fields::read(text) }
    }

    /// The field's JSON text; null is absent.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get()).filter(|text| *text != "null")
    }
}

/// Whether arrays and objects stand in one another more than a hundred times.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_levels_are_read_and_no_more() {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(Fields::read_message(&nested(100)).is_some());
        assert!(Fields::read_message(&nested(101)).is_none());
        assert!(Fields::read_message(&"[".repeat(1_000_000)).is_none());
    }

    #[test]
    fn brackets_in_strings_are_not_levels() {
        let text = format!(r#"{{"a\"":"{}\\","b":1}}"#, "[\\\"{".repeat(200));
        assert_eq!(Fields::read_message(&text).unwrap().get("b"), Some("1"));
    }

    #[test]
    fn fields_are_given_as_they_came_and_the_last_counts() {
        let fields = Fields::read(r#"{"a":1,"ref": [1.0,  {"z":1,"a":2}] ,"a":1e400,"n":null,"\u0062":"x"}"#).unwrap();
        assert_eq!(fields.get("ref"), Some(r#"[1.0,  {"z":1,"a":2}]"#));
        assert_eq!(fields.get("a"), Some("1e400"));
        assert_eq!(fields.get("b"), Some(r#""x""#));
        assert_eq!(fields.get("n"), None);
        assert_eq!(fields.get("zz"), None);
    }
}
