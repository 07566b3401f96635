//! What the monorail transcripts need beside a server: somebody who makes changes, and a barrier that tells when they
//! are in.

use super::writes::Writes;
use crate::control::Control;
use crate::transcript::{Change, Sync, World};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A server that speaks the monorail protocol.
pub struct MonorailWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    writes: Writes,
    control: Control,
}

impl MonorailWorld {
    /// Learns the epoch of the server's log. `names` stand for what is called otherwise here.
    pub async fn of(address: SocketAddr, writes: Writes, names: Vec<(String, String)>) -> MonorailWorld {
        let control = Control::open(&format!("ws://{address}/")).await;
        let mut world = MonorailWorld { address, names, writes, control };
        let epoch = world.control.epoch().await;
        world.names.push(("\"e1:".to_owned(), format!("\"{epoch}:")));
        world
    }

    async fn watch(&mut self, resource: &str) {
        let watch = match resource.strip_prefix("mq:") {
            Some(exchange) => {
                let params = json!({"exchange": exchange, "routingKey": "#"});
                json!({"handler": "watch", "resource": "mq", "params": params, "ref": resource})
            }
            None => json!({"handler": "watch", "resource": resource, "ref": resource}),
        };
        self.control.watch_as(resource, watch.to_string()).await;
    }
}

impl World for MonorailWorld {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn change(&mut self, change: &Change) -> Result<(), String> {
        self.watch(&change.resource).await;
        self.control.barrier().await?;
        self.writes.make(self.address, change).await?;
        if self.writes.are_messages() {
            self.control.told(&change.resource).await?;
        }
        self.control.barrier().await.map(drop)
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
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
