//! What a column's JSON (as Postgres's `row_to_json` writes it) becomes on the wire, and back.
//!
//! Most of it is right as it comes: numbers, `NaN` as a string, ISO dates, uuids, json. Three things are not:
//! times are brought to UTC with three decimals, bytes to base64, and nulls of a composite are left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// What is to be done with a value of some type.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Nothing.
    Plain,
    /// `timestamptz`: `2026-11-21T08:18:14.849Z`; `infinity` and years that RFC 3339 lacks stay as they are.
    Time,
    /// `bytea`: base64.
    Bytes,
    /// An array of such values, of any dimension.
    Array(Box<Form>),
    /// A composite; attributes that need nothing are not named.
    Composite(HashMap<String, Form>),
}

impl Form {
    /// The wire form of a value.
    pub fn apply(&self, value: Value) -> Value {
        match (self, value) {
            (Form::Plain, value) => value,
            (Form::Time, Value::String(text)) => Value::String(utc(&text).unwrap_or(text)),
            (Form::Bytes, Value::String(text)) => Value::String(STANDARD.encode(bytes(&text))),
            (form @ Form::Array(inner), Value::Array(elements)) => elements
                .into_iter()
                .map(|element| if element.is_array() { form.apply(element) } else { inner.apply(element) })
                .collect(),
            (Form::Composite(forms), Value::Object(fields)) => Value::Object(
                fields
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| match forms.get(&name) {
                        Some(form) => (name, form.apply(value)),
                        None => (name, value),
                    })
                    .collect(),
            ),
            (_, value) => value,
        }
    }

    /// What Postgres takes for a value in wire form. Only bytes differ: everything else it reads as it is.
    pub fn undo(&self, value: Value) -> Value {
        match (self, value) {
            (Form::Bytes, Value::String(text)) => match STANDARD.decode(&text) {
                Ok(bytes) => Value::String(bytes.iter().fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))),
                Err(_) => Value::String(text),
            },
            (form @ Form::Array(inner), Value::Array(elements)) => elements
                .into_iter()
                .map(|element| if element.is_array() { form.undo(element) } else { inner.undo(element) })
                .collect(),
            (Form::Composite(forms), Value::Object(fields)) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| match forms.get(&name) {
                        Some(form) => (name, form.undo(value)),
                        None => (name, value),
                    })
                    .collect(),
            ),
            (_, value) => value,
        }
    }
}

/// Nesting past which a value stays text: far more than people write, far less than a stack.
const DEPTH: usize = 100;

/// A JSON text as a value. What no value can hold (a number past 10³⁰⁸, nesting past `DEPTH`) becomes a string.
pub fn parse(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| parse_leniently(raw, DEPTH))
}

fn parse_leniently(raw: &RawValue, depth: usize) -> Value {
    let text = raw.get();
    let as_text = || Value::String(text.to_owned());
    if depth == 0 {
        return as_text();
    }
    match text.as_bytes().first() {
        Some(b'{') => match serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
            Ok(fields) => Value::Object(
                fields.into_iter().map(|(name, inner)| (name, parse_leniently(inner, depth - 1))).collect(),
            ),
            Err(_) => as_text(),
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(elements) => elements.into_iter().map(|inner| parse_leniently(inner, depth - 1)).collect(),
            Err(_) => as_text(),
        },
        _ => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    }
}

/// RFC 3339 in UTC with three decimals; later ones are cut off. `None` when it is no time of that calendar.
fn utc(text: &str) -> Option<String> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let milliseconds = time.as_microsecond().div_euclid(1000);
    Some(format!("{:.3}", jiff::Timestamp::from_millisecond(milliseconds).ok()?))
}

/// What a `bytea` says, in `hex` or in `escape` output.
fn bytes(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    if let Some(hex) = text.strip_prefix("\\x") {
        return hex.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |sum, byte| sum << 4 | digit(*byte))).collect();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', more @ ..]) => {
                bytes.push(b'\\');
                rest = more;
            }
            (b'\\', [a, b, c, more @ ..]) if [a, b, c].iter().all(|octal| matches!(octal, b'0'..=b'7')) => {
                bytes.push((a & 3) << 6 | (b & 7) << 3 | (c & 7));
                rest = more;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_utc_with_three_decimals() {
        for (text, wire) in [
            ("2026-11-21T08:18:14.849999+00:00", "2026-11-21T08:18:14.849Z"),
            ("2026-11-21T08:18:14+00:00", "2026-11-21T08:18:14.000Z"),
            ("2026-11-21T17:48:14.1+09:30", "2026-11-21T08:18:14.100Z"),
            ("1969-12-31T23:59:59.9999+00:00", "1969-12-31T23:59:59.999Z"),
            ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00.000Z"),
            ("infinity", "infinity"),
            ("-infinity", "-infinity"),
            ("0044-03-15T00:00:00+00:00 BC", "0044-03-15T00:00:00+00:00 BC"),
            ("10000-01-01T00:00:00+00:00", "10000-01-01T00:00:00+00:00"),
        ] {
            assert_eq!(Form::Time.apply(json!(text)), json!(wire));
        }
    }

    #[test]
    fn bytes_are_base64_whichever_output_they_came_in() {
        for (text, wire) in
            [("\\x0001ff", "AAH/"), ("\\000\\001\\377", "AAH/"), ("a\\\\b", "YVxi"), ("\\x", ""), ("", "")]
        {
            assert_eq!(Form::Bytes.apply(json!(text)), json!(wire), "{text}");
        }
        assert_eq!(Form::Bytes.undo(json!("AAH/")), json!("\\x0001ff"));
    }

    #[test]
    fn forms_reach_into_arrays_and_composites() {
        let inner = Form::Composite(HashMap::from([("at".to_owned(), Form::Time)]));
        let form = Form::Array(Box::new(inner));
        let value = json!([{"at": "2026-01-01T00:00:00+00:00", "n": 1, "x": null}, null, [{"at": null}]]);
        assert_eq!(form.apply(value), json!([{"at": "2026-01-01T00:00:00.000Z", "n": 1}, null, [{}]]));
    }

    #[test]
    fn a_double_keeps_every_bit() {
        for text in ["31.245270191439438", "121.48791951161945", "7.120190517612959703e138", "5e-324"] {
            let parsed = parse(&RawValue::from_string(text.to_owned()).unwrap());
            assert_eq!(parsed.as_f64(), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn json_that_no_value_can_hold_does_not_fail() {
        let huge = format!("{{\"a\":[1,{}],\"b\":\"x\"}}", "9".repeat(400));
        let parsed = parse(&RawValue::from_string(huge).unwrap());
        assert_eq!(parsed["b"], json!("x"));
        assert_eq!(parsed["a"][0], json!(1));
        assert_eq!(parsed["a"][1].as_str().map(str::len), Some(400));
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&RawValue::from_string(deep).unwrap()).is_array());
    }
}
