//! What a client wrote as BSON: what it left as it was told keeps its type, and the rest gets the simplest one.

use crate::error::{Error, Kind, Result};
use crate::mongodb::form;
use mongodb::bson::{Bson, Document, RawBson};
use serde_json::{Map, Value};

/// The value that is told as `new`, made from the stored one where that says the same.
///
/// # Errors
/// `Malformed` for a number that the database cannot hold.
pub(super) fn stored(old: Option<&Bson>, new: &Value) -> Result<Bson> {
    let Some(old) = old.filter(|old| !is_told_as(old, new)) else {
        return old.cloned().map_or_else(|| fresh(new), Ok);
    };
    match (old, new) {
        (Bson::Document(old), Value::Object(new)) if !is_extended(new) => Ok(Bson::Document(merged(old, new)?)),
        (Bson::Array(old), Value::Array(new)) => {
            let elements = new.iter().enumerate().map(|(at, element)| stored(old.get(at), element));
            elements.collect::<Result<Vec<_>>>().map(Bson::Array)
        }
        _ => fresh(new),
    }
}

/// The document with the fields of `new`, in their old order; a field that holds null is not told, and stays.
fn merged(old: &Document, new: &Map<String, Value>) -> Result<Document> {
    let mut document = Document::new();
    for (name, value) in old {
        match new.get(name) {
            Some(wanted) => {
                document.insert(name, stored(Some(value), wanted)?);
            }
            None if *value == Bson::Null => {
                document.insert(name, Bson::Null);
            }
            None => {}
        }
    }
    for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(name)) {
        document.insert(name, fresh(value)?);
    }
    Ok(document)
}

fn is_told_as(stored: &Bson, value: &Value) -> bool {
    RawBson::try_from(stored.clone()).is_ok_and(|raw| form::value(raw.as_raw_bson_ref()) == *value)
}

/// A value of a type that says no more than JSON does, but for extended JSON, which names its type.
fn fresh(value: &Value) -> Result<Bson> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(truth) => Bson::Boolean(*truth),
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(elements) => Bson::Array(elements.iter().map(fresh).collect::<Result<_>>()?),
        Value::Object(fields) if is_extended(fields) => extended(value)?,
        Value::Object(fields) => Bson::Document(document(fields)?),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32),
            (None, Some(double)) if number.is_f64() => Bson::Double(double),
            _ => return Err(Error::new(Kind::Malformed, format!("the number {number} is too large"))),
        },
    })
}

fn document(fields: &Map<String, Value>) -> Result<Document> {
    fields.iter().map(|(name, value)| Ok((name.clone(), fresh(value)?))).collect()
}

/// `{"$oid":…}`, `{"$numberDecimal":…}` and the like.
fn is_extended(fields: &Map<String, Value>) -> bool {
    fields.keys().next().is_some_and(|name| name.starts_with('$'))
}

fn extended(value: &Value) -> Result<Bson> {
    match serde_json::from_value::<Bson>(value.clone()) {
        Ok(Bson::Document(_)) => Err(Error::new(Kind::Malformed, "a name that begins with $ is no name of a field")),
        Ok(bson) => Ok(bson),
        Err(error) => Err(Error::because(Kind::Malformed, "a value is no extended JSON", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::{DateTime, doc};
    use serde_json::json;

    #[test]
    fn what_was_not_changed_keeps_its_type() {
        let oid = ObjectId::parse_str("507f1f77bcf86cd799439011").unwrap();
        let at = DateTime::from_millis(1_795_249_094_849);
        let price: Bson = Bson::Decimal128("1.50".parse().unwrap());
        let old = Bson::Document(
            doc! { "n": 1, "list": [oid, {"at": at, "long": 5i64}], "price": price, "void": Bson::Null },
        );
        let raw = RawBson::try_from(old.clone()).unwrap();
        let told = form::value(raw.as_raw_bson_ref());
        assert_eq!(stored(Some(&old), &told).unwrap(), old);
        let mut wanted = told;
        wanted["n"] = json!(2.5);
        wanted["list"][1]["long"] = json!(6);
        wanted["list"].as_array_mut().unwrap().push(json!({"$date": "2026-11-21T08:18:14.849Z"}));
        let Bson::Document(old) = old else { unreachable!() };
        let expected = doc! { "n": 2.5, "list": [oid, {"at": at, "long": 6}, at], "price": old.get("price").unwrap(), "void": Bson::Null };
        assert_eq!(stored(Some(&Bson::Document(old)), &wanted).unwrap(), Bson::Document(expected));
    }

    #[test]
    fn operators_are_no_values() {
        for value in [json!({"$where": "1"}), json!({"a": [{"$set": {"b": 1}}]}), json!(u64::MAX), json!({"$oid": 5})] {
            assert_eq!(stored(None, &value).unwrap_err().kind(), Kind::Malformed, "{value}");
        }
        assert_eq!(stored(None, &json!({"a": "$where"})).unwrap(), Bson::Document(doc! { "a": "$where" }));
    }
}
