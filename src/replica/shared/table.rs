//! The records with who may see them, and the grants that say so, as the log has them; and, for readers, as they were
//! when it was last published.

use crate::audience::{self, Audience, Rights, Role, Sight, Who};
use crate::document::Document;
use crate::event::{Mark, Offset, Operation, ResourceEvent, Timestamp};
use crate::query::Row;
use crate::replica::shared::grant::{Grant, texts};
use crate::replica::shared::{Feed, Settings};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The records and their grants.
pub struct Table {
    settings: Arc<Settings>,
    records: HashMap<Arc<str>, Held>,
    /// The records by whom they are for.
    for_whom: HashMap<Who, HashSet<Arc<str>>>,
    grants: HashMap<Arc<str>, Grant>,
    of_record: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// The grants that will end, by when.
    ends: BTreeSet<(i64, Arc<str>)>,
    /// The records that changed since the log was last published, as they were then.
    unpublished: HashMap<Arc<str>, Option<Held>>,
    published: Offset,
    /// The state of each source whose every change is published.
    reached: HashMap<Arc<str>, Mark>,
    /// What each resource was loaded with, until the log has all of it.
    records_loaded: Loaded,
    grants_loaded: Loaded,
}

/// A record, and who may see it.
#[derive(Debug, Clone)]
struct Held {
    document: Document,
    rights: Rights,
}

/// How far a load has come.
enum Loaded {
    NotYet,
    /// It may contain what the log does not have.
    Ahead(Mark),
    Level,
}

/// Who may see a record has changed.
#[derive(Debug)]
pub struct Shift {
    pub record: Arc<str>,
    pub document: Document,
    pub before: Rights,
    pub after: Rights,
}

impl Table {
    /// Nothing is known, and the log is published up to this offset.
    pub fn new(settings: Arc<Settings>, published: Offset) -> Table {
        Table {
            settings,
            records: HashMap::new(),
            for_whom: HashMap::new(),
            grants: HashMap::new(),
            of_record: HashMap::new(),
            ends: BTreeSet::new(),
            unpublished: HashMap::new(),
            published,
            reached: HashMap::new(),
            records_loaded: Loaded::NotYet,
            grants_loaded: Loaded::NotYet,
        }
    }

    /// Whether everything that these states of their sources contain is published, and nothing more is known.
    pub fn is_at(&self, marks: &[(Arc<str>, Mark)]) -> bool {
        let has = |(source, mark): &(Arc<str>, Mark)| self.has_reached(source, mark);
        marks.iter().all(has) && matches!((&self.records_loaded, &self.grants_loaded), (Loaded::Level, Loaded::Level))
    }

    /// The records that these eyes may see, as of the offset that was last published.
    pub fn rows(&self, sight: &Sight) -> (Vec<Row>, Offset) {
        let mut ids: HashSet<&Arc<str>> = match sight.sees_all {
            true => self.records.keys().collect(),
            false => sight.names().filter_map(|who| self.for_whom.get(&who)).flatten().collect(),
        };
        ids.extend(self.unpublished.keys());
        let rows = ids.into_iter().filter_map(|id| {
            let held = match self.unpublished.get(id) {
                Some(published) => published.as_ref(),
                None => self.records.get(id),
            };
            // Grants have no end here: the log says when they do.
            let held = held.filter(|held| held.rights.role(sight, 0).is_some())?;
            Some(Row::new(id.clone(), held.document.clone()))
        });
        (rows.collect(), self.published)
    }

    /// Whether these eyes may see a record by the grants that there are now.
    pub fn shows(&self, id: &str, document: &Document, sight: &Sight) -> bool {
        self.rights(Some(document), self.grants_of(id)).role(sight, 0).is_some()
    }

    pub(super) fn load_records(&mut self, rows: Vec<Row>, mark: Mark) {
        self.forget_records();
        for row in rows {
            let rights = self.rights(Some(&row.document), self.grants_of(&row.id));
            self.hold(&row.id, Some(Held { document: row.document, rights }));
        }
        self.records_loaded = self.loaded(&self.settings.records.source, mark);
        self.unpublished.clear();
    }

    pub(super) fn load_grants(&mut self, rows: Vec<Row>, mark: Mark, now: Timestamp) {
        self.forget_grants();
        let remembers = i64::try_from(self.settings.remembers.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp(now.0.saturating_sub(remembers));
        for row in rows {
            let grant = Grant::read(&self.settings, &row.document).map(|grant| grant.at(since));
            self.replace_grant(&row.id, grant);
        }
        self.settle_all();
        self.grants_loaded = self.loaded(&self.settings.grants.source, mark);
        self.unpublished.clear();
    }

    pub(super) fn forget_records(&mut self) {
        self.records.clear();
        self.for_whom.clear();
        self.records_loaded = Loaded::NotYet;
    }

    pub(super) fn forget_grants(&mut self) {
        self.grants.clear();
        self.of_record.clear();
        self.ends.clear();
        self.settle_all();
        self.grants_loaded = Loaded::NotYet;
    }

    /// Moves a record; says who may see the change. One that a load contains is judged by its own owners and by the
    /// grants that there are.
    pub(super) fn change_record(&mut self, event: &ResourceEvent) -> Audience {
        let by = |document: Option<&Document>| self.rights(document, self.grants_of(&event.id));
        let (before, after) = match event.operation {
            Operation::Removed => (by(event.before.as_ref()), by(event.before.as_ref())),
            Operation::Created => (by(event.after.as_ref()), by(event.after.as_ref())),
            _ => (by(event.before.as_ref()), by(event.after.as_ref())),
        };
        if !self.records_loaded.has(event) {
            let held = event.after.clone().map(|document| Held { document, rights: after.clone() });
            self.hold(&event.id, held);
        }
        Audience::Limited { before, after }
    }

    /// Moves a grant; says whose sight of which records changes by it.
    pub(super) fn change_grant(&mut self, event: &ResourceEvent, now: Timestamp) -> Vec<Shift> {
        let known = self.grants.get(&event.id).cloned();
        let told = |document: &Document| Grant::read(&self.settings, document);
        let was_there = || known.clone().filter(|_| event.operation != Operation::Created);
        let before = event.before.as_ref().and_then(told).or_else(was_there);
        // What was told to have ended has.
        let before = before.map(|grant| match &known {
            Some(known) if !known.is_live && known.until == grant.until => Grant { is_live: false, ..grant },
            _ => grant,
        });
        let after = event.after.as_ref().and_then(told).map(|grant| grant.at(now));
        let is_late = self.grants_loaded.has(event);
        let mut concerned: Vec<Arc<str>> = before.iter().chain(&after).map(|grant| grant.record.clone()).collect();
        concerned.sort();
        concerned.dedup();
        let others = |record: &str| -> Vec<Grant> {
            let ids = self.of_record.get(record).into_iter().flatten().filter(|id| **id != event.id);
            ids.filter_map(|id| self.grants.get(id)).cloned().collect()
        };
        let mut shifts = Vec::new();
        for record in concerned {
            let Some(Held { document, rights }) = self.records.get(&record).cloned() else { continue };
            let with = |grant: &Option<Grant>| {
                let own = grant.iter().filter(|grant| grant.record == record).cloned();
                let all: Vec<Grant> = others(&record).into_iter().chain(own).collect();
                self.rights(Some(&document), all.iter())
            };
            let (before, after) = (with(&before), if is_late { rights } else { with(&after) });
            if before != after {
                shifts.push(Shift { record, document, before, after });
            }
        }
        if !is_late {
            self.replace_grant(&event.id, after);
            for shift in &shifts {
                let held = Held { document: shift.document.clone(), rights: shift.after.clone() };
                self.hold(&shift.record, Some(held));
            }
        }
        shifts
    }

    /// Ends the grants whose time is over; says whose sight of which records changes by it.
    pub(super) fn end_grants(&mut self, now: Timestamp) -> Vec<Shift> {
        let mut shifts = Vec::new();
        while let Some((until, id)) = self.ends.first().cloned().filter(|(until, _)| *until < now.0) {
            self.ends.remove(&(until, id.clone()));
            let Some(grant) = self.grants.get_mut(&id) else { continue };
            grant.is_live = false;
            let record = grant.record.clone();
            let Some(Held { document, rights: before }) = self.records.get(&record).cloned() else { continue };
            let after = self.rights(Some(&document), self.grants_of(&record));
            if before != after {
                self.hold(&record, Some(Held { document: document.clone(), rights: after.clone() }));
                shifts.push(Shift { record, document, before, after });
            }
        }
        shifts
    }

    pub(super) fn publish(&mut self, upto: Offset) {
        self.unpublished.clear();
        self.published = upto;
    }

    pub(super) fn reach(&mut self, source: &Arc<str>, mark: &Mark) {
        self.reached.insert(source.clone(), mark.clone());
        let Settings { records, grants, .. } = &*self.settings;
        self.records_loaded.level(records, source, mark);
        self.grants_loaded.level(grants, source, mark);
    }

    fn loaded(&self, source: &str, mark: Mark) -> Loaded {
        if self.has_reached(source, &mark) { Loaded::Level } else { Loaded::Ahead(mark) }
    }

    fn has_reached(&self, source: &str, mark: &Mark) -> bool {
        self.reached.get(source).is_some_and(|reached| reached.covers(mark))
    }

    fn grants_of(&self, record: &str) -> impl Iterator<Item = &Grant> {
        self.of_record.get(record).into_iter().flatten().filter_map(|id| self.grants.get(id))
    }

    /// Who may see a record: its owners, and whom these of its grants are for.
    fn rights<'a>(&self, document: Option<&Document>, grants: impl Iterator<Item = &'a Grant>) -> Rights {
        let mut level: Vec<audience::Grant> = Vec::new();
        let mut add = |who: Who, role: Role| {
            if level.iter().all(|grant| grant.who != who) {
                level.push(audience::Grant { who, role, until: None });
            }
        };
        if let (Some(document), Some(owner)) = (document, &self.settings.owner) {
            texts(document, owner).into_iter().for_each(|subject| add(Who::Subject(subject), Role::Owner));
        }
        for grant in grants.filter(|grant| grant.is_live) {
            grant.whom.iter().for_each(|who| add(who.clone(), Role::Reader));
        }
        level.sort_by(|a, b| a.who.cmp(&b.who));
        Rights::new(vec![level])
    }

    /// Judges every record anew.
    fn settle_all(&mut self) {
        let ids: Vec<Arc<str>> = self.records.keys().cloned().collect();
        for id in ids {
            let Some(Held { document, .. }) = self.records.get(&id).cloned() else { continue };
            let rights = self.rights(Some(&document), self.grants_of(&id));
            self.hold(&id, Some(Held { document, rights }));
        }
    }

    /// Puts a record in its place, or takes it away.
    fn hold(&mut self, id: &Arc<str>, held: Option<Held>) {
        let named = |held: &Option<Held>| -> BTreeSet<Who> {
            held.iter().flat_map(|held| held.rights.named()).cloned().collect()
        };
        let after = named(&held);
        let old = match held {
            Some(held) => self.records.insert(id.clone(), held),
            None => self.records.remove(id),
        };
        let before = named(&old);
        for who in before.difference(&after) {
            if let Some(records) = self.for_whom.get_mut(who) {
                records.remove(id);
                if records.is_empty() {
                    self.for_whom.remove(who);
                }
            }
        }
        for who in after.difference(&before) {
            self.for_whom.entry(who.clone()).or_default().insert(id.clone());
        }
        self.unpublished.entry(id.clone()).or_insert(old);
    }

    fn replace_grant(&mut self, id: &Arc<str>, grant: Option<Grant>) {
        if let Some(old) = self.grants.remove(id) {
            if let Some(of_record) = self.of_record.get_mut(&old.record) {
                of_record.remove(id);
                if of_record.is_empty() {
                    self.of_record.remove(&old.record);
                }
            }
            old.until.into_iter().for_each(|until| _ = self.ends.remove(&(until, id.clone())));
        }
        let Some(grant) = grant else { return };
        if let Some(until) = grant.until.filter(|_| grant.is_live) {
            self.ends.insert((until, id.clone()));
        }
        self.of_record.entry(grant.record.clone()).or_default().insert(id.clone());
        self.grants.insert(id.clone(), grant);
    }
}

impl Loaded {
    /// Whether the load contains this change already.
    fn has(&self, event: &ResourceEvent) -> bool {
        matches!(self, Loaded::Ahead(mark) if mark.contains(event.stamp))
    }

    /// A source has come this far.
    fn level(&mut self, feed: &Feed, source: &str, reached: &Mark) {
        if matches!(self, Loaded::Ahead(mark) if *feed.source == *source && reached.covers(mark)) {
            *self = Loaded::Level;
        }
    }
}
