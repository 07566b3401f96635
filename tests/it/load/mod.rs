//! Writers that change rows all the time, so that each change raises the row's `version` by one.

pub mod documents;
pub mod requests;
pub mod transactions;

use crate::model::{History, Model, Part};
use rand::RngExt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A random time.
pub fn random_millis(range: Range<u64>) -> Duration {
    Duration::from_millis(rand::rng().random_range(range))
}

/// Whether writers should end.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether it is time.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writers at work until they are told to stop.
pub struct Load {
    stop: Stop,
    writers: Vec<JoinHandle<History>>,
    /// The database may tell again what a list has already.
    repeats: bool,
}

impl Load {
    /// Starts one writer for each of these; it ends soon after it is asked to, and tells what it knows.
    fn start<T, F>(each: impl Iterator<Item = T>, write: impl Fn(T, Stop) -> F) -> Load
    where
        F: Future<Output = History> + Send + 'static,
    {
        let stop = Stop::default();
        let writers = each.map(|one| tokio::spawn(write(one, stop.clone()))).collect();
        Load { stop, writers, repeats: false }
    }

    /// The same, on a database that may tell again what a list has already.
    pub fn with_repeats(self, repeats: bool) -> Load {
        Load { repeats, ..self }
    }

    /// What a client holds who follows this part of the rows.
    pub fn models(&self) -> impl Fn(Part) -> Model + Copy + Send + 'static {
        let repeats = self.repeats;
        move |part| if repeats { Model::new(part).of_repeats() } else { Model::new(part) }
    }

    /// Returns, when the last write has ended, what the writers know themselves.
    pub async fn stop(self) -> History {
        self.stop.0.store(true, Ordering::Relaxed);
        let mut history = History::new();
        for writer in self.writers {
            history.extend(writer.await.expect("a writer does not panic"));
        }
        history
    }
}
