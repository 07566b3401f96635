//! One message as an event of its resource.

use super::body;
use super::replica::Replica;
use crate::event::{Operation, ResourceEvent, Stamp, Timestamp};
use crate::filter::{Filter, Path, Test};
use crate::query::Query;
use crate::reading::{Change, Reading, Unreadable};
use crate::resource::Resource;
use crate::store::Store;
use lapin::message::Delivery;
use lapin::types::ShortString;
use serde_json::Value;
use std::sync::Arc;

/// What a message comes to.
pub(super) enum Read {
    Event(ResourceEvent),
    /// It says nothing of the resource, and that is no fault; counted by this word.
    Nothing(&'static str),
    /// It should have said something; counted by this word, and kept for somebody to look at.
    Dead(&'static str),
}

/// How the messages of one resource are read.
pub(super) struct Reader<'a> {
    pub(super) resource: &'a Resource,
    pub(super) reading: &'a Reading,
    pub(super) rows: Option<&'a Arc<dyn Store>>,
}

impl Reader<'_> {
    /// Reads a message. What it tells of a row goes into the replica.
    pub(super) async fn read(&self, message: &Delivery, replica: Option<&mut Replica>) -> Read {
        if message.data.len() > body::LONGEST {
            return Read::Dead("too_long");
        }
        let content_type = message.properties.content_type().as_ref().map(ShortString::as_str);
        let read = body::json(&message.data);
        let value = match (read, self.reading) {
            (Some(value), _) => value,
            (None, Reading::Messages { keyed: true }) => body::buffer(&message.data, content_type),
            (None, Reading::Messages { keyed: false }) => body::line(&message.data, content_type),
            (None, _) => return Read::Dead("not_json"),
        };
        let change = match self.reading.read(message.routing_key.as_str(), value) {
            Ok(change) => change,
            Err(why @ Unreadable::Foreign) => return Read::Nothing(why.word()),
            Err(why) => return Read::Dead(why.word()),
        };
        let Some(replica) = replica else { return Read::Event(self.event(change)) };
        let Some(change) = self.complete(change, replica).await else { return Read::Nothing("partial") };
        let event = self.event(with_before(change, replica));
        replica.take(&event);
        Read::Event(event)
    }

    /// The whole row, where the message has a part of it: as it is stored now, or else as it was told last. `None`:
    /// nobody knows it.
    async fn complete(&self, change: Change, replica: &Replica) -> Option<Change> {
        if !change.is_partial {
            return Some(change);
        }
        let part = change.after.as_ref()?;
        let whole = match self.stored(&change.id).await {
            Some(whole) => whole,
            None => replica.merged(&change.id, part)?,
        };
        Some(Change { after: Some(whole), is_partial: false, ..change })
    }

    async fn stored(&self, id: &str) -> Option<Value> {
        let rows = self.rows?;
        let is_it = Filter::Field { path: Path(["id".into()].into()), test: Test::Equal(id.into()) };
        let query = Query { filter: Arc::new(is_it), sort: Vec::new(), skip: 0, limit: Some(1), max_items: 1 };
        match rows.query(self.resource, &query).await {
            Ok(found) => found.rows.into_iter().next().map(|row| row.document.into_value()),
            Err(error) => {
                tracing::warn!(resource = %self.resource.name, error = %error.chain(), "a row cannot be read to complete a change");
                None
            }
        }
    }

    fn event(&self, change: Change) -> ResourceEvent {
        change.event(self.resource.name.clone(), Timestamp::now(), Stamp::None)
    }
}

/// The change with what was told before it. A row that is known is not created once more.
fn with_before(change: Change, replica: &Replica) -> Change {
    let known = || replica.get(&change.id).map(|document| document.value().clone());
    match change.operation {
        Operation::Created | Operation::Updated => {
            let before = known().or(change.before);
            let operation = if before.is_some() { Operation::Updated } else { change.operation };
            Change { operation, before, ..change }
        }
        Operation::Removed if change.before.is_none() => Change { before: known(), ..change },
        _ => change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::Embedded;
    use crate::store::{Condition, Write};
    use serde_json::json;

    fn reading() -> Reading {
        Reading::Waterline { collection: "nodes".into(), key: "id".into(), required: vec!["name".into()] }
    }

    fn message(key: &str, body: &[u8]) -> Delivery {
        Delivery::mock(1, "x".into(), key.into(), false, body.to_vec())
    }

    /// The operation, what was before and what is after; or the word by which it is counted.
    async fn read(
        reader: &Reader<'_>,
        replica: &mut Replica,
        key: &str,
        body: Value,
    ) -> Result<(Operation, Option<Value>, Option<Value>), &'static str> {
        match reader.read(&message(key, body.to_string().as_bytes()), Some(replica)).await {
            Read::Event(event) => {
                let value = |document: Option<crate::document::Document>| document.map(|one| one.into_value());
                Ok((event.operation, value(event.before), value(event.after)))
            }
            Read::Nothing(why) | Read::Dead(why) => Err(why),
        }
    }

    #[tokio::test]
    async fn a_change_has_what_was_told_before_it_and_a_part_becomes_whole() {
        let (nodes, reading, mut replica) = (Resource::named("nodes"), reading(), Replica::default());
        let reader = Reader { resource: &nodes, reading: &reading, rows: None };
        let (one, two) = (json!({"id": "n1", "name": "one"}), json!({"id": "n1", "name": "two"}));
        let tagged = json!({"id": "n1", "name": "two", "tags": ["x"]});
        for (key, record, told) in [
            ("nodes.created.n1", &one, Ok((Operation::Created, None, Some(one.clone())))),
            ("nodes.created.n1", &two, Ok((Operation::Updated, Some(one.clone()), Some(two.clone())))),
            (
                "nodes.tag-added.n1",
                &json!({"id": "n1", "tags": ["x"]}),
                Ok((Operation::Updated, Some(two.clone()), Some(tagged.clone()))),
            ),
            ("nodes.updated.n2", &json!({"id": "n2"}), Err("partial")),
            ("skus.updated.n2", &json!({"id": "n2"}), Err("foreign")),
            ("nodes.created.undefined", &json!({"name": "x"}), Err("no_id")),
            ("nodes.destroyed.n1", &tagged, Ok((Operation::Removed, Some(tagged.clone()), None))),
            ("nodes.updated.n1", &two, Ok((Operation::Updated, None, Some(two.clone())))),
        ] {
            assert_eq!(read(&reader, &mut replica, key, json!({"record": record})).await, told, "{key} {record}");
        }
    }

    #[tokio::test]
    async fn a_part_is_completed_from_the_rows_where_there_are_any() {
        let (nodes, reading, mut replica) = (Resource::named("nodes"), reading(), Replica::default());
        let rows = Embedded::open(None).expect("a store");
        let whole = json!({"id": "n1", "name": "one", "state": "on"});
        rows.write(&nodes, "n1", Write::Put(whole.clone()), &Condition::None).await.expect("a write");
        let rows: Arc<dyn Store> = rows;
        let reader = Reader { resource: &nodes, reading: &reading, rows: Some(&rows) };
        let body = json!({"record": {"id": "n1", "state": "on"}});
        let told = read(&reader, &mut replica, "nodes.updated.n1", body).await;
        assert_eq!(told, Ok((Operation::Updated, None, Some(whole))));
        let gone = json!({"record": {"id": "n2", "state": "on"}});
        assert_eq!(read(&reader, &mut replica, "nodes.updated.n2", gone).await, Err("partial"));
    }

    #[tokio::test]
    async fn a_body_that_is_no_record_is_dead_and_a_line_never() {
        let nodes = Resource::named("nodes");
        let (records, lines) = (reading(), Reading::Messages { keyed: false });
        for (body, why) in
            [(&b"5"[..], "no_record"), (b"", "not_json"), (b"{\"record\":", "not_json"), (b"[]", "no_record")]
        {
            let reader = Reader { resource: &nodes, reading: &records, rows: None };
            let read = reader.read(&message("nodes.created.n1", body), None).await;
            assert!(matches!(read, Read::Dead(word) if word == why), "{body:?}");
            let reader = Reader { resource: &nodes, reading: &lines, rows: None };
            assert!(matches!(reader.read(&message("info", body), None).await, Read::Event(_)), "{body:?}");
        }
    }
}
