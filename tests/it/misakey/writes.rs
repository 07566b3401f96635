//! What a row of boxes is in its table, and which rows there are.

use super::ROLES;
use crate::rows::{Place, Writes};
use crate::transcript::Change;
use serde_json::Value;
use std::net::SocketAddr;

/// Where a change of a row is made.
pub fn place(change: &Change, record: Value) -> Result<Place, String> {
    Ok(Place { table: table(&change.resource).to_owned(), key: "id::text", row: record })
}

/// Somebody else who changes rows of the same database.
pub async fn another(writes: &Writes, database: Option<&crate::postgres::Database>) -> Writes {
    match (writes, database) {
        (Writes::Sql(_), Some(database)) => Writes::Sql(database.client().await),
        (Writes::Documents(database), _) => Writes::Documents(database.clone()),
        _ => Writes::Http(reqwest::Client::new()),
    }
}

/// The rows of a role that are there.
pub async fn rows(writes: &Writes, address: SocketAddr, role: &str) -> Vec<Value> {
    match writes {
        Writes::Sql(client) => {
            let rows = client.query(&format!("select row_to_json(t)::text from {} t", table(role)), &[]).await;
            let rows = rows.expect("rows");
            rows.iter().map(|row| serde_json::from_str(row.get(0)).expect("JSON")).collect()
        }
        _ => {
            let answer = reqwest::get(format!("http://{address}/api/{role}")).await.expect("an answer");
            answer.json().await.expect("a list")
        }
    }
}

/// The table of a role.
pub fn table(role: &str) -> &'static str {
    ROLES.into_iter().find(|(name, _)| *name == role).map(|(_, table)| table).expect("a role")
}
