//! Merging of tree events: of many changes of one node within a moment one is told, and none of a node that is gone
//! again.
//!
//! Promises: a node that changes for ever is told of at a bounded delay; nothing of a node comes after its removal; a
//! node never comes before a folder above it that still waits.

use crate::cells::rights::ancestors;
use crate::dialect::cells::node::Node;
use crate::dialect::cells::tree::{Action, TreeEvent};
use crate::event::Offset;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The entity tag of a file whose content is still on its way.
const TEMPORARY: &str = "temporary";

/// How long events wait for more of their node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Nothing more came for so long; zero: nothing waits.
    pub quiet: Duration,
    /// Since the first one.
    pub longest: Duration,
}

/// The events that wait.
#[derive(Debug)]
pub struct Coalescer {
    delays: Delays,
    waiting: HashMap<Arc<str>, Waiting>,
    /// Which node is at which path.
    paths: BTreeMap<Arc<str>, Arc<str>>,
    due: BTreeSet<(Instant, Offset, Arc<str>)>,
    /// The entries that they began with.
    offsets: BTreeSet<(Offset, Arc<str>)>,
}

#[derive(Debug)]
struct Waiting {
    event: TreeEvent,
    path: Arc<str>,
    first: Instant,
    due: Instant,
    /// The entry that it began with.
    offset: Offset,
}

impl Coalescer {
    /// Nothing waits yet.
    pub fn new(delays: Delays) -> Coalescer {
        Coalescer {
            delays,
            waiting: HashMap::new(),
            paths: BTreeMap::new(),
            due: BTreeSet::new(),
            offsets: BTreeSet::new(),
        }
    }

    /// Takes an event that came with an entry; adds what is told now to `out`.
    pub fn take(&mut self, event: TreeEvent, offset: Offset, now: Instant, out: &mut Vec<TreeEvent>) {
        let (source, target) = (event.source.clone(), event.target.clone());
        match event.action {
            Action::Create | Action::UpdateContent | Action::UpdateMeta => {
                let Some(target) = target else { return };
                self.merge(event, target, offset, now, out);
            }
            Action::Delete => {
                let Some(source) = source else { return };
                // What was going to be told of it is gone with it.
                self.waiting_at_or_below(&source).iter().for_each(|uuid| drop(self.remove(uuid)));
                out.push(event);
            }
            Action::UpdatePath | Action::UpdateUserMeta => {
                let old = source.or(target.clone());
                for node in old.iter() {
                    for uuid in self.waiting_at_or_below(node) {
                        self.tell(&uuid, out);
                    }
                }
                target.iter().for_each(|target| self.tell_above(&target.path, out));
                out.push(event);
            }
        }
    }

    /// A node is where it is because a folder above it moved: what is told of it later tells that.
    pub fn follow(&mut self, node: &Arc<Node>) {
        let Some(mut waiting) = self.remove(&node.uuid) else { return };
        waiting.path = node.path.clone();
        waiting.event.target = Some(node.clone());
        self.insert(node.uuid.clone(), waiting);
    }

    /// Adds what is due to `out`.
    pub fn due(&mut self, now: Instant, out: &mut Vec<TreeEvent>) {
        while let Some((due, _, uuid)) = self.due.first().cloned() {
            if due > now {
                return;
            }
            self.tell(&uuid, out);
        }
    }

    /// Adds all that waits to `out`.
    pub fn flush(&mut self, out: &mut Vec<TreeEvent>) {
        while let Some((_, _, uuid)) = self.due.first().cloned() {
            self.tell(&uuid, out);
        }
    }

    /// When something is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// The oldest entry of which something still waits.
    pub fn oldest(&self) -> Option<Offset> {
        self.offsets.first().map(|(offset, _)| *offset)
    }

    fn merge(&mut self, event: TreeEvent, target: Arc<Node>, offset: Offset, now: Instant, out: &mut Vec<TreeEvent>) {
        let uuid = target.uuid.clone();
        let before = self.remove(&uuid);
        let (first, offset) = before.as_ref().map_or((now, offset), |before| (before.first, before.offset));
        let event = match before {
            Some(before) => merged(before.event, event, &target),
            None => TreeEvent { source: None, ..event },
        };
        let due = (now + self.delays.quiet).min(first + self.delays.longest);
        let path = event.target.as_ref().unwrap_or(&target).path.clone();
        self.insert(uuid.clone(), Waiting { event, path, first, due, offset });
        if self.delays.quiet.is_zero() {
            self.tell(&uuid, out);
        }
    }

    /// Tells what waits of a node, behind what waits of the folders above it.
    fn tell(&mut self, uuid: &Arc<str>, out: &mut Vec<TreeEvent>) {
        if let Some(waiting) = self.remove(uuid) {
            self.tell_above(&waiting.path, out);
            out.push(waiting.event);
        }
    }

    fn tell_above(&mut self, path: &str, out: &mut Vec<TreeEvent>) {
        let above: Vec<_> = ancestors(path).filter_map(|path| self.paths.get(path).cloned()).collect();
        // The outermost first.
        for uuid in above.iter().rev() {
            out.extend(self.remove(uuid).map(|waiting| waiting.event));
        }
    }

    /// The node itself and what is below its path, the folders first.
    fn waiting_at_or_below(&self, node: &Node) -> Vec<Arc<str>> {
        let below = format!("{}/", node.path);
        let range = self.paths.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded));
        let below = range.take_while(|(path, _)| path.starts_with(&below)).map(|(_, uuid)| uuid.clone());
        self.waiting.get_key_value(&node.uuid).map(|(uuid, _)| uuid.clone()).into_iter().chain(below).collect()
    }

    fn insert(&mut self, uuid: Arc<str>, waiting: Waiting) {
        self.paths.insert(waiting.path.clone(), uuid.clone());
        self.due.insert((waiting.due, waiting.offset, uuid.clone()));
        self.offsets.insert((waiting.offset, uuid.clone()));
        self.waiting.insert(uuid, waiting);
    }

    fn remove(&mut self, uuid: &Arc<str>) -> Option<Waiting> {
        let waiting = self.waiting.remove(uuid)?;
        if self.paths.get(&waiting.path) == Some(uuid) {
            self.paths.remove(&waiting.path);
        }
        self.due.remove(&(waiting.due, waiting.offset, uuid.clone()));
        self.offsets.remove(&(waiting.offset, uuid.clone()));
        Some(waiting)
    }
}

/// Both as one: the stronger of the two, with the node as it is now.
fn merged(before: TreeEvent, event: TreeEvent, target: &Arc<Node>) -> TreeEvent {
    let strength = |action| match action {
        Action::Create => 2,
        Action::UpdateContent => 1,
        _ => 0,
    };
    let action = if strength(before.action) >= strength(event.action) { before.action } else { event.action };
    let mut node = match (&before.target, event.is_partial) {
        (Some(first), true) => joined(first, target),
        _ => Node::clone(target),
    };
    let known = before.target.as_ref().map(|before| before.etag.clone()).unwrap_or_default();
    if &*target.etag == TEMPORARY && !known.is_empty() {
        node.etag = known;
    }
    TreeEvent { action, source: None, target: Some(Arc::new(node)), ..event }
}

/// The node that came first, with what changes from event to event taken from the last.
fn joined(first: &Node, last: &Node) -> Node {
    let mut meta = first.meta.clone();
    meta.extend(last.meta.clone());
    Node { etag: last.etag.clone(), kind: last.kind, mtime: last.mtime, size: last.size, meta, ..first.clone() }
}

#[cfg(test)]
mod tests;
