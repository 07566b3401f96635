//! Messages of the stream as events.

use super::asking::Asking;
use super::shape::{Fetched, Row, Shape};
use super::tables::Tables;
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Operation, Reason, ResourceEvent, Stamp, Timestamp};
use crate::postgres::pgoutput::{self, Message, Old, Relation, Tuple, Value as Cell};
use crate::postgres::table::Binding;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::Client;

/// When something was committed, and by which transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commitment {
    pub(super) time: Timestamp,
    pub(super) stamp: Stamp,
}

/// What is known of the tables in the stream.
pub(super) struct Changes<'a> {
    bindings: &'a [Binding],
    tables: Tables,
    asking: Asking<'a>,
    /// By the oid in the stream; `None`: nobody serves it.
    shapes: HashMap<u32, Option<Shape>>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(client: &'a Client, bindings: &'a [Binding], tables: Tables) -> Changes<'a> {
        Changes { bindings, tables, asking: Asking::new(client), shapes: HashMap::new() }
    }

    /// Learns how the rows that follow look.
    pub(super) async fn learn(&mut self, relation: Relation) -> Result<()> {
        let oid = relation.oid;
        let mut shape = None;
        // What is not known, or has other names now, was made or renamed since the tables were loaded.
        for is_last in [false, true] {
            if self.tables.knows(oid) {
                shape = Some(Shape::of(relation.clone(), &self.tables, &self.asking).await?);
            }
            if is_last || shape.as_ref().is_some_and(Shape::has_keys) {
                break;
            }
            self.tables = Tables::load(self.asking.client, self.bindings).await?;
        }
        self.shapes.insert(oid, shape);
        Ok(())
    }

    /// What a message says, added to `events`.
    pub(super) async fn take(&mut self, message: &[u8], by: Commitment, events: &mut Vec<ResourceEvent>) -> Result<()> {
        let (oid, old, new) = match pgoutput::decode(message)? {
            Message::Aside => return Ok(()),
            Message::Relation(relation) => return self.learn(relation).await,
            Message::Truncate { relations } => {
                let mut emptied: Vec<&Arc<str>> = Vec::new();
                for (resource, _) in relations.iter().flat_map(|oid| self.tables.fed_by(*oid)) {
                    if !emptied.contains(&resource) {
                        emptied.push(resource);
                    }
                }
                events.extend(emptied.into_iter().map(|resource| reset(resource, by)));
                return Ok(());
            }
            Message::Insert { relation, new } => (relation, Was::Absent, Some(new)),
            Message::Update { relation, old, new } => (relation, old.map_or(Was::Untold, Was::Told), Some(new)),
            Message::Delete { relation, old } => (relation, Was::Told(old), None),
        };
        let Changes { asking, shapes, .. } = self;
        let shape = match shapes.get(&oid) {
            Some(Some(shape)) => shape,
            Some(None) => return Ok(()),
            None => return Err(Error::new(Kind::Malformed, "a row of the stream is of a table that it did not name")),
        };
        match rows(shape, old, new, asking).await? {
            Told::Nothing => {}
            Told::Change(change) => {
                let ids: Vec<_> = shape.fed.iter().map(|(_, key)| change.ids(key)).collect();
                let change = change.into_documents();
                for ((resource, _), ids) in shape.fed.iter().zip(ids) {
                    match ids.and_then(|ids| change.events(resource, ids, by)) {
                        Some(told) => events.extend(told),
                        None => break_off(resource, by, events),
                    }
                }
            }
            Told::Unreadable => shape.fed.iter().for_each(|(resource, _)| break_off(resource, by, events)),
        }
        Ok(())
    }
}

/// What a message says of a row.
enum Told {
    Nothing,
    Change(Change),
    Unreadable,
}

/// A row before and after.
struct Change {
    before: Before,
    after: Option<Row>,
}

/// The same, as those who watch are told.
struct Documents {
    is_new: bool,
    before: Option<Document>,
    after: Option<Document>,
}

/// The key of a row before and after, where it is told.
struct Ids {
    was: Option<String>,
    is: Option<String>,
}

/// What a message tells of a row as it was.
enum Was<'a> {
    /// There was none.
    Absent,
    /// It is the one with the same key.
    Untold,
    Told(Old<'a>),
}

enum Before {
    Absent,
    Untold,
    Key(Row),
    Whole(Row),
}

/// Reads both rows of a message.
async fn rows(shape: &Shape, was: Was<'_>, new: Option<Tuple<'_>>, asking: &mut Asking<'_>) -> Result<Told> {
    let fetched: Vec<Option<String>>;
    let mut after = None;
    if let Some(mut new) = new {
        if let Was::Told(Old::Row(old)) = &was {
            for (cell, was) in new.iter_mut().zip(old).filter(|(cell, _)| **cell == Cell::Unchanged) {
                *cell = *was;
            }
            if new == *old {
                return Ok(Told::Nothing);
            }
        }
        if new.contains(&Cell::Unchanged) {
            match shape.fetch(&new, asking).await? {
                Fetched::Texts(texts) => fetched = texts,
                Fetched::Gone => return Ok(Told::Nothing),
                Fetched::Unreadable => return Ok(Told::Unreadable),
            }
            let unchanged = new.iter_mut().filter(|cell| **cell == Cell::Unchanged);
            for (cell, text) in unchanged.zip(&fetched) {
                *cell = text.as_deref().map_or(Cell::Null, Cell::Text);
            }
        }
        after = whole(shape, &new, asking).await?;
        if after.is_none() {
            return Ok(Told::Unreadable);
        }
    }
    let before = match was {
        Was::Absent => Some(Before::Absent),
        Was::Untold => Some(Before::Untold),
        Was::Told(Old::Key(key)) => shape.read(&key, asking).await?.map(Before::Key),
        Was::Told(Old::Row(row)) => whole(shape, &row, asking).await?.map(Before::Whole),
    };
    Ok(before.map_or(Told::Unreadable, |before| Told::Change(Change { before, after })))
}

async fn whole(shape: &Shape, tuple: &Tuple<'_>, asking: &mut Asking<'_>) -> Result<Option<Row>> {
    let Some(mut row) = shape.read(tuple, asking).await? else { return Ok(None) };
    Ok(shape.generate(&mut row, tuple, asking).await?.then_some(row))
}

impl Change {
    /// The ids of the row by this key. `None` when one lacks it, so that nobody can tell which row it is.
    fn ids(&self, key: &[usize]) -> Option<Ids> {
        let was = match &self.before {
            Before::Absent | Before::Untold => None,
            Before::Key(row) | Before::Whole(row) => Some(row.id(key)?),
        };
        let is = match &self.after {
            Some(row) => Some(row.id(key)?),
            None => None,
        };
        Some(Ids { was, is })
    }

    fn into_documents(self) -> Documents {
        let is_new = matches!(self.before, Before::Absent);
        let before = match self.before {
            Before::Whole(row) => Some(row.into_document()),
            Before::Absent | Before::Untold | Before::Key(_) => None,
        };
        Documents { is_new, before, after: self.after.map(Row::into_document) }
    }
}

impl Documents {
    /// What happened to a resource: one event, or two when the key changed. `None` when nobody can tell which row
    /// it is.
    fn events(&self, resource: &Arc<str>, Ids { was, is }: Ids, by: Commitment) -> Option<Vec<ResourceEvent>> {
        let event = |id: &str, operation, before, after| ResourceEvent {
            resource: resource.clone(),
            id: id.into(),
            operation,
            before,
            after,
            time: by.time,
            stamp: by.stamp,
        };
        let (before, after) = (self.before.clone(), self.after.clone());
        let Some(id) = is else {
            return Some(vec![event(&was?, Operation::Removed, before, None)]);
        };
        Some(match (self.is_new, was) {
            (true, _) => vec![event(&id, Operation::Created, None, after)],
            (_, Some(was)) if was != id => {
                vec![event(&was, Operation::Removed, before, None), event(&id, Operation::Created, None, after)]
            }
            _ => vec![event(&id, Operation::Updated, before, after)],
        })
    }
}

fn reset(resource: &Arc<str>, by: Commitment) -> ResourceEvent {
    ResourceEvent { time: by.time, stamp: by.stamp, ..ResourceEvent::reset(resource.clone(), Reason::Epoch) }
}

/// A row cannot be told, so whoever watches has to look again. Once is enough until something else is told.
fn break_off(resource: &Arc<str>, by: Commitment, events: &mut Vec<ResourceEvent>) {
    let newest = events.iter().rfind(|event| event.resource == *resource);
    if newest.is_none_or(|event| !matches!(event.operation, Operation::Reset(_))) {
        tracing::warn!(resource = %resource, "a row of the stream cannot be read, watchers start over");
        events.push(reset(resource, by));
    }
}
