//! What is logged of some resources, shown in log order to somebody who works beside the pump.
//!
//! What is shown was published before. Whoever is shown it must keep up: a full queue makes the pump wait.

use crate::audience::Audience;
use crate::event::{Entry, Mark, Offset, Operation, ResourceEvent};
use crate::query::Row;
use crate::replica::{Logged, Replica};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Steps of the pump that may wait to be seen.
const WAITING: usize = 64;

/// What one is shown.
#[derive(Debug)]
pub enum Shown {
    /// All rows of a resource: at the start, and before an entry that says that its history is broken.
    Rows { resource: Arc<str>, rows: Vec<Row> },
    /// What was logged. `is_known`: the rows that were shown last have it already.
    Entry { entry: Arc<Entry>, is_known: bool },
    /// Everything up to this offset was shown.
    Upto(Offset),
}

/// Shows what is logged.
pub struct Tap {
    follows: Vec<Arc<str>>,
    holds: Vec<Arc<str>>,
    /// What the rows that were shown contain.
    marks: HashMap<Arc<str>, Mark>,
    sender: mpsc::Sender<Shown>,
}

impl Tap {
    /// Shows what is logged of resources, and the rows of some of them.
    pub fn new(follows: Vec<Arc<str>>, holds: Vec<Arc<str>>) -> (Tap, mpsc::Receiver<Shown>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Tap { follows, holds, marks: HashMap::new(), sender }, receiver)
    }

    fn show(&self, shown: Shown) {
        // Nobody looks any more when the program ends.
        let _ = self.sender.blocking_send(shown);
    }
}

impl Replica for Tap {
    fn follows(&self) -> Vec<Arc<str>> {
        self.follows.clone()
    }

    fn holds(&self) -> Vec<Arc<str>> {
        self.holds.clone()
    }

    fn load(&mut self, resource: &str, rows: Vec<Row>, mark: Mark) {
        let resource: Arc<str> = resource.into();
        self.marks.insert(resource.clone(), mark);
        self.show(Shown::Rows { resource, rows });
    }

    fn take(&mut self, event: ResourceEvent, audience: Audience, out: &mut Vec<Logged>) {
        out.push((event, audience));
    }

    fn published(&mut self, entries: &[Arc<Entry>], upto: Offset) {
        for entry in entries.iter().filter(|entry| self.follows.contains(&entry.event.resource)) {
            let mark = self.marks.get(&entry.event.resource);
            let is_reset = matches!(entry.event.operation, Operation::Reset(_));
            let is_known = !is_reset && mark.is_some_and(|mark| mark.contains(entry.event.stamp));
            self.show(Shown::Entry { entry: entry.clone(), is_known });
        }
        if !entries.is_empty() {
            self.show(Shown::Upto(upto));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Reason, Stamp, Timestamp};

    fn entry(offset: Offset, resource: &str, operation: Operation) -> Arc<Entry> {
        let event = ResourceEvent {
            resource: resource.into(),
            id: "a".into(),
            operation,
            before: None,
            after: None,
            time: Timestamp::now(),
            stamp: Stamp::Offset(offset),
        };
        Arc::new(Entry { offset, event, audience: Audience::Everyone })
    }

    #[tokio::test]
    async fn what_is_logged_is_shown_in_order_and_what_the_rows_have_is_said_to_be_known() {
        let (mut tap, mut seen) = Tap::new(vec!["rows".into(), "lines".into()], vec!["rows".into()]);
        let shown = tokio::task::spawn_blocking(move || {
            tap.load("rows", Vec::new(), Mark::Offset(2));
            let created = Operation::Created;
            let reset = Operation::Reset(Reason::Source);
            let entries = [
                entry(2, "rows", created),
                entry(3, "other", created),
                entry(2, "lines", Operation::Appended),
                entry(2, "rows", reset),
                entry(3, "rows", created),
            ];
            tap.published(&entries, 9);
            tap.published(&[], 9);
        });
        shown.await.expect("shown");
        let mut told = Vec::new();
        while let Some(shown) = seen.recv().await {
            told.push(match shown {
                Shown::Rows { resource, .. } => format!("rows of {resource}"),
                Shown::Entry { entry, is_known } => format!("{} {is_known}", entry.event.resource),
                Shown::Upto(upto) => format!("up to {upto}"),
            });
        }
        assert_eq!(told, ["rows of rows", "rows true", "lines false", "rows false", "rows false", "up to 9"]);
    }
}
