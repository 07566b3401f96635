//! What the monorail transcripts need beside a server: somebody who makes changes, and a barrier that tells when they
//! are in.

use super::writes::Writes;
use crate::socket::{Heard, Socket};
use crate::transcript::{Change, Sync, World};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::SocketAddr;

/// A server that speaks the monorail protocol.
pub struct MonorailWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    writes: Writes,
    /// Watches what is changed, so that its barriers wait for the changes.
    control: Socket,
    watched: HashSet<String>,
}

impl MonorailWorld {
    /// Learns the epoch of the server's log. `names` stand for what is called otherwise here.
    pub async fn of(address: SocketAddr, writes: Writes, names: Vec<(String, String)>) -> MonorailWorld {
        let control = Socket::open(&format!("ws://{address}/")).await.expect("an upgrade on any path");
        let mut world = MonorailWorld { address, names, writes, control, watched: HashSet::new() };
        let position = world.barrier().await.expect("a barrier is answered");
        let epoch = position.split(':').next().unwrap_or_default();
        world.names.push(("\"e1:".to_owned(), format!("\"{epoch}:")));
        world
    }

    /// The position once everything committed before is in the log.
    async fn barrier(&mut self) -> Result<String, String> {
        self.control.say(r#"{"handler":"barrier","ref":"control"}"#).await;
        loop {
            match self.control.hear().await {
                Heard::Json(answer) if answer["handler"] == "barrier" => {
                    return Ok(answer["position"].as_str().unwrap_or_default().to_owned());
                }
                Heard::Json(_) => {}
                other => return Err(format!("no barrier but {other:?}")),
            }
        }
    }

    async fn watch(&mut self, resource: &str) {
        if !self.watched.insert(resource.to_owned()) {
            return;
        }
        let watch = match resource.strip_prefix("mq:") {
            Some(exchange) => {
                let params = json!({"exchange": exchange, "routingKey": "#"});
                json!({"handler": "watch", "resource": "mq", "params": params, "ref": resource})
            }
            None => json!({"handler": "watch", "resource": resource, "ref": resource}),
        };
        self.control.say(watch.to_string()).await;
    }

    /// Waits until the control socket, which watches the resource, is told of a change.
    async fn told(&mut self, resource: &str) -> Result<(), String> {
        loop {
            match self.control.hear().await {
                Heard::Json(message) if message["ref"] == resource => return Ok(()),
                Heard::Json(_) => {}
                other => return Err(format!("the change is not told but {other:?}")),
            }
        }
    }
}

impl World for MonorailWorld {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn given(&mut self, text: &str) -> Result<(), String> {
        Err(format!("nothing is given here: {text}"))
    }

    async fn change(&mut self, change: &Change) -> Result<(), String> {
        self.watch(&change.resource).await;
        self.barrier().await?;
        self.writes.make(self.address, change).await?;
        if self.writes.are_messages() {
            self.told(&change.resource).await?;
        }
        self.barrier().await.map(drop)
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
    }

    fn token(&self, _who: &str) -> Option<String> {
        None
    }

    fn sync(&self, number: usize) -> Option<Sync> {
        let reference = Value::from(format!("sync {number}"));
        let question = json!({"handler": "barrier", "ref": reference}).to_string();
        Some(Sync {
            question,
            is_answer: Box::new(move |answer| answer["handler"] == "barrier" && answer["ref"] == reference),
        })
    }
}
