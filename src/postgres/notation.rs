//! From the text of a value, as the server writes it under our settings, to the JSON that its `to_json` gives for
//! the same value. What cannot be read here is for the server to convert.

use crate::postgres::form;
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// How the text of a type is read.
#[derive(Debug, Clone, PartialEq)]
pub enum Notation {
    /// `t` and `f`.
    Bool,
    /// A number; `NaN` and the infinities are strings.
    Number,
    /// It is JSON already.
    Json,
    /// The text is the value.
    Plain,
    /// Date and time, with zone or without; JSON has a `T` between them and minutes in the zone.
    Timestamp,
    /// `{1,NULL,{...}}`
    Array { delimiter: char, element: Box<Notation> },
    /// Only the server knows.
    Asked,
}

/// Postgres has no arrays of more dimensions.
const DIMENSIONS: usize = 6;

impl Notation {
    /// The value; `None` when the server has to be asked.
    pub fn read(&self, text: &str) -> Option<Value> {
        match self {
            Notation::Bool => Some(Value::Bool(text == "t")),
            Notation::Number => Some(number(text)),
            Notation::Json => serde_json::from_str::<&RawValue>(text).ok().map(form::parse),
            Notation::Plain => Some(Value::String(text.to_owned())),
            Notation::Timestamp => Some(Value::String(timestamp(text))),
            Notation::Array { delimiter, element } => array(text, *delimiter, element),
            Notation::Asked => None,
        }
    }

    /// The text of a value in a key, where it is not the value's own: as `to_json` writes it.
    pub fn key<'a>(&self, text: &'a str) -> &'a str {
        match (self, text) {
            (Notation::Bool, "t") => "true",
            (Notation::Bool, _) => "false",
            _ => text,
        }
    }
}

fn number(text: &str) -> Value {
    match text.parse::<Number>() {
        Ok(number) => Value::Number(number),
        // `NaN`, or more than a number can hold.
        Err(_) => Value::String(text.to_owned()),
    }
}

/// `2026-11-21 08:18:14.849+00` as `2026-11-21T08:18:14.849+00:00`; an era stays behind it.
fn timestamp(text: &str) -> String {
    let Some((date, rest)) = text.split_once(' ') else { return text.to_owned() };
    let (time, era) = rest.split_once(' ').map_or((rest, None), |(time, era)| (time, Some(era)));
    let is_hours_only = time.rfind(['+', '-']).is_some_and(|at| time.len() - at == 3);
    let minutes = if is_hours_only { ":00" } else { "" };
    let era = era.map(|era| format!(" {era}")).unwrap_or_default();
    format!("{date}T{time}{minutes}{era}")
}

/// `None` when it is not written as arrays are.
fn array(text: &str, delimiter: char, element: &Notation) -> Option<Value> {
    // Bounds other than from one, `[0:1]={…}`, mean nothing in JSON.
    let body = match text.starts_with('[') {
        true => text.split_once('=')?.1,
        false => text,
    };
    let mut rest = body.strip_prefix('{')?;
    let value = elements(&mut rest, delimiter, element, DIMENSIONS)?;
    rest.is_empty().then_some(value)
}

/// What follows an opening brace, up to and including the closing one.
fn elements(rest: &mut &str, delimiter: char, element: &Notation, dimensions: usize) -> Option<Value> {
    let mut values = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        return Some(Value::Array(values));
    }
    loop {
        let first = rest.chars().next()?;
        values.push(match first {
            '{' => {
                *rest = &rest[1..];
                elements(rest, delimiter, element, dimensions.checked_sub(1)?)?
            }
            '"' => element.read(&quoted(rest)?)?,
            _ => {
                let end = rest.find([delimiter, '}'])?;
                let (text, after) = rest.split_at(end);
                *rest = after;
                match text {
                    "NULL" => Value::Null,
                    text => element.read(text)?,
                }
            }
        });
        let next = rest.chars().next()?;
        *rest = &rest[next.len_utf8()..];
        match next {
            '}' => return Some(Value::Array(values)),
            next if next == delimiter => {}
            _ => return None,
        }
    }
}

/// A text in quotes, in which a backslash precedes quotes and backslashes.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                *rest = &rest[at + 1..];
                return Some(text);
            }
            '\\' => text.push(letters.next()?.1),
            letter => text.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_numbers_unless_json_has_none() {
        for (text, value) in [
            ("-42", json!(-42)),
            ("9223372036854775807", json!(i64::MAX)),
            ("1.50", json!(1.5)),
            ("1e+20", json!(1e20)),
            ("NaN", json!("NaN")),
            ("-Infinity", json!("-Infinity")),
        ] {
            assert_eq!(Notation::Number.read(text), Some(value), "{text}");
        }
    }

    #[test]
    fn times_are_written_as_json_writes_them() {
        for (text, json) in [
            ("2026-11-21 08:18:14.849999+00", "2026-11-21T08:18:14.849999+00:00"),
            ("2026-11-21 08:18:14", "2026-11-21T08:18:14"),
            ("2026-11-21 08:18:14+09:30", "2026-11-21T08:18:14+09:30"),
            ("0044-03-15 00:00:00+00 BC", "0044-03-15T00:00:00+00:00 BC"),
            ("0044-03-15 00:00:00 BC", "0044-03-15T00:00:00 BC"),
            ("infinity", "infinity"),
        ] {
            assert_eq!(Notation::Timestamp.read(text), Some(json!(json)), "{text}");
        }
    }

    fn list(element: Notation) -> Notation {
        Notation::Array { delimiter: ',', element: Box::new(element) }
    }

    #[test]
    fn arrays_of_every_shape_are_read() {
        for (text, value) in [
            ("{}", json!([])),
            ("{1,NULL,3}", json!([1, null, 3])),
            ("{{1,2},{3,4}}", json!([[1, 2], [3, 4]])),
            ("[0:1][5:6]={{1,2},{3,4}}", json!([[1, 2], [3, 4]])),
        ] {
            assert_eq!(list(Notation::Number).read(text), Some(value), "{text}");
        }
        let texts = r#"{plain,"a,b","say \"hi\" \\","NULL","",NULL,"{x}",é}"#;
        let value = json!(["plain", "a,b", "say \"hi\" \\", "NULL", "", null, "{x}", "é"]);
        assert_eq!(list(Notation::Plain).read(texts), Some(value));
        let documents = r#"{"{\"a\": [1, null]}",7}"#;
        assert_eq!(list(Notation::Json).read(documents), Some(json!([{"a": [1, null]}, 7])));
        let boxes = Notation::Array { delimiter: ';', element: Box::new(Notation::Plain) };
        assert_eq!(boxes.read("{(1,1),(0,0);(2,2),(1,1)}"), Some(json!(["(1,1),(0,0)", "(2,2),(1,1)"])));
    }

    #[test]
    fn what_is_no_array_is_left_to_the_server() {
        let deep = format!("{}1{}", "{".repeat(5000), "}".repeat(5000));
        for text in ["", "1 2 3", "{", "{1", "{1,", "{1}x", "{\"a", "{\"a\\", "[0:1]", "{1}}", &deep] {
            assert_eq!(list(Notation::Plain).read(text), None, "{text}");
        }
        assert_eq!(list(Notation::Asked).read("{1}"), None);
    }
}
