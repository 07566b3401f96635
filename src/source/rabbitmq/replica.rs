//! What was last told of the newest rows of a resource, so that a change can be told with what was before it.

use crate::document::Document;
use crate::error::Result;
use crate::event::{Operation, ResourceEvent};
use crate::log::{self, Log};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// So many rows of a resource are known at most.
const ROWS: usize = 100_000;

/// The rows of one resource, as they were told.
#[derive(Debug)]
pub(super) struct Replica {
    rows: HashMap<Arc<str>, (u64, Document)>,
    /// The rows in the order of their changes, with the number of the change; only the newest of a row counts.
    order: VecDeque<(u64, Arc<str>)>,
    changes: u64,
    most: usize,
}

impl Default for Replica {
    fn default() -> Replica {
        Replica { rows: HashMap::new(), order: VecDeque::new(), changes: 0, most: ROWS }
    }
}

impl Replica {
    /// The row as it was last told.
    pub(super) fn get(&self, id: &str) -> Option<&Document> {
        self.rows.get(id).map(|(_, document)| document)
    }

    /// The row with the fields of a part of it put over its own, if it is known.
    pub(super) fn merged(&self, id: &str, part: &Value) -> Option<Value> {
        let mut whole = self.get(id)?.value().clone();
        let (fields, part) = (whole.as_object_mut()?, part.as_object()?);
        fields.extend(part.iter().map(|(name, value)| (name.clone(), value.clone())));
        Some(whole)
    }

    /// Takes what is told of a row.
    pub(super) fn take(&mut self, event: &ResourceEvent) {
        match (event.operation, &event.after) {
            (Operation::Created | Operation::Updated, Some(after)) => self.put(event.id.clone(), after.clone()),
            (Operation::Removed, _) => drop(self.rows.remove(&event.id)),
            (Operation::Reset(_), _) => {
                self.rows.clear();
                self.order.clear();
            }
            _ => {}
        }
    }

    fn put(&mut self, id: Arc<str>, document: Document) {
        self.changes += 1;
        self.rows.insert(id.clone(), (self.changes, document));
        self.order.push_back((self.changes, id));
        while self.rows.len() > self.most || self.order.len() > 2 * self.most {
            let Some((change, id)) = self.order.pop_front() else { return };
            if self.rows.get(&id).is_none_or(|(newest, _)| *newest != change) {
                continue;
            }
            self.rows.remove(&id);
        }
    }
}

/// The replicas of these resources, from what the log still has.
///
/// # Errors
/// When the log cannot be read.
pub(super) fn fill(log: &dyn Log, resources: &[Arc<str>]) -> Result<HashMap<Arc<str>, Replica>> {
    let mut replicas: HashMap<_, _> = resources.iter().map(|name| (name.clone(), Replica::default())).collect();
    if replicas.is_empty() {
        return Ok(replicas);
    }
    log::each(log, |entry| {
        if let Some(replica) = replicas.get_mut(&entry.event.resource) {
            replica.take(&entry.event);
        }
    })?;
    Ok(replicas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Reason, Stamp, Timestamp};
    use serde_json::json;

    fn event(id: &str, operation: Operation, after: Option<Value>) -> ResourceEvent {
        ResourceEvent {
            resource: "nodes".into(),
            id: id.into(),
            operation,
            before: None,
            after: after.map(Document::new),
            time: Timestamp(0),
            stamp: Stamp::None,
        }
    }

    #[test]
    fn it_knows_the_newest_rows_as_they_were_told() {
        let mut replica = Replica { most: 2, ..Replica::default() };
        for id in ["a", "b", "a", "c"] {
            replica.take(&event(id, Operation::Updated, Some(json!({"id": id, "x": 1}))));
        }
        assert_eq!(["a", "b", "c"].map(|id| replica.get(id).is_some()), [true, false, true]);
        assert_eq!(replica.merged("a", &json!({"y": 2})), Some(json!({"id": "a", "x": 1, "y": 2})));
        assert_eq!(replica.merged("b", &json!({"y": 2})), None);
        replica.take(&event("a", Operation::Removed, None));
        assert_eq!(replica.get("a"), None);
        replica.take(&event("", Operation::Reset(Reason::Source), None));
        assert_eq!(replica.get("c"), None);
    }

    #[test]
    fn changes_of_few_rows_take_no_more_room_than_those_of_many() {
        let mut replica = Replica { most: 4, ..Replica::default() };
        for number in 0..1000 {
            replica.take(&event("a", Operation::Updated, Some(json!({"n": number}))));
        }
        assert!(replica.order.len() <= 8, "{}", replica.order.len());
        assert_eq!(replica.get("a").map(Document::value), Some(&json!({"n": 999})));
    }
}
