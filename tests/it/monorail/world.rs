//! What the monorail transcripts need beside a server: changes come by HTTP, a barrier tells when they are in.

use crate::socket::{Heard, Socket};
use crate::transcript::{Change, Sync, Word, World};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::SocketAddr;

/// A server that speaks the monorail protocol.
pub struct MonorailWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    http: reqwest::Client,
    /// Watches what is changed, so that its barriers wait for the changes.
    control: Socket,
    watched: HashSet<String>,
}

impl MonorailWorld {
    /// Learns the epoch of the server's log.
    pub async fn of(address: SocketAddr) -> MonorailWorld {
        let control = Socket::open(&format!("ws://{address}/")).await.expect("an upgrade on any path");
        let http = reqwest::Client::new();
        let mut world = MonorailWorld { address, names: Vec::new(), http, control, watched: HashSet::new() };
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

    async fn write(&self, change: &Change) -> Result<(), String> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let resource = format!("http://{}/api/{}", self.address, encoded(&change.resource));
        let id = encoded(&change.id);
        let request = match change.word {
            Word::Created | Word::Updated => self.http.put(format!("{resource}/{id}")),
            Word::Removed => self.http.delete(format!("{resource}/{id}")),
            Word::Appended => self.http.post(format!("{resource}?id={id}")),
        };
        let request = match (&change.record, change.word) {
            (None, _) | (_, Word::Removed) => request,
            (Some(record), _) => request.header("content-type", "application/json").body(record.clone()),
        };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        Err(format!("the change is refused: {status} {}", answer.text().await.unwrap_or_default()))
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
        self.write(change).await?;
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
