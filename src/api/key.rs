//! The key of a record that comes in a body.

use crate::api::problem::Problem;
use crate::resource::{Resource, join_key, split_key};
use serde_json::{Map, Value};

/// The key that the record has, if it has all of it.
pub(super) fn of(resource: &Resource, record: &Value) -> Option<String> {
    let parts: Option<Vec<String>> = resource.key.iter().map(|field| record.get(&**field).and_then(text)).collect();
    let parts = parts?;
    match parts.as_slice() {
        [single] => Some(single.clone()),
        parts => Some(join_key(parts.iter().map(String::as_str))),
    }
}

/// Makes the key of the record the one that was asked for; refuses a record with another one.
pub(super) fn put_into(resource: &Resource, id: &str, record: &mut Map<String, Value>) -> Result<(), Problem> {
    let parts = if resource.key.len() == 1 { vec![id.to_owned()] } else { split_key(id) };
    if parts.len() != resource.key.len() {
        return Err(Problem::unprocessable(format!("the key has {} parts.", resource.key.len())));
    }
    for (field, part) in resource.key.iter().zip(parts) {
        match record.get(&**field) {
            None | Some(Value::Null) => _ = record.insert(field.to_string(), Value::String(part)),
            Some(value) if text(value).as_deref() == Some(&part) => {}
            Some(_) => return Err(Problem::unprocessable(format!("the record's {field} is not {part:?}."))),
        }
    }
    Ok(())
}

/// A key's field as text; only strings and numbers are keys.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
