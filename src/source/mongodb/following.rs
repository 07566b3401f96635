//! A run: replies become events, in order, with the place to go on from; and what breaks the history is said.

use super::Settings;
use super::change::{Change, What};
use super::deployment::Deployment;
use super::fragment::Fragments;
use super::place::Place;
use super::rows::Rows;
use super::stream::{Ended, Read, Reply, Start, Stream};
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Offset, Operation, Reason, ResourceEvent};
use crate::mongodb::collection::Binding;
use crate::source::{End, Feed};
use mongodb::Database;
use mongodb::bson::{RawDocument, RawDocumentBuf};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A batch ends after this many bytes of changes, if the reply was not smaller.
const BATCH_BYTES: usize = 4 << 20;

/// How often the place on a quiet database is written.
const PLACE_EVERY: Duration = Duration::from_secs(10);

/// Changes older than this, by the server's clock, are a backlog.
const BEHIND_SECONDS: u64 = 1;

/// One client's view of the change stream.
pub(super) struct Following<'a> {
    database: &'a Database,
    settings: &'a Settings,
    feed: &'a Feed,
    deployment: Deployment,
    /// The resources of each collection that is known; none for one that nobody serves.
    collections: HashMap<String, Vec<Binding>>,
    stream: Stream,
    fragments: Fragments,
    place: Option<Place>,
    placed: Instant,
    /// The operation time of the reply before this one, in this stream.
    asked_after: Option<u64>,
    /// What the feed has been told.
    reached: u64,
    /// The batch that the log has not confirmed yet; the next one waits for it, so that none is ever skipped.
    pending: Option<oneshot::Receiver<Offset>>,
}

impl<'a> Following<'a> {
    /// Opens the stream where the place says, or says to all watchers that it cannot be gone on from there.
    pub(super) async fn begin(
        database: &'a Database,
        settings: &'a Settings,
        place: Option<Vec<u8>>,
        feed: &'a Feed,
    ) -> Result<Following<'a>> {
        let deployment = Deployment::of(database).await?;
        let mut collections: HashMap<String, Vec<Binding>> = HashMap::new();
        for binding in &settings.bindings {
            collections.entry(binding.collection.clone()).or_default().push(binding.clone());
        }
        let (place, mut broken) = match place.map(|place| deployment.recognize(&place)) {
            None => (None, None),
            Some(Ok(place)) => (Some(place), None),
            Some(Err(why)) => (None, Some(why.to_owned())),
        };
        let only = only(settings);
        let stream = match &place {
            Some(place) => match Stream::open(database, Start::After(place), only.as_deref()).await {
                Err(Ended::HistoryLost(why)) => {
                    broken = Some(why);
                    Stream::open(database, Start::Now, only.as_deref()).await
                }
                opened => opened,
            },
            None => Stream::open(database, Start::Now, only.as_deref()).await,
        };
        let mut following = Following {
            database,
            settings,
            feed,
            deployment,
            collections,
            stream: stream.map_err(error_of)?,
            fragments: Fragments::default(),
            place: place.filter(|_| broken.is_none()).map(|place| Place { invalidated: false, ..place }),
            placed: Instant::now(),
            asked_after: None,
            reached: 0,
            pending: None,
        };
        if let Some(why) = broken {
            following.start_over(&why).await?;
        }
        Ok(following)
    }

    /// Hands over what comes until the stream ends or it is asked to stop.
    pub(super) async fn run(mut self) -> Result<End> {
        loop {
            if self.feed.health().is_stopping() {
                self.confirmed().await?;
                return Ok(End::Stopped);
            }
            let taken = tokio::select! {
                reply = self.stream.next() => match reply {
                    Ok(reply) => self.take(&reply).await,
                    Err(ended) => Err(ended),
                },
                // A barrier needs nothing more than the next replies; stopping does.
                () = self.feed.health().rung() => continue,
            };
            match taken {
                Ok(()) => {}
                Err(Ended::Cut) => return Ok(End::Disconnected),
                Err(Ended::HistoryLost(why)) => {
                    self.open(Start::Now).await.map_err(error_of)?;
                    self.start_over(&why).await?;
                }
                Err(Ended::Failed(error)) if error.kind() == Kind::Unreachable => return Ok(End::Disconnected),
                Err(Ended::Failed(error)) => return Err(error),
            }
        }
    }

    /// Hands over one reply.
    async fn take(&mut self, reply: &Reply) -> Read<()> {
        let pieces = reply.events()?;
        let is_empty = pieces.is_empty();
        let (mut events, mut bytes) = (Vec::new(), 0);
        for piece in pieces {
            bytes += piece.as_bytes().len();
            events.extend(self.fragments.take(piece));
            if bytes >= BATCH_BYTES {
                self.hand_over(std::mem::take(&mut events)).await?;
                bytes = 0;
            }
        }
        self.hand_over(events).await?;
        if let Some(place) = self.place.clone().filter(|place| place.invalidated) {
            return self.open(Start::After(&place)).await;
        }
        let now = reply.time();
        if is_empty {
            self.rest(reply).await?;
        } else if self.is_behind(now) {
            self.feed.health().behind();
        } else {
            self.feed.health().caught_up();
        }
        self.asked_after = now.or(self.asked_after);
        Ok(())
    }

    /// Whether the newest event that was handed over is old, by the server's clock.
    fn is_behind(&self, now: Option<u64>) -> bool {
        let seconds = |time: u64| time >> 32;
        let newest = self.place.as_ref().map(|place| place.time);
        newest.zip(now).is_some_and(|(newest, now)| seconds(now).saturating_sub(seconds(newest)) > BEHIND_SECONDS)
    }

    /// After an empty reply: says how far everything is, and keeps the place fresh.
    async fn rest(&mut self, reply: &Reply) -> Read<()> {
        let passed = match reply.looked_at() {
            Some(time) if self.deployment.is_sharded => time.checked_sub(1),
            Some(time) => Some(time),
            None => self.asked_after,
        };
        let reached = passed.filter(|time| *time > self.reached);
        let place = self.idle_place(reply);
        if place.is_some() || reached.is_some() {
            self.put(Vec::new(), place, reached).await.map_err(Ended::Failed)?;
        }
        self.confirmed().await.map_err(Ended::Failed)?;
        self.feed.health().caught_up();
        Ok(())
    }

    /// The place of an empty reply, when there is none yet or it was not written for a while.
    fn idle_place(&mut self, reply: &Reply) -> Option<Place> {
        let token = reply.token()?;
        let is_due = self.place.is_none() || self.placed.elapsed() >= PLACE_EVERY;
        if !is_due || self.place.as_ref().is_some_and(|place| &*place.token == token) {
            return None;
        }
        let time = self.place.as_ref().map_or(0, |place| place.time).max(reply.looked_at().unwrap_or_default());
        Some(self.placed_at(token.to_owned(), time, false))
    }

    fn placed_at(&self, token: RawDocumentBuf, time: u64, invalidated: bool) -> Place {
        Place { identity: self.deployment.identity.clone(), token, invalidated, time }
    }

    /// Hands over whole events.
    async fn hand_over(&mut self, whole: Vec<Cow<'_, RawDocument>>) -> Read<()> {
        let read: Result<Vec<Change<'_>>> = whole.iter().map(|event| Change::read(event)).collect();
        let changes = read.map_err(Ended::Failed)?;
        let rows = Rows::of(self.database, &changes).await.map_err(Ended::Failed)?;
        let mut events = Vec::new();
        for change in &changes {
            self.tell(change, &rows, &mut events);
        }
        let Some(last) = changes.last() else { return Ok(()) };
        let place = self.placed_at(last.token.to_owned(), last.time, last.what == What::Invalidated);
        // Later changes of the same transaction may follow.
        let reached = Some(last.time.saturating_sub(1)).filter(|time| *time > self.reached);
        // From here on the events alone hold the records, so nobody has to copy them.
        drop(changes);
        self.put(without_repeated_resets(events), Some(place), reached).await.map_err(Ended::Failed)
    }

    /// Adds what a change means to the resources that it concerns.
    fn tell(&mut self, change: &Change<'_>, rows: &Rows, events: &mut Vec<ResourceEvent>) {
        let mut reset = |bindings: &[Binding]| {
            let resets = bindings.iter().map(|binding| ResourceEvent::reset(binding.resource.clone(), Reason::Epoch));
            events.extend(resets);
        };
        match change.what {
            What::Record { collection, .. } => {
                let found = rows.get(change);
                let before = events.len();
                for binding in self.bindings(collection) {
                    events.extend(change.events(binding, found));
                }
                let is_reset = |event: &ResourceEvent| matches!(event.operation, Operation::Reset(_));
                let unnamed = events.iter().skip(before).filter(|event| is_reset(event)).count();
                (0..unnamed).for_each(|_| self.feed.dropped("change_without_key"));
            }
            What::Dropped { collection } => reset(self.bindings(collection)),
            What::Renamed { from, to } => {
                reset(self.bindings(from));
                to.iter().for_each(|to| reset(self.bindings(to)));
            }
            What::DatabaseDropped => self.collections.values().for_each(|bindings| reset(bindings)),
            What::Invalidated | What::Other => {}
        }
    }

    /// The resources of a collection; of a new one, what the program makes of it.
    fn bindings(&mut self, collection: &str) -> &[Binding] {
        if !self.collections.contains_key(collection) {
            let is_of_the_server = collection.starts_with("system.");
            let discover = self.settings.discover.as_ref().filter(|_| !is_of_the_server);
            let bindings = discover.and_then(|discover| discover(collection)).into_iter().collect();
            self.collections.insert(collection.to_owned(), bindings);
        }
        self.collections.get(collection).map_or(&[], Vec::as_slice)
    }

    /// Tells every watcher to start over; the place is that of the new stream, once it has one.
    async fn start_over(&mut self, why: &str) -> Result<()> {
        tracing::warn!(source = %self.feed.source(), reason = why, "the change stream is read from now on, watchers start over");
        let bindings = self.collections.values().flatten();
        let events: Vec<_> = bindings.map(|one| ResourceEvent::reset(one.resource.clone(), Reason::Epoch)).collect();
        self.place = None;
        self.put(events, None, None).await
    }

    async fn open(&mut self, start: Start<'_>) -> Read<()> {
        self.stream = Stream::open(self.database, start, only(self.settings).as_deref()).await?;
        self.fragments = Fragments::default();
        self.asked_after = None;
        // From here on the stream's own tokens count.
        if let Some(place) = &mut self.place {
            place.invalidated = false;
        }
        Ok(())
    }

    /// Gives a batch to the log once it has the one before.
    async fn put(&mut self, events: Vec<ResourceEvent>, place: Option<Place>, reached: Option<u64>) -> Result<()> {
        self.confirmed().await?;
        let encoded = place.as_ref().map(Place::encode);
        self.pending = Some(self.feed.offer(events, encoded, reached.map(Mark::Time)).await?);
        if place.is_some() {
            self.place = place;
            self.placed = Instant::now();
        }
        self.reached = reached.unwrap_or(self.reached);
        Ok(())
    }

    /// Waits until the log has everything that was handed over.
    async fn confirmed(&mut self) -> Result<()> {
        if let Some(logged) = self.pending.take() {
            logged.await.map_err(|_| Error::new(Kind::Storage, "the log did not take the batch"))?;
        }
        Ok(())
    }
}

/// The collections to ask for; all of them when more may be served one day.
fn only(settings: &Settings) -> Option<Vec<&str>> {
    match settings.discover {
        Some(_) => None,
        None => Some(settings.bindings.iter().map(|binding| binding.collection.as_str()).collect()),
    }
}

fn error_of(ended: Ended) -> Error {
    match ended {
        Ended::Failed(error) => error,
        Ended::Cut => Error::new(Kind::Unreachable, "the server ended the change stream"),
        Ended::HistoryLost(why) => Error::new(Kind::Refused, why),
    }
}

/// A reset says that everything before it is to be forgotten, so of several in one batch the last is enough.
fn without_repeated_resets(events: Vec<ResourceEvent>) -> Vec<ResourceEvent> {
    let is_reset = |event: &ResourceEvent| matches!(event.operation, Operation::Reset(_));
    let mut last = HashMap::new();
    for (index, event) in events.iter().enumerate().filter(|(_, event)| is_reset(event)) {
        last.insert(event.resource.clone(), index);
    }
    let kept = events.into_iter().enumerate();
    kept.filter(|(index, event)| !is_reset(event) || last.get(&event.resource) == Some(index))
        .map(|(_, event)| event)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_resets_the_last_one_stays() {
        let reset = |name: &str, reason| ResourceEvent::reset(name.into(), reason);
        let events = vec![
            reset("a", Reason::Epoch),
            reset("b", Reason::Source),
            reset("a", Reason::Source),
            reset("a", Reason::Source),
        ];
        let kept: Vec<_> = without_repeated_resets(events)
            .into_iter()
            .map(|event| (event.resource.to_string(), event.operation))
            .collect();
        let source = Operation::Reset(Reason::Source);
        assert_eq!(kept, [("b".into(), source), ("a".into(), source)]);
    }
}
