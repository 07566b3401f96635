//! Follows the rows of a file store in log order and says what is told of each change, to whom.
//!
//! What was there before a change is what is known here, not what the event says, so nothing but the text of a plain
//! update's patch needs the version before. A change that was loaded already (made while the program was away) moves
//! nothing; it is told to those who have the right to know by now.

mod file;
mod media;
mod patch;
mod permission;
mod revision;
#[cfg(test)]
mod tests;

use crate::audience::{Audience, Rights};
use crate::event::{Entry, Mark, Offset, Operation, ResourceEvent};
use crate::files::echo::Echo;
use crate::files::known::{Known, KnownFile, KnownMedia};
use crate::files::message::Message;
use crate::files::rows::{CHANGE, File, Mapping, Media, Members, Part, Permission, n_of};
use crate::metrics::Metrics;
use crate::query::Row;
use crate::replica::{Logged, Replica};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// So many rows that cannot be read are remembered, so that each is logged once.
const MAX_NOTED: usize = 10_000;

/// Where one part of the file store is.
#[derive(Debug, Clone)]
pub struct Place {
    pub resource: Arc<str>,
    pub mapping: Mapping,
    /// Its own changes are logged too, for it is served by itself.
    pub is_public: bool,
}

/// Who hears of a permission that was given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTo {
    /// The user whom it is for.
    Affected,
    /// Everybody who has a role on the file, too.
    Everyone,
}

/// What a replica of a file store works with.
#[derive(Debug, Clone)]
pub struct Settings {
    pub places: Vec<Place>,
    /// The resource of the messages.
    pub messages: Arc<str>,
    pub access_to: AccessTo,
}

/// The rows of a file store, as far as rights need them.
pub struct FilesReplica {
    settings: Settings,
    known: Known,
    /// What was loaded, by resource.
    marks: HashMap<Arc<str>, Mark>,
    /// Rows that cannot be read and were logged.
    noted: HashSet<(Part, Arc<str>)>,
    /// The change ids of rows that came by and are not published yet.
    seen: Vec<Arc<str>>,
    echo: Arc<Echo>,
    metrics: Arc<Metrics>,
}

/// What one event is about, and what is told of it so far.
struct Turn<'a> {
    event: &'a ResourceEvent,
    place: &'a Place,
    /// What is known is newer than the event.
    is_late: bool,
    told: Vec<(Message, Rights)>,
    /// Something could not be told as it should.
    lacks: Option<&'static str>,
}

/// A row before or after a change.
enum Version<T> {
    /// There is none, or the source does not say.
    Absent,
    Unreadable,
    Read(T),
}

impl FilesReplica {
    /// A replica that knows nothing yet.
    pub fn new(settings: Settings, echo: Arc<Echo>, metrics: Arc<Metrics>) -> FilesReplica {
        FilesReplica {
            settings,
            known: Known::default(),
            marks: HashMap::new(),
            noted: HashSet::new(),
            seen: Vec::new(),
            echo,
            metrics,
        }
    }

    fn place(&self, resource: &str) -> Option<&Place> {
        self.settings.places.iter().find(|place| *place.resource == *resource)
    }

    /// Counts a row that cannot be read, and logs it once.
    fn note(&mut self, place: &Place, id: &Arc<str>) {
        self.metrics.dropped(&place.resource, "unreadable").inc();
        if self.noted.len() < MAX_NOTED && self.noted.insert((place.mapping.part(), id.clone())) {
            tracing::warn!(resource = %place.resource, id = %id, "a row cannot be read");
        }
    }
}

impl Replica for FilesReplica {
    fn follows(&self) -> Vec<Arc<str>> {
        self.settings.places.iter().map(|place| place.resource.clone()).collect()
    }

    fn holds(&self) -> Vec<Arc<str>> {
        let held = |place: &&Place| matches!(place.mapping.part(), Part::Files | Part::Permissions | Part::Media);
        self.settings.places.iter().filter(held).map(|place| place.resource.clone()).collect()
    }

    fn load(&mut self, resource: &str, rows: Vec<Row>, mark: Mark) {
        let Some(place) = self.place(resource).cloned() else { return };
        let part = place.mapping.part();
        match part {
            Part::Files => self.known.forget_files(),
            Part::Permissions => self.known.forget_permissions(),
            Part::Media => self.known.forget_media(),
            Part::Revisions | Part::Users => {}
        }
        for row in rows {
            let members = place.mapping.members(&row.id, row.document.value());
            let read = match part {
                Part::Files => {
                    members.and_then(File::read).map(|file| self.known.put_file(&row.id, Some(KnownFile::from(&file))))
                }
                Part::Permissions => members
                    .and_then(Permission::read)
                    .map(|permission| self.known.put_permission(&row.id, Some(permission))),
                Part::Media => members
                    .and_then(Media::read)
                    .map(|media| self.known.put_media(&row.id, Some(KnownMedia::from(&media)))),
                Part::Revisions | Part::Users => Some(()),
            };
            if read.is_none() {
                self.note(&place, &row.id);
            }
        }
        self.marks.insert(place.resource, mark);
    }

    fn take(&mut self, event: ResourceEvent, audience: Audience, out: &mut Vec<Logged>) {
        let Some(place) = self.place(&event.resource).cloned() else { return out.push((event, audience)) };
        let part = place.mapping.part();
        if let Operation::Reset(reason) = event.operation {
            if part != Part::Users {
                let messages = self.settings.messages.clone();
                out.push((ResourceEvent::reset(messages, reason), Audience::Everyone));
            }
        } else {
            let is_late = self.marks.get(&event.resource).is_some_and(|mark| mark.contains(event.stamp));
            let mut turn = Turn { event: &event, place: &place, is_late, told: Vec::new(), lacks: None };
            self.seen.extend(turn.change().as_ref().and_then(n_of));
            let is_read = match part {
                Part::Files => self.take_file(&mut turn),
                Part::Permissions => self.take_permission(&mut turn),
                Part::Media => self.take_media(&mut turn),
                Part::Revisions => self.take_revision(&mut turn),
                Part::Users => true,
            };
            let Turn { told, lacks, .. } = turn;
            if let Some(what) = lacks {
                self.metrics.dropped(&place.resource, what).inc();
            }
            let messages = &self.settings.messages;
            out.extend(told.into_iter().map(|(message, rights)| (entry(messages, &event, message), rights.into())));
            if !is_read {
                self.note(&place, &event.id);
            }
        }
        if place.is_public {
            out.push((event, audience));
        }
    }

    fn published(&mut self, _entries: &[Arc<Entry>], upto: Offset) {
        self.echo.logged(self.seen.drain(..), upto);
    }
}

/// The entry of a message that an event leads to.
fn entry(messages: &Arc<str>, event: &ResourceEvent, message: Message) -> ResourceEvent {
    ResourceEvent {
        resource: messages.clone(),
        id: message.file.clone(),
        operation: Operation::Appended,
        before: None,
        after: Some(message.document()),
        time: event.time,
        stamp: event.stamp,
    }
}

impl From<Rights> for Audience {
    fn from(rights: Rights) -> Audience {
        Audience::limited(rights)
    }
}

impl Turn<'_> {
    fn tell(&mut self, message: Message, rights: &Rights) {
        self.told.push((message, rights.clone()));
    }

    /// The row after the change.
    fn after<T>(&self, read: impl FnOnce(Members) -> Option<T>) -> Version<T> {
        match (self.event.operation, &self.event.after) {
            (Operation::Removed, _) | (_, None) => Version::Absent,
            (_, Some(document)) => {
                let members = self.place.mapping.members(&self.event.id, document.value());
                members.and_then(read).map_or(Version::Unreadable, Version::Read)
            }
        }
    }

    /// The row before the change, as far as the source says.
    fn before<T>(&self, read: impl FnOnce(Members) -> Option<T>) -> Option<T> {
        let document = self.event.before.as_ref()?;
        self.place.mapping.members(&self.event.id, document.value()).and_then(read)
    }

    /// What was there before a late change, by what the source says of it. A row that was updated was there, and no
    /// other way to tell it is known than that it was like it is.
    fn late_before<T: Clone>(&self, said: Option<T>, after: Option<&T>) -> Option<T> {
        said.or_else(|| after.filter(|_| self.event.operation == Operation::Updated).cloned())
    }

    /// What the row says of the change that made it.
    fn change(&self) -> Option<Value> {
        let row = self.event.after.as_ref()?.value();
        row.get(self.place.mapping.name(CHANGE)).cloned()
    }
}

impl<T> Version<T> {
    fn read(self) -> Option<T> {
        match self {
            Version::Read(row) => Some(row),
            Version::Absent | Version::Unreadable => None,
        }
    }

    fn is_unreadable(&self) -> bool {
        matches!(self, Version::Unreadable)
    }
}

/// Whether a row with the change id `after` was written by somebody who gives change ids, knowing it had `before`.
fn is_own_write(before: Option<&Arc<str>>, after: Option<&Arc<str>>) -> bool {
    after.is_some() && after != before
}
