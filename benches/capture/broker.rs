//! RabbitMQ: a bare consumer of a queue of its own.

use crate::Feed;
use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

/// An exchange of its own, and the plain client's queue.
pub struct Messages {
    url: String,
    name: String,
    channel: Channel,
    connection: Connection,
}

/// As the program's default.
const PREFETCH: u16 = 1000;

impl Messages {
    pub async fn create(url: &str) -> Messages {
        let name = format!("tidings.bench.{}", uuid::Uuid::new_v4().simple());
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("a broker");
        let channel = connection.create_channel().await.expect("a channel");
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Topic;
        let declared = channel.exchange_declare(name.as_str().into(), kind, durable, FieldTable::default()).await;
        declared.expect("an exchange");
        Messages { url: url.to_owned(), name, channel, connection }
    }
}

#[async_trait]
impl Feed for Messages {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn configuration(&self) -> String {
        format!(
            "[sources.broker]\nurl = {:?}\nqueue_prefix = {:?}\n[resources.lines]\nsource = \"broker\"\nexchange = {:?}\n",
            self.url, self.name, self.name
        )
    }

    async fn mark(&mut self) {
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(self.name.as_str().into(), durable, quorum).await.expect("a queue");
        let (queue, exchange) = (self.name.as_str().into(), self.name.as_str().into());
        let options = QueueBindOptions::default();
        let bound = self.channel.queue_bind(queue, exchange, "#".into(), options, FieldTable::default()).await;
        bound.expect("a binding");
    }

    async fn fill(&mut self, changes: usize) {
        let body = serde_json::json!({"level": "info", "message": "x".repeat(150)}).to_string();
        self.channel.confirm_select(Default::default()).await.expect("confirms");
        let mut confirms = Vec::new();
        for number in 0..changes {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(format!("{}-{number}", uuid::Uuid::new_v4()).into());
            let options = BasicPublishOptions::default();
            let (exchange, key) = (self.name.as_str().into(), "info".into());
            let sent = self.channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await;
            confirms.push(sent.expect("a message is sent"));
            if confirms.len() == 500 {
                for confirm in confirms.drain(..) {
                    confirm.await.expect("a message is taken");
                }
            }
        }
        for confirm in confirms {
            confirm.await.expect("a message is taken");
        }
    }

    async fn read(&mut self, changes: usize) {
        let channel = self.connection.create_channel().await.expect("a channel");
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("a prefetch");
        let (queue, options) = (self.name.as_str().into(), BasicConsumeOptions::default());
        let consumer = channel.basic_consume(queue, "plain".into(), options, FieldTable::default()).await;
        let mut consumer = consumer.expect("a consumer");
        for number in 1..=changes {
            let delivery = consumer.next().await.expect("a message").expect("a message");
            if number % 256 == 0 || number == changes {
                delivery.ack(BasicAckOptions { multiple: true }).await.expect("it is acknowledged");
            }
        }
        drop(consumer);
        let _ = channel.close(200, "done".into()).await;
    }

    async fn clean(&mut self) {
        for queue in [self.name.clone(), format!("{}.lines", self.name), format!("{}.dead", self.name)] {
            let _ = self.channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
        }
        let _ = self.channel.exchange_delete(self.name.as_str().into(), ExchangeDeleteOptions::default()).await;
    }
}
