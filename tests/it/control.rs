//! A socket beside those of a test that knows when changes are in the log.

use crate::socket::{Heard, Socket};
use serde_json::json;
use std::collections::HashSet;

/// Watches rows by themselves, so that its barriers wait for the changes.
pub struct Control {
    socket: Socket,
    watched: HashSet<String>,
}

impl Control {
    /// Connects on a path of the monorail protocol.
    pub async fn open(url: &str) -> Control {
        let socket = Socket::open(url).await.expect("an upgrade on any other path");
        Control { socket, watched: HashSet::new() }
    }

    /// Barriers wait for changes of this resource from now on.
    pub async fn watch(&mut self, resource: &str) {
        if self.watched.insert(resource.to_owned()) {
            self.socket.say(json!({"handler": "watch", "resource": resource, "ref": resource}).to_string()).await;
        }
    }

    /// The same by a request of the caller's, whose answers have the resource as their reference.
    pub async fn watch_as(&mut self, resource: &str, request: String) {
        if self.watched.insert(resource.to_owned()) {
            self.socket.say(request).await;
        }
    }

    /// The position once everything committed before is in the log.
    pub async fn barrier(&mut self) -> Result<String, String> {
        self.socket.say(r#"{"handler":"barrier","ref":"control"}"#).await;
        loop {
            match self.socket.hear().await {
                Heard::Json(answer) if answer["handler"] == "barrier" => {
                    return Ok(answer["position"].as_str().unwrap_or_default().to_owned());
                }
                Heard::Json(_) => {}
                other => return Err(format!("no barrier but {other:?}")),
            }
        }
    }

    /// What stands for the epoch `e1` in this log.
    pub async fn epoch(&mut self) -> String {
        let position = self.barrier().await.expect("a barrier is answered");
        position.split(':').next().unwrap_or_default().to_owned()
    }

    /// Waits until it is told of a change of a resource.
    pub async fn told(&mut self, resource: &str) -> Result<(), String> {
        loop {
            match self.socket.hear().await {
                Heard::Json(message) if message["ref"] == resource => return Ok(()),
                Heard::Json(_) => {}
                other => return Err(format!("the change is not told but {other:?}")),
            }
        }
    }
}
