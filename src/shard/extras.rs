//! What some watches carry besides their place in a group: which versions their reader holds, for patches,
//! and when it was last told anything, for progress.

use crate::hub::form::{Told, row_number};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

/// Rows remembered for one watch with patches; past it they are forgotten, and told whole again.
const MAX_HELD_ROWS: usize = 200_000;

/// What some watches carry besides their place in a group.
#[derive(Default)]
pub struct Extras {
    /// For a watch with patches: row → fingerprint of the version it holds.
    held: Option<RefCell<HashMap<u64, u64>>>,
    /// For a watch with progress: when it was last told anything.
    told: Option<Cell<Instant>>,
}

impl Extras {
    /// Extras for these wishes; `None` when there are none.
    pub fn new(patch: bool, progress: bool) -> Option<Rc<Extras>> {
        (patch || progress).then(|| {
            Rc::new(Extras { held: patch.then(RefCell::default), told: progress.then(|| Cell::new(Instant::now())) })
        })
    }

    /// The reader now holds this version of a row.
    pub fn hold(&self, id: &str, fingerprint: u64) {
        self.hold_row(row_number(id), Some(fingerprint));
    }

    /// The reader holds nothing that is known.
    pub fn forget_rows(&self) {
        if let Some(held) = &self.held {
            held.borrow_mut().clear();
        }
    }

    /// Something was told just now.
    pub fn touch(&self, now: Instant) {
        if let Some(told) = &self.told {
            told.set(now);
        }
    }

    /// When something was last told, for a watch with progress.
    pub fn last_told(&self) -> Option<Instant> {
        self.told.as_ref().map(Cell::get)
    }

    fn hold_row(&self, row: u64, fingerprint: Option<u64>) {
        let Some(held) = &self.held else { return };
        let mut held = held.borrow_mut();
        match fingerprint {
            Some(fingerprint) => {
                if held.len() >= MAX_HELD_ROWS {
                    held.clear();
                }
                held.insert(row, fingerprint);
            }
            None => {
                held.remove(&row);
            }
        }
    }

    /// The frame for this reader: the patch if it holds the version that the patch begins at.
    pub fn choose<'a>(&self, told: &'a Told) -> &'a Bytes {
        let Some(versions) = &told.row else { return &told.frame };
        let patch =
            versions.patch.as_ref().filter(|_| versions.before.is_some_and(|before| self.holds(versions.row, before)));
        self.hold_row(versions.row, versions.after);
        patch.unwrap_or(&told.frame)
    }

    fn holds(&self, row: u64, fingerprint: u64) -> bool {
        self.held.as_ref().is_some_and(|held| held.borrow().get(&row) == Some(&fingerprint))
    }
}
