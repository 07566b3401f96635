//! What the transcripts of boxes need beside a server: tokens, people, somebody who changes rows, and a barrier that
//! tells when the changes are in.

use crate::control::Control;
use crate::rows::Writes;
use crate::socket::Socket;
use crate::transcript::{Change, Word, World};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tidings::event::Timestamp;

/// The secret in the configuration.
const SECRET: &str = "a secret of at least thirty-two bytes";

/// The creator of the box, a member, a stranger.
pub const ANN: &str = "a11ce000-0000-4000-8000-000000000001";
pub const BOB: &str = "b0b00000-0000-4000-8000-000000000002";
pub const CAROL: &str = "ca201000-0000-4000-8000-000000000003";

/// The box.
pub const BOX: &str = "b0c50000-0000-4000-8000-0000000000b1";

/// An id of the n-th row.
pub fn id(number: usize) -> String {
    format!("e0000000-0000-4000-8000-{number:012}")
}

/// A row of an event of the box, a second after the one with the number before.
pub fn event(number: usize, sender: &str, kind: &str, content: Value, referrer: Option<usize>) -> Value {
    json!({
        "id": id(number), "box_id": BOX, "sender_id": sender, "type": kind, "content": content,
        "created_at": format!("2021-01-19T08:{:02}:{:02}Z", number / 60, number % 60), "referrer_id": referrer.map(id),
    })
}

/// The acknowledgement of the box by somebody.
pub fn ack(identity: &str) -> String {
    json!({"type": "ack", "object": {"sender_id": identity, "box_id": BOX}}).to_string()
}

/// A token of an identity for an hour.
pub fn token(identity: &str) -> String {
    token_of(&json!({"sub": identity}), 3600)
}

/// A token with these claims for so many seconds from now.
pub fn token_of(claims: &Value, seconds: i64) -> String {
    let mut claims = claims.clone();
    claims["exp"] = json!(Timestamp::now().0 / 1000 + seconds);
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a secret that signs")
}

/// A server of boxes.
pub struct MisakeyWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    pub writes: Writes,
    pub control: Control,
}

impl MisakeyWorld {
    /// Makes people, and learns the epoch of the server's log.
    pub async fn of(address: SocketAddr, writes: Writes) -> MisakeyWorld {
        let people = [("A", "Alice", ANN), ("B", "Bob", BOB), ("C", "Carol", CAROL)];
        let mut names = vec![("$X".to_owned(), BOX.to_owned())];
        for (letter, _, identity) in people {
            names.push((format!("${letter}"), identity.to_owned()));
            names.push((format!("@{letter}"), token(identity)));
        }
        names.extend((1..=9).map(|number| (format!("${number}"), id(number))));
        let url = format!("ws://{address}/?access_token={}", token("control"));
        let control = Control::open(&url).await;
        let mut world = MisakeyWorld { address, names, writes, control };
        let epoch = world.control.epoch().await;
        world.names.push(("e1:".to_owned(), format!("{epoch}:")));
        for (_, name, identity) in people {
            let identifier = format!("{}@example.org", name.to_lowercase());
            let row = json!({
                "id": identity, "display_name": name, "avatar_url": null, "identifier_value": identifier,
                "identifier_kind": "email",
            });
            world.write("identities", identity, Word::Created, row).await;
        }
        world
    }

    /// Makes a change, and waits until it is in the log; `record` is the whole new row.
    pub async fn write(&mut self, resource: &str, id: &str, word: Word, record: Value) {
        self.change(&Change::of(resource, id, word, &record)).await.expect("the change is made");
    }

    /// Adds an event of the box.
    pub async fn add(&mut self, event: Value) {
        let id = event["id"].as_str().expect("an id").to_owned();
        self.write("box_events", &id, Word::Created, event).await;
    }

    /// Makes the box, of which Bob is a member.
    pub async fn make_box(&mut self) {
        self.add(event(1, ANN, "create", json!({"public_key": "pk", "title": "T"}), None)).await;
        self.add(event(2, BOB, "member.join", Value::Null, None)).await;
    }

    /// A socket of an identity.
    pub async fn open(&self, identity: &str) -> Socket {
        Socket::open(&self.url(identity, "")).await.unwrap_or_else(|status| panic!("{identity} is refused: {status}"))
    }

    /// Where an identity connects, with more parameters.
    pub fn url(&self, identity: &str, more: &str) -> String {
        format!("ws://{}/box-users/{identity}/ws?access_token={}{more}", self.address, token(identity))
    }

    /// The row that counts for an identity; waits until it is as it should be.
    pub async fn until_counted(&self, identity: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let end = tokio::time::Instant::now() + crate::socket::PATIENCE;
        loop {
            let rows = super::writes::rows(&self.writes, self.address, "event_counts").await;
            let own = rows.iter().find(|row| row["id"] == format!("{identity}:{BOX}")).cloned().unwrap_or_default();
            if is_right(&own) {
                return own;
            }
            assert!(tokio::time::Instant::now() < end, "of {identity} it is {own}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl World for MisakeyWorld {
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
