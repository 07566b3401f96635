//! What a resource is to everybody: its name, its key, what is hidden, how it behaves.

use crate::document::Document;
use serde_json::Value;
use std::sync::Arc;

/// A configured name for a table, a collection, a topic pattern or an embedded collection.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The name in the configuration, in `/api/{name}` and by default of its channel.
    pub name: Arc<str>,
    /// The name of its source in the configuration; `embedded` for the embedded store.
    pub source: Arc<str>,
    /// The key's fields as they stand in a document; several for a composite key.
    pub key: Vec<Box<str>>,
    /// Bodies are told as they came, without an `id` put into them (the messages of an exchange).
    pub raw: bool,
    /// Lines that are never changed: watched as items, queried from a tail.
    pub append_only: bool,
    /// Whether there are records, or lines, to be read; not for record events whose rows are nowhere.
    pub has_rows: bool,
    /// How many lines a tail holds; 0: there is nothing to read, only to watch.
    pub keep: usize,
    /// Strings are compared without regard to letter case.
    pub ignore_case: bool,
    /// Never a channel of its own (another dialect's permissions or tokens).
    pub private: bool,
    /// Whether `PUT`, `PATCH`, `DELETE` (and `POST` on an append-only one) are accepted over HTTP.
    pub writable: bool,
    /// What its source promises of a change.
    pub delivery: Delivery,
    /// Patterns of dotted names whose keys nobody sees; `*` is any run of characters, case ignored.
    pub hide: Vec<Box<str>>,
}

/// How often a change is told to who is connected, or comes back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Exact,
    /// A broker sends again what it does not know to have arrived.
    AtLeastOnce,
    /// Nobody keeps it for who is away (`NOTIFY`).
    AtMostOnce,
}

impl Delivery {
    /// The words in `/api`.
    pub fn words(self) -> &'static str {
        match self {
            Delivery::Exact => "exactly once",
            Delivery::AtLeastOnce => "at least once",
            Delivery::AtMostOnce => "at most once",
        }
    }
}

impl Resource {
    /// Records of the embedded store by `id`, which can be written, with nothing hidden.
    pub fn named(name: &str) -> Resource {
        Resource {
            name: name.into(),
            source: "embedded".into(),
            key: vec!["id".into()],
            raw: false,
            append_only: false,
            has_rows: true,
            keep: 0,
            ignore_case: false,
            private: false,
            writable: true,
            delivery: Delivery::Exact,
            hide: Vec::new(),
        }
    }

    /// Whether there is anything to query: records, or the held lines of a log.
    pub fn is_readable(&self) -> bool {
        self.has_rows && (!self.append_only || self.keep > 0)
    }

    /// The same resource for who must see records as they are stored: nothing is hidden, no `id` is put in.
    pub fn bare(&self) -> Resource {
        Resource { hide: Vec::new(), raw: true, ..self.clone() }
    }

    /// The document as everybody sees it: hidden keys are gone, `id` is there, a line that is no object is the
    /// `message` of one.
    ///
    /// Applied once to everything that comes from a source or a store, before filters and the log see it.
    pub fn present(&self, id: &str, mut value: Value) -> Document {
        for pattern in &self.hide {
            hide(&mut value, "", &pattern.to_lowercase());
        }
        if self.append_only && !self.raw && !value.is_object() {
            value = serde_json::json!({ "message": value });
        }
        if let Value::Object(fields) = &mut value
            && !self.raw
            && !id.is_empty()
            && fields.get("id").is_none_or(Value::is_null)
        {
            fields.insert("id".to_owned(), Value::String(id.to_owned()));
        }
        Document::new(value)
    }

    /// The same of a document, made anew only where that differs.
    pub fn present_document(&self, id: &str, document: Document) -> Document {
        let has_id = self.raw || document.value().get("id").is_some_and(|id| !id.is_null());
        if has_id && self.hide.is_empty() { document } else { self.present(id, document.into_value()) }
    }
}

/// Removes the keys whose dotted name (numbers of array elements left out) matches the pattern.
fn hide(value: &mut Value, prefix: &str, pattern: &str) {
    match value {
        Value::Object(fields) => fields.retain(|name, inner| {
            let dotted =
                if prefix.is_empty() { name.to_lowercase() } else { format!("{prefix}.{}", name.to_lowercase()) };
            if glob(pattern.as_bytes(), dotted.as_bytes()) {
                return false;
            }
            hide(inner, &dotted, pattern);
            true
        }),
        Value::Array(elements) => elements.iter_mut().for_each(|element| hide(element, prefix, pattern)),
        _ => {}
    }
}

/// Whether `text` matches a pattern in which `*` is any run of bytes.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The key of a composite: the parts joined by `,`; a `,` or `\` within a part is preceded by `\`.
pub fn join_key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut key = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            key.push(',');
        }
        for letter in part.chars() {
            if matches!(letter, ',' | '\\') {
                key.push('\\');
            }
            key.push(letter);
        }
    }
    key
}

/// The parts of a key made by [`join_key`].
pub fn split_key(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = key.chars();
    while let Some(letter) = letters.next() {
        let last = parts.last_mut().expect("a key has at least one part");
        match letter {
            ',' => parts.push(String::new()),
            '\\' => last.extend(letters.next()),
            letter => last.push(letter),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(hide: &[&str]) -> Resource {
        Resource { hide: hide.iter().map(|pattern| (*pattern).into()).collect(), ..Resource::named("pollers") }
    }

    #[test]
    fn hidden_keys_are_gone_at_every_depth_and_case() {
        let pollers = resource(&["config.*password*", "config.community", "list.secret"]);
        let seen = pollers.present(
            "p1",
            json!({"config": {"Password": 1, "a": {"x_password_y": 2, "b": 3}, "community": "c", "host": "h"},
                   "list": [{"secret": 1, "open": 2}], "community": "stays"}),
        );
        assert_eq!(
            *seen.value(),
            json!({"id": "p1", "config": {"a": {"b": 3}, "host": "h"}, "list": [{"open": 2}], "community": "stays"})
        );
    }

    #[test]
    fn an_id_of_the_record_itself_is_kept() {
        assert_eq!(*resource(&[]).present("k", json!({"id": 7})).value(), json!({"id": 7}));
        assert_eq!(*resource(&[]).present("k", json!([1])).value(), json!([1]));
    }

    #[test]
    fn a_composite_key_splits_as_it_was_joined() {
        for parts in [vec!["a"], vec!["a", "b"], vec!["a,b", "\\", ""], vec!["", ""]] {
            assert_eq!(split_key(&join_key(parts.iter().copied())), parts);
        }
    }
}
