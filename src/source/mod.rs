//! Following one product's change feed. A source knows no socket; it hands batches of events to its feed.

pub mod embedded;
pub mod mongodb;
pub mod postgres_listen;
pub mod postgres_outbox;
pub mod postgres_slot;
pub mod rabbitmq;

use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Offset, ResourceEvent};
use crate::metrics::Metrics;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, mpsc, oneshot};

/// Changes in commit order, with how far the source has got once they are logged.
#[derive(Debug)]
pub struct Batch {
    pub source: Arc<str>,
    pub events: Vec<ResourceEvent>,
    /// Where to go on after a restart; stored in the same step as the events. `None`: as before.
    pub place: Option<Vec<u8>>,
    /// Everything contained in this mark has been handed over, up to and including this batch.
    pub reached: Option<Mark>,
    /// Told the log's last offset once the batch is in the log; only then may the source be acknowledged.
    pub logged: Option<oneshot::Sender<Offset>>,
}

/// Where a source puts its batches. Bounded: a source waits here while the log is busy.
#[derive(Clone)]
pub struct Feed {
    source: Arc<str>,
    batches: mpsc::Sender<Batch>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Feed {
    /// A feed of one source into the pump.
    pub fn new(source: Arc<str>, batches: mpsc::Sender<Batch>, health: Arc<Health>, metrics: Arc<Metrics>) -> Feed {
        Feed { source, batches, health, metrics }
    }

    /// Counts something that was received and is not told, by why.
    pub fn dropped(&self, why: &'static str) {
        self.metrics.dropped(&self.source, why).inc();
    }

    /// The source's name.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The state that others see of this source.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Hands a batch over and waits until it is in the log; returns the log's last offset.
    ///
    /// # Errors
    /// `Storage` when the log could not take it: the source must then start again from its bookmark.
    pub async fn push(
        &self,
        events: Vec<ResourceEvent>,
        place: Option<Vec<u8>>,
        reached: Option<Mark>,
    ) -> Result<Offset> {
        self.offer(events, place, reached)
            .await?
            .await
            .map_err(|_| Error::new(Kind::Storage, "the log did not take the batch"))
    }

    /// Hands a batch over without waiting for the log; the receiver tells when it is there.
    pub async fn offer(
        &self,
        events: Vec<ResourceEvent>,
        place: Option<Vec<u8>>,
        reached: Option<Mark>,
    ) -> Result<oneshot::Receiver<Offset>> {
        let (logged, told) = oneshot::channel();
        let batch = Batch { source: self.source.clone(), events, place, reached, logged: Some(logged) };
        self.batches.send(batch).await.map_err(|_| Error::new(Kind::Internal, "the pump has ended"))?;
        Ok(told)
    }
}

/// What others may know about a source: whether it is up, why not, how far it is behind; and a bell.
#[derive(Debug, Default)]
pub struct Health {
    state: Mutex<State>,
    bell: Notify,
    stopping: AtomicBool,
}

/// The state of a source.
#[derive(Debug, Clone, Default)]
pub enum State {
    /// Not connected yet.
    #[default]
    Starting,
    /// Connected; `read` is when it last knew that nothing was left to read.
    Live { read: Instant },
    /// Connected, with more to read than it has read.
    Behind { since: Instant },
    /// Not connected, with the reason in one line.
    Down { since: Instant, reason: String },
}

impl Health {
    /// The state now.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything there was has been handed over.
    pub fn caught_up(&self) {
        self.set(State::Live { read: Instant::now() });
    }

    /// There is more to read than was read; counts from the first such call.
    pub fn behind(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Behind { .. }) {
            *state = State::Behind { since: Instant::now() };
        }
    }

    /// The connection is lost, or was never made.
    pub fn down(&self, reason: String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &*state {
            State::Down { since, .. } => *since,
            _ => Instant::now(),
        };
        *state = State::Down { since, reason };
    }

    fn set(&self, new: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }

    /// Asks the source to look for changes at once (somebody waits behind a barrier).
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Completes when somebody rang since the last call.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Asks the source to end its run; it also rings.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Whether the source was asked to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Why a run of a source ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was asked to stop.
    Stopped,
    /// The other side ended the connection; connect again.
    Disconnected,
}

impl End {
    /// How a run ended whose connection may have been lost: that is no failure, once it was there.
    pub fn of(end: Result<End>, is_lost: bool, health: &Health) -> Result<End> {
        match end {
            Err(_) if is_lost => Ok(End::Disconnected),
            // The server's last word may come before the end of the connection.
            Err(error) if error.kind() == Kind::Unreachable && !matches!(health.state(), State::Starting) => {
                tracing::debug!(error = %error.chain(), "a connection is lost");
                Ok(End::Disconnected)
            }
            end => end,
        }
    }
}

/// Follows one change feed.
#[async_trait]
pub trait Source: Send + Sync {
    /// Connects and hands over every change after `place` (from now on without one) until the connection
    /// ends or it is asked to stop. Called again after it returns, with the newest place.
    ///
    /// # Errors
    /// `Unreachable` is tried again; `Refused` and `Configuration` end the program on the first connect and
    /// are tried again later.
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End>;

    /// Whether the program serves without it, and tries again, when it cannot be reached at the start.
    fn may_come_later(&self) -> bool {
        false
    }
}
