//! An interval of keys, open or closed at either end.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// A place between keys; a span lies between two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge<K> {
    /// Before every key.
    First,
    /// Just before this key.
    Before(K),
    /// Just after this key.
    After(K),
    /// After every key.
    Last,
}

/// The keys between two edges. The edges may cross: see [`Span::meets`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span<K> {
    pub low: Edge<K>,
    pub high: Edge<K>,
}

impl<K> Edge<K> {
    /// Whether this edge lies before a key.
    pub fn is_before<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        match self {
            Edge::First => true,
            Edge::Before(edge) => edge.borrow() <= key,
            Edge::After(edge) => edge.borrow() < key,
            Edge::Last => false,
        }
    }

    fn rank(&self) -> (u8, Option<&K>, bool) {
        match self {
            Edge::First => (0, None, false),
            Edge::Before(key) => (1, Some(key), false),
            Edge::After(key) => (1, Some(key), true),
            Edge::Last => (2, None, false),
        }
    }
}

impl<K: Ord> Ord for Edge<K> {
    fn cmp(&self, other: &Edge<K>) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl<K: PartialOrd> PartialOrd for Edge<K> {
    fn partial_cmp(&self, other: &Edge<K>) -> Option<Ordering> {
        self.rank().partial_cmp(&other.rank())
    }
}

impl<K> Span<K> {
    /// Whether some key up to `greatest` reaches over the low edge, and some key from `least` on stays under the
    /// high edge.
    ///
    /// With one key that is "contains". The fields of an array have several, and there each edge may be passed by
    /// another one: `{"$gt":1,"$lt":3}` matches `[0,5]`, and so does `{"$gt":4,"$lt":1}`.
    pub fn meets<Q: Ord + ?Sized>(&self, least: &Q, greatest: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.low.is_before(greatest) && !self.high.is_before(least)
    }

    /// Whether it goes on for ever in some direction.
    pub fn is_endless(&self) -> bool {
        matches!(self, Span { low: Edge::First, .. } | Span { high: Edge::Last, .. })
    }
}

impl Span<Arc<str>> {
    /// The strings that begin with a prefix.
    pub fn prefix(prefix: &str) -> Span<Arc<str>> {
        Span { low: Edge::Before(prefix.into()), high: after_prefix(prefix).map_or(Edge::Last, Edge::Before) }
    }
}

/// The first string after all those that begin with a prefix; `None` when nothing follows them.
fn after_prefix(prefix: &str) -> Option<Arc<str>> {
    let mut next = prefix.to_owned();
    while let Some(last) = next.pop() {
        if let Some(following) = (last..=char::MAX).nth(1) {
            next.push(following);
            return Some(next.into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_spans_exactly_the_strings_that_begin_with_it() {
        let texts = ["", "a", "ab", "ab\u{10ffff}", "abc", "ac", "b", "\u{d7ff}", "\u{d7ff}a", "\u{e000}"];
        let ends = ["\u{10ffff}", "\u{10ffff}\u{10ffff}", "\u{10ffff}a"];
        let all = || texts.iter().chain(&ends);
        for prefix in all() {
            let span = Span::prefix(prefix);
            for text in all() {
                assert_eq!(span.meets(*text, *text), text.starts_with(prefix), "{prefix:?} {text:?}");
            }
        }
    }
}
