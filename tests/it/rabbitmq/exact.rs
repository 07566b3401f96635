//! Every message that has an id is told exactly once to a client that resumes, whatever is killed.

use super::channel;
use crate::broker::Broker;
use crate::load::random_millis;
use crate::server::Process;
use crate::socket::{Heard, PATIENCE, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const KILLS: usize = 5;

/// A watch that outlives its connections; the numbers that it was told, in order.
struct Follower {
    address: SocketAddr,
    path: &'static str,
    watch: Value,
    position: Option<String>,
    told: Vec<u64>,
}

impl Follower {
    async fn connect(&self) -> Socket {
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "the server does not come back");
            if let Ok(stream) = TcpStream::connect(self.address).await
                && let Some(socket) = Socket::over(stream, self.path).await
            {
                return socket;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn come_back(&self) -> Socket {
        let mut socket = self.connect().await;
        let mut watch = self.watch.clone();
        if let Some(position) = &self.position {
            watch["since"] = json!(position);
        }
        socket.say(watch.to_string()).await;
        socket
    }

    fn take(&mut self, message: &Value) {
        assert_ne!(message["complete"], false, "a resume is not complete: {message}");
        if let Some(position) = message["position"].as_str() {
            self.position = Some(position.to_owned());
        }
        if message["handler"] == "item" {
            self.told.push(message["data"]["number"].as_u64().unwrap_or_else(|| panic!("a number in {message}")));
        }
    }

    /// Hears what comes until a barrier is answered.
    async fn settle(&mut self, socket: &mut Socket) -> bool {
        socket.say(r#"{"handler":"barrier","ref":"b"}"#).await;
        loop {
            match socket.hear().await {
                Heard::Json(message) => {
                    self.take(&message);
                    if message["ref"] == "b" {
                        return true;
                    }
                }
                Heard::Torn => return false,
                other => panic!("expected a message, got {other:?}"),
            }
        }
    }

    /// Goes and comes back at random until everything was published, and then hears the rest.
    async fn live(mut self, socket: Socket, over: Arc<AtomicBool>, published: Arc<AtomicU64>) -> Vec<u64> {
        let mut socket = socket;
        while !over.load(Ordering::Acquire) {
            let end = Instant::now() + random_millis(100..1000);
            while Instant::now() < end {
                match socket.hear_within(end - Instant::now()).await {
                    Heard::Json(message) => self.take(&message),
                    Heard::Torn | Heard::Nothing => break,
                    other => panic!("expected a message, got {other:?}"),
                }
            }
            drop(socket);
            sleep(random_millis(0..200)).await;
            socket = self.come_back().await;
        }
        let end = Instant::now() + PATIENCE;
        while (self.told.len() as u64) < published.load(Ordering::Acquire) && Instant::now() < end {
            match socket.hear_within(Duration::from_millis(500)).await {
                Heard::Json(message) => self.take(&message),
                Heard::Nothing => {}
                _ => socket = self.come_back().await,
            }
        }
        self.settle(&mut socket).await;
        self.told
    }
}

/// Publishes with ids under load while the program is killed; each follower hears every number once.
async fn kills(broker: &Broker, configuration: &str, exchange: &str, path: &'static str, watch: Value) {
    let mut server = Process::start(configuration).await;
    let (over, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut followers = Vec::new();
    for _ in 0..4 {
        let mut follower =
            Follower { address: server.address(), path, watch: watch.clone(), position: None, told: Vec::new() };
        let mut socket = follower.come_back().await;
        assert!(follower.settle(&mut socket).await, "it is followed before anything is published");
        followers.push(tokio::spawn(follower.live(socket, over.clone(), published.clone())));
    }
    let publishing = async {
        while !over.load(Ordering::Acquire) {
            let number = published.load(Ordering::Acquire);
            let row = format!("n{}", number % 7);
            let body = json!({"number": number, "record": {"id": row, "number": number}});
            broker.publish_as(exchange, &format!("nodes.updated.{row}"), &body, &format!("m{number}")).await;
            published.fetch_add(1, Ordering::AcqRel);
        }
    };
    let killing = async {
        for _ in 0..KILLS {
            sleep(random_millis(300..900)).await;
            server.kill();
            sleep(random_millis(0..300)).await;
            server.restart().await;
        }
        sleep(Duration::from_millis(500)).await;
        over.store(true, Ordering::Release);
    };
    tokio::join!(publishing, killing);
    let all: Vec<u64> = (0..published.load(Ordering::Acquire)).collect();
    assert!(all.len() > 200, "only {} messages", all.len());
    for follower in followers {
        let told = follower.await.expect("a follower does not panic");
        let first = told.iter().zip(&all).find(|(told, expected)| told != expected);
        assert!(told == all, "{} of {} were told; they differ first at {first:?}", told.len(), all.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_a_watched_pattern_is_told_once_whenever_the_program_is_killed() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("events");
    broker.queue(&format!("mq:{exchange}"));
    let params = json!({"exchange": exchange, "routingKey": "nodes.#"});
    let watch = json!({"handler": "watch", "positions": true, "params": params});
    kills(&broker, &(broker.source() + &channel(&exchange, "")), &exchange, "/mq", watch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_event_is_told_once_whenever_the_program_is_killed() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("waterline");
    broker.queue("nodes");
    let nodes = format!("[resources.nodes]\nsource = \"broker\"\nexchange = \"{exchange}\"\nreading = \"waterline\"\n");
    let watch = json!({"handler": "watch", "positions": true});
    kills(&broker, &(broker.source() + &nodes), &exchange, "/nodes", watch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_of_a_stream_is_told_once_whenever_the_program_is_killed() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("waterline");
    broker.queue("nodes");
    let nodes = format!(
        "[resources.nodes]\nsource = \"broker\"\nexchange = \"{exchange}\"\nreading = \"waterline\"\nqueue = \"stream\"\n"
    );
    let watch = json!({"handler": "watch", "positions": true});
    kills(&broker, &(broker.source() + &nodes), &exchange, "/nodes", watch).await;
}
