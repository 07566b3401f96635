//! One connection: takes messages from all queues in turn, hands them over in batches, and acknowledges each batch
//! once it is in the log.

use super::bindings::{Bindings, Outcome};
use super::change::{Read, Reader};
use super::dead::Dead;
use super::place::{Place, Queue};
use super::queue::{self, Kept};
use super::replica::Replica;
use super::{Binding, Settings};
use crate::error::{Error, Kind, Result};
use crate::event::ResourceEvent;
use crate::rabbitmq::connect::{self, channel, failure};
use crate::source::{End, Feed};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, FuturesOrdered, SelectAll, StreamExt};
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, ShortString};
use lapin::{Channel, Connection};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// So many messages are handed over at once, and about so many bytes.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 << 20;

/// So many batches may be on their way into the log.
const IN_FLIGHT: usize = 4;

/// How often what nobody watches any more is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is made sure that the exchanges are there: nobody tells when one is deleted.
const CHECK_EVERY: u32 = 5;

/// What one connection does.
pub(super) struct Following<'a> {
    pub(super) connection: Arc<Connection>,
    pub(super) settings: &'a Settings,
    pub(super) feed: &'a Feed,
    pub(super) place: Place,
    pub(super) replicas: HashMap<Arc<str>, Replica>,
    dead: Dead,
    /// Of each binding, once it is consumed.
    pub(super) channels: Vec<Channel>,
    pub(super) happenings: SelectAll<BoxStream<'static, Happening>>,
    pub(super) bindings: Bindings,
    logging: FuturesOrdered<BoxFuture<'static, Option<Acknowledgements>>>,
    /// The log did not take something, so the replicas are ahead of it.
    is_ahead: bool,
}

/// What happens at one of the bindings, by their number.
pub(super) enum Happening {
    Message(usize, Box<Delivery>),
    /// There will be no more messages; why, if the broker says.
    Ended(usize, Option<lapin::Error>),
    /// Somebody watches a new pattern.
    Wanted(usize),
}

/// The newest message of each channel that is in a batch.
type Acknowledgements = Vec<(Channel, u64)>;

/// What is handed over at once.
#[derive(Default)]
struct Batch {
    events: Vec<ResourceEvent>,
    messages: usize,
    bytes: usize,
    /// By binding.
    newest: HashMap<usize, u64>,
    /// Whether the place has to be written.
    moves: bool,
}

impl<'a> Following<'a> {
    /// Nothing is consumed yet.
    pub(super) fn new(
        connection: Connection,
        settings: &'a Settings,
        feed: &'a Feed,
        place: Place,
        replicas: HashMap<Arc<str>, Replica>,
    ) -> Following<'a> {
        Following {
            connection: Arc::new(connection),
            settings,
            feed,
            place,
            replicas,
            dead: Dead::new(&settings.prefix),
            channels: Vec::new(),
            happenings: SelectAll::new(),
            bindings: Bindings::new(settings.bindings.len()),
            logging: FuturesOrdered::new(),
            is_ahead: false,
        }
    }

    /// Follows until the connection or the program ends. `is_late`: others may have watched before.
    pub(super) async fn run(&mut self, is_late: bool) -> Result<End> {
        self.begin(is_late).await?;
        let mut look = tokio::time::interval(LOOK);
        let mut looks = 0;
        loop {
            let is_free = self.logging.len() < IN_FLIGHT;
            tokio::select! {
                Some(happening) = self.happenings.next(), if is_free => self.take(happening).await?,
                Some(logged) = self.logging.next() => self.acknowledge(logged).await?,
                Some((number, outcome)) = self.bindings.done() => self.bound(number, outcome).await?,
                () = self.feed.health().rung() => {
                    if self.feed.health().is_stopping() {
                        return Ok(End::Stopped);
                    }
                }
                _ = look.tick() => {
                    looks += 1;
                    self.look(looks % CHECK_EVERY == 0).await?;
                }
            }
        }
    }

    /// Lets what was handed over arrive and acknowledges it; returns what was told, if the log has all of it.
    pub(super) async fn finish(mut self) -> Option<HashMap<Arc<str>, Replica>> {
        while let Some(logged) = self.logging.next().await {
            if self.acknowledge(logged).await.is_err() {
                break;
            }
        }
        connect::end(&self.connection).await;
        (!self.is_ahead).then_some(self.replicas)
    }

    /// The broker has confirmed bindings: from here on they are followed.
    pub(super) async fn follow(&mut self, number: usize, queue: &str, patterns: &[String]) -> Result<()> {
        if patterns.is_empty() {
            return Ok(());
        }
        let since = self.feed.push(Vec::new(), None, None).await?;
        let state = self.place.queues.entry(queue.to_owned()).or_default();
        for pattern in patterns {
            state.patterns.insert(pattern.clone(), Some(since));
        }
        self.save().await?;
        let interests = &self.settings.bindings[number].interests;
        patterns.iter().for_each(|pattern| interests.follow(pattern, since));
        Ok(())
    }

    /// Begins to bind what is missing and to unbind what nobody watches, if that is not being done already.
    pub(super) async fn settle(&mut self, number: usize) -> Result<()> {
        let binding = &self.settings.bindings[number];
        let Some(job) = self.bindings.next(number, &binding.interests) else { return Ok(()) };
        let queue = binding.queue(&self.settings.prefix);
        let state = self.place.queues.entry(queue.clone()).or_default();
        // Until it is done, nobody can say whether it is bound.
        for pattern in job.bind.iter().chain(&job.unbind) {
            state.patterns.insert(pattern.clone(), None);
        }
        self.save().await?;
        self.bindings.begin(number, job, queue, binding.exchange.clone());
        Ok(())
    }

    async fn bound(&mut self, number: usize, outcome: Outcome) -> Result<()> {
        let queue = self.settings.bindings[number].queue(&self.settings.prefix);
        match outcome.failed {
            None => {
                let state = self.place.queues.entry(queue.clone()).or_default();
                state.patterns.retain(|pattern, _| !outcome.job.unbind.contains(pattern));
                self.follow(number, &queue, &outcome.job.bind).await?;
                self.settle(number).await
            }
            // Somebody watches what we may not bind. That must not end the others' feed.
            Some(error) if error.kind() == Kind::Refused => {
                tracing::warn!(source = %self.feed.source(), queue, error = %error.chain(), "some patterns are not followed");
                self.bindings.control = Some(connect::in_time(&*self.connection, channel(&self.connection)).await?);
                Ok(())
            }
            Some(error) => Err(error),
        }
    }

    async fn look(&mut self, thoroughly: bool) -> Result<()> {
        if self.logging.is_empty() {
            self.feed.health().caught_up();
        }
        for (number, binding) in self.settings.bindings.iter().enumerate() {
            let forgotten = binding.interests.forget(binding.linger);
            self.bindings.forget(number, forgotten);
            self.settle(number).await?;
        }
        if thoroughly {
            let exchanges: HashSet<&str> =
                self.settings.bindings.iter().map(|binding| binding.exchange.as_str()).collect();
            for exchange in exchanges {
                let asked = queue::exchange_exists(&self.connection, exchange);
                if !connect::in_time(&*self.connection, asked).await? {
                    return Err(Error::new(Kind::Unreachable, format!("the exchange {exchange} was deleted")));
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, happening: Happening) -> Result<()> {
        let (mut batch, mut next) = (Batch::default(), Some(happening));
        let mut other = None;
        while let Some(happening) = next.take() {
            let Happening::Message(number, message) = happening else {
                other = Some(happening);
                break;
            };
            self.read(number, &message, &mut batch).await;
            if batch.messages >= BATCH || batch.bytes >= BATCH_BYTES {
                self.feed.health().behind();
                break;
            }
            next = self.happenings.next().now_or_never().flatten();
        }
        if batch.messages > 0 {
            self.hand_over(batch).await?;
        }
        match other {
            None | Some(Happening::Message(..)) => Ok(()),
            Some(Happening::Wanted(number)) => self.settle(number).await,
            Some(Happening::Ended(number, why)) => {
                let queue = self.settings.bindings[number].queue(&self.settings.prefix);
                Err(match why {
                    Some(error) => failure(&format!("consuming the queue {queue}"), error),
                    None => Error::new(Kind::Unreachable, format!("the queue {queue} was taken away")),
                })
            }
        }
    }

    async fn read(&mut self, number: usize, message: &Delivery, batch: &mut Batch) {
        let binding = &self.settings.bindings[number];
        batch.messages += 1;
        batch.bytes += message.data.len();
        batch.newest.insert(number, message.delivery_tag);
        let state = self.place.queues.entry(binding.queue(&self.settings.prefix)).or_default();
        if !is_new(message, binding, usize::from(self.settings.prefetch), state, &mut batch.moves) {
            return;
        }
        if !binding.means(message.routing_key.as_str()) {
            return self.feed.dropped("unwanted");
        }
        let reader = Reader { resource: &binding.resource, reading: &binding.reading, rows: binding.rows.as_ref() };
        match reader.read(message, self.replicas.get_mut(&binding.resource.name)).await {
            Read::Event(event) => batch.events.push(event),
            Read::Nothing(why) => self.feed.dropped(why),
            Read::Dead(why) => {
                self.feed.dropped(why);
                let keeping = self.dead.keep(&self.connection, message, &binding.resource.name, why);
                if let Err(error) = connect::in_time(&*self.connection, keeping).await {
                    tracing::warn!(source = %self.feed.source(), why, error = %error.chain(), "a message that cannot be read is lost");
                }
            }
        }
    }

    async fn hand_over(&mut self, batch: Batch) -> Result<()> {
        let reached = self.settings.count.add(batch.messages);
        let place = batch.moves.then(|| self.place.encode());
        self.is_ahead |= !batch.events.is_empty();
        let logged = self.feed.offer(batch.events, place, Some(reached)).await?;
        let newest = batch.newest.into_iter();
        let done: Acknowledgements = newest.map(|(number, tag)| (self.channels[number].clone(), tag)).collect();
        self.logging.push_back(async move { logged.await.ok().map(|_| done) }.boxed());
        Ok(())
    }

    /// A batch is in the log. An error of a channel is told by its consumer.
    async fn acknowledge(&mut self, logged: Option<Acknowledgements>) -> Result<()> {
        let Some(done) = logged else {
            return Err(Error::new(Kind::Storage, "the log did not take the batch"));
        };
        for (channel, tag) in done {
            if let Err(error) = channel.basic_ack(tag, BasicAckOptions { multiple: true }).await {
                tracing::debug!(source = %self.feed.source(), %error, "an acknowledgement was not sent");
            }
        }
        if self.logging.is_empty() {
            self.is_ahead = false;
            self.feed.health().caught_up();
        }
        Ok(())
    }

    /// Writes the place down.
    async fn save(&mut self) -> Result<()> {
        self.feed.push(Vec::new(), Some(self.place.encode()), None).await.map(drop)
    }
}

/// Whether a message is not in the log yet; notes it in the place.
fn is_new(message: &Delivery, binding: &Binding, most: usize, state: &mut Queue, moves: &mut bool) -> bool {
    if binding.kept == Kept::Stream {
        let Some(offset) = offset(message) else { return true };
        if state.next.is_some_and(|next| offset < next) {
            return false;
        }
        state.next = Some(offset + 1);
        *moves = true;
        return true;
    }
    let Some(id) = message.properties.message_id().as_ref().map(ShortString::as_str) else { return true };
    if message.redelivered && state.recent.has(id) {
        return false;
    }
    state.recent.add(id, most);
    *moves = true;
    true
}

/// Where a message stands in its stream.
fn offset(message: &Delivery) -> Option<u64> {
    match message.properties.headers().as_ref()?.inner().get("x-stream-offset")? {
        AMQPValue::LongLongInt(offset) => u64::try_from(*offset).ok(),
        AMQPValue::LongInt(offset) => u64::try_from(*offset).ok(),
        _ => None,
    }
}
