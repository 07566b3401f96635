//! Spans with what lies on them: an interval tree. Adding, removing and the way to the first find take
//! O(log n) steps.
//!
//! A treap: ordered by span, kept flat by random priorities, and each node knows the highest edge below it, so
//! that whole subtrees are passed over which end too early.

use crate::index::span::{Edge, Span};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Things on spans.
#[derive(Debug)]
pub struct Intervals<K, T> {
    root: Tree<K, T>,
    spans: usize,
    random: u64,
}

type Tree<K, T> = Option<Box<Node<K, T>>>;

#[derive(Debug)]
struct Node<K, T> {
    span: Span<K>,
    things: BTreeSet<T>,
    priority: u64,
    /// The highest edge in this subtree.
    highest: Edge<K>,
    left: Tree<K, T>,
    right: Tree<K, T>,
}

impl<K, T> Default for Intervals<K, T> {
    fn default() -> Intervals<K, T> {
        // Priorities that nobody outside can foresee, so nobody can choose spans that make the tree deep.
        Intervals { root: None, spans: 0, random: RandomState::new().hash_one(0) | 1 }
    }
}

impl<K: Ord + Clone, T: Ord + Copy> Intervals<K, T> {
    /// How many different spans there are.
    pub fn len(&self) -> usize {
        self.spans
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Puts a thing on a span.
    pub fn insert(&mut self, span: Span<K>, thing: T) {
        // Xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.spans += usize::from(insert(&mut self.root, span, thing, self.random));
    }

    /// Takes a thing off a span; nothing happens if it is not there.
    pub fn remove(&mut self, span: &Span<K>, thing: &T) {
        self.spans -= usize::from(remove(&mut self.root, span, thing));
    }

    /// Adds the things on every span that meets the keys from `least` to `greatest`: see [`Span::meets`].
    pub fn meeting<Q: Ord + ?Sized>(&self, least: &Q, greatest: &Q, out: &mut Vec<T>)
    where
        K: Borrow<Q>,
    {
        meeting(&self.root, least, greatest, out);
    }
}

/// Whether the span is new.
fn insert<K: Ord + Clone, T: Ord>(tree: &mut Tree<K, T>, span: Span<K>, thing: T, priority: u64) -> bool {
    let Some(node) = tree else {
        let (highest, things) = (span.high.clone(), BTreeSet::from([thing]));
        *tree = Some(Box::new(Node { span, things, priority, highest, left: None, right: None }));
        return true;
    };
    let is_new = match span.cmp(&node.span) {
        Ordering::Equal => {
            node.things.insert(thing);
            return false;
        }
        Ordering::Less => insert(&mut node.left, span, thing, priority),
        Ordering::Greater => insert(&mut node.right, span, thing, priority),
    };
    if is_new {
        node.refresh();
        rotate(tree);
    }
    is_new
}

/// Lifts the child whose priority is above its parent's.
fn rotate<K: Ord + Clone, T>(tree: &mut Tree<K, T>) {
    let Some(mut node) = tree.take() else { return };
    if let Some(mut left) = node.left.take_if(|left| left.priority > node.priority) {
        node.left = left.right.take();
        node.refresh();
        left.right = Some(node);
        node = left;
    } else if let Some(mut right) = node.right.take_if(|right| right.priority > node.priority) {
        node.right = right.left.take();
        node.refresh();
        right.left = Some(node);
        node = right;
    }
    node.refresh();
    *tree = Some(node);
}

/// Whether the span is gone.
fn remove<K: Ord + Clone, T: Ord>(tree: &mut Tree<K, T>, span: &Span<K>, thing: &T) -> bool {
    let Some(node) = tree else { return false };
    let is_gone = match span.cmp(&node.span) {
        Ordering::Equal => {
            if !node.things.remove(thing) || !node.things.is_empty() {
                return false;
            }
            *tree = join(node.left.take(), node.right.take());
            return true;
        }
        Ordering::Less => remove(&mut node.left, span, thing),
        Ordering::Greater => remove(&mut node.right, span, thing),
    };
    if is_gone {
        node.refresh();
    }
    is_gone
}

/// One tree of two, of which the first lies before the second.
fn join<K: Ord + Clone, T>(left: Tree<K, T>, right: Tree<K, T>) -> Tree<K, T> {
    match (left, right) {
        (Some(mut left), Some(right)) if left.priority > right.priority => {
            left.right = join(left.right.take(), Some(right));
            left.refresh();
            Some(left)
        }
        (left @ Some(_), Some(mut right)) => {
            right.left = join(left, right.left.take());
            right.refresh();
            Some(right)
        }
        (left, right) => left.or(right),
    }
}

fn meeting<K, T, Q>(tree: &Tree<K, T>, least: &Q, greatest: &Q, out: &mut Vec<T>)
where
    K: Borrow<Q>,
    T: Copy,
    Q: Ord + ?Sized,
{
    let Some(node) = tree else { return };
    if node.highest.is_before(least) {
        return;
    }
    meeting(&node.left, least, greatest, out);
    if node.span.low.is_before(greatest) {
        if node.span.meets(least, greatest) {
            out.extend(&node.things);
        }
        meeting(&node.right, least, greatest, out);
    }
}

impl<K: Ord + Clone, T> Node<K, T> {
    /// Finds the highest edge anew, after a change below.
    fn refresh(&mut self) {
        let children = self.left.iter().chain(&self.right).map(|child| &child.highest);
        self.highest = children.fold(&self.span.high, Ord::max).clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn edge() -> impl Strategy<Value = Edge<u8>> {
        prop_oneof![
            Just(Edge::First),
            (0..20_u8).prop_map(Edge::Before),
            (0..20_u8).prop_map(Edge::After),
            Just(Edge::Last)
        ]
    }

    fn span() -> impl Strategy<Value = Span<u8>> {
        (edge(), edge()).prop_map(|(low, high)| Span { low, high })
    }

    /// The depth, once order, priorities and highest edges are found right.
    fn checked_depth(tree: &Tree<u8, u32>) -> usize {
        let Some(node) = tree else { return 0 };
        let mut highest = &node.span.high;
        for child in node.left.iter().chain(&node.right) {
            assert!(child.priority <= node.priority);
            highest = highest.max(&child.highest);
        }
        assert_eq!(highest, &node.highest);
        assert!(node.left.as_ref().is_none_or(|left| left.span < node.span));
        assert!(node.right.as_ref().is_none_or(|right| right.span > node.span));
        assert!(!node.things.is_empty());
        1 + checked_depth(&node.left).max(checked_depth(&node.right))
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_a_scan_finds(
            steps in vec((span(), 0..4_u32, prop::bool::weighted(0.7)), 0..120),
            keys in vec((0..20_u8, 0..20_u8), 1..10),
        ) {
            let mut tree = Intervals::default();
            let mut list: BTreeSet<(Span<u8>, u32)> = BTreeSet::new();
            for (span, thing, is_added) in steps {
                if is_added {
                    tree.insert(span.clone(), thing);
                    list.insert((span, thing));
                } else {
                    tree.remove(&span, &thing);
                    list.remove(&(span, thing));
                }
            }
            checked_depth(&tree.root);
            prop_assert_eq!(tree.len(), list.iter().map(|(span, _)| span).collect::<BTreeSet<_>>().len());
            for (least, greatest) in keys {
                let mut found = Vec::new();
                tree.meeting(&least.min(greatest), &greatest.max(least), &mut found);
                found.sort_unstable();
                let meets = |span: &Span<u8>| span.meets(&least.min(greatest), &greatest.max(least));
                let mut scanned: Vec<u32> =
                    list.iter().filter(|(span, _)| meets(span)).map(|(_, thing)| *thing).collect();
                scanned.sort_unstable();
                prop_assert_eq!(found, scanned);
            }
            for (span, thing) in &list {
                tree.remove(span, thing);
            }
            prop_assert!(tree.is_empty());
            prop_assert_eq!(tree.spans, 0);
        }
    }

    #[test]
    fn the_tree_stays_flat_when_spans_come_in_order() {
        let mut tree = Intervals::default();
        for number in 0..10_000_u32 {
            tree.insert(Span { low: Edge::Before(number), high: Edge::After(number) }, number);
        }
        fn depth(tree: &Tree<u32, u32>) -> usize {
            tree.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
        }
        assert!(depth(&tree.root) < 80, "{}", depth(&tree.root));
    }
}
