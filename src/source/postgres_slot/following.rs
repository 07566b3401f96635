//! From the stream to the feed: whole transactions in the order of their commits, a huge one in parts.
//!
//! Promise: the server is told that a transaction is no longer needed only once it is in the log; what the place
//! covers is dropped when the server sends it again.

use super::bell::{self, Rung};
use super::changes::{Changes, Commitment};
use super::place::{Commit, Part, Place, widen};
use super::{Settings, messages};
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Offset, Reason, ResourceEvent, Stamp, Timestamp};
use crate::postgres::replication;
use crate::source::{End, Feed};
use futures_util::FutureExt;
use pgwire_replication::{Lsn, PgWireError, ReplicationClient, ReplicationEvent};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// A batch ends after this many bytes of messages, if it was not full before.
const BATCH_BYTES: usize = 4 << 20;

/// So many batches may be on their way into the log.
const LOGGING: usize = 8;

/// How often an idle place is logged, so that the server lets go of what is older.
const PLACE_EVERY: Duration = Duration::from_secs(1);

/// The epoch of the server's clock, 2000-01-01, in microseconds of ours.
const SERVER_EPOCH: i64 = 946_684_800_000_000;

/// Why the stream was read no further.
pub(super) enum Outcome {
    End(End),
    /// This is not the history that was read before; why.
    Broken(String),
}

/// What the guard found out.
pub(super) struct Altered {
    /// The resources that may have missed changes, with what their tables are now.
    pub(super) versions: Vec<(String, String)>,
}

/// The stream of one connection.
pub(super) struct Following<'a> {
    pub(super) stream: ReplicationClient,
    pub(super) settings: &'a Settings,
    pub(super) feed: &'a Feed,
    pub(super) changes: Changes<'a>,
    pub(super) rung: Rung,
    pub(super) altered: mpsc::Receiver<Altered>,
    /// The end of the newest transaction that was read.
    pub(super) place: Place,
    /// What the server will send first, if it is the one that was read before.
    pub(super) expected: Option<Commit>,
    /// A transaction that was current not long ago.
    pub(super) near: u64,
    pub(super) open: Option<Open>,
    pub(super) batch: Gathered,
    pub(super) logging: VecDeque<Logging>,
    pub(super) placed: Instant,
}

/// A transaction of which the end was not read yet.
pub(super) struct Open {
    commit: Commit,
    by: Commitment,
    /// How many messages about rows and how many others there were.
    messages: u64,
    /// So many of them were told before.
    told_before: u64,
    mark: Option<Mark>,
}

/// What was read and is not handed over.
#[derive(Default)]
pub(super) struct Gathered {
    events: Vec<ResourceEvent>,
    bytes: usize,
    mark: Option<Mark>,
    /// The place has to be logged though nothing happened.
    place: bool,
}

/// A batch on its way into the log.
pub(super) struct Logging {
    told: oneshot::Receiver<Offset>,
    /// What is no longer needed once it is there.
    confirms: Option<u64>,
}

impl Following<'_> {
    /// Reads until the connection ends or the history turns out to be another one.
    pub(super) async fn follow(&mut self) -> Result<Outcome> {
        loop {
            tokio::select! {
                biased;
                logged = first(&mut self.logging) => self.confirm(logged)?,
                Some(altered) = self.altered.recv() => self.start_over(altered).await?,
                event = self.stream.recv(), if self.logging.len() < LOGGING => {
                    if let Some(outcome) = self.read(event).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
    }

    /// Takes a message and those that are there already, and hands over what they say.
    async fn read(&mut self, first: Received) -> Result<Option<Outcome>> {
        let mut next = Some(first);
        while let Some(received) = next {
            let event = match received {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(Some(Outcome::End(End::Disconnected))),
                Err(error) => return ended(error).map(Some),
            };
            if let Some(outcome) = self.take(event).await? {
                return Ok(Some(outcome));
            }
            if self.batch.events.len() >= self.settings.batch.max(1) || self.batch.bytes >= BATCH_BYTES {
                break;
            }
            next = self.stream.recv().now_or_never();
        }
        if !self.batch.events.is_empty() || self.batch.mark.is_some() || self.batch.place {
            self.hand_over().await?;
        }
        Ok(None)
    }

    async fn take(&mut self, event: ReplicationEvent) -> Result<Option<Outcome>> {
        match event {
            ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => {
                return Ok(self.begin(Commit { position: final_lsn.as_u64(), xid, time: commit_time_micros }));
            }
            ReplicationEvent::XLogData { data, .. } => self.change(&data).await?,
            ReplicationEvent::Message { transactional, lsn, prefix, content } => {
                self.message(transactional, lsn.as_u64(), &prefix, &content);
            }
            ReplicationEvent::Commit { .. } => self.commit(),
            ReplicationEvent::KeepAlive { wal_end, reply_requested: true, .. } => self.be_asked(wal_end.as_u64()),
            ReplicationEvent::KeepAlive { .. } | ReplicationEvent::StoppedAt { .. } => {}
        }
        Ok(None)
    }

    fn begin(&mut self, commit: Commit) -> Option<Outcome> {
        let mut told_before = 0;
        if let Some(expected) = self.expected.take() {
            if commit != expected {
                return Some(Outcome::Broken("the newest transaction that was read is not there any more".to_owned()));
            }
            told_before = u64::MAX;
        } else if commit.position < self.place.seen {
            told_before = u64::MAX;
        } else if let Some(part) = self.place.part {
            if part.commit != commit.position {
                return Some(Outcome::Broken("a transaction that was read in part is not there any more".to_owned()));
            }
            told_before = part.messages;
        }
        let by = Commitment {
            time: Timestamp((commit.time.saturating_add(SERVER_EPOCH)).div_euclid(1000)),
            stamp: Stamp::Transaction(widen(commit.xid, self.near)),
        };
        self.open = Some(Open { commit, by, messages: 0, told_before, mark: None });
        None
    }

    async fn change(&mut self, data: &[u8]) -> Result<()> {
        let open = self.open.as_mut().ok_or_else(|| unexpected("a change"))?;
        // A table is described when the connection first meets it, so its descriptions are not counted.
        if matches!(data.first(), Some(b'I' | b'U' | b'D' | b'T')) {
            open.messages += 1;
            if open.messages <= open.told_before {
                return Ok(());
            }
        }
        self.batch.bytes += data.len();
        self.changes.take(data, open.by, &mut self.batch.events).await
    }

    /// A message that somebody wrote into the WAL: ours, a resource's, or a stranger's.
    fn message(&mut self, transactional: bool, position: u64, prefix: &str, content: &[u8]) {
        let by = match self.open.as_mut().filter(|_| transactional) {
            Some(open) => {
                open.messages += 1;
                if open.messages <= open.told_before {
                    return;
                }
                if prefix == bell::PREFIX {
                    open.mark = self.rung.mark(content).or(open.mark.take());
                    return;
                }
                open.by
            }
            // It stands for itself, between transactions.
            None if position < self.place.seen => return,
            None => Commitment { time: Timestamp::now(), stamp: Stamp::None },
        };
        if let Some(event) = messages::event(&self.settings.messages, prefix, content, by, self.feed) {
            self.batch.bytes += content.len();
            self.batch.events.push(event);
            if self.open.is_none() {
                (self.place.seen, self.place.last) = (position + 1, None);
            }
        }
    }

    fn commit(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.told_before == u64::MAX {
            return;
        }
        (self.place.seen, self.place.last, self.place.part) = (open.commit.position, Some(open.commit), None);
        if let Some(mark) = open.mark {
            if let Mark::Snapshot { xmax, .. } = &mark {
                self.near = *xmax;
            }
            self.batch.mark = Some(mark);
            self.batch.place |= self.placed.elapsed() >= PLACE_EVERY;
        }
    }

    /// The server wants to know what it may forget. One that goes down waits until that is everything.
    fn be_asked(&mut self, position: u64) {
        if self.open.is_none() && self.expected.is_none() && position > self.place.seen {
            (self.place.seen, self.place.last, self.place.part) = (position, None, None);
            self.batch.place = true;
        }
    }

    /// Offers what was gathered, with the place after it.
    async fn hand_over(&mut self) -> Result<()> {
        let Gathered { events, mark, place, .. } = std::mem::take(&mut self.batch);
        let mut reached_place = self.place.clone();
        if let Some(open) = self.open.as_ref().filter(|open| open.messages > 0 && open.told_before != u64::MAX) {
            let messages = open.messages.max(open.told_before);
            reached_place.part = Some(Part { commit: open.commit.position, messages });
        }
        let is_due = place || !events.is_empty();
        let confirms = is_due.then_some(reached_place.seen);
        if is_due {
            self.placed = Instant::now();
        }
        let is_mark = mark.is_some();
        let told = self.feed.offer(events, is_due.then(|| reached_place.encode()), mark).await?;
        self.logging.push_back(Logging { told, confirms });
        if is_mark {
            self.rung.passed();
            self.feed.health().caught_up();
        }
        Ok(())
    }

    /// A batch is in the log, or never will be.
    fn confirm(&mut self, logged: Option<Option<u64>>) -> Result<()> {
        let confirms = logged.ok_or_else(|| Error::new(Kind::Storage, "the log did not take the batch"))?;
        if let Some(position) = confirms {
            self.stream.update_applied_lsn(Lsn::from_u64(position));
        }
        Ok(())
    }

    /// Tells the watchers of some resources to start over.
    async fn start_over(&mut self, altered: Altered) -> Result<()> {
        for (resource, version) in altered.versions {
            self.batch.events.push(ResourceEvent::reset(resource.as_str().into(), Reason::Epoch));
            self.place.versions.insert(resource, version);
        }
        self.hand_over().await
    }
}

type Received = std::result::Result<Option<ReplicationEvent>, PgWireError>;

/// Waits for the oldest batch to be logged: what that confirms, or `None` when it was not logged.
async fn first(logging: &mut VecDeque<Logging>) -> Option<Option<u64>> {
    let Some(oldest) = logging.front_mut() else { return std::future::pending().await };
    let told = (&mut oldest.told).await;
    let confirms = logging.pop_front().and_then(|oldest| oldest.confirms);
    told.ok().map(|_| confirms)
}

/// What the end of a stream means.
pub(super) fn ended(error: PgWireError) -> Result<Outcome> {
    match replication::code(&error) {
        // The WAL was removed, the slot was invalidated, or the publication is younger than what is to be read.
        Some("58P01" | "55000" | "42704") => Ok(Outcome::Broken(error.to_string())),
        Some(code) if !code.starts_with("57P") => Err(replication::failure("streaming changes", &error)),
        _ => {
            tracing::debug!(error = %error, "the stream ended");
            Ok(Outcome::End(End::Disconnected))
        }
    }
}

fn unexpected(what: &str) -> Error {
    Error::new(Kind::Malformed, format!("{what} of the stream is in no transaction"))
}
