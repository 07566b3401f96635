//! Follows the rows of boxes in log order and says what members are told of each change: a finished message, with the
//! identities that get it.
//!
//! What was there before a change is what is known here. A change that was loaded already (made while the program was
//! away) moves nothing; it is told to those who have the right to know by now.

mod box_event;
mod of_one;
#[cfg(test)]
mod tests;

use crate::audience::{self, Audience, Rights};
use crate::dialect::misakey::Message;
use crate::event::{Mark, Operation, ResourceEvent};
use crate::filter::{Filter, Path};
use crate::metrics::Metrics;
use crate::misakey::boxes::{Boxes, Members};
use crate::misakey::recount::Outdated;
use crate::misakey::rows::{BoxEvent, OF_MEMBERS};
use crate::misakey::{Identities, Role};
use crate::query::Row;
use crate::replica::{Logged, Replica};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two lines in the log about rows that cannot be read.
const QUIET: Duration = Duration::from_secs(60);

/// Where the rows of one role are.
#[derive(Debug, Clone)]
pub struct Place {
    pub role: Role,
    pub resource: Arc<str>,
    /// Its own changes are logged too, for it is served by itself.
    pub is_public: bool,
    /// A change does not always tell what was there before, so that is kept here.
    pub is_held: bool,
}

/// What a replica of boxes works with.
pub struct Settings {
    pub places: Vec<Place>,
    /// The resource of the messages.
    pub messages: Arc<str>,
    /// The types of events that are told.
    pub push_types: Vec<String>,
    /// Whom to tell that a box is to be counted again; `None`: nobody counts.
    pub outdated: Option<Arc<Outdated>>,
}

/// The rows of boxes, as far as audiences need them.
pub struct BoxesReplica {
    settings: Settings,
    boxes: Boxes,
    identities: Identities,
    /// What was there before, of rows whose changes do not always tell it: by role and id.
    before: HashMap<(Role, Arc<str>), Value>,
    /// What was loaded, by resource.
    marks: HashMap<Arc<str>, Mark>,
    /// When it was last said that a row cannot be read.
    noted: Option<Instant>,
    metrics: Arc<Metrics>,
}

/// A message, and who gets it.
type Told = (Message, Members);

impl BoxesReplica {
    /// A replica that knows nothing yet.
    pub fn new(settings: Settings, identities: Identities, metrics: Arc<Metrics>) -> BoxesReplica {
        BoxesReplica {
            settings,
            boxes: Boxes::default(),
            identities,
            before: HashMap::new(),
            marks: HashMap::new(),
            noted: None,
            metrics,
        }
    }

    fn place(&self, resource: &str) -> Option<&Place> {
        self.settings.places.iter().find(|place| *place.resource == *resource)
    }

    /// Counts a row that cannot be read, and says so now and then.
    fn note(&mut self, event: &ResourceEvent) {
        self.metrics.dropped(&event.resource, "unreadable").inc();
        if self.noted.is_none_or(|noted| noted.elapsed() >= QUIET) {
            self.noted = Some(Instant::now());
            tracing::warn!(resource = %event.resource, id = %event.id, "a row cannot be read");
        }
    }

    /// What follows from a change, for members.
    fn told(&mut self, place: &Place, event: &ResourceEvent, is_late: bool) -> Vec<Told> {
        let told = match place.role {
            Role::BoxEvents => self.box_event(event, is_late),
            Role::Identities => {
                if !is_late {
                    self.identities.put(&event.id, event.after.as_ref().map(|row| row.value()));
                }
                Some(Vec::new())
            }
            Role::SavedFiles | Role::BoxSettings | Role::IdentityNotifications | Role::EventCounts => {
                let before = self.before(place, event, is_late);
                of_one::told(place.role, event, before.as_ref())
            }
        };
        told.unwrap_or_else(|| {
            self.note(event);
            Vec::new()
        })
    }

    /// The row before a change, as the change says it or as it is known, which becomes what the change leads to.
    fn before(&mut self, place: &Place, event: &ResourceEvent, is_late: bool) -> Option<Value> {
        let said = event.before.as_ref().map(|row| row.value().clone());
        if !place.is_held || is_late {
            return said;
        }
        let key = (place.role, event.id.clone());
        let after = event.after.as_ref().filter(|_| event.operation != Operation::Removed);
        let known = match after {
            Some(row) => self.before.insert(key, of_one::kept(row.value())),
            None => self.before.remove(&key),
        };
        said.or(known)
    }
}

impl Replica for BoxesReplica {
    fn follows(&self) -> Vec<Arc<str>> {
        self.settings.places.iter().map(|place| place.resource.clone()).collect()
    }

    fn holds(&self) -> Vec<Arc<str>> {
        let is_held = |place: &&Place| place.is_held || matches!(place.role, Role::BoxEvents | Role::Identities);
        self.settings.places.iter().filter(is_held).map(|place| place.resource.clone()).collect()
    }

    fn wants(&self, resource: &str) -> Filter {
        match self.place(resource) {
            Some(Place { role: Role::BoxEvents, .. }) => {
                let types: Vec<Value> = OF_MEMBERS.iter().map(|kind| json!(kind)).collect();
                Filter::one_of(Path::parse("type"), &types)
            }
            _ => Filter::All,
        }
    }

    fn load(&mut self, resource: &str, rows: Vec<Row>, mark: Mark) {
        let Some(Place { role, resource, .. }) = self.place(resource).cloned() else { return };
        match role {
            Role::BoxEvents => {
                self.boxes.load(rows.iter().filter_map(|row| BoxEvent::read(&row.id, row.document.value())));
                if let Some(outdated) = &self.settings.outdated {
                    self.boxes.ids().for_each(|box_id| outdated.add(box_id.clone()));
                }
            }
            Role::Identities => self.identities.load(rows),
            role => {
                self.before.retain(|(of, _), _| *of != role);
                self.before.extend(rows.into_iter().map(|row| ((role, row.id), of_one::kept(row.document.value()))));
            }
        }
        self.marks.insert(resource, mark);
    }

    fn take(&mut self, event: ResourceEvent, audience: Audience, out: &mut Vec<Logged>) {
        let Some(place) = self.place(&event.resource).cloned() else { return out.push((event, audience)) };
        let messages = self.settings.messages.clone();
        if let Operation::Reset(reason) = event.operation {
            out.push((ResourceEvent::reset(messages, reason), Audience::Everyone));
        } else {
            let is_late = self.marks.get(&event.resource).is_some_and(|mark| mark.contains(event.stamp));
            for (message, members) in self.told(&place, &event, is_late) {
                let rights = Rights::of(members, audience::Role::Reader);
                out.push((entry(&messages, &event, message), Audience::limited(rights)));
            }
        }
        if place.is_public {
            out.push((event, audience));
        }
    }
}

/// The entry of a message that an event leads to.
fn entry(messages: &Arc<str>, event: &ResourceEvent, message: Message) -> ResourceEvent {
    ResourceEvent {
        resource: messages.clone(),
        id: event.id.clone(),
        operation: Operation::Appended,
        before: None,
        after: Some(message.document()),
        time: event.time,
        stamp: event.stamp,
    }
}
