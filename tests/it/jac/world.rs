//! What the transcripts of pushes need beside a server: tokens, somebody who changes rows, and a barrier that tells
//! when the changes are in.

use crate::control::Control;
use crate::transcript::{Change, Sync, Word, World};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::event::Timestamp;
use tokio_postgres::Client;

/// The secret in the configuration.
const SECRET: &str = "a secret of at least thirty-two bytes";

/// The users of transcripts.
pub const ANN: &str = "672b35cec309e5ef8469c372";
pub const BOB: &str = "672b35cec309e5ef8469c373";

/// A server of pushes.
pub struct JacWorld {
    address: SocketAddr,
    names: Vec<(String, String)>,
    client: Option<Client>,
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
    /// A world around a server; rows are changed by SQL, or else over HTTP.
    pub async fn of(address: SocketAddr, client: Option<Client>) -> JacWorld {
        let names = [("@A", ANN), ("@B", BOB)].map(|(name, root)| (name.to_owned(), token(root))).to_vec();
        let control = Control::open(&format!("ws://{address}/")).await;
        let mut world = JacWorld { address, names, client, control };
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
        self.control.barrier().await?;
        match &self.client {
            Some(client) => execute(client, change).await?,
            None => request(self.address, change).await?,
        }
        self.control.barrier().await.map(drop)
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

async fn request(address: SocketAddr, change: &Change) -> Result<(), String> {
    let url = format!("http://{address}/api/{}/{}", change.resource, change.id);
    let client = reqwest::Client::new();
    let request = match (change.word, &change.record) {
        (Word::Removed, _) | (_, None) => client.delete(url),
        (_, Some(record)) => client.put(url).header("content-type", "application/json").body(record.clone()),
    };
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("the change is refused: {status}")) }
}

async fn execute(client: &Client, change: &Change) -> Result<(), String> {
    let (table, id) = (&change.resource, &change.id);
    let record = change.record.as_deref().unwrap_or("{}");
    let with_id = "jsonb_populate_record(null::TABLE, ($1::text)::jsonb || jsonb_build_object('id', $2::text))";
    let with_id = with_id.replace("TABLE", table);
    let done = match change.word {
        Word::Removed => client.execute(&format!("delete from {table} where id = $1"), &[id]).await,
        Word::Updated => {
            let columns = if table == "messages" { "id, room, text" } else { "id, kind, ids, data" };
            let statement = format!("update {table} set ({columns}) = (select {columns} from {with_id}) where id = $2");
            client.execute(&statement, &[&record, id]).await
        }
        _ => client.execute(&format!("insert into {table} select * from {with_id}"), &[&record, id]).await,
    };
    done.map(drop).map_err(|error| format!("{error:?}"))
}
