//! What the transcripts of a file store need beside a server: tokens, somebody who changes rows, and a barrier that
//! tells when the changes are in.

use crate::control::Control;
use crate::rows::Writes;
use crate::socket::Socket;
use crate::transcript::{Change, Word, World};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
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
    control: Control,
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
        let control = Control::open(&url).await;
        let mut world = FilesWorld { address, names, writes, control };
        let epoch = world.control.epoch().await;
        world.names.push(("e1:".to_owned(), format!("{epoch}:")));
        world
    }

    /// Makes a change, and waits until it is in the log; `record` is the whole new row.
    pub async fn write(&mut self, resource: &str, id: &str, word: Word, record: Value) {
        self.change(&Change::of(resource, id, word, &record)).await.expect("the change is made");
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

    async fn change(&mut self, change: &Change) -> Result<(), String> {
        self.writes.log(&mut self.control, self.address, change, |record| super::writes::place(change, record)).await
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
    }

    fn token(&self, who: &str) -> Option<String> {
        Some(token(who))
    }
}
