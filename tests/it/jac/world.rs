//! What the transcripts of pushes need beside a server: tokens, somebody who changes rows, and a barrier that tells
//! when the changes are in.

use crate::control::Control;
use crate::rows::{Place, Writes};
use crate::transcript::{Change, Sync, World};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::event::Timestamp;

/// The secret in the configuration.
const SECRET: &str = "a secret of at least thirty-two bytes";

/// The users of transcripts.
pub const ANN: &str = "672b35cec309e5ef8469c372";
pub const BOB: &str = "672b35cec309e5ef8469c373";

/// A server of pushes.
pub struct JacWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    writes: Writes,
    control: Control,
}

/// A token of a user for an hour.
pub fn token(root: &str) -> String {
    signed(&json!({"root_id": root, "exp": now() + 3600}))
}

/// A token with these claims.
pub fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("a secret that signs")
}

/// Seconds since 1970.
pub fn now() -> i64 {
    Timestamp::now().0 / 1000
}

impl JacWorld {
    /// A world around a server; rows are changed by these means.
    pub async fn of(address: SocketAddr, writes: Writes) -> JacWorld {
        let names = [("@A", ANN), ("@B", BOB)].map(|(name, root)| (name.to_owned(), token(root))).to_vec();
        let control = Control::open(&format!("ws://{address}/")).await;
        let mut world = JacWorld { address, names, writes, control };
        for resource in ["messages", "pushes"] {
            world.control.watch(resource).await;
        }
        world
    }
}

impl World for JacWorld {
    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn change(&mut self, change: &Change) -> Result<(), String> {
        let place = |mut row: Value| {
            row["id"] = json!(change.id);
            Ok(Place { table: change.resource.clone(), key: "id", row })
        };
        self.writes.log(&mut self.control, self.address, change, place).await
    }

    fn names(&self) -> &[(String, String)] {
        &self.names
    }

    fn token(&self, who: &str) -> Option<String> {
        self.names.iter().find(|(name, _)| name.strip_prefix('@') == Some(who)).map(|(_, token)| token.clone())
    }

    fn sync(&self, number: usize) -> Option<Sync> {
        let question = json!({"type": "walker", "walker": "none", "ref": format!("sync {number}")}).to_string();
        Some(Sync { question, is_answer: Box::new(move |answer| answer["ref"] == format!("sync {number}")) })
    }
}
