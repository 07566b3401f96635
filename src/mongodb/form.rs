//! What BSON becomes on the wire, for the source and the store alike.
//!
//! | BSON | JSON |
//! |---|---|
//! | field `_id` of a record | field `id`; a field of its own by that name stays hidden behind it |
//! | object id, UUID, other binary | hex, text with hyphens, base64 |
//! | date | `2026-11-21T08:18:14.849Z`; outside the years 0 to 9999 as in the last row |
//! | 32-bit, 64-bit, double | number; `NaN`, `Infinity`, `-Infinity` as strings |
//! | null | the field is left out, for null is absent to a filter; in an array it holds a place |
//! | everything else | relaxed extended JSON: `{"$numberDecimal":"1.5"}`, `{"$timestamp":{"t":1,"i":2}}` |
//!
//! Documents are read where they lie in the server's reply, and nothing in them can fail or overflow the stack:
//! bytes that are not UTF-8 are replaced, what is no BSON at all is left out, and nesting deeper than a server
//! stores becomes text.

use crate::event::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{RawBinaryRef, RawBsonRef, RawDocument};
use serde_json::{Map, Number, Value, json};

/// Nesting past which a value becomes text: as much as MongoDB documents, and what JSON readers take.
const DEPTH: usize = 100;

/// The milliseconds that RFC 3339 can say: `0000-01-01T00:00:00.000Z` to `9999-12-30T22:00:00.000Z`.
const WRITABLE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_207_200_000;

/// A record as everybody sees it, with `id` for `_id`.
pub fn document(document: &RawDocument) -> Value {
    let mut fields = fields(document, DEPTH);
    if let Some(id) = fields.remove("_id") {
        fields.insert("id".to_owned(), id);
    }
    Value::Object(fields)
}

/// One value of a record; `null` is for the caller to leave out.
pub fn value(value: RawBsonRef<'_>) -> Value {
    shallower(value, DEPTH)
}

/// The same of a value that stands so many levels below the fields of its record.
pub fn inner(value: RawBsonRef<'_>, levels: usize) -> Value {
    shallower(value, DEPTH.saturating_sub(levels))
}

/// A field of a document, whatever it holds; `None` when it is not there or cannot be read.
pub fn get<'a>(document: &'a RawDocument, name: &str) -> Option<RawBsonRef<'a>> {
    document.get(name).ok().flatten()
}

/// The name that a field of a record has on the wire.
pub fn field(name: &str) -> &str {
    if name == "_id" { "id" } else { name }
}

/// A key as text: strings as they are, object ids as hex, UUIDs with hyphens, numbers without needless decimals
/// (to MongoDB `1` and `1.0` are one key), everything else as relaxed extended JSON with its fields in order.
pub fn key(value: RawBsonRef<'_>) -> String {
    match value {
        RawBsonRef::String(text) => text.to_owned(),
        RawBsonRef::ObjectId(id) => id.to_hex(),
        RawBsonRef::Int32(number) => number.to_string(),
        RawBsonRef::Int64(number) => number.to_string(),
        RawBsonRef::Double(number) => (number + 0.0).to_string(),
        RawBsonRef::Binary(binary) => uuid_text(binary).unwrap_or_else(|| text(value)),
        other => text(other),
    }
}

/// The fields of a document, those with null left out.
fn fields(document: &RawDocument, depth: usize) -> Map<String, Value> {
    elements(document, depth).filter(|(_, value)| !value.is_null()).collect()
}

fn elements(document: &RawDocument, depth: usize) -> impl Iterator<Item = (String, Value)> {
    document.iter_elements().map_while(Result::ok).map(move |element| {
        let name = element.key().as_str().to_owned();
        let value = match element.value() {
            Ok(value) => shallower(value, depth),
            // Old drivers could store strings that are not UTF-8.
            Err(_) => match element.value_utf8_lossy() {
                Ok(value) => shallower(value.as_raw_bson_ref(), depth),
                Err(_) => Value::Null,
            },
        };
        (name, value)
    })
}

/// A value that stands `DEPTH - depth` deep.
fn shallower(value: RawBsonRef<'_>, depth: usize) -> Value {
    match value {
        RawBsonRef::Document(_) | RawBsonRef::Array(_) if depth == 0 => Value::String(text(value)),
        RawBsonRef::Document(document) => Value::Object(fields(document, depth - 1)),
        RawBsonRef::Array(array) => {
            let numbered = RawDocument::from_bytes(array.as_bytes()).into_iter();
            numbered.flat_map(|elements_of| elements(elements_of, depth - 1)).map(|(_, value)| value).collect()
        }
        RawBsonRef::String(text) => Value::String(text.to_owned()),
        RawBsonRef::Boolean(truth) => Value::Bool(truth),
        RawBsonRef::Null => Value::Null,
        RawBsonRef::Int32(number) => Value::from(number),
        RawBsonRef::Int64(number) => Value::from(number),
        RawBsonRef::Double(number) => double(number),
        RawBsonRef::ObjectId(id) => Value::String(id.to_hex()),
        RawBsonRef::DateTime(time) if WRITABLE.contains(&time.timestamp_millis()) => {
            Value::String(Timestamp(time.timestamp_millis()).to_string())
        }
        RawBsonRef::DateTime(time) => json!({"$date": {"$numberLong": time.timestamp_millis().to_string()}}),
        RawBsonRef::Binary(binary) => Value::String(uuid_text(binary).unwrap_or_else(|| STANDARD.encode(binary.bytes))),
        other if fits(other, DEPTH) => serde_json::to_value(other).unwrap_or(Value::Null),
        other => Value::String(text(other)),
    }
}

fn double(number: f64) -> Value {
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => Value::String("NaN".to_owned()),
        None if number > 0.0 => Value::String("Infinity".to_owned()),
        None => Value::String("-Infinity".to_owned()),
    }
}

fn uuid_text(binary: RawBinaryRef<'_>) -> Option<String> {
    let bytes = <[u8; 16]>::try_from(binary.bytes).ok()?;
    (binary.subtype == BinarySubtype::Uuid).then(|| uuid::Uuid::from_bytes(bytes).to_string())
}

/// Relaxed extended JSON with its fields in the order in which they are stored; of what is nested too deep for
/// that, the bytes as base64.
fn text(value: RawBsonRef<'_>) -> String {
    if fits(value, DEPTH)
        && let Ok(text) = serde_json::to_string(&value)
    {
        return text;
    }
    match value {
        RawBsonRef::Document(document) => STANDARD.encode(document.as_bytes()),
        RawBsonRef::Array(array) => STANDARD.encode(array.as_bytes()),
        RawBsonRef::JavaScriptCodeWithScope(code) => STANDARD.encode(code.scope.as_bytes()),
        other => format!("{other:?}"),
    }
}

/// Whether the value is nested at most so deep.
fn fits(value: RawBsonRef<'_>, depth: usize) -> bool {
    let inner = match value {
        RawBsonRef::Document(document) => Ok(document),
        RawBsonRef::Array(array) => RawDocument::from_bytes(array.as_bytes()),
        RawBsonRef::JavaScriptCodeWithScope(code) => Ok(code.scope),
        _ => return true,
    };
    let Ok(inner) = inner else { return false };
    depth > 0 && inner.iter().all(|element| element.is_ok_and(|(_, value)| fits(value, depth - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::{
        Binary, Bson, DateTime, Document, JavaScriptCodeWithScope, RawDocumentBuf, Regex, Timestamp as BsonTimestamp,
        Uuid, doc,
    };

    fn raw(document: &Document) -> RawDocumentBuf {
        RawDocumentBuf::try_from(document).unwrap()
    }

    fn key_of(value: impl Into<Bson>) -> String {
        let document = raw(&doc! { "_id": value.into() });
        key(document.get("_id").unwrap().unwrap())
    }

    const UUID: &str = "1d9c4f2e-5a4e-4a51-8a0e-0f3f6f6f6f6f";

    #[test]
    fn every_type_has_its_form() {
        let oid = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
        let binary = |subtype, bytes: &[u8]| Bson::Binary(Binary { subtype, bytes: bytes.to_vec() });
        let regex = Regex { pattern: "^a".try_into().unwrap(), options: "i".try_into().unwrap() };
        for (bson, json) in [
            (Bson::ObjectId(oid), json!("507f1f77bcf86cd799439011")),
            (Bson::DateTime(DateTime::from_millis(1_795_249_094_849)), json!("2026-11-21T08:18:14.849Z")),
            (Bson::DateTime(DateTime::from_millis(-1)), json!("1969-12-31T23:59:59.999Z")),
            (Bson::DateTime(DateTime::from_millis(*WRITABLE.start())), json!("0000-01-01T00:00:00.000Z")),
            (Bson::DateTime(DateTime::from_millis(*WRITABLE.end())), json!("9999-12-30T22:00:00.000Z")),
            (Bson::DateTime(DateTime::MAX), json!({"$date": {"$numberLong": "9223372036854775807"}})),
            (Bson::from(Uuid::parse_str(UUID).unwrap()), json!(UUID)),
            (binary(BinarySubtype::Uuid, b"short"), json!("c2hvcnQ=")),
            (binary(BinarySubtype::Generic, &[0, 1, 255]), json!("AAH/")),
            (binary(BinarySubtype::BinaryOld, &[0, 1, 255]), json!("AAH/")),
            (Bson::Int32(-7), json!(-7)),
            (Bson::Int64(i64::MAX), json!(i64::MAX)),
            (Bson::Double(1.5), json!(1.5)),
            (Bson::Double(f64::NAN), json!("NaN")),
            (Bson::Double(f64::INFINITY), json!("Infinity")),
            (Bson::Double(f64::NEG_INFINITY), json!("-Infinity")),
            (Bson::String("é".into()), json!("é")),
            (Bson::Boolean(true), json!(true)),
            (Bson::Array(vec![Bson::Null, Bson::Int32(1), Bson::ObjectId(oid)]), json!([null, 1, oid.to_hex()])),
            (Bson::Document(doc! { "_id": 1, "n": Bson::Null, "a": {} }), json!({"_id": 1, "a": {}})),
            (Bson::Decimal128("1.50".parse().unwrap()), json!({"$numberDecimal": "1.50"})),
            (Bson::Timestamp(BsonTimestamp { time: 1, increment: 2 }), json!({"$timestamp": {"t": 1, "i": 2}})),
            (Bson::RegularExpression(regex), json!({"$regularExpression": {"pattern": "^a", "options": "i"}})),
            (Bson::JavaScriptCode("f()".into()), json!({"$code": "f()"})),
            (
                Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "f()".into(), scope: doc! { "a": 1 } }),
                json!({"$code": "f()", "$scope": {"a": 1}}),
            ),
            (Bson::Symbol("s".into()), json!({"$symbol": "s"})),
            (Bson::Undefined, json!({"$undefined": true})),
            (Bson::MinKey, json!({"$minKey": 1})),
            (Bson::MaxKey, json!({"$maxKey": 1})),
        ] {
            let record = raw(&doc! { "v": bson.clone() });
            assert_eq!(document(&record), json!({ "v": json }), "{bson:?}");
            assert_eq!(value(record.get("v").unwrap().unwrap()), json, "{bson:?}");
        }
    }

    #[test]
    fn a_pointer_of_old_databases_is_read() {
        let mut bytes = b"\0\0\0\0\x0cp\0\x03\0\0\0ab\0".to_vec();
        bytes.extend([7; 12]);
        bytes.push(0);
        bytes[0] = bytes.len() as u8;
        let read = document(RawDocument::from_bytes(&bytes).unwrap());
        assert_eq!(read["p"], json!({"$dbPointer": {"$ref": "ab", "$id": {"$oid": "07".repeat(12)}}}));
    }

    #[test]
    fn the_key_of_the_database_is_the_id_of_the_record() {
        assert_eq!(document(&raw(&doc! { "_id": 5, "id": 6, "a": { "_id": 7 } })), json!({"id": 5, "a": {"_id": 7}}));
        assert_eq!(document(&raw(&doc! { "id": 6 })), json!({"id": 6}));
    }

    #[test]
    fn a_key_of_every_type_is_a_text_of_its_own() {
        let oid = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
        assert_eq!(key_of("a b"), "a b");
        assert_eq!(key_of(oid), "507f1f77bcf86cd799439011");
        assert_eq!(key_of(Uuid::parse_str(UUID).unwrap()), UUID);
        for one in [key_of(1), key_of(1i64), key_of(1.0)] {
            assert_eq!(one, "1");
        }
        assert_eq!((key_of(-0.0), key_of(1.5), key_of(1e15)), ("0".into(), "1.5".into(), "1000000000000000".into()));
        assert_eq!(key_of(true), "true");
        assert_eq!(key_of(Bson::Null), "null");
        assert_eq!(key_of(doc! { "b": 1, "a": oid }), format!("{{\"b\":1,\"a\":{{\"$oid\":\"{oid}\"}}}}"));
        assert_eq!(key_of(BsonTimestamp { time: 1, increment: 2 }), r#"{"$timestamp":{"t":1,"i":2}}"#);
        let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1] };
        let texts = [key_of(binary), key_of(DateTime::from_millis(1)), key_of(Bson::MinKey)];
        for text in texts {
            let read: Bson = serde_json::from_str(&text).unwrap();
            assert_eq!(key_of(read), text);
        }
    }

    fn nested(depth: usize) -> RawDocumentBuf {
        let mut bytes = vec![5, 0, 0, 0, 0];
        for _ in 0..depth {
            let length = (bytes.len() + 8) as u32;
            bytes = [&length.to_le_bytes(), &b"\x03a\0"[..], &bytes, b"\0"].concat();
        }
        RawDocumentBuf::from_bytes(bytes).unwrap()
    }

    #[test]
    fn nesting_overflows_no_stack_and_what_was_read_can_be_read_again() {
        for depth in [1, 99, 100, 101, 150, 200, 5000] {
            let record = nested(depth);
            let text = document(&record).to_string();
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{depth}");
            let braces = text.bytes().take_while(|byte| matches!(byte, b'{' | b'"' | b'a' | b':')).count();
            assert!(braces >= 5 * depth.min(DEPTH), "{depth}");
            assert!(!key(RawBsonRef::Document(&record)).is_empty());
        }
    }

    #[test]
    fn a_huge_record_is_read_whole() {
        let record = raw(&doc! { "_id": 1, "text": "x".repeat(15 << 20), "list": vec![1; 100_000] });
        let read = document(&record);
        assert_eq!(read["text"].as_str().map(str::len), Some(15 << 20));
        assert_eq!(read["list"].as_array().map(Vec::len), Some(100_000));
    }

    #[test]
    fn what_is_no_text_and_what_is_torn_stops_nothing() {
        let mut bytes = raw(&doc! { "_id": 1, "t": "abc", "u": 2 }).into_bytes();
        let at = bytes.windows(3).position(|three| three == b"abc").unwrap();
        bytes[at + 1] = 0xff;
        let lossy = document(RawDocument::from_bytes(&bytes).unwrap());
        assert_eq!(lossy, json!({"id": 1, "t": "a\u{fffd}c", "u": 2}));
        for place in 4..bytes.len() - 1 {
            for broken in [0, 1, 3, 5, 0x0f, 0x7f, 0xff] {
                let mut torn = bytes.clone();
                torn[place] = broken;
                assert!(document(RawDocument::from_bytes(&torn).unwrap()).is_object());
            }
        }
    }
}
