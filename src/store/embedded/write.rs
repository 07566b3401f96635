//! What a write makes of a record, and whether it may: without reading or writing anything.

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::patch;
use crate::resource::{Resource, join_key};
use crate::store::embedded::MAX_ID_BYTES;
use crate::store::{Condition, Write, tag};
use serde_json::Value;
use std::sync::Arc;

/// Whether the condition of a write holds for the record as it is.
///
/// # Errors
/// `Conflict` when it does not.
pub(super) fn check(resource: &Resource, id: &str, before: Option<&Document>, condition: &Condition) -> Result<()> {
    let refusal = match (condition, before) {
        (Condition::None, _) | (Condition::Exists, Some(_)) | (Condition::Absent, None) => return Ok(()),
        (Condition::Tag(tags), Some(document)) => {
            let tag = tag(&resource.present_document(id, document.clone()));
            if tags.contains(&tag) {
                return Ok(());
            }
            "the record is another version by now"
        }
        (Condition::Exists | Condition::Tag(_), None) => "there is no such record",
        (Condition::Absent, Some(_)) => "there is such a record already",
    };
    Err(Error::new(Kind::Conflict, refusal))
}

/// The record after a write.
///
/// # Errors
/// `Missing` when there is nothing to patch or delete; `Malformed` when a patch does not apply, or what it leads
/// to cannot be this record.
pub(super) fn outcome(
    resource: &Resource,
    id: &str,
    before: Option<&Document>,
    write: Write,
) -> Result<Option<Document>> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(malformed(format!("an id has 1 to {MAX_ID_BYTES} bytes")));
    }
    let existing = || before.map(Document::value).ok_or_else(|| Error::new(Kind::Missing, "there is no such record"));
    let body = match write {
        Write::Put(body) => body,
        Write::JsonPatch(operations) => patch::apply(existing()?, &patch::Ops::parse(operations)?)?,
        Write::MergePatch(changes) => patch::merge(existing()?, &changes),
        Write::Delete => return existing().map(|_| None),
        Write::Append(_) => return Err(malformed("a line has no record to change".to_owned())),
    };
    Ok(Some(Document::new(identified(resource, id, body)?)))
}

/// The body, if it can be the record of this id. Where `id` is the key, it is always there.
fn identified(resource: &Resource, id: &str, body: Value) -> Result<Value> {
    let Value::Object(mut fields) = body else {
        return Err(malformed("a record is a JSON object".to_owned()));
    };
    let part = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            id_text(value).map(Some).ok_or_else(|| malformed(format!("{name} must be a string or a number")))
        }
    };
    let parts = resource.key.iter().map(|name| part(name)).collect::<Result<Option<Vec<_>>>>()?;
    let own = parts.map(|parts| match &parts[..] {
        [part] => part.clone(),
        parts => join_key(parts.iter().map(String::as_str)),
    });
    if own.is_some_and(|own| own != id) {
        return Err(malformed(format!("{} of the record is not the id it is written to", resource.key.join(", "))));
    }
    if *resource.key == ["id".into()] && fields.get("id").is_none_or(Value::is_null) {
        fields.insert("id".to_owned(), Value::String(id.to_owned()));
    }
    Ok(Value::Object(fields))
}

/// The id that a line brings along; empty when it has none.
pub(super) fn id_of_line(body: &Value) -> Arc<str> {
    body.get("id").and_then(id_text).unwrap_or_default().into()
}

fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn malformed(sentence: String) -> Error {
    Error::new(Kind::Malformed, sentence)
}
