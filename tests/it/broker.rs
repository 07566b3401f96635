//! Brokers to test with: exchanges and queues of a test's own in the RabbitMQ that `TIDINGS_TEST_RABBITMQ` names, and
//! one that a test may stop and kill.

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use serde_json::Value;
use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The variable with the URL of a RabbitMQ in which everything may be declared.
const VARIABLE: &str = "TIDINGS_TEST_RABBITMQ";

/// The variable with the script that starts a private RabbitMQ.
const SCRIPT: &str = "TIDINGS_TEST_BROKER";

/// A part of a broker: names that begin with a word of its own. What was made is deleted at the end.
pub struct Broker {
    url: String,
    connection: Connection,
    channel: Channel,
    name: String,
    exchanges: RefCell<Vec<String>>,
    queues: RefCell<Vec<String>>,
}

impl Broker {
    /// A part of the broker; without one it says that the test was skipped.
    pub async fn connect() -> Option<Broker> {
        let Ok(url) = std::env::var(VARIABLE) else {
            println!("skipped: {VARIABLE} names no RabbitMQ");
            return None;
        };
        Some(Broker::at(&url).await)
    }

    /// A part of the broker at this URL.
    pub async fn at(url: &str) -> Broker {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("RabbitMQ answers");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let (exchanges, queues) = (RefCell::default(), RefCell::default());
        Broker { url: url.to_owned(), connection, channel, name, exchanges, queues }
    }

    /// The URL of the broker.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the queues of a server under test begin with.
    pub fn prefix(&self) -> &str {
        &self.name
    }

    /// `[sources.broker]` with a prefix of its own.
    pub fn source(&self) -> String {
        format!("[sources.broker]\nurl = \"{}\"\nqueue_prefix = \"{}\"\n", self.url, self.name)
    }

    /// A name for an exchange, which is deleted at the end.
    pub fn exchange(&self, name: &str) -> String {
        let exchange = format!("{}.{name}", self.name);
        self.exchanges.borrow_mut().push(exchange.clone());
        exchange
    }

    /// The queue of a resource, which is deleted at the end.
    pub fn queue(&self, resource: &str) -> String {
        let queue = format!("{}.{resource}", self.name);
        self.queues.borrow_mut().push(queue.clone());
        queue
    }

    /// Declares an exchange.
    pub async fn declare(&self, exchange: &str, kind: ExchangeKind) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await;
        declared.expect("an exchange");
    }

    /// Deletes an exchange.
    pub async fn delete_exchange(&self, exchange: &str) {
        let deleted = self.channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
        deleted.expect("it is deleted");
    }

    /// Deletes a queue.
    pub async fn delete_queue(&self, queue: &str) {
        let deleted = self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
        deleted.expect("it is deleted");
    }

    /// Messages and consumers of a queue; `None` when there is none.
    pub async fn depth(&self, queue: &str) -> Option<(u32, u32)> {
        let channel = self.connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await.ok()?;
        Some((queue.message_count(), queue.consumer_count()))
    }

    /// The first message of a queue, taken away.
    pub async fn take(&self, queue: &str) -> Option<lapin::message::Delivery> {
        let options = lapin::options::BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options).await.expect("a queue");
        got.map(|message| message.delivery)
    }

    /// Publishes JSON and waits until the broker has it.
    pub async fn publish(&self, exchange: &str, key: &str, body: &Value) {
        self.publish_bytes(exchange, key, body.to_string().as_bytes(), BasicProperties::default()).await;
    }

    /// Publishes JSON with a message id.
    pub async fn publish_as(&self, exchange: &str, key: &str, body: &Value, id: &str) {
        let properties = BasicProperties::default().with_message_id(id.into()).with_delivery_mode(2);
        self.publish_bytes(exchange, key, body.to_string().as_bytes(), properties).await;
    }

    /// Publishes any bytes and waits until the broker has them.
    pub async fn publish_bytes(&self, exchange: &str, key: &str, body: &[u8], properties: BasicProperties) {
        let key = ShortString::try_new(key).expect("a short key");
        let publishing =
            self.channel.basic_publish(exchange.into(), key, BasicPublishOptions::default(), body, properties);
        publishing.await.expect("it is sent").await.expect("it is confirmed");
    }
}

impl Drop for Broker {
    /// On a thread: dropping cannot wait.
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        let (exchanges, mut queues) = (self.exchanges.take(), self.queues.take());
        queues.push(format!("{name}.dead"));
        let cleaning = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let Ok(connection) = Connection::connect(&url, ConnectionProperties::default()).await else { return };
                let Ok(channel) = connection.create_channel().await else { return };
                for queue in queues {
                    let _ = channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
                }
                for exchange in exchanges {
                    let _ = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
                }
                let _ = connection.close(200, "done".into()).await;
            });
        });
        let _ = cleaning.join();
    }
}

/// A RabbitMQ of a test's own.
pub struct Node {
    script: PathBuf,
    directory: TempDir,
    url: String,
}

impl Node {
    /// Starts one; where that cannot be it says that the test was skipped.
    pub async fn start() -> Option<Node> {
        let Ok(script) = std::env::var(SCRIPT) else {
            println!("skipped: {SCRIPT} names no script that starts a RabbitMQ");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut node = Node { script: script.into(), directory, url: String::new() };
        node.url = node.act("start").await;
        Some(node)
    }

    /// Its URL, the same after a restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it as a power cut would.
    pub async fn kill(&self) {
        self.act("kill").await;
    }

    /// Ends it in order.
    pub async fn stop(&self) {
        self.act("stop").await;
    }

    /// Starts it again after its end.
    pub async fn restart(&self) {
        self.act("start").await;
    }

    async fn act(&self, what: &'static str) -> String {
        let mut command = Command::new(&self.script);
        command.arg(what).arg(self.directory.path()).stdin(Stdio::null()).stderr(Stdio::inherit());
        let acting = tokio::task::spawn_blocking(move || command.output().expect("the script runs"));
        let output = acting.await.expect("it does not panic");
        assert!(output.status.success(), "{what} of a broker failed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("kill").arg(self.directory.path()).stdin(Stdio::null()).output();
    }
}

/// A way to a broker that can be cut.
pub struct Proxy {
    url: String,
    cut: watch::Sender<u32>,
}

impl Proxy {
    /// Leads to the broker at this URL.
    pub async fn to(url: &str) -> Proxy {
        let (start, rest) = url.split_once('@').expect("a user");
        let (host, end) = rest.split_once('/').expect("a virtual host");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (cut, cuts) = watch::channel(0);
        let host = host.to_owned();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (host, mut cuts) = (host.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(host).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Proxy { url: format!("{start}@{address}/{end}"), cut }
    }

    /// The URL of the broker by this way.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Cuts the connections there are.
    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}
