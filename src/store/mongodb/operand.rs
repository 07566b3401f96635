//! Which BSON values are the JSON value that a filter names. A string on the wire may be an object id, a date, a
//! UUID or other bytes in the database, and a number any of three types.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Uuid};
use serde_json::{Number, Value};
use std::str::FromStr;

/// Types of BSON by their number, for `$type`.
pub(super) mod types {
    pub(in super::super) const DOUBLE: i32 = 1;
    pub(in super::super) const OBJECT: i32 = 3;
    pub(in super::super) const ARRAY: i32 = 4;
    pub(in super::super) const BINARY: i32 = 5;
    pub(in super::super) const UNDEFINED: i32 = 6;
    pub(in super::super) const OBJECT_ID: i32 = 7;
    pub(in super::super) const DATE: i32 = 9;
    pub(in super::super) const NULL: i32 = 10;
    pub(in super::super) const REGEX: i32 = 11;
    pub(in super::super) const POINTER: i32 = 12;
    pub(in super::super) const CODE: i32 = 13;
    pub(in super::super) const SYMBOL: i32 = 14;
    pub(in super::super) const CODE_WITH_SCOPE: i32 = 15;
    pub(in super::super) const TIMESTAMP: i32 = 17;
    pub(in super::super) const DECIMAL: i32 = 19;
    pub(in super::super) const LEAST: i32 = -1;
    pub(in super::super) const GREATEST: i32 = 127;
}

/// What stands for one JSON scalar in the database.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Stored {
    /// The value itself, if the database compares it as filters do.
    pub(super) plain: Option<Bson>,
    /// Values of other types with the same JSON, and rounded numbers.
    pub(super) others: Vec<Bson>,
    /// It may also be bytes of any kind.
    pub(super) bytes: bool,
}

/// The values behind a scalar; `None` for what only the server can compare: objects, arrays, and text that
/// stands for bytes that were no text.
pub(super) fn stored(operand: &Value) -> Option<Stored> {
    match operand {
        Value::String(text) if text.contains('\u{fffd}') => None,
        Value::String(text) => Some(of_text(text)),
        Value::Number(number) => Some(match of_number(number) {
            (value, true) => Stored { plain: Some(value), ..Stored::default() },
            (value, false) => Stored { others: vec![value], ..Stored::default() },
        }),
        Value::Bool(truth) => Some(Stored { plain: Some(Bson::Boolean(*truth)), ..Stored::default() }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn of_text(text: &str) -> Stored {
    let special = match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    };
    let others = [object_id(text), uuid(text), date(text), special.map(Bson::Double)];
    Stored {
        plain: Some(Bson::String(text.to_owned())),
        others: others.into_iter().flatten().collect(),
        bytes: STANDARD.decode(text).is_ok(),
    }
}

/// A number, and whether it is exactly that one.
pub(super) fn of_number(number: &Number) -> (Bson, bool) {
    if let Some(whole) = number.as_i64() {
        return (Bson::Int64(whole), true);
    }
    // What is beyond 64 bits with a sign can only be a double in the database.
    let double = number.as_f64().unwrap_or_default();
    let is_exact = number.is_f64();
    (Bson::Double(double), is_exact)
}

/// The object id that has this text.
pub(super) fn object_id(text: &str) -> Option<Bson> {
    let is_hex = text.len() == 24 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let id = ObjectId::parse_str(text).ok().filter(|_| is_hex)?;
    Some(Bson::ObjectId(id))
}

fn uuid(text: &str) -> Option<Bson> {
    let uuid = Uuid::parse_str(text).ok().filter(|uuid| uuid.to_string() == text)?;
    Some(Bson::from(uuid))
}

fn date(text: &str) -> Option<Bson> {
    let time = jiff::Timestamp::from_str(text).ok()?;
    Some(Bson::DateTime(DateTime::from_millis(time.as_millisecond())))
}

/// The values of a key that have this text as their id, but for those of the types in [`UNCLEAR`].
pub(super) fn keys(text: &str) -> Vec<Bson> {
    let Stored { plain, others, .. } = of_text(text);
    let mut values: Vec<Bson> = plain.into_iter().chain(others).collect();
    values.extend(text.parse().ok().map(Bson::Int64));
    values.extend(text.parse::<f64>().ok().map(Bson::Double));
    values.extend(text.parse().ok().map(Bson::Boolean));
    values
}

/// Types of a key whose text is extended JSON, or encoded bytes.
pub(super) const UNCLEAR: [i32; 15] = [
    types::OBJECT,
    types::ARRAY,
    types::BINARY,
    types::UNDEFINED,
    types::DATE,
    types::NULL,
    types::REGEX,
    types::POINTER,
    types::CODE,
    types::SYMBOL,
    types::CODE_WITH_SCOPE,
    types::TIMESTAMP,
    types::DECIMAL,
    types::LEAST,
    types::GREATEST,
];

/// Types other than strings whose values may be strings on the wire.
pub(super) const TEXTUAL: [i32; 4] = [types::DOUBLE, types::BINARY, types::OBJECT_ID, types::DATE];

/// Types that the database finds equal to values which filters do not.
pub(super) const LOOSE: [i32; 2] = [types::SYMBOL, types::DECIMAL];
