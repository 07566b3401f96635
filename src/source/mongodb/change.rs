//! One event of a change stream, and what it means to a resource.

use super::image;
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Operation, Reason, ResourceEvent, Stamp, Timestamp};
use crate::mongodb::collection::{Binding, ID};
use crate::mongodb::form;
use mongodb::bson::{RawBsonRef, RawDocument};

/// An event, as it lies in the server's reply.
pub(super) struct Change<'a> {
    pub(super) token: &'a RawDocument,
    pub(super) what: What<'a>,
    /// The cluster time: equal for all changes of a transaction.
    pub(super) time: u64,
    wall: Timestamp,
    /// The `_id` of the record.
    key: Option<RawBsonRef<'a>>,
    before: Option<Image<'a>>,
    after: After<'a>,
}

/// What has happened, and to which collections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What<'a> {
    Record {
        collection: &'a str,
        operation: Operation,
    },
    Dropped {
        collection: &'a str,
    },
    Renamed {
        from: &'a str,
        to: Option<&'a str>,
    },
    DatabaseDropped,
    /// The stream ends here; another one goes on after it.
    Invalidated,
    /// Indexes, options, shards, a new and still empty collection.
    Other,
}

/// A record, and the form of it.
struct Image<'a> {
    record: &'a RawDocument,
    document: Document,
}

/// The record after the change.
enum After<'a> {
    None,
    Sent(Image<'a>),
    /// Made of the record before.
    Derived {
        document: Document,
        update: &'a RawDocument,
    },
    /// To be looked up: there is no record before, or not enough is told.
    Unknown {
        update: Option<&'a RawDocument>,
    },
}

impl<'a> Change<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// `Malformed` when it has no token, no time, or not the fields of its kind.
    pub(super) fn read(event: &'a RawDocument) -> Result<Change<'a>> {
        let Ok(token) = event.get_document("_id") else { return Err(malformed("no token")) };
        let Ok(time) = event.get_timestamp("clusterTime") else { return Err(malformed("no time")) };
        let Ok(word) = event.get_str("operationType") else { return Err(malformed("no operation")) };
        let collection = |field| event.get_document(field).ok().and_then(|space| space.get_str("coll").ok());
        let operation = match word {
            "insert" => Some(Operation::Created),
            "update" | "replace" => Some(Operation::Updated),
            "delete" => Some(Operation::Removed),
            _ => None,
        };
        let what = match (word, operation, collection("ns")) {
            (_, Some(operation), Some(collection)) => What::Record { collection, operation },
            (_, Some(_), None) => return Err(malformed("no collection")),
            ("drop", _, Some(collection)) => What::Dropped { collection },
            ("rename", _, Some(from)) => What::Renamed { from, to: renamed_to(event) },
            ("dropDatabase", ..) => What::DatabaseDropped,
            ("invalidate", ..) => What::Invalidated,
            _ => What::Other,
        };
        let image = |field| {
            let record: &RawDocument = event.get_document(field).ok()?;
            Some(Image { record, document: Document::new(form::document(record)) })
        };
        let before = image("fullDocumentBeforeChange");
        let after = match (word, image("fullDocument")) {
            ("insert" | "replace", Some(record)) => After::Sent(record),
            ("insert" | "replace", None) => return Err(malformed("no record")),
            ("update", _) => {
                let update = event.get_document("updateDescription").ok();
                let derived = before.as_ref().zip(update).and_then(|(before, update)| {
                    let document = Document::new(image::after(before.document.value(), update)?);
                    Some(After::Derived { document, update })
                });
                derived.unwrap_or(After::Unknown { update })
            }
            _ => After::None,
        };
        let key = event.get_document("documentKey").ok().and_then(|key| form::get(key, ID));
        let wall = match event.get_datetime("wallTime") {
            Ok(wall) => Timestamp(wall.timestamp_millis()),
            Err(_) => Timestamp(i64::from(time.time) * 1000),
        };
        if operation.is_some() && key.is_none() {
            return Err(malformed("no key"));
        }
        Ok(Change { token, what, time: cluster_time(time), wall, key, before, after })
    }

    /// The `_id` of the record that has to be looked up to know what this change made of it.
    pub(super) fn lacks(&self) -> Option<RawBsonRef<'a>> {
        if matches!(self.after, After::Unknown { .. }) { self.key } else { None }
    }

    /// What it tells a resource. `found` is the record as it is now, if it was looked up and is still there.
    pub(super) fn events(&self, binding: &Binding, found: Option<&RawDocument>) -> Vec<ResourceEvent> {
        let What::Record { operation, .. } = self.what else { return Vec::new() };
        let before = self.before.as_ref().map(|before| (key_of(before.record, binding), before.document.clone()));
        let after = match (&self.after, found) {
            (After::None, _) => None,
            (After::Sent(after), _) => Some((key_of(after.record, binding), after.document.clone())),
            (After::Derived { document, update }, _) => {
                let old = before.as_ref().map(|(key, _)| key.clone()).unwrap_or_default();
                Some((self.key_after(update, binding, old), document.clone()))
            }
            (After::Unknown { .. }, Some(row)) => Some((key_of(row, binding), Document::new(form::document(row)))),
            // Gone meanwhile: that it was removed is told in its turn.
            (After::Unknown { .. }, None) => return Vec::new(),
        };
        let event = |id: &str, operation, before, after| ResourceEvent {
            resource: binding.resource.clone(),
            id: id.into(),
            operation,
            before,
            after,
            time: self.wall,
            stamp: Stamp::Time(self.time),
        };
        match (before, after) {
            (Some((old, before)), Some((new, after))) if old != new => vec![
                event(&old, Operation::Removed, Some(before), None),
                event(&new, Operation::Created, None, Some(after)),
            ],
            (before, Some((id, after))) => {
                let mut events = Vec::new();
                if before.is_none() && self.may_have_lost_its_key(binding) {
                    events.push(ResourceEvent::reset(binding.resource.clone(), Reason::Source));
                }
                events.push(event(&id, operation, before.map(|(_, before)| before), Some(after)));
                events
            }
            (Some((id, before)), None) => vec![event(&id, operation, Some(before), None)],
            (None, None) if binding.is_keyed_by_id() => {
                vec![event(&self.key.map(form::key).unwrap_or_default(), operation, None, None)]
            }
            // Nobody can say which record it was.
            (None, None) => vec![ResourceEvent::reset(binding.resource.clone(), Reason::Source)],
        }
    }

    /// The key after an update that says what it changed.
    fn key_after(&self, update: &RawDocument, binding: &Binding, old: String) -> String {
        let set = update.get_document("updatedFields").ok().and_then(|fields| form::get(fields, &binding.key));
        match set {
            Some(RawBsonRef::Null) => self.key.map(form::key).unwrap_or_default(),
            Some(key) => form::key(key),
            None if touches(update, &binding.key) => self.key.map(form::key).unwrap_or_default(),
            None => old,
        }
    }

    /// Whether it gave the record another key while nobody can say which one it had.
    fn may_have_lost_its_key(&self, binding: &Binding) -> bool {
        match self.after {
            After::Unknown { update: Some(update) } => {
                let set = update.get_document("updatedFields").ok().and_then(|fields| form::get(fields, &binding.key));
                set.is_some() || touches(update, &binding.key)
            }
            _ => false,
        }
    }
}

/// The cluster time as one number that grows.
pub(super) fn cluster_time(time: mongodb::bson::Timestamp) -> u64 {
    u64::from(time.time) << 32 | u64::from(time.increment)
}

/// The key of a record; its `_id` when it has no such field.
fn key_of(record: &RawDocument, binding: &Binding) -> String {
    let key = form::get(record, &binding.key).filter(|key| !matches!(key, RawBsonRef::Null));
    key.or_else(|| form::get(record, ID)).map(form::key).unwrap_or_default()
}

/// Whether an update removed a field.
fn touches(update: &RawDocument, field: &str) -> bool {
    let removed = update.get_array("removedFields").ok();
    removed.is_some_and(|removed| removed.into_iter().flatten().any(|name| name.as_str() == Some(field)))
}

/// The new name, when it is in the same database.
fn renamed_to(event: &RawDocument) -> Option<&str> {
    let to = event.get_document("to").ok()?;
    let database = event.get_document("ns").ok()?.get_str("db").ok()?;
    if to.get_str("db").ok()? == database { to.get_str("coll").ok() } else { None }
}

fn malformed(lacks: &str) -> Error {
    Error::new(Kind::Malformed, format!("an event of the change stream cannot be read: it has {lacks}"))
}

#[cfg(test)]
mod tests;
