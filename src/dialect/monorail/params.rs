//! What `params` mean: a filter in one of its forms, and the paging that may stand beside it.

use super::fields::Fields;
use super::json::canonical;
use super::options::read_page;
use crate::filter::Filter;
use crate::message::Page;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The params of a message: as they were sent, and as a value. Null and absent are `{}`.
pub struct Params<'a> {
    text: &'a str,
    value: Value,
}

/// How much there is to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criteria {
    /// No keys at all.
    Missing,
    /// Keys, all of them null: nothing can be found by it.
    Null,
    Given,
}

impl<'a> Params<'a> {
    /// Takes the field's text; `Err` when it cannot be a value.
    pub fn read(text: Option<&'a str>) -> Result<Params<'a>, String> {
        let text = text.unwrap_or("{}");
        let value = serde_json::from_str(text).map_err(|_| "params cannot be read")?;
        Ok(Params { text, value })
    }

    /// The params as a value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The JSON text as it was sent.
    pub fn as_asked(&self) -> Arc<str> {
        self.text.into()
    }

    /// By this text a watch is known.
    pub fn canonical(&self) -> Arc<str> {
        canonical(&self.value).into()
    }

    /// Whether there is anything to look for.
    pub fn criteria(&self) -> Criteria {
        match &self.value {
            Value::Object(fields) if fields.is_empty() => Criteria::Missing,
            Value::Object(fields) if fields.values().all(Value::is_null) => Criteria::Null,
            _ => Criteria::Given,
        }
    }

    /// The filter, and what of the page is said here.
    ///
    /// `"n1"` and `7` mean `{"id":it}`, an array of those `{"id":[..]}`, an array of objects `{"$or":[..]}`. In an
    /// object, `limit`, `skip` and `sort` are paging, and `where` alone is the filter if it is there.
    pub fn selection(&self) -> Result<(Filter, Page), String> {
        let mut page = Page::default();
        let filter = match &self.value {
            Value::Object(fields) => {
                if let Some(raw) = Fields::read(self.text) {
                    read_page(&raw, &mut page)?;
                }
                conditions(fields)?
            }
            Value::String(_) | Value::Number(_) => json!({ "id": self.value }),
            Value::Array(keys) if keys.iter().all(is_key) => json!({ "id": keys }),
            Value::Array(choices) if choices.iter().all(Value::is_object) => json!({ "$or": choices }),
            _ => return Err("params must be an object, a key, or an array of either".to_owned()),
        };
        let filter = Filter::parse(&filter).map_err(|malformed| malformed.to_string())?;
        Ok((filter, page))
    }
}

fn is_key(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

fn conditions(fields: &Map<String, Value>) -> Result<Value, String> {
    match fields.get("where") {
        Some(Value::Null) => Ok(json!({})),
        Some(only @ Value::Object(_)) => Ok(only.clone()),
        Some(_) => Err("params.where must be an object".to_owned()),
        None => {
            let is_paging = |name: &str| matches!(name, "limit" | "skip" | "sort");
            let fields = fields.iter().filter(|(name, _)| !is_paging(name));
            Ok(Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect()))
        }
    }
}
