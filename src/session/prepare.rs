//! What comes before live: the list of a watch, or the verdict on its resume.
//!
//! Promise: the list is the state at one snapshot, and every change that the snapshot does not contain
//! follows once, and none that it contains. A resume is complete, or names why not and brings a fresh list.

use crate::catalog::Served;
use crate::error::{Kind, Result};
use crate::event::{Entry, Mark, Offset, Operation, Reason, Stamp};
use crate::hub::verdict::is_unjudgeable;
use crate::log::Stretch;
use crate::message::{Asked, Code, Goodbye, Notice, Refusal, Since};
use crate::query::Row;
use crate::session::read::shown;
use crate::session::subscription::{Held, Number, Place, Retell, Stage, Subscription, reached};
use crate::session::{Session, refusal_of};
use crate::shard::WatchId;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// How a watch begins.
pub enum Begin {
    /// With a list; `broken` says first why it is not what was missed.
    List { position: bool, broken: Option<Reason> },
    /// From an earlier position.
    Resume(Since),
}

/// Entries read from the log in one go, about.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// How long a list waits for the log to have everything that it contains, so that its position needs no mark.
const SETTLE: Duration = Duration::from_millis(150);

/// Between two tries of a list that the store would not give.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// A list, and where it stands beside the log.
struct Listed {
    rows: Vec<Row>,
    mark: Mark,
    /// Every entry up to here is contained in the list.
    from: Offset,
    /// Whether entries after `from` may be contained too.
    is_settled: bool,
}

impl Session {
    /// Prepares a watch beside everything else.
    pub(super) fn prepare(self: &Rc<Self>, id: WatchId, number: Number, begin: Begin) {
        let session = Rc::clone(self);
        tokio::task::spawn_local(async move {
            match begin {
                Begin::List { position, broken } => session.list(id, number, position, broken).await,
                Begin::Resume(since) => session.resume(id, number, since).await,
            }
        });
    }

    /// Runs `act` on a watch that still exists and is still being prepared.
    fn with_preparing<T>(
        &self,
        id: WatchId,
        number: Number,
        act: impl FnOnce(&mut Subscription, usize) -> T,
    ) -> Option<T> {
        let mut state = self.state.borrow_mut();
        let one = state.subscriptions.iter_mut().find(|one| one.id == id)?;
        let index =
            one.watches.iter().position(|held| held.number == number && matches!(held.stage, Stage::Preparing))?;
        Some(act(one, index))
    }

    async fn list(self: &Rc<Self>, id: WatchId, number: Number, position: bool, broken: Option<Reason>) {
        let Some((listed, _turn)) = self.fetch(id, number).await else { return };
        if !self.shard.room(self.socket.get()).await {
            return;
        }
        let Listed { rows, mark, from, is_settled } = listed;
        let told = self.with_preparing(id, number, |one, index| {
            let held = &one.watches[index];
            let mut place = self.shard.hub.position(from);
            place.beside = (!is_settled).then(|| mark.clone());
            let rows = shown(rows, &held.page);
            let address = one.address_of(held);
            if let Some(reason) = broken {
                self.tell(&address, &Notice::Resumed { position: place.clone(), broken: Some(reason) });
            }
            self.tell(&address, &Notice::List { rows: &rows, position: position.then_some(place) });
            if let Some(extras) = &one.extras {
                rows.iter().for_each(|row| extras.hold(&row.id, row.document.fingerprint()));
                extras.touch(std::time::Instant::now());
            }
            one.begin(self, index, from, (!is_settled).then_some(mark));
        });
        if told.is_some() {
            self.catch_up();
        }
    }

    /// The rows and where they stand; asks again until the store answers. `None`: the watch is gone.
    async fn fetch(&self, id: WatchId, number: Number) -> Option<(Listed, SemaphorePermit<'_>)> {
        let mut delay = FIRST_RETRY;
        let mut is_first = true;
        loop {
            let (served, bound, query, address) = self.with_preparing(id, number, |one, index| {
                let held = &one.watches[index];
                let address = one.address_of(held);
                (
                    one.served.clone(),
                    one.bound.clone(),
                    self.query_of(&one.served, held.asked.clone(), &listed_page(held, &one.served)),
                    address,
                )
            })?;
            let turn = self.lists.acquire().await.ok()?;
            let before = self.shard.hub.published();
            let listed = served.query(&bound, &query).await;
            // Rights may have changed meanwhile.
            if !self.with_preparing(id, number, |one, _| one.bound == bound)? {
                continue;
            }
            let error = match listed {
                Ok(snapshot) => match self.settle(&served, before, snapshot.mark).await {
                    Ok((mark, from, is_settled)) => {
                        return Some((Listed { rows: snapshot.rows, mark, from, is_settled }, turn));
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if is_first {
                tracing::warn!(resource = %served.resource.name, error = %error.chain(), "the list of a watch failed");
                if address.reference.is_some() {
                    let (code, summary) = refusal_of(&error);
                    self.refuse(&address, &Refusal { code, summary, asked: Asked::Watch });
                }
            }
            if error.kind() == Kind::TooMany {
                self.give_up(id, number);
                return None;
            }
            is_first = false;
            drop(turn);
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LAST_RETRY);
            if !self.is_open() {
                return None;
            }
        }
    }

    /// Where a snapshot stands beside the log: the offset up to which every entry of the resource is contained
    /// in it, and whether none after that is. `before` was published before the snapshot was taken.
    async fn settle(&self, served: &Arc<Served>, before: Offset, mark: Mark) -> Result<(Mark, Offset, bool)> {
        if served.is_read_from_log()
            && let Mark::Offset(offset) = mark
        {
            return Ok((mark, offset, true));
        }
        let hub = &self.shard.hub;
        if reached(hub, served, &mark).is_none() {
            served.health.ring();
            let settled = async {
                while reached(hub, served, &mark).is_none() {
                    self.shard.advance(SETTLE).await;
                }
            };
            let _ = tokio::time::timeout(SETTLE, settled).await;
        }
        let mut from = before;
        if let Some(earlier) = hub.earliest_outside(&served.resource.name, &mark, before) {
            from = earlier - 1;
        }
        let last = hub.published();
        let is_outside = |entry: &Entry| {
            *entry.event.resource == *served.resource.name
                && (entry.event.stamp == Stamp::None || !mark.contains(entry.event.stamp))
        };
        'reading: while from < last {
            match self.read_log(from, last).await? {
                Stretch::Gone(_) => break,
                Stretch::Entries(entries) if entries.is_empty() => break,
                Stretch::Entries(entries) => {
                    for entry in entries {
                        if is_outside(&entry) {
                            break 'reading;
                        }
                        from = entry.offset;
                    }
                }
            }
        }
        let is_settled = reached(hub, served, &mark).is_some_and(|offset| offset <= from);
        Ok((mark, from, is_settled))
    }

    async fn resume(self: &Rc<Self>, id: WatchId, number: Number, since: Since) {
        let of_watch = |one: &mut Subscription, index: usize| {
            let held = &one.watches[index];
            (one.served.clone(), held.asked.clone(), held.filter.clone())
        };
        let Some((served, asked, filter)) = self.with_preparing(id, number, of_watch) else { return };
        let (position, is_asked) = match since {
            Since::Asked(position) => (position, true),
            Since::Entry(position) => (Some(position), false),
        };
        let checked = match &position {
            Some(position) if *position.epoch == **self.shard.hub.epoch() => match &served.interests {
                Some(interests) if interests.since(&asked).is_none_or(|since| position.offset < since) => {
                    Ok(Some(Reason::Retention))
                }
                _ => self.check_gap(&served, position.offset, |entry| is_unjudgeable(&filter, entry)).await,
            },
            _ => Ok(Some(Reason::Epoch)),
        };
        let broken = match checked {
            Ok(broken) => broken,
            Err(error) => {
                tracing::error!(error = %error.chain(), "the log cannot be read");
                Some(Reason::Retention)
            }
        };
        let (Some(position), None) = (position, broken) else {
            if !is_asked {
                return self.close(Goodbye::Slow);
            }
            self.count_resume(broken);
            if !served.resource.has_rows {
                return self.cannot_list(id, number);
            }
            return self.list(id, number, true, broken.or(Some(Reason::Epoch))).await;
        };
        if !self.shard.room(self.socket.get()).await {
            return;
        }
        let told = self.with_preparing(id, number, |one, index| {
            if is_asked {
                let address = one.address_of(&one.watches[index]);
                self.tell(&address, &Notice::Resumed { position: position.clone(), broken: None });
            }
            one.begin(self, index, position.offset, position.beside);
        });
        if told.is_some() {
            if is_asked {
                self.count_resume(None);
            }
            self.catch_up();
        }
    }

    /// A resume that cannot be complete, of a resource without rows for a fresh list.
    fn cannot_list(&self, id: WatchId, number: Number) {
        self.with_preparing(id, number, |one, index| {
            let address = one.address_of(&one.watches[index]);
            let summary = "what was missed is not known, and there are no rows to list".to_owned();
            self.refuse(&address, &Refusal { code: Code::Unsupported, summary, asked: Asked::Watch });
        });
        self.give_up(id, number);
    }

    fn count_resume(&self, broken: Option<Reason>) {
        let metrics = &self.shard.metrics;
        let counter = if broken.is_none() { &metrics.resumed } else { &metrics.started_over };
        counter.inc();
    }

    /// Why the entries after an offset cannot simply be told; `None` when they can.
    async fn check_gap(
        &self,
        served: &Served,
        after: Offset,
        is_broken_by: impl Fn(&Entry) -> bool,
    ) -> Result<Option<Reason>> {
        let log = &self.shard.log;
        let last = log.last();
        if after > last {
            return Ok(Some(Reason::Epoch));
        }
        if after < log.floor() {
            return Ok(Some(Reason::Retention));
        }
        let mut read = after;
        while read < last {
            let entries = match self.read_log(read, last).await? {
                Stretch::Gone(_) => return Ok(Some(Reason::Retention)),
                Stretch::Entries(entries) => entries,
            };
            let Some(newest) = entries.last() else { break };
            read = newest.offset;
            for entry in entries.iter().filter(|entry| *entry.event.resource == *served.resource.name) {
                match entry.event.operation {
                    Operation::Reset(reason) => return Ok(Some(reason)),
                    _ if is_broken_by(entry) => return Ok(Some(Reason::Filter)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Reads the log beside the shard, whose thread must not wait for a disk.
    pub(super) async fn read_log(&self, after: Offset, upto: Offset) -> Result<Stretch> {
        let log = self.shard.log.clone();
        let reading = self.shard.runtime.spawn_blocking(move || log.between(after, upto, READ_BYTES));
        reading
            .await
            .map_err(|error| crate::error::Error::because(Kind::Internal, "reading the log panicked", error))?
    }

    /// Ends a watch whose list cannot be given.
    fn give_up(&self, id: WatchId, number: Number) {
        let mut state = self.state.borrow_mut();
        let Some(index) = state.subscriptions.iter().position(|one| one.id == id) else { return };
        let one = &mut state.subscriptions[index];
        one.watches.retain(|held| held.number != number);
        if one.watches.is_empty() {
            self.shard.leave(self.socket.get(), id);
            state.subscriptions.remove(index);
        }
    }
}

/// Which part of the rows a watch's list has: everything that matches, but of a log only the last lines.
fn listed_page(held: &Held, served: &Served) -> crate::message::Page {
    let mut page = held.page.clone();
    if !served.resource.append_only {
        page.limit = None;
        page.skip = 0;
    }
    page
}

impl Subscription {
    /// A watch's list or verdict was told: from here it follows, first from the log.
    fn begin(&mut self, session: &Session, index: usize, from: Offset, contained: Option<Mark>) {
        let shard = &session.shard;
        let held = &mut self.watches[index];
        held.stage = Stage::Following { from, contained };
        let number = held.number;
        let cursor = match self.place {
            Place::Nowhere => {
                self.place = Place::Behind(from);
                return;
            }
            Place::Live => {
                shard.hold(session.socket.get(), self.id);
                shard.processed().max(self.live_from)
            }
            Place::Behind(cursor) => cursor,
        };
        if from < cursor {
            self.retells.push(Retell { number, after: from, upto: cursor });
        }
        self.place = Place::Behind(cursor);
        self.joined = self.joined.stale();
    }
}
