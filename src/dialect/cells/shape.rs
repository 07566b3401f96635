//! JSON as proto3 writes it: a shape names the keys of a message in their order and what each holds. Whatever is read
//! is read leniently (numbers as texts, enums as numbers) and written in one way.

use serde_json::{Map, Value};
use std::fmt::Write;

/// The keys of a message, in the order in which they are written.
pub type Shape = [(&'static str, Field)];

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub enum Field {
    Text,
    /// At most 32 bits, written as a number.
    Number,
    /// 64 bits, written as a text.
    Long,
    Float,
    Flag,
    Texts,
    /// One of these words; the first is the zero.
    Word(&'static [&'static str]),
    /// The same, and the first is written like every other.
    EveryWord(&'static [&'static str]),
    Message(&'static Shape),
    /// Any JSON, written with sorted keys.
    Any,
}

/// It is no message of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// An object while it is written.
#[derive(Debug)]
pub struct Object(String);

impl Default for Object {
    fn default() -> Object {
        Object("{".to_owned())
    }
}

impl Object {
    /// Adds what is JSON already.
    pub fn json(&mut self, key: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Adds a text, unless it is empty.
    pub fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.json(key, &quoted(text));
        }
    }

    /// Adds a number, unless it is zero.
    pub fn number(&mut self, key: &str, number: i64) {
        if number != 0 {
            self.json(key, &number.to_string());
        }
    }

    /// Adds a number of 64 bits, unless it is zero.
    pub fn long(&mut self, key: &str, number: i64) {
        if number != 0 {
            self.json(key, &format!("\"{number}\""));
        }
    }

    /// Adds a message, even an empty one.
    pub fn object(&mut self, key: &str, object: Object) {
        self.json(key, &object.end());
    }

    /// The whole text.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Writes what a message says under the keys of a shape; other keys are left out.
///
/// # Errors
/// When a key holds something else than it should.
pub fn write(shape: &Shape, message: &Map<String, Value>) -> Result<Object, Unreadable> {
    let mut object = Object::default();
    add(&mut object, shape, message)?;
    Ok(object)
}

/// The same, behind what the object has already.
///
/// # Errors
/// When a key holds something else than it should.
pub fn add(object: &mut Object, shape: &Shape, message: &Map<String, Value>) -> Result<(), Unreadable> {
    for (key, field) in shape {
        let Some(value) = message.get(*key).filter(|value| !value.is_null()) else {
            if let Field::EveryWord([zero, ..]) = field {
                object.text(key, zero);
            }
            continue;
        };
        match field {
            Field::Text => object.text(key, value.as_str().ok_or(Unreadable)?),
            Field::Number => object.number(key, i64::from(i32::try_from(long(value)?).map_err(|_| Unreadable)?)),
            Field::Long => object.long(key, long(value)?),
            Field::Float => match float(value)? {
                0.0 => {}
                whole if whole.fract() == 0.0 && whole.abs() < 1e15 => object.json(key, &format!("{whole:.0}")),
                other => object.json(key, &other.to_string()),
            },
            Field::Flag => {
                if value.as_bool().ok_or(Unreadable)? {
                    object.json(key, "true");
                }
            }
            Field::Texts => match texts(value)? {
                texts if texts.is_empty() => {}
                texts => object.json(key, &Value::from(texts).to_string()),
            },
            Field::Word(words) => match word(words, value)? {
                0 => {}
                number => object.text(key, words.get(number).copied().unwrap_or_default()),
            },
            Field::EveryWord(words) => object.text(key, words.get(word(words, value)?).copied().unwrap_or_default()),
            Field::Message(shape) => object.object(key, write(shape, value.as_object().ok_or(Unreadable)?)?),
            Field::Any => match value {
                Value::Object(map) if map.is_empty() => {}
                value => object.json(key, &value.to_string()),
            },
        }
    }
    Ok(())
}

/// A whole number, as one or as a text.
///
/// # Errors
/// When it is neither.
pub fn long(value: &Value) -> Result<i64, Unreadable> {
    match value {
        Value::String(text) => text.parse().map_err(|_| Unreadable),
        value => {
            let whole = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
            value.as_i64().or_else(|| whole().map(|number| number as i64)).ok_or(Unreadable)
        }
    }
}

/// Which of the words it is, by name or by number.
///
/// # Errors
/// When it is none of them.
pub fn word(words: &[&str], value: &Value) -> Result<usize, Unreadable> {
    let named = value.as_str().and_then(|text| words.iter().position(|word| *word == text));
    let numbered = || long(value).ok().and_then(|number| usize::try_from(number).ok());
    named.or_else(numbered).filter(|number| *number < words.len()).ok_or(Unreadable)
}

/// The text as JSON: only quotes, backslashes and control characters are escaped.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    let _ = write!(quoted, "{}", Value::from(text));
    quoted
}

fn float(value: &Value) -> Result<f64, Unreadable> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    };
    number.filter(|number: &f64| number.is_finite()).ok_or(Unreadable)
}

fn texts(value: &Value) -> Result<Vec<&str>, Unreadable> {
    let values = value.as_array().ok_or(Unreadable)?;
    values.iter().map(|value| value.as_str().ok_or(Unreadable)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const INNER: &Shape = &[("Name", Field::Text)];
    const SHAPE: &Shape = &[
        ("B", Field::Text),
        ("A", Field::Number),
        ("Long", Field::Long),
        ("Float", Field::Float),
        ("Flag", Field::Flag),
        ("Texts", Field::Texts),
        ("Word", Field::Word(&["ZERO", "ONE"])),
        ("Inner", Field::Message(INNER)),
        ("Any", Field::Any),
    ];

    fn written(message: Value) -> Result<String, Unreadable> {
        write(SHAPE, message.as_object().expect("an object")).map(Object::end)
    }

    #[test]
    fn keys_stand_in_their_order_and_what_is_zero_is_left_out() {
        for (message, text) in [
            (json!({"A": 7, "B": "ä\"\\\n/", "other": 1}), "{\"B\":\"ä\\\"\\\\\\n/\",\"A\":7}"),
            (
                json!({"A": "7", "Long": "-9007199254740993", "Word": 1}),
                r#"{"A":7,"Long":"-9007199254740993","Word":"ONE"}"#,
            ),
            (json!({"A": 0, "B": "", "Long": "0", "Float": 0, "Flag": false, "Texts": [], "Word": "ZERO"}), "{}"),
            (json!({"Inner": {}, "Any": {}}), r#"{"Inner":{}}"#),
            (json!({"Inner": null, "Any": {"b": 1, "a": [1.5]}}), r#"{"Any":{"a":[1.5],"b":1}}"#),
            (
                json!({"Float": 0.5, "Flag": true, "Texts": ["b", "a"]}),
                r#"{"Float":0.5,"Flag":true,"Texts":["b","a"]}"#,
            ),
            (json!({"Float": 1.0}), r#"{"Float":1}"#),
        ] {
            assert_eq!(written(message).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_of_another_type_is_unreadable() {
        for message in [
            json!({"A": 3_000_000_000_i64}),
            json!({"A": "x"}),
            json!({"A": 1.5}),
            json!({"B": 1}),
            json!({"Flag": "true"}),
            json!({"Texts": [1]}),
            json!({"Word": "TWO"}),
            json!({"Word": 2}),
            json!({"Word": -1}),
            json!({"Inner": "x"}),
        ] {
            assert_eq!(written(message.clone()), Err(Unreadable), "{message}");
        }
    }
}
