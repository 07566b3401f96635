//! One value of the configuration, read as the type that is wanted. The environment has only text; it is
//! read by the same rules.

use crate::config::mistakes::nearest;
use crate::config::units;
use serde_json::Value;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::DeValue;

/// A value as it was found.
pub(super) enum Found<'a> {
    /// In the file.
    Value(&'a DeValue<'a>),
    /// In the environment.
    Variable(&'a str),
}

impl Found<'_> {
    /// A text that is not empty.
    pub(super) fn text(&self) -> Result<String, String> {
        let text = self.any_text()?;
        if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text) }
    }

    /// A text that may be empty.
    pub(super) fn any_text(&self) -> Result<String, String> {
        match self {
            Found::Value(DeValue::String(text)) => Ok(text.to_string()),
            Found::Value(other) => Err(format!("{} is given, a text is wanted", describe(other))),
            Found::Variable(text) => Ok((*text).to_owned()),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, String> {
        match self {
            Found::Value(DeValue::Boolean(value)) => Ok(*value),
            Found::Value(other) => Err(format!("{} is given, true or false is wanted", describe(other))),
            Found::Variable("true") => Ok(true),
            Found::Variable("false") => Ok(false),
            Found::Variable(text) => Err(format!("\"{text}\" is given, true or false is wanted")),
        }
    }

    /// A whole number within a range.
    pub(super) fn number(&self, range: RangeInclusive<u64>) -> Result<u64, String> {
        let parsed = match self {
            Found::Value(DeValue::Integer(number)) => {
                u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
            }
            Found::Value(other) => return Err(format!("{} is given, a whole number is wanted", describe(other))),
            Found::Variable(text) => text.parse().ok(),
        };
        let (least, most) = (range.start(), range.end());
        parsed.filter(|number| range.contains(number)).ok_or_else(|| match *most {
            u64::MAX => format!("a whole number of at least {least} is wanted"),
            most => format!("a whole number from {least} to {most} is wanted"),
        })
    }

    /// A duration with its unit.
    pub(super) fn duration(&self) -> Result<Duration, String> {
        units::duration(&self.measure()?)
    }

    /// A duration that is not zero.
    pub(super) fn some_time(&self) -> Result<Duration, String> {
        self.duration().and_then(|time| if time.is_zero() { Err("must not be zero".to_owned()) } else { Ok(time) })
    }

    /// A size in bytes, with its unit.
    pub(super) fn size(&self) -> Result<u64, String> {
        units::size(&self.measure()?)
    }

    /// `"unlimited"`, which is `None`, or what `read` reads.
    pub(super) fn limit<T>(&self, read: impl FnOnce(&Self) -> Result<T, String>) -> Result<Option<T>, String> {
        match self.text().as_deref() {
            Ok("unlimited") => Ok(None),
            _ => read(self).map(Some),
        }
    }

    /// One text, or a list of them; in the environment separated by commas.
    pub(super) fn texts(&self) -> Result<Vec<String>, String> {
        match self {
            Found::Value(DeValue::Array(elements)) => {
                elements.iter().map(|element| Found::Value(element.get_ref()).text()).collect()
            }
            Found::Value(_) => Ok(vec![self.text()?]),
            Found::Variable(text) => {
                Ok(text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
            }
        }
    }

    /// A table, as JSON; or a text, or a variable, that is JSON.
    pub(super) fn json(&self) -> Result<Value, String> {
        match self {
            Found::Value(DeValue::String(text)) => read_json(text),
            Found::Variable(text) => read_json(text),
            Found::Value(value) => json_of(value),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        Err(not_among(&text, words.iter().map(|(word, _)| *word)))
    }

    /// A bare number is handed on as its digits, so that the message can say which units there are.
    fn measure(&self) -> Result<String, String> {
        match self {
            Found::Value(DeValue::Integer(number)) => Ok(number.as_str().to_owned()),
            Found::Value(DeValue::Float(number)) => Ok(number.as_str().to_owned()),
            _ => self.text(),
        }
    }
}

fn read_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))
}

fn json_of(value: &DeValue<'_>) -> Result<Value, String> {
    let number = |text: &str| {
        let number: serde_json::Number = text.replace('_', "").parse().map_err(|_| format!("{text} is no number"))?;
        Ok(Value::Number(number))
    };
    match value {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Integer(integer) => number(integer.as_str()),
        DeValue::Float(float) => number(float.as_str()),
        DeValue::Boolean(flag) => Ok(Value::from(*flag)),
        DeValue::Datetime(time) => Ok(Value::from(time.to_string())),
        DeValue::Array(elements) => elements.iter().map(|element| json_of(element.get_ref())).collect(),
        DeValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json_of(value.get_ref())?)));
            fields.collect::<Result<_, _>>().map(Value::Object)
        }
    }
}

/// The sentence for a word that is none of those there are.
pub(super) fn not_among<'a>(word: &str, words: impl Iterator<Item = &'a str> + Clone) -> String {
    let list: Vec<String> = words.clone().map(|word| format!("\"{word}\"")).collect();
    let meant = nearest(word, words).map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default();
    format!("\"{word}\" is given, one of {} is wanted{meant}", list.join(", "))
}

/// What a value of the wrong type is called.
pub(super) fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
