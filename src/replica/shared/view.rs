//! The table for those who read it: they wait until it has come as far as they need.

use crate::event::Mark;
use crate::replica::shared::Table;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The records that are shared out, as they were at the offset that was last published.
pub struct View {
    table: Mutex<Table>,
    moved: watch::Sender<()>,
}

impl View {
    pub(super) fn new(table: Table) -> View {
        View { table: Mutex::new(table), moved: watch::Sender::new(()) }
    }

    /// Reads once everything that these states of their sources contain is published.
    pub async fn read<T>(&self, marks: &[(Arc<str>, Mark)], read: impl FnOnce(&Table) -> T) -> T {
        let mut moved = self.moved.subscribe();
        loop {
            {
                let table = self.change();
                if table.is_at(marks) {
                    return read(&table);
                }
            }
            // The sender is part of `self`, so it is there.
            let _ = moved.changed().await;
        }
    }

    /// Reads what there is.
    pub fn now<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        read(&self.change())
    }

    pub(super) fn change(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait.
    pub(super) fn tell(&self) {
        self.moved.send_replace(());
    }
}
