//! What is made at a broker: exchanges, our queues, and what binds them.

use crate::error::{Error, Kind, Result};
use crate::rabbitmq::connect::{channel, failure, name, soft_error};
use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer, ExchangeKind};
use std::time::Duration;

/// The kind of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Replicated; the default.
    Quorum,
    Classic,
    /// Never emptied, read by offset.
    Stream,
}

impl Kept {
    fn word(self) -> &'static str {
        match self {
            Kept::Quorum => "quorum",
            Kept::Classic => "classic",
            Kept::Stream => "stream",
        }
    }
}

/// So many requests to bind are under way at a time.
const BINDING: usize = 64;

/// Makes sure that a topic exchange is there, and tells whether it was. One that exists is used as it is, whether
/// it is durable or not, and also where we may not declare any.
///
/// # Errors
/// `Refused` when it is of another type, or is not there and may not be made.
pub(super) async fn provide_exchange(connection: &Connection, exchange: &str) -> Result<bool> {
    if exchange_exists(connection, exchange).await? {
        return match declare_exchange(connection, exchange).await {
            Err(error) if is_of_another_type(&error) => {
                let sentence = format!("the exchange {exchange:?} is there, but is no topic exchange");
                Err(Error::because(Kind::Refused, sentence, error))
            }
            Err(error) if soft_error(&error).is_none() => Err(failure("declaring an exchange", error)),
            _ => Ok(true),
        };
    }
    declare_exchange(connection, exchange).await.map_err(|error| {
        let sentence = format!("the exchange {exchange:?} is not there and cannot be made");
        Error::because(failure("", error.clone()).kind(), sentence, error)
    })?;
    Ok(false)
}

/// Whether an exchange of this name is there, of whatever type.
///
/// # Errors
/// As [`failure`]; `Refused` when its name may not be used.
pub(super) async fn exchange_exists(connection: &Connection, exchange: &str) -> Result<bool> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let channel = channel(connection).await?;
    let asked = channel.exchange_declare(name(exchange)?, ExchangeKind::Topic, options, FieldTable::default()).await;
    match asked {
        Ok(()) => Ok(true),
        Err(error) if soft_error(&error) == Some(&AMQPSoftError::NOTFOUND) => Ok(false),
        Err(error) => Err(failure("looking for an exchange", error)),
    }
}

/// On a channel of its own, for the broker closes it when it refuses.
async fn declare_exchange(connection: &Connection, exchange: &str) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let channel = connection.create_channel().await?;
    let exchange = ShortString::try_new(exchange).unwrap_or_default();
    channel.exchange_declare(exchange, ExchangeKind::Topic, options, FieldTable::default()).await
}

fn is_of_another_type(error: &lapin::Error) -> bool {
    error.to_string().contains("'type'")
}

/// A queue that is there: how many messages wait in it, and for how many consumers.
pub(super) struct Depth {
    pub(super) messages: u32,
    pub(super) consumers: u32,
}

/// Looks at a queue; `None` when there is none of this name.
///
/// # Errors
/// As [`failure`].
pub(super) async fn depth(connection: &Connection, queue: &str) -> Result<Option<Depth>> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let channel = channel(connection).await?;
    match channel.queue_declare(name(queue)?, options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(Depth { messages: queue.message_count(), consumers: queue.consumer_count() })),
        Err(error) if soft_error(&error) == Some(&AMQPSoftError::NOTFOUND) => Ok(None),
        Err(error) => Err(failure("looking for a queue", error)),
    }
}

/// Makes a durable queue; one that nobody consumes for as long as `expires` goes by itself.
///
/// # Errors
/// As [`failure`].
pub(super) async fn declare(connection: &Connection, queue: &str, kept: Kept, expires: Option<Duration>) -> Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kept.word().into()));
    if let Some(expires) = expires.filter(|_| kept != Kept::Stream) {
        let milliseconds = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX).clamp(60_000, 1 << 31);
        arguments.insert("x-expires".into(), AMQPValue::LongLongInt(milliseconds));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel(connection).await?.queue_declare(name(queue)?, options, arguments).await;
    declared.map(drop).map_err(|error| failure(&format!("making the queue {queue}"), error))
}

/// Takes a queue away with everything in it.
///
/// # Errors
/// As [`failure`].
pub(super) async fn delete(connection: &Connection, queue: &str) -> Result<()> {
    let deleted = channel(connection).await?.queue_delete(name(queue)?, QueueDeleteOptions::default()).await;
    deleted.map(drop).map_err(|error| failure(&format!("deleting the queue {queue}"), error))
}

/// Begins to consume a queue. A stream is read from the offset `next`; without one, from about now on: with its last
/// messages, so that there is an offset to go on from.
///
/// # Errors
/// As [`failure`].
pub(super) async fn consume(
    connection: &Connection,
    queue: &str,
    kept: Kept,
    prefetch: u16,
    next: Option<u64>,
) -> Result<(Channel, Consumer)> {
    let channel = channel(connection).await?;
    let failed = |error| failure(&format!("consuming the queue {queue}"), error);
    channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(failed)?;
    let mut arguments = FieldTable::default();
    if kept == Kept::Stream {
        let from = match next.and_then(|next| i64::try_from(next).ok()) {
            Some(next) => AMQPValue::LongLongInt(next),
            None => AMQPValue::LongString("last".into()),
        };
        arguments.insert("x-stream-offset".into(), from);
    }
    // Two consumers would take each other's messages, and mix up the order.
    let options = BasicConsumeOptions { exclusive: kept != Kept::Stream, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(name(queue)?, "tidings".into(), options, arguments).await.map_err(failed)?;
    Ok((channel, consumer))
}

/// Binds a queue to patterns of an exchange; what is bound already stays so.
///
/// # Errors
/// As [`failure`].
pub(super) async fn bind(channel: &Channel, queue: &str, exchange: &str, patterns: &[String]) -> Result<()> {
    let (queue, exchange, keys) = (&name(queue)?, &name(exchange)?, keys(patterns)?);
    let binding = stream::iter(keys).map(|key| {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.clone(), exchange.clone(), key, options, arguments)
    });
    let bound = binding.buffered(BINDING).try_collect::<()>().await;
    bound.map_err(|error| failure("binding a queue", error))
}

/// Undoes [`bind`]; what is not bound stays so.
///
/// # Errors
/// As [`failure`].
pub(super) async fn unbind(channel: &Channel, queue: &str, exchange: &str, patterns: &[String]) -> Result<()> {
    let (queue, exchange, keys) = (&name(queue)?, &name(exchange)?, keys(patterns)?);
    let unbinding =
        stream::iter(keys).map(|key| channel.queue_unbind(queue.clone(), exchange.clone(), key, FieldTable::default()));
    let unbound = unbinding.buffered(BINDING).try_collect::<()>().await;
    unbound.map_err(|error| failure("unbinding a queue", error))
}

fn keys(patterns: &[String]) -> Result<Vec<ShortString>> {
    patterns.iter().map(|pattern| name(pattern)).collect()
}
