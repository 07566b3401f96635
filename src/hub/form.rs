//! How a watch is told of changes: the dialect, where its messages belong, and which extras it asked for.
//! Turns an entry into a finished WebSocket frame, once for everybody with the same form.

use crate::audience::Sight;
use crate::dialect::Dialect;
use crate::event::{Entry, Position, Timestamp};
use crate::frame;
use crate::message::{Address, Notice, Shape, Transition, Variant};
use crate::patch;
use bytes::Bytes;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How a watch is told of changes. Watches with equal forms get the same bytes.
#[derive(Clone)]
pub struct Form {
    pub dialect: Arc<dyn Dialect>,
    pub address: Address,
    /// Each change carries its position.
    pub positions: bool,
    /// Updates are told as patches to those who hold the version before.
    pub patch: bool,
}

impl PartialEq for Form {
    fn eq(&self, other: &Form) -> bool {
        self.dialect.name() == other.dialect.name()
            && self.address == other.address
            && self.positions == other.positions
            && self.patch == other.patch
    }
}

impl Eq for Form {}

impl Hash for Form {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.dialect.name(), &self.address, self.positions, self.patch).hash(state);
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dialect.name(), self.address)
    }
}

/// An entry made ready for the sockets of one form.
#[derive(Debug, Clone)]
pub struct Told {
    /// The frame that anybody understands.
    pub frame: Bytes,
    /// For a form with patches: which row this is about, and how it changes.
    pub row: Option<Versions>,
}

/// The versions of a row on both sides of a change, by fingerprint, and the patch frame if there can be one.
#[derive(Debug, Clone)]
pub struct Versions {
    pub row: u64,
    /// What a reader must hold for the patch to apply.
    pub before: Option<u64>,
    /// What a reader holds afterwards; `None` when it should forget the row.
    pub after: Option<u64>,
    pub patch: Option<Bytes>,
}

/// The number a row is remembered by in a watch with patches.
pub fn row_number(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

impl Form {
    /// Which of the dialect's texts of this entry is for these eyes.
    pub fn variant(&self, entry: &Entry, sight: &Sight, now: Timestamp) -> Variant {
        self.dialect.variant(entry, sight, now)
    }

    /// The frame, or frames, that tell of this entry; `None` when the dialect says nothing.
    pub fn tell(
        &self,
        entry: &Entry,
        transition: Transition,
        variant: Variant,
        position: impl FnOnce() -> Position,
    ) -> Option<Told> {
        let position = self.positions.then(position);
        let shape = Shape::Whole;
        let notice = Notice::Change { entry, transition, shape, variant, position: position.clone() };
        let text = self.dialect.encode(&self.address, &notice)?;
        let is_version = self.patch && transition != Transition::Appended;
        let row = is_version.then(|| self.versions(entry, transition, variant, position));
        Some(Told { frame: frame::text(text.as_bytes()), row })
    }

    fn versions(
        &self,
        entry: &Entry,
        transition: Transition,
        variant: Variant,
        position: Option<Position>,
    ) -> Versions {
        let event = &entry.event;
        let after = event.after.as_ref().filter(|_| transition != Transition::Left);
        let patch = match (transition, &event.before, after) {
            (Transition::Updated, Some(before), Some(after)) => {
                let forward = patch::diff(before.value(), after.value()).to_string();
                let revert = patch::diff(after.value(), before.value()).to_string();
                let shape = Shape::Patch { forward: &forward, revert: &revert };
                let notice = Notice::Change { entry, transition, shape, variant, position };
                self.dialect.encode(&self.address, &notice).map(|text| frame::text(text.as_bytes()))
            }
            _ => None,
        };
        Versions {
            row: row_number(&event.id),
            before: event.before.as_ref().map(|document| document.fingerprint()),
            after: after.map(|document| document.fingerprint()),
            patch,
        }
    }
}
