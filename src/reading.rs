//! How the message of a broker, of a NOTIFY channel or of a transaction is read as a change of a resource.
//!
//! Three readings: *messages* are lines, told as they come; *record events* have the form that waterline gives
//! them, key `<collection>.<created|updated|destroyed>.<id>` and body `{"event": word, "record": {…}}`; a *mapping*
//! says where the id, the operation and the record are found.

use crate::document::Document;
use crate::event::{Operation, ResourceEvent, Stamp, Timestamp};
use crate::filter::Path;
use serde_json::Value;
use std::sync::Arc;

/// How messages are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Each is a line that is never changed. `keyed`: its id is the routing key; else the line's own `id`.
    Messages {
        keyed: bool,
    },
    /// Record events of one collection. `key` is the field of the key; a change without one of the `required`
    /// fields is only a part of the record.
    Waterline {
        collection: Box<str>,
        key: Box<str>,
        required: Vec<Box<str>>,
    },
    Mapped(Mapping),
}

/// Where a change is found in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub id: Spot,
    /// `None`: every message is an update.
    pub operation: Option<Spot>,
    /// The record after the change; before a removal, where `before` has none.
    pub record: Spot,
    pub before: Option<Spot>,
    /// The words for each operation.
    pub created: Vec<Box<str>>,
    pub updated: Vec<Box<str>>,
    pub removed: Vec<Box<str>>,
}

/// A place in a message: `key`, `key.1` (a word of the routing key, from 0; from the end with `key.-1`), `body`,
/// `body.record.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    Key,
    /// From 0; negative from the end, where -1 is the last.
    KeyWord(i32),
    /// The whole body when the path is empty.
    Body(Vec<Box<str>>),
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The key of the record; empty for a line without one.
    pub id: String,
    pub operation: Operation,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// `after` may lack fields that did not change.
    pub is_partial: bool,
}

impl Change {
    /// The event of a resource that this is.
    pub fn event(self, resource: Arc<str>, time: Timestamp, stamp: Stamp) -> ResourceEvent {
        ResourceEvent {
            resource,
            id: self.id.into(),
            operation: self.operation,
            before: self.before.map(Document::new),
            after: self.after.map(Document::new),
            time,
            stamp,
        }
    }
}

/// Why a message says nothing: one word, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is about another collection.
    Foreign,
    /// It names no operation that there is.
    Operation,
    /// It names no record.
    Id,
    /// The record is no object, or an empty one.
    Record,
}

impl Unreadable {
    /// The word under which it is counted.
    pub fn word(self) -> &'static str {
        match self {
            Unreadable::Foreign => "foreign",
            Unreadable::Operation => "no_operation",
            Unreadable::Id => "no_id",
            Unreadable::Record => "no_record",
        }
    }
}

impl Reading {
    /// What a message with this routing key (or channel) says.
    ///
    /// # Errors
    /// Why it says nothing about the resource.
    pub fn read(&self, key: &str, body: Value) -> Result<Change, Unreadable> {
        match self {
            Reading::Messages { keyed } => {
                let id = if *keyed { Some(key.to_owned()) } else { body.get("id").and_then(text) };
                let id = id.unwrap_or_default();
                Ok(Change { id, operation: Operation::Appended, before: None, after: Some(body), is_partial: false })
            }
            Reading::Waterline { collection, key: field, required } => {
                waterline(collection, field, required, key, body)
            }
            Reading::Mapped(mapping) => mapping.read(key, body),
        }
    }

    /// Whether its messages are lines.
    pub fn is_append_only(&self) -> bool {
        matches!(self, Reading::Messages { .. })
    }
}

fn waterline(
    collection: &str,
    field: &str,
    required: &[Box<str>],
    key: &str,
    mut body: Value,
) -> Result<Change, Unreadable> {
    let mut words = key.splitn(3, '.');
    if words.next() != Some(collection) {
        return Err(Unreadable::Foreign);
    }
    let (word, last) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let record = body.get_mut("record").map(Value::take).unwrap_or_default();
    let fields = record.as_object().filter(|fields| !fields.is_empty()).ok_or(Unreadable::Record)?;
    let own = fields.get(field).and_then(text).filter(|id| !id.is_empty());
    let id = own.unwrap_or_else(|| last.to_owned());
    if id.is_empty() || id == "undefined" {
        return Err(Unreadable::Id);
    }
    let is_partial = required.iter().any(|field| fields.get(&**field).is_none_or(Value::is_null));
    match word {
        "created" => Ok(Change { id, operation: Operation::Created, before: None, after: Some(record), is_partial }),
        "destroyed" => {
            Ok(Change { id, operation: Operation::Removed, before: Some(record), after: None, is_partial: false })
        }
        "updated" => Ok(Change { id, operation: Operation::Updated, before: None, after: Some(record), is_partial }),
        // The record is its id and its tags only.
        "tag-added" | "tag-removed" => {
            Ok(Change { id, operation: Operation::Updated, before: None, after: Some(record), is_partial: true })
        }
        _ => Err(Unreadable::Operation),
    }
}

impl Mapping {
    fn read(&self, key: &str, mut body: Value) -> Result<Change, Unreadable> {
        let operation = match &self.operation {
            None => Operation::Updated,
            Some(spot) => {
                let word = spot.look(key, &body).as_ref().and_then(text).ok_or(Unreadable::Operation)?;
                self.operation_of(&word).ok_or(Unreadable::Operation)?
            }
        };
        let id = self.id.look(key, &body).as_ref().and_then(text);
        let id = id.filter(|id| !id.is_empty()).ok_or(Unreadable::Id)?;
        let before = self.before.as_ref().and_then(|spot| spot.take(&mut body)).filter(Value::is_object);
        let record = self.record.take(&mut body).filter(Value::is_object);
        let (before, after) = match operation {
            Operation::Removed => (before.or(record), None),
            _ => (before, Some(record.ok_or(Unreadable::Record)?)),
        };
        let before = if operation == Operation::Created { None } else { before };
        Ok(Change { id, operation, before, after, is_partial: false })
    }

    fn operation_of(&self, word: &str) -> Option<Operation> {
        let is_among = |words: &[Box<str>]| words.iter().any(|one| **one == *word);
        match () {
            () if is_among(&self.created) => Some(Operation::Created),
            () if is_among(&self.updated) => Some(Operation::Updated),
            () if is_among(&self.removed) => Some(Operation::Removed),
            () => None,
        }
    }
}

impl Spot {
    /// Reads `key`, `key.1`, `body`, `body.record.id`.
    ///
    /// # Errors
    /// A sentence that shows the form.
    pub fn parse(text: &str) -> Result<Spot, String> {
        let (root, rest) = text.split_once('.').map_or((text, None), |(root, rest)| (root, Some(rest)));
        match (root, rest) {
            ("key", None) => Ok(Spot::Key),
            ("key", Some(word)) if word.parse::<i32>().is_ok() => Ok(Spot::KeyWord(word.parse().unwrap_or_default())),
            ("body", rest) => Ok(Spot::Body(rest.map(|rest| Path::parse(rest).0.to_vec()).unwrap_or_default())),
            _ => Err(format!("\"{text}\" is no place in a message, like \"key.1\" or \"body.record.id\"")),
        }
    }

    fn look(&self, key: &str, body: &Value) -> Option<Value> {
        match self {
            Spot::Key => Some(Value::String(key.to_owned())),
            Spot::KeyWord(number) => {
                let words: Vec<&str> = key.split('.').collect();
                let at = if *number < 0 { words.len() as i64 + i64::from(*number) } else { i64::from(*number) };
                let word = usize::try_from(at).ok().and_then(|at| words.get(at))?;
                Some(Value::String((*word).to_owned()))
            }
            Spot::Body(path) => path.iter().try_fold(body, |value, word| value.get(&**word)).cloned(),
        }
    }

    /// As `look`, without a copy where the place is in the body.
    fn take(&self, key_or_body: &mut Value) -> Option<Value> {
        let Spot::Body(path) = self else { return None };
        path.iter().try_fold(key_or_body, |value, word| value.get_mut(&**word)).map(Value::take)
    }
}

/// A text or a number as the text of a key.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nodes() -> Reading {
        Reading::Waterline { collection: "nodes".into(), key: "id".into(), required: vec!["name".into()] }
    }

    #[test]
    fn record_events_say_what_happened_to_which_record() {
        let record = json!({"id": "n1", "name": "a"});
        for (key, body, expected) in [
            (
                "nodes.created.n1",
                json!({"event": "created", "record": record}),
                Ok(("n1", Operation::Created, false, false)),
            ),
            (
                "nodes.updated.n1",
                json!({"event": "updated", "record": record}),
                Ok(("n1", Operation::Updated, false, false)),
            ),
            ("nodes.updated.n2", json!({"record": {"_id": "n2"}}), Ok(("n2", Operation::Updated, false, true))),
            ("nodes.destroyed.n1", json!({"record": record}), Ok(("n1", Operation::Removed, true, false))),
            (
                "nodes.tag-added.n1",
                json!({"record": {"id": "n1", "tags": ["x"], "name": "a"}}),
                Ok(("n1", Operation::Updated, false, true)),
            ),
            ("nodes.created.a.b", json!({"record": {"name": "a"}}), Ok(("a.b", Operation::Created, false, false))),
            ("skus.created.n1", json!({"record": record}), Err(Unreadable::Foreign)),
            ("nodes.renamed.n1", json!({"record": record}), Err(Unreadable::Operation)),
            ("nodes.created.undefined", json!({"record": {"name": "a"}}), Err(Unreadable::Id)),
            ("nodes.created", json!({"record": {"name": "a"}}), Err(Unreadable::Id)),
            ("nodes.created.n1", json!({"record": {}}), Err(Unreadable::Record)),
            ("nodes.created.n1", json!({"record": 5}), Err(Unreadable::Record)),
            ("nodes.created.n1", json!(5), Err(Unreadable::Record)),
        ] {
            let read = nodes().read(key, body);
            let told = read
                .as_ref()
                .map(|change| (&*change.id, change.operation, change.before.is_some(), change.is_partial))
                .map_err(|why| *why);
            assert_eq!(told, expected, "{key}");
        }
    }

    #[test]
    fn messages_are_lines_by_their_key_or_their_own_id() {
        let id = |keyed, body| Reading::Messages { keyed }.read("a.b", body).expect("every message is a line").id;
        assert_eq!(id(true, json!({"id": 1})), "a.b");
        assert_eq!(id(false, json!({"id": "l1"})), "l1");
        assert_eq!(id(false, json!({"id": 7})), "7");
        assert_eq!(id(false, json!(null)), "");
    }

    #[test]
    fn a_mapping_says_where_everything_is() {
        let mapping = Reading::Mapped(Mapping {
            id: Spot::parse("key.-1").expect("a place"),
            operation: Some(Spot::parse("body.op").expect("a place")),
            record: Spot::parse("body.new").expect("a place"),
            before: Some(Spot::parse("body.old").expect("a place")),
            created: vec!["c".into()],
            updated: vec!["u".into()],
            removed: vec!["d".into()],
        });
        let read = mapping.read("x.k1", json!({"op": "u", "new": {"a": 2}, "old": {"a": 1}})).expect("a change");
        assert_eq!((&*read.id, read.operation), ("k1", Operation::Updated));
        assert_eq!((read.before, read.after), (Some(json!({"a": 1})), Some(json!({"a": 2}))));
        let read = mapping.read("x.k1", json!({"op": "d", "old": {"a": 1}})).expect("a change");
        assert_eq!((read.operation, read.before, read.after), (Operation::Removed, Some(json!({"a": 1})), None));
        for (key, body, why) in [
            ("x.k1", json!({"op": "z", "new": {}}), Unreadable::Operation),
            ("x.", json!({"op": "c", "new": {}}), Unreadable::Id),
            ("x.k1", json!({"op": "c", "new": 1}), Unreadable::Record),
            ("x.k1", json!([]), Unreadable::Operation),
        ] {
            assert_eq!(mapping.read(key, body.clone()).unwrap_err(), why, "{body}");
        }
    }

    #[test]
    fn only_the_key_and_the_body_have_places() {
        assert_eq!(Spot::parse("key"), Ok(Spot::Key));
        assert_eq!(Spot::parse("key.-1"), Ok(Spot::KeyWord(-1)));
        assert_eq!(Spot::parse("body"), Ok(Spot::Body(Vec::new())));
        for text in ["", "key.x", "header.a", "record"] {
            assert!(Spot::parse(text).is_err(), "{text}");
        }
    }
}
