//! Which elements of two arrays belong together.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One step on the way from one array to the other, from the front to the back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step<'a> {
    Removed(&'a Value),
    Added(&'a Value),
    /// In both arrays; not necessarily equal.
    Kept(&'a Value, &'a Value),
}

/// Above so many pairs of elements that differ, elements are only compared place by place.
const MAX_PAIRS: usize = 250_000;

/// The steps that keep the most: equal elements first, then objects with the same `id`.
pub(super) fn align<'a>(before: &'a [Value], after: &'a [Value]) -> Vec<Step<'a>> {
    let (head, old, new) = trim(before, after);
    let mut steps: Vec<_> = pairs(&before[..head], &after[..head]).collect();
    steps.extend(middle(old, new));
    steps.extend(pairs(&before[head + old.len()..], &after[head + new.len()..]));
    steps
}

/// How many elements are equal in front, and what is left of both without their equal ends.
pub(super) fn trim<'a>(before: &'a [Value], after: &'a [Value]) -> (usize, &'a [Value], &'a [Value]) {
    let head = before.iter().zip(after).take_while(|(old, new)| old == new).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    (head, &old[..old.len() - tail], &new[..new.len() - tail])
}

fn pairs<'a>(before: &'a [Value], after: &'a [Value]) -> impl Iterator<Item = Step<'a>> {
    before.iter().zip(after).map(|(old, new)| Step::Kept(old, new))
}

fn middle<'a>(before: &'a [Value], after: &'a [Value]) -> Vec<Step<'a>> {
    if before.len().saturating_mul(after.len()) > MAX_PAIRS {
        return gap(before, after);
    }
    let matches = matches(before, after);
    let (mut old, mut new) = (0, 0);
    let mut steps = Vec::new();
    for (at_old, at_new) in matches {
        steps.extend(gap(&before[old..at_old], &after[new..at_new]));
        steps.push(Step::Kept(&before[at_old], &after[at_new]));
        (old, new) = (at_old + 1, at_new + 1);
    }
    steps.extend(gap(&before[old..], &after[new..]));
    steps
}

/// Elements without a match: place by place, then what one of them has more.
fn gap<'a>(before: &'a [Value], after: &'a [Value]) -> Vec<Step<'a>> {
    let both = before.len().min(after.len());
    let mut steps: Vec<_> = pairs(before, after).collect();
    steps.extend(before[both..].iter().map(Step::Removed));
    steps.extend(after[both..].iter().map(Step::Added));
    steps
}

/// The heaviest common subsequence, as places in both.
fn matches(before: &[Value], after: &[Value]) -> Vec<(usize, usize)> {
    let weights = Weights { before: prints(before), after: prints(after) };
    let width = after.len() + 1;
    // best[old * width + new]: the most that the elements from there on can have in common.
    let mut best = vec![0u32; (before.len() + 1) * width];
    for old in (0..before.len()).rev() {
        for new in (0..after.len()).rev() {
            let without = best[(old + 1) * width + new].max(best[old * width + new + 1]);
            best[old * width + new] = match weights.of(old, new) {
                0 => without,
                weight => without.max(weight + best[(old + 1) * width + new + 1]),
            };
        }
    }
    let (mut old, mut new) = (0, 0);
    let mut matches = Vec::new();
    while old < before.len() && new < after.len() {
        let here = best[old * width + new];
        let weight = weights.of(old, new);
        if weight > 0 && here == weight + best[(old + 1) * width + new + 1] {
            matches.push((old, new));
            (old, new) = (old + 1, new + 1);
        } else if here == best[(old + 1) * width + new] {
            old += 1;
        } else {
            new += 1;
        }
    }
    matches
}

/// Hashes of an element and of its `id`, so that comparing two is cheap. Two elements with the same hash that
/// differ would only make the difference longer, never wrong.
struct Print {
    whole: u64,
    id: Option<u64>,
}

struct Weights {
    before: Vec<Print>,
    after: Vec<Print>,
}

impl Weights {
    fn of(&self, old: usize, new: usize) -> u32 {
        let (old, new) = (&self.before[old], &self.after[new]);
        match (old.whole == new.whole, old.id.is_some() && old.id == new.id) {
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => 0,
        }
    }
}

fn prints(elements: &[Value]) -> Vec<Print> {
    let id = |element: &Value| element.get("id").filter(|id| !id.is_null()).map(hash);
    elements.iter().map(|element| Print { whole: hash(element), id: id(element) }).collect()
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
