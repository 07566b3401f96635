//! One grant, read from its row.

use crate::audience::Who;
use crate::document::Document;
use crate::event::Timestamp;
use crate::filter::Path;
use crate::filter::value::as_text;
use crate::replica::shared::Settings;
use serde_json::Value;
use std::sync::Arc;

/// For whom a record is, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub record: Arc<str>,
    pub whom: Vec<Who>,
    /// The last millisecond in which it counts.
    pub until: Option<i64>,
    /// It counts: its time is not over, or nobody was told so yet.
    pub is_live: bool,
}

impl Grant {
    /// The grant in a row; `None`: it is of no record. One whose time cannot be read has ended.
    pub fn read(settings: &Settings, document: &Document) -> Option<Grant> {
        let record = texts(document, &settings.record).into_iter().next()?;
        let named = |path: &Option<Path>, who: fn(Arc<str>) -> Who| -> Vec<Who> {
            path.iter().flat_map(|path| texts(document, path)).map(who).collect()
        };
        let mut whom = named(&settings.subject, Who::Subject);
        whom.extend(named(&settings.group, Who::Group));
        let mut until = None;
        if let Some(path) = &settings.until {
            path.reaches(document.value(), |value| {
                until = (!value.is_null()).then(|| millis(value).unwrap_or(i64::MIN));
                true
            });
        }
        Some(Grant { record, whom, until, is_live: true })
    }

    /// The same, which counts only while its time is not over.
    pub fn at(self, now: Timestamp) -> Grant {
        Grant { is_live: self.until.is_none_or(|until| now.0 <= until), ..self }
    }
}

/// The scalars at a path as texts, those of a list each.
pub fn texts(document: &Document, path: &Path) -> Vec<Arc<str>> {
    let mut texts = Vec::new();
    path.reaches(document.value(), |value| {
        match value {
            Value::Array(elements) => texts.extend(elements.iter().filter_map(as_text).map(Arc::from)),
            scalar => texts.extend(as_text(scalar).map(Arc::from)),
        }
        false
    });
    texts
}

/// A time as milliseconds since 1970: written so, or by RFC 3339, where a space may stand for the `T`.
fn millis(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_time_is_read_in_every_spelling() {
        for (value, expected) in [
            (json!(1_795_249_094_849_i64), Some(1_795_249_094_849)),
            (json!("2026-11-21T08:18:14.849Z"), Some(1_795_249_094_849)),
            (json!("2026-11-21T09:18:14.849+01:00"), Some(1_795_249_094_849)),
            (json!("2026-11-21 08:18:14.849+00"), Some(1_795_249_094_849)),
            (json!("soon"), None),
            (json!([1]), None),
        ] {
            assert_eq!(millis(&value), expected, "{value}");
        }
    }
}
