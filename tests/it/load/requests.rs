//! Writers over HTTP. Each has rows of its own, so it knows their history; after a failure it asks what became
//! of its last write.

use crate::load::{Load, Stop};
use crate::model::History;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// A configuration that serves rows of the embedded store.
pub const CONFIGURATION: &str = "[resources.rows]\nsource = \"embedded\"\nwritable = true\n";

const WRITERS: usize = 8;

/// Rows of each writer.
const ROWS: usize = 5;

/// Writers of the resource `rows` of a server, which may end and come back meanwhile.
pub fn start(address: SocketAddr) -> Load {
    Load::start(0..WRITERS, move |number, stop| async move {
        let client = Client::new();
        let base = format!("http://{address}/api/rows");
        let writer = Writer { client, base, number, history: History::new() };
        writer.write(stop).await
    })
}

struct Writer {
    client: Client,
    base: String,
    number: usize,
    history: History,
}

impl Writer {
    async fn write(mut self, stop: Stop) -> History {
        let mut rng = StdRng::seed_from_u64(self.number as u64);
        while !stop.is_asked() {
            let id = format!("w{}r{}", self.number, rng.random_range(0..ROWS));
            let last = self.history.get(&id).and_then(|versions| versions.last());
            let version = last.map_or(1, |(version, _)| version + 1);
            let exists = last.is_some_and(|(_, document)| document.is_some());
            let after = (!exists || rng.random_bool(0.85)).then(|| {
                let state = if rng.random_bool(0.5) { "on" } else { "off" };
                json!({"id": id, "version": version, "state": state, "note": [rng.random::<u16>(), version % 3]})
            });
            if self.change(&id, after.as_ref()).await {
                self.history.entry(id).or_default().push((version, after));
            }
            sleep(Duration::from_millis(rng.random_range(0..120))).await;
        }
        self.history
    }

    /// Puts or deletes a row; whether it came to that.
    async fn change(&self, id: &str, after: Option<&Value>) -> bool {
        let url = format!("{}/{id}", self.base);
        let request = match after {
            Some(document) => self.client.put(&url).json(document),
            None => self.client.request(Method::DELETE, &url),
        };
        if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
            return true;
        }
        loop {
            sleep(Duration::from_millis(20)).await;
            let Ok(answer) = self.client.get(&url).send().await else { continue };
            match answer.status() {
                StatusCode::OK => return answer.json::<Value>().await.ok().as_ref() == after,
                StatusCode::NOT_FOUND => return after.is_none(),
                _ => {}
            }
        }
    }
}
