//! What the transcripts of a file store need beside a server: tokens, somebody who changes rows, and a barrier that
//! tells when the changes are in.

use super::writes::Writes;
use crate::socket::{Heard, Socket};
use crate::transcript::{Change, Sync, Word, World};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::SocketAddr;
use tidings::event::Timestamp;

/// The secret in the configuration.
const SECRET: &str = "a secret of at least thirty-two bytes";

/// The subjects of transcripts.
const SUBJECTS: [&str; 4] = ["u1", "u2", "u3", "u4"];

/// A server of a file store.
pub struct FilesWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    writes: Writes,
    /// Watches the rows by themselves, so that its barriers wait for the changes.
    control: Socket,
    watched: HashSet<String>,
}

/// A token of a subject for an hour; u4 is in the group `ops`.
pub fn token(subject: &str) -> String {
    token_for(subject, 3600)
}

/// The same, for so many seconds from now.
pub fn token_for(subject: &str, seconds: i64) -> String {
    let now = Timestamp::now().0 / 1000;
    let mut claims = json!({"sub": subject, "exp": now + seconds});
    if subject == "u4" {
        claims["groups"] = json!(["ops"]);
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a secret that signs")
}

impl FilesWorld {
    /// Learns the epoch of the server's log.
    pub async fn of(address: SocketAddr, writes: Writes) -> FilesWorld {
        let names = SUBJECTS.map(|subject| (format!("token={subject}"), format!("token={}", token(subject)))).to_vec();
        let url = format!("ws://{address}/?access_token={}", token("control"));
        let control = Socket::open(&url).await.expect("an upgrade on any other path");
        let mut world = FilesWorld { address, names, writes, control, watched: HashSet::new() };
        let position = world.barrier().await.expect("a barrier is answered");
        let epoch = position.split(':').next().unwrap_or_default();
        world.names.push(("e1:".to_owned(), format!("{epoch}:")));
        world
    }

    /// The position once everything committed before is in the log.
    pub async fn barrier(&mut self) -> Result<String, String> {
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

    /// Makes a change, and waits until it is in the log; `record` is the whole new row.
    pub async fn write(&mut self, resource: &str, id: &str, word: Word, record: Value) {
        let record = (word != Word::Removed).then(|| record.to_string());
        let change = Change { resource: resource.to_owned(), id: id.to_owned(), word, record };
        self.change(&change).await.expect("the change is made");
    }

    /// A socket of a subject.
    pub async fn open(&self, path: &str, subject: &str) -> Socket {
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("ws://{}{path}{mark}token={}", self.address, token(subject));
        Socket::open(&url).await.unwrap_or_else(|status| panic!("{path} is refused: {status}"))
    }
}

impl World for FilesWorld {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn given(&mut self, text: &str) -> Result<(), String> {
        Err(format!("nothing is given here: {text}"))
    }

    async fn change(&mut self, change: &Change) -> Result<(), String> {
        if self.watched.insert(change.resource.clone()) {
            let watch = json!({"handler": "watch", "resource": change.resource, "ref": change.resource});
            self.control.say(watch.to_string()).await;
        }
        self.barrier().await?;
        self.writes.make(self.address, change).await?;
        self.barrier().await.map(drop)
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
    }

    fn token(&self, who: &str) -> Option<String> {
        Some(token(who))
    }

    fn sync(&self, _number: usize) -> Option<Sync> {
        None
    }
}
