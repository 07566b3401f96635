//! Follows exchanges of RabbitMQ: each resource has a durable queue, bound to its patterns.
//!
//! A message is acknowledged once it is in the log. What the broker delivers again is known by its message id, so a
//! message with an id is logged once; one without may be logged twice when the connection was lost between the log
//! and the acknowledgement. Streams are read by offset, each message once. Nothing is ever requeued, for that would
//! change the order.
//!
//! What cannot be read is counted, kept in a queue of its own and acknowledged: it never stops the feed. When a queue
//! or an exchange was taken away behind our back it is made anew, and watchers with a list are told to start over.

mod begin;
mod bindings;
mod body;
mod change;
mod dead;
pub mod doctor;
mod following;
mod outlet;
mod place;
mod progress;
mod queue;
mod replica;

pub use outlet::Publisher;
pub use progress::{Count, Progress};
pub use queue::Kept;

use crate::error::{Error, Kind, Result};
use crate::event::Offset;
use crate::filter::{Filter, Topic};
use crate::interest::{Interest, Interests};
use crate::log::Log;
use crate::rabbitmq::connect;
use crate::reading::Reading;
use crate::resource::Resource;
use crate::source::{End, Feed, Source};
use crate::store::Store;
use async_trait::async_trait;
use following::Following;
use place::Place;
use replica::Replica;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the source is told to do.
pub struct Settings {
    pub url: String,
    /// What the names of its queues begin with.
    pub prefix: String,
    /// So many messages of a queue may be under way.
    pub prefetch: u16,
    pub bindings: Vec<Binding>,
    /// Counts what is handed over; shared with the stores of the resources.
    pub count: Arc<Count>,
}

/// A resource that is made of messages.
pub struct Binding {
    pub resource: Resource,
    pub exchange: String,
    pub kept: Kept,
    pub reading: Reading,
    /// The patterns that are followed always; where there are none, those that somebody watches.
    pub patterns: Vec<Topic>,
    /// What is wanted and what is followed.
    pub interests: Arc<Interests>,
    /// How long a pattern is followed that nobody watches any more.
    pub linger: Duration,
    /// Where a row can be read to complete a change that has only a part of it.
    pub rows: Option<Arc<dyn Store>>,
}

impl Binding {
    /// Whether the configuration says what is followed, and not who watches.
    fn is_constant(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Whether a message is meant; a queue may be bound to more since an earlier configuration.
    fn means(&self, key: &str) -> bool {
        !self.is_constant() || self.patterns.iter().any(|pattern| pattern.matches(key))
    }

    fn queue(&self, prefix: &str) -> String {
        format!("{prefix}.{}", self.resource.name)
    }
}

/// The exchanges of one broker. A run is one connection.
pub struct RabbitMq {
    settings: Settings,
    log: Arc<dyn Log>,
    /// What the configuration wants, for as long as there is a source.
    _always: Vec<Interest>,
    /// What was told of rows, between two runs; `None` when it has to be read from the log.
    told: Mutex<Option<HashMap<Arc<str>, Replica>>>,
    /// Whether it was run before: then somebody may have watched without being told anything.
    was_run: AtomicBool,
}

impl RabbitMq {
    /// Follows a broker; connects when it is run. In the log it looks up what it told before.
    pub fn new(settings: Settings, log: Arc<dyn Log>) -> RabbitMq {
        let want = |binding: &Binding| -> Vec<Interest> {
            let patterns = binding.patterns.iter().cloned().map(Filter::Topic);
            patterns.map(|pattern| binding.interests.want(&pattern)).collect()
        };
        let always = settings.bindings.iter().flat_map(want).collect();
        RabbitMq { settings, log, _always: always, told: Mutex::default(), was_run: AtomicBool::new(false) }
    }

    /// The rows that were told of resources whose messages change rows.
    async fn replicas(&self) -> Result<HashMap<Arc<str>, Replica>> {
        if let Some(told) = self.told.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(told);
        }
        let changing = self.settings.bindings.iter().filter(|binding| !binding.reading.is_append_only());
        let names: Vec<Arc<str>> = changing.map(|binding| binding.resource.name.clone()).collect();
        let log = self.log.clone();
        let filling = tokio::task::spawn_blocking(move || replica::fill(&*log, &names));
        filling.await.map_err(|error| Error::because(Kind::Internal, "reading the log panicked", error))?
    }

    /// The durable queues are bound while nobody is connected, so what was followed is followed still.
    fn remember(&self, place: &Place) {
        for binding in &self.settings.bindings {
            let Some(queue) = place.queues.get(&binding.queue(&self.settings.prefix)) else { continue };
            let followed = queue.patterns.iter().filter_map(|(pattern, since)| Some((pattern, (*since)?)));
            for (pattern, since) in followed.collect::<Vec<(&String, Offset)>>() {
                if !binding.is_constant() || binding.interests.missing().contains(pattern) {
                    binding.interests.follow(pattern, since);
                }
            }
        }
    }
}

#[async_trait]
impl Source for RabbitMq {
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        let is_late = self.was_run.swap(true, Ordering::AcqRel);
        let place = match place.as_deref().map(Place::decode) {
            None => Place::default(),
            Some(Some(place)) => place,
            Some(None) => {
                tracing::warn!(source = %feed.source(), "the place in the log cannot be read");
                Place::default()
            }
        };
        if !is_late {
            self.remember(&place);
        }
        let connection = connect::connect(&self.settings.url).await?;
        let replicas = self.replicas().await?;
        let mut following = Following::new(connection, &self.settings, feed, place, replicas);
        let end = following.run(is_late).await;
        if let Some(told) = following.finish().await {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        }
        end
    }

    fn may_come_later(&self) -> bool {
        true
    }
}
