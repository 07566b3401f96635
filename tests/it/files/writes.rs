//! How rows are changed by somebody who knows nothing of the server: over HTTP in the embedded store, by SQL, by
//! native calls of MongoDB.

use crate::transcript::{Change, Word};
use mongodb::Database;
use mongodb::bson::{Document, doc, serialize_to_document};
use serde_json::Value;
use std::net::SocketAddr;
use tidings::files::rows::{Mapping, Part, Shape};
use tokio_postgres::Client;

/// Who changes the rows.
pub enum Writes {
    Http(reqwest::Client),
    Sql(Client),
    Documents(Database),
}

impl Writes {
    /// Makes a change; a record is the flat document of a row.
    pub async fn make(&self, address: SocketAddr, change: &Change) -> Result<(), String> {
        match self {
            Writes::Http(client) => request(client, address, change).await,
            Writes::Sql(client) => execute(client, change).await,
            Writes::Documents(database) => write(database, change).await,
        }
    }
}

fn record_of(change: &Change) -> Result<Value, String> {
    serde_json::from_str(change.record.as_deref().unwrap_or("{}")).map_err(|error| error.to_string())
}

async fn request(client: &reqwest::Client, address: SocketAddr, change: &Change) -> Result<(), String> {
    let url = format!("http://{address}/api/{}/{}", change.resource, change.id);
    let request = match change.word {
        Word::Removed => client.delete(url),
        _ => client.put(url).json(&record_of(change)?),
    };
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("the change is refused: {status} {}", answer.text().await.unwrap_or_default())),
    }
}

async fn execute(client: &Client, change: &Change) -> Result<(), String> {
    let (part, table) = part_of(change)?;
    let flat = Mapping::new(part, Shape::Flat, &[]);
    let members = flat.members(&change.id, &record_of(change)?).ok_or("a document is wanted")?;
    let row = Mapping::new(part, Shape::Columns, &[]).row(members);
    let columns: Vec<&str> = row.as_object().into_iter().flatten().map(|(column, _)| column.as_str()).collect();
    let columns = columns.join(", ");
    let (id, row) = (&change.id, row.to_string());
    let key = part.id();
    let done = match change.word {
        Word::Removed => client.execute(&format!("delete from {table} where {key} = $1"), &[id]).await,
        Word::Updated => {
            let rest = format!("(select {columns} from jsonb_populate_record(null::{table}, ($1::text)::jsonb))");
            client.execute(&format!("update {table} set ({columns}) = {rest} where {key} = $2"), &[&row, id]).await
        }
        _ => {
            let rest = format!("select {columns} from jsonb_populate_record(null::{table}, ($1::text)::jsonb)");
            client.execute(&format!("insert into {table} ({columns}) {rest}"), &[&row]).await
        }
    };
    done.map(drop).map_err(|error| format!("{error:?}"))
}

fn part_of(change: &Change) -> Result<(Part, &'static str), String> {
    let part = Part::ALL.into_iter().find(|part| part.name() == change.resource).ok_or("no such role")?;
    let (_, table) = super::ROLES.into_iter().find(|(role, _)| *role == part.name()).ok_or("no such table")?;
    Ok((part, table))
}

async fn write(database: &Database, change: &Change) -> Result<(), String> {
    let collection = database.collection::<Document>(&change.resource);
    let this = doc! {"_id": &change.id};
    let document = || -> Result<Document, String> {
        let mut document = serialize_to_document(&record_of(change)?).map_err(|error| error.to_string())?;
        document.insert("_id", &change.id);
        Ok(document)
    };
    let done = match change.word {
        Word::Removed => collection.delete_one(this).await.map(drop),
        Word::Updated => collection.replace_one(this, document()?).await.map(drop),
        _ => collection.insert_one(document()?).await.map(drop),
    };
    done.map_err(|error| error.to_string())
}
