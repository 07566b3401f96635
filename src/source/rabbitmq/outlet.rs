//! Lines that clients write, where a resource takes them: published to its exchange.

use crate::error::{Error, Kind, Result};
use crate::rabbitmq::connect::{confirmed, connect, failure, in_time, name};
use crate::store::feed::Outlet;
use async_trait::async_trait;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use serde_json::Value;
use tokio::sync::Mutex;

/// One exchange to publish to. Connects when the first line is written, and again after the connection was lost.
pub struct Publisher {
    url: String,
    exchange: String,
    open: Mutex<Option<(Connection, Channel)>>,
}

impl Publisher {
    /// Publishes to this exchange of the broker at this URL.
    pub fn new(url: &str, exchange: &str) -> Publisher {
        Publisher { url: url.to_owned(), exchange: exchange.to_owned(), open: Mutex::default() }
    }

    async fn open(&self) -> Result<(Connection, Channel)> {
        let connection = connect(&self.url).await?;
        let channel = in_time(&connection, confirmed(&connection)).await?;
        Ok((connection, channel))
    }
}

#[async_trait]
impl Outlet for Publisher {
    async fn send(&self, key: &str, body: &Value) -> Result<()> {
        let failed = |error| failure("publishing a line", error);
        let mut held = self.open.lock().await;
        let usable = held.take().filter(|(_, channel)| channel.status().connected());
        let (connection, channel) = match usable {
            Some(open) => open,
            None => self.open().await?,
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(uuid::Uuid::new_v4().to_string().into());
        let (exchange, key) = (name(&self.exchange)?, name(key)?);
        let (options, body) = (BasicPublishOptions::default(), body.to_string());
        let sent = async {
            let sending = channel.basic_publish(exchange, key, options, body.as_bytes(), properties);
            sending.await.map_err(failed)?.await.map_err(failed)
        };
        let confirmation = in_time(&channel, sent).await?;
        *held = Some((connection, channel));
        match confirmation {
            Confirmation::Nack(_) => Err(Error::new(Kind::Refused, "the broker does not take it")),
            _ => Ok(()),
        }
    }
}
