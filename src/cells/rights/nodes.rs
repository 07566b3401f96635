//! Where the nodes are that access rules name. Of the rest of the tree nothing is kept.

use crate::event::{Mark, Stamp};
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a node.
#[derive(Debug, Clone)]
pub struct Known {
    /// Without a slash at either end.
    pub path: Arc<str>,
    pub name: Arc<str>,
    /// The state of the source in which it was read; `None`: it was told by the log.
    pub read_at: Option<Arc<Mark>>,
}

impl Known {
    /// Whether a change with this stamp is part of what is known.
    pub fn contains(&self, stamp: Stamp) -> bool {
        self.read_at.as_ref().is_some_and(|mark| mark.contains(stamp))
    }
}

/// Nodes by their id.
#[derive(Debug, Default)]
pub(super) struct Nodes(HashMap<Arc<str>, Option<Known>>);

impl Nodes {
    /// This one matters from now on.
    pub fn track(&mut self, node: &Arc<str>) {
        self.0.entry(node.clone()).or_default();
    }

    /// Whether it matters.
    pub fn tracks(&self, node: &str) -> bool {
        self.0.contains_key(node)
    }

    /// Where it is, if that is known.
    pub fn known(&self, node: &str) -> Option<&Known> {
        self.0.get(node)?.as_ref()
    }

    /// It is here now. Whether that makes a difference.
    pub fn place(&mut self, node: &str, known: Option<Known>) -> bool {
        let Some(place) = self.0.get_mut(node) else { return false };
        let seen = |known: &Option<Known>| known.as_ref().map(|known| (known.path.clone(), known.name.clone()));
        let differs = seen(place) != seen(&known);
        *place = known;
        differs
    }
}
