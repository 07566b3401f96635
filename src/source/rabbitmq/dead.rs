//! Where messages go that cannot be read: a queue, for somebody to look at.

use crate::error::{Error, Kind, Result};
use crate::rabbitmq::connect::{confirmed, failure, name};
use lapin::message::Delivery;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Confirmation, Connection};

/// The queue keeps so many of the newest messages.
const MOST: i64 = 10_000;

/// And so many bytes.
const MOST_BYTES: i64 = 1 << 30;

/// The end of its name, behind the prefix.
pub(super) const SUFFIX: &str = ".dead";

/// The queue of one source, made when the first message needs it.
pub(super) struct Dead {
    queue: String,
    channel: Option<Channel>,
}

impl Dead {
    /// A queue whose name begins with the prefix.
    pub(super) fn new(prefix: &str) -> Dead {
        Dead { queue: format!("{prefix}{SUFFIX}"), channel: None }
    }

    /// Puts a message there, with what is wrong with it and where it was, and waits until the broker has it.
    ///
    /// # Errors
    /// As [`failure`]; the message is then acknowledged nevertheless, or the feed would never come past it.
    pub(super) async fn keep(
        &mut self,
        connection: &Connection,
        message: &Delivery,
        resource: &str,
        why: &str,
    ) -> Result<()> {
        let channel = match self.channel.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.open(connection).await?,
        };
        let mut headers = message.properties.headers().clone().unwrap_or_default();
        for (header, text) in [
            ("x-tidings-reason", why),
            ("x-tidings-resource", resource),
            ("x-tidings-exchange", message.exchange.as_str()),
            ("x-tidings-routing-key", message.routing_key.as_str()),
        ] {
            headers.insert(header.into(), AMQPValue::LongString(text.into()));
        }
        let properties = message.properties.clone().with_headers(headers).with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let failed = |error| failure("keeping a message that cannot be read", error);
        let publishing =
            channel.basic_publish(ShortString::default(), name(&self.queue)?, options, &message.data, properties);
        let confirmation = publishing.await.map_err(failed)?.await.map_err(failed)?;
        self.channel = Some(channel);
        match confirmation {
            Confirmation::Nack(_) => Err(Error::new(Kind::Refused, "the broker does not take it")),
            _ => Ok(()),
        }
    }

    async fn open(&self, connection: &Connection) -> Result<Channel> {
        let failed = |error| failure(&format!("making the queue {}", self.queue), error);
        let channel = confirmed(connection).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(MOST));
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(MOST_BYTES));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name(&self.queue)?, options, arguments).await.map_err(failed)?;
        Ok(channel)
    }
}
