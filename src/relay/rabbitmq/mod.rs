//! Pushes by way of a fanout exchange: each node has a queue there that goes with its connection.
//!
//! What the broker may have got before a connection ended is published again, with the same number, and whoever has
//! seen the number passes over it: so each push is told once. What is published while a node is not connected, that
//! node does not get.

mod letter;

use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::metrics::Metrics;
use crate::rabbitmq::connect::{channel, confirmed, connect, end, failure, in_time, name};
use crate::relay::Deliver;
use crate::relay::keep::{LAST_PAUSE, Standing, Way};
use crate::relay::waiting::{Batch, Parcel, Waiting};
use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer, ExchangeKind};
use letter::{Letter, Seen};
use std::sync::Arc;
use std::time::Duration;

/// The exchange of all nodes.
pub const EXCHANGE: &str = "tidings.relay";

/// At most so many pushes are published before the broker has confirmed them, and about so many bytes.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// So many messages may be on their way to this node's sockets.
const PREFETCH: u16 = 256;

/// A broker that comes back is found by other nodes a moment later, and they would miss what waited here.
const GRACE: Duration = LAST_PAUSE.saturating_mul(3);

/// This node's connection: publishes what waits in the line, and delivers what the other nodes publish.
pub struct RabbitMqRelay {
    url: String,
    node: Arc<str>,
    waiting: Arc<Waiting>,
    deliver: Arc<dyn Deliver>,
    metrics: Arc<Metrics>,
    seen: Seen,
}

impl RabbitMqRelay {
    /// A relay by the broker at this URL; connects when it is followed.
    pub fn new(
        url: &str,
        node: Arc<str>,
        waiting: Arc<Waiting>,
        deliver: Arc<dyn Deliver>,
        metrics: Arc<Metrics>,
    ) -> RabbitMqRelay {
        RabbitMqRelay { url: url.to_owned(), node, waiting, deliver, metrics, seen: Seen::default() }
    }

    async fn relay(&mut self, connection: &Connection, standing: &mut Standing) -> Result<()> {
        let (consuming, consumer) = in_time(connection, subscribe(connection)).await?;
        let publishing = in_time(connection, confirmed(connection)).await?;
        let stopped = standing.stopped();
        let was_lost = standing.is_lost();
        standing.found();
        let out = Publisher { channel: publishing, node: &self.node, waiting: &self.waiting };
        let mut inbox =
            Inbox { node: &self.node, deliver: &*self.deliver, metrics: &self.metrics, seen: &mut self.seen };
        tokio::select! {
            end = inbox.deliver_all(&consuming, consumer) => end,
            end = out.publish_all(if was_lost { GRACE } else { Duration::ZERO }, stopped) => end,
        }
    }
}

#[async_trait]
impl Way for RabbitMqRelay {
    async fn follow(&mut self, standing: &mut Standing) -> Result<()> {
        let connection = connect(&self.url).await?;
        let outcome = self.relay(&connection, standing).await;
        self.waiting.lost();
        end(&connection).await;
        outcome
    }
}

/// What a doctor finds at a broker. Makes nothing that stays, but for the exchange.
///
/// # Errors
/// Whatever keeps a node from joining.
pub async fn examine(url: &str) -> Result<Vec<Finding>> {
    let connection = connect(url).await?;
    let joined = in_time(&connection, subscribe(&connection)).await;
    end(&connection).await;
    joined.map(|_| vec![Finding::good(format!("nodes can tell each other by the exchange {EXCHANGE}"))])
}

/// This node's queue, which is bound when this returns.
async fn subscribe(connection: &Connection) -> Result<(Channel, Consumer)> {
    let failed = |error| failure("joining the relay", error);
    let channel = channel(connection).await?;
    let exchange = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default;
    channel.exchange_declare(name(EXCHANGE)?, ExchangeKind::Fanout, exchange, none()).await.map_err(failed)?;
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(ShortString::default(), own, none()).await.map_err(failed)?.name().clone();
    let bound =
        channel.queue_bind(queue.clone(), name(EXCHANGE)?, ShortString::default(), QueueBindOptions::default(), none());
    bound.await.map_err(failed)?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.map_err(failed)?;
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(queue, "tidings".into(), options, none()).await.map_err(failed)?;
    Ok((channel, consumer))
}

/// What goes out.
struct Publisher<'a> {
    channel: Channel,
    node: &'a Arc<str>,
    waiting: &'a Arc<Waiting>,
}

impl Publisher<'_> {
    /// Publishes until the program goes down, and then what still waits.
    async fn publish_all(&self, grace: Duration, stopped: impl Future<Output = ()>) -> Result<()> {
        tokio::time::sleep(grace).await;
        self.waiting.found();
        let mut stopped = std::pin::pin!(stopped);
        loop {
            let batch = tokio::select! {
                batch = self.waiting.take(BATCH, BATCH_BYTES) => batch,
                () = &mut stopped => break,
            };
            self.publish(batch).await?;
        }
        while let Some(batch) = self.waiting.try_take(BATCH, BATCH_BYTES) {
            self.publish(batch).await?;
        }
        Ok(())
    }

    async fn publish(&self, batch: Batch) -> Result<()> {
        in_time(&self.channel, self.send(batch.parcels())).await?;
        batch.gone();
        Ok(())
    }

    async fn send(&self, parcels: &[Parcel]) -> Result<()> {
        let failed = |error| failure("publishing to the relay", error);
        let mut confirmations = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let body = Letter::write(self.node, &parcel.push);
            // Transient: nobody is told later.
            let properties = BasicProperties::default()
                .with_delivery_mode(1)
                .with_content_type("application/json".into())
                .with_message_id(parcel.number.to_string().into());
            let (exchange, key) = (name(EXCHANGE)?, ShortString::default());
            let sending =
                self.channel.basic_publish(exchange, key, BasicPublishOptions::default(), body.as_bytes(), properties);
            confirmations.push(sending.await.map_err(failed)?);
        }
        for confirmation in confirmations {
            if let Confirmation::Nack(_) = confirmation.await.map_err(failed)? {
                return Err(Error::new(Kind::Unreachable, "the broker does not take a push"));
            }
        }
        Ok(())
    }
}

/// What comes in.
struct Inbox<'a> {
    node: &'a Arc<str>,
    deliver: &'a dyn Deliver,
    metrics: &'a Metrics,
    seen: &'a mut Seen,
}

impl Inbox<'_> {
    /// Delivers until the connection ends.
    async fn deliver_all(&mut self, channel: &Channel, mut consumer: Consumer) -> Result<()> {
        let failed = |error| failure("hearing the other nodes", error);
        while let Some(message) = consumer.next().await {
            let message = message.map_err(failed)?;
            self.deliver(&message).await;
            channel.basic_ack(message.delivery_tag, BasicAckOptions::default()).await.map_err(failed)?;
        }
        Err(Error::new(Kind::Unreachable, "the broker ended the connection"))
    }

    async fn deliver(&mut self, message: &Delivery) {
        let Some(letter) = Letter::read(&message.data) else {
            tracing::warn!(exchange = EXCHANGE, "a message to the nodes cannot be read; it is skipped");
            self.metrics.relay_dropped("unreadable").inc();
            return;
        };
        let number = message.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        if letter.origin.as_deref() != Some(&**self.node) && self.seen.is_new(letter.origin, number) {
            self.deliver.deliver(&letter.push).await;
        }
    }
}
