//! Writing JSON text by hand: quoted strings, and one text for all equal values.

use serde_json::{Number, Value};
use std::fmt::Write;

/// Writes a string with its quotes.
pub fn quote(text: &str, out: &mut String) {
    if text.bytes().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        // Writing into a string cannot fail.
        let _ = write!(out, "{}", Value::from(text));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// A text that is equal for equal values: keys are sorted, `1` and `1.0` are one number.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => {
            let _ = write!(out, "{value}");
        }
        Value::Number(number) => write_number(number, out),
        Value::String(text) => quote(text, out),
        Value::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(element, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, element)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(name, out);
                out.push(':');
                write_canonical(element, out);
            }
            out.push('}');
        }
    }
}

/// Whole numbers that a 64-bit integer can also be written as get that integer's digits.
fn write_number(number: &Number, out: &mut String) {
    let whole = number.is_f64().then(|| number.as_f64()).flatten().filter(|f| f.fract() == 0.0 && f.abs() < 2e19);
    let _ = match whole {
        Some(whole) => write!(out, "{}", whole as i128),
        None => write!(out, "{number}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_json_asks() {
        for text in ["", "n1", "a\"b", "a\\b", "a\nb", "\u{1}", "中 é", "</script>"] {
            let mut out = String::new();
            quote(text, &mut out);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn equal_values_have_one_text() {
        let text = |json: &str| canonical(&serde_json::from_str(json).unwrap());
        for (one, other) in [
            (r#"{"a":1,"b":[{"c":2,"d":3}]}"#, r#"{"b":[{"d":3.0,"c":2e0}],"a":1.0}"#),
            ("0", "-0.0"),
            ("18446744073709551615.0", "18446744073709551616"),
            ("10000000000000000000", "1e19"),
            (r#""\u0061""#, r#""a""#),
        ] {
            assert_eq!(text(one), text(other));
        }
        for (one, other) in [("[1,2]", "[2,1]"), ("1", "1.5"), ("1", r#""1""#), ("null", "{}"), ("[[1],2]", "[[1,2]]")]
        {
            assert_ne!(text(one), text(other));
        }
    }
}
