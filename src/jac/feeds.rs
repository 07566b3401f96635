//! Changes of resources as pushes, in the order of the log: to the channels or users that a record names, or to
//! whomever a record that is itself a push names.
//!
//! Each node pushes what its own log has, so these go by no relay.

use crate::dialect::jac::encode;
use crate::dialect::jac::root::Root;
use crate::document::Document;
use crate::event::{Operation, ResourceEvent};
use crate::filter::Path;
use crate::jac::topics::Topics;
use crate::metrics::Metrics;
use crate::relay::{Deliver, Kind, Push};
use crate::replica::tap::Shown;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Of a resource's changes, who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    pub resource: Arc<str>,
    /// Channels or users.
    to: Kind,
    /// Where a record names them, as a text or a list of texts.
    ids: Path,
}

/// All feeds, and the resource whose records are pushes.
#[derive(Clone)]
pub struct Feeds {
    pub feeds: Vec<Feed>,
    pub pushes: Option<Arc<str>>,
    pub topics: Arc<Topics>,
    pub metrics: Arc<Metrics>,
}

impl Feed {
    /// Tells the channels or users that are named at a dotted name.
    pub fn new(resource: &str, to: Kind, ids: &str) -> Feed {
        Feed { resource: resource.into(), to, ids: Path::parse(ids) }
    }

    /// What is pushed of a change.
    fn pushes(&self, event: &ResourceEvent) -> Vec<Push> {
        let (before, after) = (event.before.as_ref(), event.after.as_ref());
        let (left, named) = (self.named(before), self.named(after));
        let without = |ids: &[Arc<str>], others: &[Arc<str>]| -> Vec<Arc<str>> {
            ids.iter().filter(|id| !others.contains(id)).cloned().collect()
        };
        let parts = match event.operation {
            Operation::Created => vec![("created", named, after)],
            Operation::Appended => vec![("appended", named, after)],
            Operation::Removed => vec![("removed", left, before)],
            // Nobody knows whom it named before.
            Operation::Updated if before.is_none() => vec![("updated", named, after)],
            Operation::Updated => {
                let stayed = named.iter().filter(|id| left.contains(id)).cloned().collect();
                let (gone, come) = (without(&left, &named), without(&named, &left));
                vec![("removed", gone, before), ("created", come, after), ("updated", stayed, after)]
            }
            Operation::Reset(_) => Vec::new(),
        };
        let push = |(word, ids, record): (&str, Vec<Arc<str>>, Option<&Document>)| {
            let data = encode::change(&event.resource, word, record?.text());
            (!ids.is_empty()).then(|| Push { kind: self.to, ids, data: data.into() })
        };
        parts.into_iter().filter_map(push).collect()
    }

    /// Whom a record names, each once.
    fn named(&self, record: Option<&Document>) -> Vec<Arc<str>> {
        let mut ids: Vec<Arc<str>> = Vec::new();
        let mut add = |value: &Value| {
            let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return };
            let id: Arc<str> = match self.to {
                Kind::User => Root::of(text).to_string().into(),
                Kind::Channel | Kind::Client => text.into(),
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        };
        if let Some(record) = record {
            self.ids.reaches(record.value(), |value| {
                match value {
                    Value::Array(values) => values.iter().for_each(&mut add),
                    value => add(value),
                }
                false
            });
        }
        ids
    }
}

impl Feeds {
    /// The resources that are followed, each once.
    pub fn follows(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.feeds.iter().map(|feed| feed.resource.clone()).collect();
        names.extend(self.pushes.clone());
        names.sort();
        names.dedup();
        names
    }

    /// Pushes what is logged, until nothing more is.
    pub async fn run(self, mut logged: mpsc::Receiver<Shown>) {
        while let Some(shown) = logged.recv().await {
            let Shown::Entry { entry, .. } = shown else { continue };
            for push in self.of(&entry.event) {
                self.topics.deliver(&push).await;
            }
        }
    }

    fn of(&self, event: &ResourceEvent) -> Vec<Push> {
        let own = self.feeds.iter().filter(|feed| feed.resource == event.resource);
        let mut pushes: Vec<Push> = own.flat_map(|feed| feed.pushes(event)).collect();
        let is_push = matches!(event.operation, Operation::Created | Operation::Appended);
        if let Some(record) = event.after.as_ref().filter(|_| is_push && self.pushes.as_ref() == Some(&event.resource))
        {
            match push(record.value()) {
                Some(push) => pushes.push(push),
                None => {
                    self.metrics.dropped(&event.resource, "form").inc();
                    tracing::warn!(resource = &*event.resource, id = &*event.id, "a push has another form");
                }
            }
        }
        pushes
    }
}

/// A record as a push; `None`: it has another form.
fn push(record: &Value) -> Option<Push> {
    let kind = Kind::of(record.get("kind")?.as_str()?)?;
    let mut ids: Vec<Arc<str>> = Vec::new();
    for id in record.get("ids")?.as_array()? {
        let id = id.as_str()?;
        if kind == Kind::User && Root::named(id).is_none() {
            return None;
        }
        if !ids.iter().any(|other| **other == *id) {
            ids.push(id.into());
        }
    }
    let data = record.get("data").filter(|data| data.is_object())?;
    Some(Push { kind, ids, data: data.to_string().into() })
}

#[cfg(test)]
mod tests;
