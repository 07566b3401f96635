//! What access rules grant: a mask for each node.

use crate::cells::rights::Acl;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What the rules of one role say of one node, taken together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mask {
    pub denies: bool,
    pub reads: bool,
    pub writes: bool,
}

impl Mask {
    /// Whether the node may be reached at all.
    pub fn opens(self) -> bool {
        !self.denies && (self.reads || self.writes)
    }

    /// Both, where two nodes stand at one place for a moment.
    pub fn with(self, other: Mask) -> Mask {
        Mask {
            denies: self.denies || other.denies,
            reads: self.reads || other.reads,
            writes: self.writes || other.writes,
        }
    }
}

/// What one role grants.
#[derive(Debug, Default)]
pub(super) struct Grants {
    pub masks: HashMap<Arc<str>, Mask>,
    /// Nodes that are roots of workspaces: workspace, node.
    pub roots: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// A mask while its rules are gathered.
#[derive(Default)]
struct Gathered {
    own: Mask,
    /// What policies grant, in whose presence the own flags do not count.
    policy: Option<Mask>,
}

impl Grants {
    /// What these rules grant.
    pub fn of<'a>(rules: impl Iterator<Item = &'a Acl>, policies: &HashMap<String, (bool, bool)>) -> Grants {
        let mut gathered: HashMap<Arc<str>, Gathered> = HashMap::new();
        let mut grants = Grants::default();
        for acl in rules.filter(|acl| !acl.node.is_empty()) {
            if !acl.workspace.is_empty() {
                grants.roots.insert((acl.workspace.clone(), acl.node.clone()));
            }
            if !matches!(&*acl.action, "read" | "write" | "deny" | "lock" | "policy") {
                continue;
            }
            let mask = gathered.entry(acl.node.clone()).or_default();
            match &*acl.action {
                "read" => mask.own.reads = true,
                "write" => mask.own.writes = true,
                "deny" => mask.own.denies = true,
                "policy" => {
                    let (reads, writes) = policies.get(&*acl.value).copied().unwrap_or_default();
                    let granted = mask.policy.unwrap_or_default().with(Mask { denies: false, reads, writes });
                    mask.policy = Some(granted);
                }
                // A lock opens nothing, and is a mask.
                _ => {}
            }
        }
        grants.masks = gathered.into_iter().map(|(node, gathered)| (node, gathered.mask())).collect();
        grants
    }
}

impl Gathered {
    fn mask(self) -> Mask {
        match self.policy {
            Some(policy) => Mask { denies: self.own.denies, ..policy },
            None => self.own,
        }
    }
}
