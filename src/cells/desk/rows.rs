//! How rows move rights: what is known first, then whoever is concerned, then what is told of the change.

use crate::cells::change;
use crate::cells::desk::{Desk, Frames, RIGHTS, farewell, tell};
use crate::cells::feed::{Holds, Logged};
use crate::cells::rights::{Affected, Known, Record};
use crate::cells::rows::{Fields, Part};
use crate::dialect::cells::activity::last_segment;
use crate::dialect::cells::shape::Unreadable;
use crate::event::{Mark, Operation};
use crate::query::Row;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl Desk {
    /// All rows of a part take the place of what was known of it.
    pub(super) fn load(&mut self, part: Part, rows: &[Row]) {
        if !RIGHTS.contains(&part) {
            return;
        }
        self.rights.forget(part);
        let names = self.settings.names.clone();
        for row in rows {
            let Some(fields) = names.fields(part, &row.id, &row.document) else { continue };
            if let Some(record) = Record::read(part, &fields) {
                self.rights.put(fields.key(), record);
            }
        }
        self.loaded.insert(part);
        if self.is_ready() {
            self.reconsider_all(self.people.everybody());
            self.send_away();
            for early in std::mem::take(&mut self.early) {
                self.subscribe(early);
            }
        }
    }

    /// Where nodes are, as it was read.
    pub(super) fn place(&mut self, asked: &[Arc<str>], rows: &[Row], mark: &Arc<Mark>) -> Affected {
        let names = self.settings.names.clone();
        let fields = rows.iter().filter_map(|row| names.fields(Part::TreeNodes, &row.id, &row.document));
        let mut known: HashMap<Arc<str>, Known> =
            fields.map(|fields| (fields.key(), known(&fields, Some(mark.clone())))).collect();
        let mut affected = Affected::default();
        for node in asked {
            self.rights.track(node);
            affected.add(self.rights.place(node, known.remove(node)));
        }
        affected
    }

    /// A user, a role, a workspace or an access rule: rights first, then whoever is to know it.
    pub(super) fn identity(&mut self, part: Part, logged: &Logged, frames: &mut Frames) -> Result<(), Unreadable> {
        let (event, names) = (&logged.entry.event, self.settings.names.clone());
        let read = |document| {
            let fields = names.fields(part, &event.id, document)?;
            Some((fields.key(), Record::read(part, &fields)?))
        };
        let after = event.after.as_ref().filter(|_| event.operation != Operation::Removed).and_then(read);
        let told = event.before.as_ref().and_then(read);
        let key = after.as_ref().or(told.as_ref()).map_or_else(|| event.id.clone(), |(key, _)| key.clone());
        let known = self.rights.record(part, &key).filter(|_| !logged.is_known);
        let before = known.or(told.map(|(_, record)| record));
        let record = match (&before, &after) {
            (Some(before), Some((_, after))) if before == after => None,
            (_, Some((_, after))) => Some(after.clone()),
            (before, None) => before.clone(),
        };
        let record = record.filter(|_| !self.settings.places.has_events(Part::IdmChanges));
        let idm = record.map(|record| change::idm(event.operation, &key, &record)).transpose();
        // What cannot be told counts all the same.
        let told = idm.as_ref().ok().and_then(Option::as_ref);
        let concerned = |desk: &Desk| match told {
            Some(idm) => tell::concerned(&desk.people, idm, desk.settings.tells_admins),
            None => BTreeSet::new(),
        };
        let mut users = concerned(self);
        if !logged.is_known {
            let affected = match after {
                Some((key, record)) => self.rights.put(key, record),
                None => self.rights.remove(part, &key),
            };
            self.reconsider(affected);
        }
        users.extend(concerned(self));
        if let Some(idm) = told {
            tell::these(&self.people, &users, &idm.text, frames);
        }
        idm.map(drop)
    }

    /// The row of a node.
    pub(super) fn node(&mut self, logged: &Logged, frames: &mut Frames) -> Result<(), Unreadable> {
        let (event, names) = (&logged.entry.event, self.settings.names.clone());
        let document = match event.operation {
            Operation::Removed => event.before.as_ref(),
            _ => event.after.as_ref(),
        };
        let fields = document.and_then(|document| names.fields(Part::TreeNodes, &event.id, document));
        let uuid = fields.as_ref().map_or_else(|| event.id.clone(), Fields::key);
        let is_there = event.operation != Operation::Removed;
        let path = fields.as_ref().filter(|_| is_there).map(|fields| fields.text("path").trim_matches('/'));
        self.chat.node(&uuid, path);
        let is_old = self.rights.known(&uuid).is_some_and(|known| known.contains(event.stamp));
        let moves = self.rights.tracks(&uuid) && !is_old;
        if let Some(fields) = fields.as_ref().filter(|_| moves && event.operation != Operation::Removed) {
            let affected = self.rights.place(&uuid, Some(known(fields, None)));
            self.reconsider(affected);
        }
        let change = self.change(Part::TreeNodes, Holds::Rows, logged)?;
        if let Some(change) = change {
            self.flow_on(change, logged.entry.offset, frames);
        }
        // That it is gone is told to those who could see it.
        if moves && event.operation == Operation::Removed {
            let affected = self.rights.place(&uuid, None);
            self.reconsider(affected);
        }
        Ok(())
    }

    /// What those may do who are concerned by a change.
    pub(super) fn reconsider(&mut self, affected: Affected) {
        let Affected { mut users, roles } = affected;
        users.extend(roles.iter().flat_map(|role| self.people.declared(role)));
        self.reconsider_all(users);
    }

    fn reconsider_all(&mut self, users: BTreeSet<Arc<str>>) {
        for uuid in &users {
            let Some(before) = self.people.person(uuid) else { continue };
            match self.rights.viewer(uuid) {
                Ok(viewer) if **before == viewer => {}
                Ok(viewer) => self.people.replace(viewer),
                Err(refused) => self.leaving.push((uuid.clone(), refused)),
            }
        }
        self.review_chat(&users);
    }

    /// Ends the connections of those who may not stay. What they were told before is on its way.
    pub(super) fn send_away(&mut self) {
        for (uuid, refused) in std::mem::take(&mut self.leaving) {
            for seat in self.people.seats_of(&uuid) {
                if let Some(sitting) = self.people.sitting(seat) {
                    sitting.peer.close(farewell(refused));
                }
                self.leave(seat);
            }
        }
    }
}

fn known(fields: &Fields<'_>, read_at: Option<Arc<Mark>>) -> Known {
    let path = fields.text("path").trim_matches('/');
    let meta = fields.object("meta");
    let name = meta.get("name").and_then(Value::as_str).unwrap_or_else(|| last_segment(path));
    Known { path: path.into(), name: name.into(), read_at }
}
