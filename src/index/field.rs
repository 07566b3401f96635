//! What is asked of one field by all filters: tables from a value to those who wait for it.

use crate::filter::number::Number;
use crate::index::intervals::Intervals;
use crate::index::span::Span;
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// A condition on one field that can be looked up.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    Flag(Probe<bool>),
    Number(Probe<Number>),
    Text(Probe<Arc<str>>),
    /// On the folded text.
    Folded(Probe<Arc<str>>),
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe<K> {
    Is(K),
    Within(Span<K>),
}

/// Those who ask something of one field.
#[derive(Debug)]
pub struct Field<T> {
    pub flags: Table<bool, T>,
    pub numbers: Table<Number, T>,
    pub texts: Table<Arc<str>, T>,
    pub folded: Table<Arc<str>, T>,
}

impl<T> Default for Field<T> {
    fn default() -> Field<T> {
        Field { flags: Table::default(), numbers: Table::default(), texts: Table::default(), folded: Table::default() }
    }
}

impl<T: Copy + Ord> Field<T> {
    /// Adds somebody who asks this.
    pub fn insert(&mut self, term: Term, asker: T) {
        match term {
            Term::Flag(probe) => self.flags.insert(probe, asker),
            Term::Number(probe) => self.numbers.insert(probe, asker),
            Term::Text(probe) => self.texts.insert(probe, asker),
            Term::Folded(probe) => self.folded.insert(probe, asker),
        }
    }

    /// Takes somebody away who may have asked this.
    pub fn remove(&mut self, term: &Term, asker: T) {
        match term {
            Term::Flag(probe) => self.flags.remove(probe, asker),
            Term::Number(probe) => self.numbers.remove(probe, asker),
            Term::Text(probe) => self.texts.remove(probe, asker),
            Term::Folded(probe) => self.folded.remove(probe, asker),
        }
    }

    /// About how many others an entry finds that fulfils this.
    pub fn crowd(&self, term: &Term) -> usize {
        match term {
            Term::Flag(probe) => self.flags.crowd(probe),
            Term::Number(probe) => self.numbers.crowd(probe),
            Term::Text(probe) => self.texts.crowd(probe),
            Term::Folded(probe) => self.folded.crowd(probe),
        }
    }

    /// Whether nobody asks anything.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.numbers.is_empty() && self.texts.is_empty() && self.folded.is_empty()
    }
}

/// From values of one type to those who wait for them.
#[derive(Debug)]
pub struct Table<K, T> {
    exact: HashMap<K, BTreeSet<T>>,
    spans: Intervals<K, T>,
}

impl<K, T> Default for Table<K, T> {
    fn default() -> Table<K, T> {
        Table { exact: HashMap::new(), spans: Intervals::default() }
    }
}

impl<K: Hash + Ord + Clone, T: Copy + Ord> Table<K, T> {
    fn insert(&mut self, probe: Probe<K>, asker: T) {
        match probe {
            Probe::Is(key) => {
                self.exact.entry(key).or_default().insert(asker);
            }
            Probe::Within(span) => self.spans.insert(span, asker),
        }
    }

    fn remove(&mut self, probe: &Probe<K>, asker: T) {
        match probe {
            Probe::Is(key) => {
                let Some(askers) = self.exact.get_mut(key) else { return };
                askers.remove(&asker);
                if askers.is_empty() {
                    self.exact.remove(key);
                    // Leaves room for as many again, so that growing and shrinking do not alternate.
                    if self.exact.len() < self.exact.capacity() / 8 {
                        self.exact.shrink_to(self.exact.len() * 2);
                    }
                }
            }
            Probe::Within(span) => self.spans.remove(span, &asker),
        }
    }

    /// Exact for a value. Of spans with two ends we guess that few cross (as prefixes and slices do), of those
    /// with one end that half of them do.
    fn crowd(&self, probe: &Probe<K>) -> usize {
        match probe {
            Probe::Is(key) => self.exact.get(key).map_or(0, BTreeSet::len),
            Probe::Within(span) if span.is_endless() => self.spans.len() / 2 + 2,
            Probe::Within(_) => self.spans.len().isqrt() + 1,
        }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.spans.is_empty()
    }

    /// Whether nobody waits for a range of values.
    pub fn has_no_spans(&self) -> bool {
        self.spans.is_empty()
    }

    /// Adds those who wait for exactly this value.
    pub fn at<Q: Hash + Eq + ?Sized>(&self, key: &Q, out: &mut Vec<T>)
    where
        K: Borrow<Q>,
    {
        if let Some(askers) = self.exact.get(key) {
            out.extend(askers);
        }
    }

    /// Adds those who wait for a range that meets the keys from `least` to `greatest`.
    pub fn around<Q: Ord + ?Sized>(&self, least: &Q, greatest: &Q, out: &mut Vec<T>)
    where
        K: Borrow<Q>,
    {
        self.spans.meeting(least, greatest, out);
    }
}
