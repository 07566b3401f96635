//! Finds the filters that a change may concern without trying them all.
//!
//! What is found is a superset of what matches; whoever asks evaluates [`Filter::matches`] on it. The cost of a
//! look-up follows the number of different fields that filters test and the number of filters found, not the
//! number of filters there are. Except: filters without any term that can be looked up (`$contains`, `$exists`,
//! `$not`, ...) are always found; [`Index::catch_all`] tells how many.

mod field;
mod intervals;
mod search;
mod span;
mod terms;
#[cfg(test)]
mod tests;

use crate::filter::Filter;
use crate::index::field::Field;
use crate::index::search::Search;
use crate::index::terms::{Place, Placed, of_field, of_ranges, of_topic};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Filters of things, to be asked for the things whose filter may match a row.
#[derive(Debug)]
pub struct Index<T> {
    fields: BTreeMap<Place, Field<T>>,
    /// Whose filter is `All`.
    always: BTreeSet<T>,
    /// Whose filter has no term that can be looked up.
    rest: BTreeSet<T>,
}

impl<T> Default for Index<T> {
    fn default() -> Index<T> {
        Index { fields: BTreeMap::new(), always: BTreeSet::new(), rest: BTreeSet::new() }
    }
}

impl<T: Copy + Ord> Index<T> {
    /// An index of nothing.
    pub fn new() -> Index<T> {
        Index::default()
    }

    /// Adds a thing by its filter. A thing has one filter at a time.
    pub fn insert(&mut self, thing: T, filter: &Filter) {
        match self.cover(filter) {
            Cover::Always => {
                self.always.insert(thing);
            }
            Cover::Rest => {
                self.rest.insert(thing);
            }
            Cover::Terms { terms, .. } => {
                for (place, term) in terms {
                    self.fields.entry(place).or_default().insert(term, thing);
                }
            }
        }
    }

    /// Takes a thing away that was added with this filter.
    ///
    /// By which of its terms it was added depended on how crowded they were then, so it is taken from all.
    pub fn remove(&mut self, thing: T, filter: &Filter) {
        self.always.remove(&thing);
        self.rest.remove(&thing);
        self.remove_terms(thing, filter);
    }

    /// Adds the things whose filter may match the row before or after a change, each once. Without either version
    /// nothing is found by a field, only by the key as a topic.
    pub fn candidates(&self, key: &str, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<T>) {
        out.extend(&self.always);
        out.extend(&self.rest);
        for (place, field) in &self.fields {
            match place {
                Place::Field(path) => {
                    for document in [before, after].into_iter().flatten() {
                        let mut search = Search::new(field);
                        if path.is_id() {
                            search.see_text(Cow::Borrowed(key), out);
                        }
                        path.reaches(document, |value| {
                            if path.is_id() {
                                search.see_id(value, out)
                            } else {
                                search.see(value, out)
                            }
                            false
                        });
                        search.finish(out);
                    }
                }
                Place::Key => {
                    let mut search = Search::new(field);
                    search.see_text(Cow::Borrowed(key), out);
                    search.finish(out);
                }
                Place::LastWord => {
                    let (_, word) = key.rsplit_once('.').unwrap_or(("", key));
                    Search::new(field).see_text(Cow::Borrowed(word), out);
                }
            }
        }
        out.sort();
        out.dedup();
    }

    /// How many things are found for every change because nothing in their filter can be looked up.
    pub fn catch_all(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.always.is_empty() && self.rest.is_empty()
    }

    /// How a filter is best found.
    fn cover(&self, filter: &Filter) -> Cover {
        match filter {
            Filter::All => Cover::Always,
            Filter::Nothing => Cover::Terms { terms: Vec::new(), crowd: 0 },
            Filter::Not(_) => Cover::Rest,
            Filter::Field { path, test } => self.weigh(of_field(path, test)),
            Filter::Topic(topic) => self.weigh(of_topic(topic)),
            Filter::And(parts) => {
                let ranges = of_ranges(parts).into_iter().map(|term| self.weigh(Some(vec![term])));
                parts
                    .iter()
                    .map(|part| self.cover(part))
                    .chain(ranges)
                    .min_by_key(Cover::crowd)
                    .unwrap_or(Cover::Always)
            }
            Filter::Or(parts) => parts.iter().map(|part| self.cover(part)).reduce(Cover::or).unwrap_or(Cover::Rest),
        }
    }

    fn weigh(&self, terms: Option<Vec<Placed>>) -> Cover {
        let Some(terms) = terms else { return Cover::Rest };
        let crowd = |(place, term): &Placed| 1 + self.fields.get(place).map_or(0, |field| field.crowd(term));
        let crowd = terms.iter().map(crowd).sum();
        Cover::Terms { terms, crowd }
    }

    fn remove_terms(&mut self, thing: T, filter: &Filter) {
        match filter {
            Filter::All | Filter::Nothing | Filter::Not(_) => {}
            Filter::Field { path, test } => self.take(thing, of_field(path, test)),
            Filter::Topic(topic) => self.take(thing, of_topic(topic)),
            Filter::And(parts) => {
                self.take(thing, Some(of_ranges(parts)));
                parts.iter().for_each(|part| self.remove_terms(thing, part));
            }
            Filter::Or(parts) => parts.iter().for_each(|part| self.remove_terms(thing, part)),
        }
    }

    fn take(&mut self, thing: T, terms: Option<Vec<Placed>>) {
        for (place, term) in terms.into_iter().flatten() {
            let Some(field) = self.fields.get_mut(&place) else { continue };
            field.remove(&term, thing);
            if field.is_empty() {
                self.fields.remove(&place);
            }
        }
    }
}

/// How a filter is found.
enum Cover {
    /// By one of these; `crowd` is about how many others are found with it.
    Terms { terms: Vec<Placed>, crowd: usize },
    /// For every change, because nothing else is possible.
    Rest,
    /// For every change, because it matches every one.
    Always,
}

impl Cover {
    fn crowd(&self) -> usize {
        match self {
            Cover::Terms { crowd, .. } => *crowd,
            Cover::Rest => usize::MAX - 1,
            Cover::Always => usize::MAX,
        }
    }

    /// Finds what either finds.
    fn or(self, other: Cover) -> Cover {
        match (self, other) {
            (Cover::Always, _) | (_, Cover::Always) => Cover::Always,
            (Cover::Rest, _) | (_, Cover::Rest) => Cover::Rest,
            (Cover::Terms { mut terms, crowd }, Cover::Terms { terms: others, crowd: more }) => {
                terms.extend(others);
                Cover::Terms { terms, crowd: crowd + more }
            }
        }
    }
}
