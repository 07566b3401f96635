//! Who watches what. Finds the watches that an entry concerns, prepares one frame for each form, and hands
//! each shard what its sockets get.
//!
//! Promise: joining returns, under the lock that adds the watcher, the offset where live begins. The log has
//! everything up to it, the shard is handed everything after it.

pub mod form;
pub mod verdict;
mod watched;

use crate::audience::{Audience, Sight};
use crate::event::{Entry, Mark, Offset, Operation, Position, Reason, Stamp, Timestamp};
use crate::filter::Filter;
use crate::hub::form::{Form, Told};
use crate::hub::verdict::verdict;
use crate::hub::watched::Watched;
use crate::metrics::Metrics;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// How many of the newest stamps are remembered, for changes that are logged before they are visible.
const RECENT: usize = 4096;

/// Entries matched under one lock; joins get their turn in between.
const ROUND: usize = 256;

/// Publications that may wait for a shard. Full means the pump waits: a shard never waits for a client.
const WAITING: usize = 64;

/// Names a group for ever; never used twice.
pub type GroupId = u64;

/// Which shard.
pub type ShardId = usize;

/// What a group of watches has in common.
#[derive(Debug, Clone)]
pub struct Wish {
    pub resource: Arc<str>,
    pub filter: Arc<Filter>,
    pub sight: Sight,
    pub form: Form,
}

/// What a shard is handed: everything that concerns its groups, up to and including an offset.
#[derive(Debug)]
pub struct Publication {
    pub upto: Offset,
    pub deliveries: Vec<Delivery>,
}

/// One entry for one group.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub group: GroupId,
    pub offset: Offset,
    pub news: News,
}

/// What a group is told.
#[derive(Debug, Clone)]
pub enum News {
    Change(Told),
    /// The history of the resource is broken here; start over.
    Reset(Reason),
}

/// The hub; shared by the pump and all shards.
pub struct Hub {
    epoch: Arc<str>,
    shards: Vec<mpsc::Sender<Publication>>,
    published: AtomicU64,
    inner: Mutex<Inner>,
    metrics: Arc<Metrics>,
}

struct Inner {
    resources: HashMap<Arc<str>, Watched>,
    groups: HashMap<GroupId, Group>,
    next_group: GroupId,
    /// For each source, the newest state that is in the log as a whole, and by which offset.
    frontiers: HashMap<Arc<str>, (Mark, Offset)>,
    recent: VecDeque<(Offset, Arc<str>, Stamp)>,
}

struct Group {
    resource: Arc<str>,
    condition: usize,
    form: Form,
    /// Members per shard.
    members: Vec<u32>,
}

impl Hub {
    /// A hub over a log with this epoch whose newest entry is `published`, and what each shard receives.
    pub fn new(
        epoch: Arc<str>,
        published: Offset,
        shards: usize,
        metrics: Arc<Metrics>,
    ) -> (Hub, Vec<mpsc::Receiver<Publication>>) {
        let (senders, receivers) = (0..shards).map(|_| mpsc::channel(WAITING)).unzip();
        let inner = Inner {
            resources: HashMap::new(),
            groups: HashMap::new(),
            next_group: 1,
            frontiers: HashMap::new(),
            recent: VecDeque::new(),
        };
        let hub =
            Hub { epoch, shards: senders, published: AtomicU64::new(published), inner: Mutex::new(inner), metrics };
        (hub, receivers)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a watcher. Entries after the returned offset will be handed to the shard for the returned group;
    /// entries up to it are in the log.
    pub fn join(&self, shard: ShardId, wish: &Wish) -> (GroupId, Offset) {
        let mut inner = self.lock();
        let group = inner.join(shard, wish, self.shards.len());
        self.metrics.watches.inc();
        self.metrics.groups.set(inner.groups.len() as i64);
        (group, self.published.load(Ordering::Acquire))
    }

    /// Takes a watcher out. What was already handed to the shard may still name the group.
    pub fn leave(&self, shard: ShardId, group: GroupId) {
        let mut inner = self.lock();
        inner.leave(shard, group);
        self.metrics.watches.dec();
        self.metrics.groups.set(inner.groups.len() as i64);
    }

    /// The offset up to which everything has been handed to the shards' queues, or is about to be.
    pub fn published(&self) -> Offset {
        self.published.load(Ordering::Acquire)
    }

    /// A position in this hub's log.
    pub fn position(&self, offset: Offset) -> Position {
        Position::new(self.epoch.clone(), offset)
    }

    /// Where this hub's log is now: whatever is published later is after it.
    pub fn now(&self) -> Position {
        self.position(self.published())
    }

    /// The name of the log.
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// The offset by which everything that `mark` contains is in the log, once that is known.
    pub fn reached(&self, source: &str, mark: &Mark) -> Option<Offset> {
        let inner = self.lock();
        inner.frontiers.get(source).filter(|(frontier, _)| frontier.covers(mark)).map(|(_, offset)| *offset)
    }

    /// The lowest offset, at or below `upto`, of a recent entry of the resource that `mark` does not contain:
    /// it was logged before it became visible to whoever took the mark.
    pub fn earliest_outside(&self, resource: &str, mark: &Mark, upto: Offset) -> Option<Offset> {
        let inner = self.lock();
        let mut outside = inner.recent.iter().filter(|(offset, of, stamp)| {
            *offset <= upto && **of == *resource && *stamp != Stamp::None && !mark.contains(*stamp)
        });
        outside.next().map(|(offset, _, _)| *offset)
    }

    /// Hands logged entries to everybody they concern. Called by the pump alone, in log order; blocks while a
    /// shard's queue is full. `reached`: these entries complete this state of that source.
    pub fn publish(&self, entries: &[Arc<Entry>], reached: Option<(&Arc<str>, &Mark)>) {
        for round in entries.chunks(ROUND) {
            self.publish_round(round);
        }
        if let Some((source, mark)) = reached {
            let offset = self.published();
            self.lock().frontiers.insert(source.clone(), (mark.clone(), offset));
            if entries.is_empty() {
                self.hand_out(offset, vec![Vec::new(); self.shards.len()]);
            }
        }
    }

    fn publish_round(&self, entries: &[Arc<Entry>]) {
        let Some(upto) = entries.last().map(|entry| entry.offset) else { return };
        let mut deliveries = vec![Vec::new(); self.shards.len()];
        {
            let mut inner = self.lock();
            let mut candidates = Vec::new();
            let now = Timestamp::now();
            for entry in entries {
                inner.deliver(entry, now, &self.epoch, &mut candidates, &mut deliveries, &self.metrics);
                inner.remember(entry);
            }
            self.published.store(upto, Ordering::Release);
        }
        // Outside the lock: a shard that joins must be able to, while its queue is full.
        self.hand_out(upto, deliveries);
    }

    fn hand_out(&self, upto: Offset, deliveries: Vec<Vec<Delivery>>) {
        for (shard, deliveries) in self.shards.iter().zip(deliveries) {
            // A shard that is gone has no clients left; nobody misses anything.
            let _ = shard.blocking_send(Publication { upto, deliveries });
        }
    }

    /// How many filters no index helps with.
    pub fn catch_all(&self) -> usize {
        self.lock().resources.values().map(|watched| watched.catch_all()).sum()
    }
}

impl Inner {
    fn join(&mut self, shard: ShardId, wish: &Wish, shards: usize) -> GroupId {
        let watched = self.resources.entry(wish.resource.clone()).or_default();
        let condition = watched.condition(wish);
        let next = &mut self.next_group;
        let id = *watched.conditions[condition].groups.entry(wish.form.clone()).or_insert_with(|| {
            let id = *next;
            *next += 1;
            id
        });
        let group = self.groups.entry(id).or_insert_with(|| Group {
            resource: wish.resource.clone(),
            condition,
            form: wish.form.clone(),
            members: vec![0; shards],
        });
        group.members[shard] += 1;
        id
    }

    fn leave(&mut self, shard: ShardId, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members[shard] = group.members[shard].saturating_sub(1);
        if group.members.iter().any(|members| *members > 0) {
            return;
        }
        let Some(group) = self.groups.remove(&id) else { return };
        let Some(watched) = self.resources.get_mut(&group.resource) else { return };
        let condition = &mut watched.conditions[group.condition];
        condition.groups.remove(&group.form);
        if condition.groups.is_empty() {
            watched.remove(group.condition);
            if watched.conditions.is_empty() {
                self.resources.remove(&group.resource);
            }
        }
    }

    fn remember(&mut self, entry: &Entry) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((entry.offset, entry.event.resource.clone(), entry.event.stamp));
    }

    fn deliver(
        &self,
        entry: &Arc<Entry>,
        now: Timestamp,
        epoch: &Arc<str>,
        candidates: &mut Vec<usize>,
        deliveries: &mut [Vec<Delivery>],
        metrics: &Metrics,
    ) {
        let Some(watched) = self.resources.get(&entry.event.resource) else { return };
        if let Operation::Reset(reason) = entry.event.operation {
            let all: HashSet<GroupId> =
                watched.conditions.iter().flat_map(|(_, condition)| condition.groups.values().copied()).collect();
            for id in all {
                self.hand(id, entry.offset, News::Reset(reason), deliveries);
            }
            return;
        }
        let mut encoded = HashMap::new();
        candidates.clear();
        watched.candidates(entry, candidates);
        metrics.candidates.inc_by(candidates.len() as u64);
        for condition in candidates.iter() {
            let Some(condition) = watched.conditions.get(*condition) else { continue };
            let filter = std::iter::once(&*condition.filter);
            let Some(transition) = verdict(filter, &condition.sight, entry, now) else { continue };
            metrics.matches.inc();
            for (form, id) in &condition.groups {
                let position = || Position::new(epoch.clone(), entry.offset);
                let variant = form.variant(entry, &condition.sight, now);
                let tell = || form.tell(entry, transition, variant, position);
                let told = match entry.audience {
                    Audience::Everyone => tell(),
                    // Many viewers with eyes of their own are told the same.
                    Audience::Limited { .. } => encoded.entry((form, transition, variant)).or_insert_with(tell).clone(),
                };
                if let Some(told) = told {
                    self.hand(*id, entry.offset, News::Change(told), deliveries);
                }
            }
        }
    }

    fn hand(&self, id: GroupId, offset: Offset, news: News, deliveries: &mut [Vec<Delivery>]) {
        let Some(group) = self.groups.get(&id) else { return };
        for (shard, deliveries) in deliveries.iter_mut().enumerate() {
            if group.members[shard] > 0 {
                deliveries.push(Delivery { group: id, offset, news: news.clone() });
            }
        }
    }
}

#[cfg(test)]
mod tests;
