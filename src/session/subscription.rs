//! What a connection follows: one unit that is told each change once. A watch of its own is a unit; the
//! watches of one channel that are told as one view are a unit together.

use crate::access::Bound;
use crate::catalog::Served;
use crate::event::{Entry, Mark, Offset, Operation, Position, Stamp, Timestamp};
use crate::filter::Filter;
use crate::hub::form::Form;
use crate::hub::verdict::verdict;
use crate::hub::{Hub, Wish};
use crate::interest::Interest;
use crate::message::{Address, Page, Reference, Transition, View};
use crate::session::OnBreak;
use crate::shard::{Extras, WatchId};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Names one watch of a connection for as long as it lives; a watch that replaces an equal one has another.
pub type Number = u64;

/// One watch, as the client asked for it.
pub struct Held {
    pub number: Number,
    pub reference: Option<Reference>,
    /// Canonical text of the params.
    pub params: Arc<str>,
    /// What it asks for, and that as far as it may be seen.
    pub asked: Arc<Filter>,
    pub filter: Arc<Filter>,
    /// Which lines its list has, and which fields.
    pub page: Page,
    /// Keeps the source following what is watched, where it wants to know.
    pub _interest: Option<Interest>,
    /// It asked for a list or a resume, so it can be told to start over.
    pub can_restart: bool,
    pub stage: Stage,
}

/// How far a watch has come.
pub enum Stage {
    /// Its list or its replay is being prepared.
    Preparing,
    /// It is told entries after `from`, except those that its list contains.
    Following { from: Offset, contained: Option<Mark> },
}

/// Where a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// None of its watches follows yet.
    Nowhere,
    /// The shard tells it.
    Live,
    /// It is told from the log; everything up to the cursor was told.
    Behind(Offset),
}

/// Entries that one watch of a unit must be told although the unit's cursor has passed them.
pub struct Retell {
    pub number: Number,
    pub after: Offset,
    pub upto: Offset,
}

/// A resource, as a viewer found it.
pub struct Way {
    /// The name by which it was asked for; `None`: what is seen does not depend on who the viewer is.
    pub name: Option<Arc<str>>,
    pub served: Arc<Served>,
    pub bound: Bound,
    pub on_break: OnBreak,
}

/// A unit that is told each change once.
pub struct Subscription {
    pub id: WatchId,
    pub served: Arc<Served>,
    /// The name by which the viewer asked for the resource, if it did, and what it sees there.
    pub name: Option<Arc<str>>,
    pub bound: Bound,
    pub on_break: OnBreak,
    pub view: View,
    pub form: Form,
    pub watches: Vec<Held>,
    pub place: Place,
    /// From where the shard told it, while it is live.
    pub live_from: Offset,
    /// Whether the shard has a membership of it, and for the filters that it has now.
    pub joined: Joined,
    pub retells: Vec<Retell>,
    /// Rows of a view that a list, or what was told again behind it, may have set back to an older state. Until
    /// the view is live they are told to it as a whole.
    pub set_back: HashSet<Arc<str>>,
    pub extras: Option<Rc<Extras>>,
    pub progress: Option<Duration>,
}

/// The state of a unit's membership in the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    No,
    /// With filters that have changed since.
    Stale,
    Yes(Offset),
}

impl Held {
    /// Whether the watch's list has what this entry led to.
    fn contains(&self, served: &Served, entry: &Entry) -> bool {
        let Stage::Following { contained: Some(mark), .. } = &self.stage else { return false };
        let stamp = if served.resource.append_only { Stamp::Offset(entry.offset) } else { entry.event.stamp };
        mark.contains(stamp)
    }

    fn follows_after(&self) -> Option<Offset> {
        match self.stage {
            Stage::Preparing => None,
            Stage::Following { from, .. } => Some(from),
        }
    }
}

impl Subscription {
    /// Where messages of this unit belong.
    pub fn address(&self) -> &Address {
        &self.form.address
    }

    /// Where messages of one of its watches belong.
    pub fn address_of(&self, held: &Held) -> Address {
        Address { reference: held.reference.clone(), ..self.address().clone() }
    }

    /// Whether any of its watches is past its preparation.
    pub fn is_following(&self) -> bool {
        self.watches.iter().any(|held| held.follows_after().is_some())
    }

    /// What the unit wants of the hub: the union of the filters that are followed.
    pub fn wish(&self) -> Wish {
        let filters: Vec<Filter> = self
            .watches
            .iter()
            .filter(|held| held.follows_after().is_some())
            .map(|held| (*held.filter).clone())
            .collect();
        Wish {
            resource: self.served.resource.name.clone(),
            filter: Arc::new(Filter::any(filters)),
            sight: self.bound.sight.clone(),
            form: self.form.clone(),
        }
    }

    /// What an entry means to the unit while it is told from the log. Entries that a list contains are not told
    /// again, but in a view a change contained in one watch's list still counts for the others.
    pub fn judge(&mut self, entry: &Entry) -> Option<Transition> {
        if *entry.event.resource != *self.served.resource.name {
            return None;
        }
        let follows = |held: &&Held| held.follows_after().is_some_and(|from| from < entry.offset);
        let contains = |held: &&Held| held.contains(&self.served, entry);
        let following = self.watches.iter().filter(follows);
        let others = following.clone().filter(|held| !contains(held)).map(|held| &*held.filter);
        let own = verdict(others, &self.bound.sight, entry, Timestamp::now());
        // A list may also be ahead of the unit's cursor: it was read while the shard was behind the log.
        let is_listed = |held: &Held| held.can_restart && held.follows_after().is_some_and(|from| entry.offset <= from);
        match following.clone().any(|held| contains(&held)) || self.watches.iter().any(is_listed) {
            true => self.judge_again(own, entry),
            false => own,
        }
    }

    /// What an entry that the unit is past means to it because of one of its watches.
    pub fn judge_for(&mut self, number: Number, entry: &Entry) -> Option<Transition> {
        if *entry.event.resource != *self.served.resource.name {
            return None;
        }
        let held = self.watches.iter().find(|held| held.number == number)?;
        let is_contained = held.contains(&self.served, entry);
        let own = (!is_contained)
            .then(|| verdict(std::iter::once(&*held.filter), &self.bound.sight, entry, Timestamp::now()))
            .flatten();
        self.judge_again(own, entry)
    }

    /// A list may have told the view more of the row than this entry; from here on it is told everything of it
    /// once more, by what all its filters say: what one watch loses another may have.
    fn judge_again(&mut self, own: Option<Transition>, entry: &Entry) -> Option<Transition> {
        if self.watches.len() == 1 || (own.is_none() && !self.set_back.contains(&entry.event.id)) {
            return own;
        }
        self.set_back.insert(entry.event.id.clone());
        let following = self.watches.iter().filter(|held| held.follows_after().is_some());
        verdict(following.map(|held| &*held.filter), &self.bound.sight, entry, Timestamp::now())
    }

    /// A position from which a resume misses nothing that comes after `offset`, and repeats nothing that the
    /// list of its only watch contains.
    pub fn position(&self, hub: &Hub, offset: Offset) -> Position {
        let mut position = hub.position(offset);
        if let [Held { stage: Stage::Following { contained, .. }, .. }] = &self.watches[..] {
            position.beside = contained.clone();
        }
        position
    }

    /// Forgets the marks of lists whose every change is in the log at or before the cursor. Whether none is left.
    pub fn forget_contained(&mut self, hub: &Hub, cursor: Offset) -> bool {
        let mut none_left = true;
        for held in &mut self.watches {
            if let Stage::Following { contained, .. } = &mut held.stage
                && let Some(mark) = contained
            {
                match reached(hub, &self.served, mark) {
                    Some(offset) if offset <= cursor => *contained = None,
                    _ => none_left = false,
                }
            }
        }
        none_left
    }

    /// Whether an entry breaks the history of what is followed here.
    pub fn is_reset_by(&self, entry: &Entry) -> bool {
        matches!(entry.event.operation, Operation::Reset(_)) && *entry.event.resource == *self.served.resource.name
    }
}

/// The offset by which everything that a mark of this resource contains is in the log, once that is known.
pub fn reached(hub: &Hub, served: &Served, mark: &Mark) -> Option<Offset> {
    match mark {
        Mark::Offset(offset) if served.resource.append_only => Some(*offset),
        mark => hub.reached(&served.resource.source, mark),
    }
}
