//! Pushes that wait for their way to the other nodes: in the order in which they were handed over, bounded, and told
//! of when they have gone.
//!
//! Promise: whoever hands over never waits for the way, and a way that stays lost costs bounded memory.

use super::{Push, Relay};
use crate::error::{Error, Kind, Result};
use crate::metrics::Metrics;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot, watch};

/// So many pushes may wait, then the oldest are dropped.
pub const MOST: usize = 10_000;

/// The same in bytes; one push always fits.
const MOST_BYTES: usize = 256 << 20;

/// What each costs beside its text.
const OVERHEAD: usize = 128;

/// How long a push that is sent at once may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The line, with one that serves it: takes a batch, and says what became of it before it takes the next.
pub struct Waiting {
    line: Mutex<Line>,
    bell: Notify,
    way: watch::Sender<Passage>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Line {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    /// Of the newest.
    number: u64,
    /// Some were taken, and what became of them is not known yet.
    is_under_way: bool,
    /// So many were dropped since the way was lost.
    dropped: u64,
}

/// The way to the other nodes, and what has taken it.
#[derive(Debug, Clone, Copy, Default)]
struct Passage {
    is_there: bool,
    /// None with this number or a lower one waits.
    gone: u64,
}

/// One that waits. Where somebody waits for it, dropping it tells them that it did not go.
pub struct Parcel {
    /// Ascends in the order of handing over, from 1.
    pub number: u64,
    pub push: Push,
    told: Option<oneshot::Sender<()>>,
}

impl Parcel {
    /// Whether somebody waits until it has gone; then it is not kept for later.
    pub fn is_awaited(&self) -> bool {
        self.told.is_some()
    }

    fn bytes(&self) -> usize {
        let ids = self.push.ids.iter().map(|id| id.len() + OVERHEAD).sum::<usize>();
        self.push.data.len() + ids + OVERHEAD
    }
}

/// What was taken, until it is said what became of it. Dropped, it is taken again, in its place.
pub struct Batch {
    line: Arc<Waiting>,
    parcels: Vec<Parcel>,
}

impl Batch {
    /// At least one.
    pub fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }

    /// It has gone.
    pub fn gone(mut self) {
        for told in self.parcels.drain(..).filter_map(|parcel| parcel.told) {
            let _ = told.send(());
        }
    }

    /// It can never go; why, in a word.
    pub fn discard(mut self, why: &'static str) {
        self.line.metrics.relay_dropped(why).inc_by(self.parcels.drain(..).len() as u64);
    }

    /// Whoever waits for one of these is told that it may not have gone, and it is not taken again.
    pub fn refuse_awaited(&mut self) {
        self.parcels.retain(|parcel| !parcel.is_awaited());
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.line.put_back(std::mem::take(&mut self.parcels));
    }
}

impl Waiting {
    /// An empty line; the way is lost until it is found.
    pub fn new(metrics: Arc<Metrics>) -> Waiting {
        let (line, bell, way) = (Mutex::default(), Notify::new(), watch::Sender::new(Passage::default()));
        Waiting { line, bell, way, metrics }
    }

    /// The next ones, at most so many and about so many bytes, at least one. Dropped half-way, nothing is taken.
    pub async fn take(self: &Arc<Self>, most: usize, bytes: usize) -> Batch {
        loop {
            if let Some(batch) = self.try_take(most, bytes) {
                return batch;
            }
            self.bell.notified().await;
        }
    }

    /// The same, without waiting; `None` when none waits.
    pub fn try_take(self: &Arc<Self>, most: usize, bytes: usize) -> Option<Batch> {
        let mut line = self.line();
        let (mut parcels, mut size) = (Vec::new(), 0);
        while parcels.len() < most.max(1) && (size < bytes || parcels.is_empty()) {
            let Some(parcel) = line.pop() else { break };
            // Whoever waited for it does not any more, and was told that it did not go.
            if parcel.told.as_ref().is_some_and(oneshot::Sender::is_closed) {
                continue;
            }
            size += parcel.bytes();
            parcels.push(parcel);
        }
        line.is_under_way = !parcels.is_empty();
        self.settle(&line);
        line.is_under_way.then(|| Batch { line: self.clone(), parcels })
    }

    fn put_back(&self, parcels: Vec<Parcel>) {
        let mut line = self.line();
        let is_something = !parcels.is_empty();
        for parcel in parcels.into_iter().rev() {
            line.bytes += parcel.bytes();
            line.parcels.push_front(parcel);
        }
        line.is_under_way = false;
        self.trim(&mut line);
        if is_something {
            self.bell.notify_one();
        }
    }

    /// The way is open.
    pub fn found(&self) {
        let mut line = self.line();
        if line.dropped > 0 {
            tracing::warn!(pushes = line.dropped, "the other nodes have missed pushes");
            line.dropped = 0;
        }
        self.way.send_modify(|way| way.is_there = true);
    }

    /// The way is lost. What somebody waits for does not go later.
    pub fn lost(&self) {
        let mut line = self.line();
        self.way.send_modify(|way| way.is_there = false);
        line.parcels.retain(|parcel| !parcel.is_awaited());
        line.bytes = line.parcels.iter().map(Parcel::bytes).sum();
        self.settle(&line);
    }

    fn put(&self, line: &mut Line, push: Push, told: Option<oneshot::Sender<()>>) {
        line.number += 1;
        let parcel = Parcel { number: line.number, push, told };
        line.bytes += parcel.bytes();
        line.parcels.push_back(parcel);
        self.trim(line);
        self.bell.notify_one();
    }

    /// Drops the oldest until the rest may wait.
    fn trim(&self, line: &mut Line) {
        while line.parcels.len() > MOST || (line.bytes > MOST_BYTES && line.parcels.len() > 1) {
            line.pop();
            if line.dropped == 0 {
                tracing::warn!("too many pushes wait for the other nodes; the oldest are dropped");
            }
            line.dropped += 1;
            self.metrics.relay_dropped("waiting").inc();
        }
        self.settle(line);
    }

    /// Tells whoever waits how far it has come.
    fn settle(&self, line: &Line) {
        if !line.is_under_way {
            let gone = line.parcels.front().map_or(line.number, |parcel| parcel.number - 1);
            self.way.send_if_modified(|way| std::mem::replace(&mut way.gone, gone) != gone);
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn pop(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.pop_front()?;
        self.bytes -= parcel.bytes();
        Some(parcel)
    }
}

#[async_trait]
impl Relay for Waiting {
    fn hand_over(&self, push: Push) {
        self.put(&mut self.line(), push, None);
    }

    async fn flushed(&self) -> Result<()> {
        let number = self.line().number;
        let mut way = self.way.subscribe();
        match way.wait_for(|way| way.gone >= number || !way.is_there).await {
            Ok(way) if way.gone >= number => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn send(&self, push: Push) -> Result<()> {
        let (told, gone) = oneshot::channel();
        {
            let mut line = self.line();
            if !self.way.borrow().is_there {
                return Err(lost());
            }
            self.put(&mut line, push, Some(told));
        }
        match tokio::time::timeout(PATIENCE, gone).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(lost()),
        }
    }
}

fn lost() -> Error {
    Error::new(Kind::Unreachable, "the way to the other nodes is lost")
}

#[cfg(test)]
mod tests;
