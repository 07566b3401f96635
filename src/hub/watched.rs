//! The watches of one resource, as conditions: found by what an entry says, and by whom its audience names.

use crate::audience::{Audience, Sight, Who};
use crate::event::{Entry, Operation};
use crate::filter::Filter;
use crate::hub::form::Form;
use crate::hub::{GroupId, Wish};
use crate::index::Index;
use slab::Slab;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The watched part of one resource.
#[derive(Default)]
pub struct Watched {
    /// The conditions that see what is open to anyone, by their filters.
    open: Index<usize>,
    /// Those that see only what names their viewer, by their filters.
    named: Index<usize>,
    /// Those that see everything, by their filters.
    all: Index<usize>,
    /// The conditions of viewers, by whom grants may name: an entry for some costs these, not all.
    viewers: HashMap<Who, BTreeSet<usize>>,
    pub conditions: Slab<Condition>,
    by_text: HashMap<(String, Sight), usize>,
}

/// A filter with a viewer's sight, and the groups that share it: matched once.
pub struct Condition {
    pub filter: Arc<Filter>,
    pub sight: Sight,
    text: String,
    pub groups: HashMap<Form, GroupId>,
}

impl Watched {
    /// The condition of a wish, the same for equal ones.
    pub fn condition(&mut self, wish: &Wish) -> usize {
        let text = wish.filter.canonical();
        match self.by_text.get(&(text.clone(), wish.sight.clone())) {
            Some(condition) => *condition,
            None => self.add(wish, text),
        }
    }

    fn add(&mut self, wish: &Wish, text: String) -> usize {
        let (filter, sight) = (wish.filter.clone(), wish.sight.clone());
        let condition = Condition { filter, sight, text: text.clone(), groups: HashMap::new() };
        let condition = self.conditions.insert(condition);
        self.by_text.insert((text, wish.sight.clone()), condition);
        self.filters(&wish.sight).insert(condition, &wish.filter);
        for who in wish.sight.names() {
            self.viewers.entry(who).or_default().insert(condition);
        }
        condition
    }

    /// Takes a condition away that no group has any more.
    pub fn remove(&mut self, id: usize) {
        let Condition { filter, sight, text, .. } = self.conditions.remove(id);
        self.filters(&sight).remove(id, &filter);
        for who in sight.names() {
            if let Some(viewers) = self.viewers.get_mut(&who) {
                viewers.remove(&id);
                if viewers.is_empty() {
                    self.viewers.remove(&who);
                }
            }
        }
        self.by_text.remove(&(text, sight));
    }

    /// Where a condition with these eyes is looked up by its filter.
    fn filters(&mut self, sight: &Sight) -> &mut Index<usize> {
        match Eyes::of(sight) {
            Eyes::Open => &mut self.open,
            Eyes::Named => &mut self.named,
            Eyes::All => &mut self.all,
        }
    }

    /// How many conditions no index helps with.
    pub fn catch_all(&self) -> usize {
        self.open.catch_all() + self.named.catch_all() + self.all.catch_all()
    }

    /// The conditions that an entry may concern, each once.
    pub fn candidates(&self, entry: &Entry, out: &mut Vec<usize>) {
        match &entry.audience {
            Audience::Everyone => {
                self.candidates_of(&self.open, entry, Eyes::Open, out);
                self.candidates_of(&self.named, entry, Eyes::Named, out);
                self.candidates_of(&self.all, entry, Eyes::All, out);
            }
            Audience::Limited { before, after } => {
                self.candidates_of(&self.all, entry, Eyes::All, out);
                let mut named = before.named();
                named.extend(after.named());
                for who in named {
                    match who {
                        Who::Anyone => self.candidates_of(&self.open, entry, Eyes::Open, out),
                        who => out.extend(self.viewers.get(who).into_iter().flatten()),
                    }
                }
                out.sort_unstable();
                out.dedup();
            }
        }
    }

    /// Those of one index. Without the version before, a row may be leaving any filter: all have to be asked.
    fn candidates_of(&self, index: &Index<usize>, entry: &Entry, eyes: Eyes, out: &mut Vec<usize>) {
        let event = &entry.event;
        let (before, after) = (event.before.as_ref(), event.after.as_ref());
        if before.is_none() && event.operation != Operation::Created && event.operation != Operation::Appended {
            let all = self.conditions.iter().filter(|(_, one)| Eyes::of(&one.sight) == eyes);
            out.extend(all.map(|(condition, _)| condition));
        } else {
            let (before, after) = (before.map(|document| document.value()), after.map(|document| document.value()));
            index.candidates(&event.id, before, after, out);
        }
    }
}

/// Which entries eyes see by other reasons than their names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eyes {
    /// What is open to anyone.
    Open,
    /// None.
    Named,
    All,
}

impl Eyes {
    fn of(sight: &Sight) -> Eyes {
        match sight {
            Sight { sees_all: true, .. } => Eyes::All,
            Sight { is_named: true, .. } => Eyes::Named,
            _ => Eyes::Open,
        }
    }
}
