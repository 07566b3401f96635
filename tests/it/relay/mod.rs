//! Pushes between nodes, without any sockets: what one node hands over, the others are told.

mod postgres;
mod postgres_lost;
mod rabbitmq;

use crate::socket::PATIENCE;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tidings::metrics::Metrics;
use tidings::relay::keep::{self, Way};
use tidings::relay::waiting::Waiting;
use tidings::relay::{Deliver, Kind, Push, Relay};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// One node: what it hands over, and what it was told.
struct Member {
    waiting: Arc<Waiting>,
    metrics: Arc<Metrics>,
    ears: Arc<Ears>,
    told: mpsc::UnboundedReceiver<Push>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    name: Arc<str>,
}

/// Whatever is told, but for pushes of other tests.
struct Ears {
    told: mpsc::UnboundedSender<Push>,
    room: Arc<str>,
}

#[async_trait]
impl Deliver for Ears {
    async fn deliver(&self, push: &Push) {
        if push.ids.contains(&self.room) {
            self.told.send(push.clone()).expect("the test goes on");
        }
    }
}

impl Member {
    /// A node that is told what is for this room.
    fn of(room: &str) -> Member {
        let (telling, told) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::default());
        Member {
            waiting: Arc::new(Waiting::new(metrics.clone())),
            ears: Arc::new(Ears { told: telling, room: room.into() }),
            metrics,
            told,
            stop: watch::channel(false).0,
            tasks: Vec::new(),
            name: uuid::Uuid::new_v4().simple().to_string().into(),
        }
    }

    fn keep(&mut self, what: &str, way: impl Way + 'static) {
        self.tasks.push(tokio::spawn(keep::keep(what.to_owned(), way, self.stop.subscribe())));
    }

    /// The next push.
    async fn hear(&mut self) -> Push {
        timeout(PATIENCE, self.told.recv()).await.expect("a push in time").expect("the node lives")
    }

    /// The text of the next push.
    async fn data(&mut self) -> String {
        self.hear().await.data.to_string()
    }

    /// Waits until everything that was handed over has gone.
    async fn flush(&self) {
        let flushed = async {
            while self.waiting.flushed().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, flushed).await.expect("it goes in time");
    }

    /// Ends it in order.
    async fn stop(self) {
        self.stop.send(true).expect("it lives");
        for task in self.tasks {
            timeout(PATIENCE, task).await.expect("it ends in time").expect("it does not panic");
        }
    }
}

fn push(room: &str, data: &str) -> Push {
    Push { kind: Kind::Channel, ids: vec![room.into()], data: data.into() }
}

fn number(number: usize) -> String {
    format!("{{\"n\": {number}}}")
}
