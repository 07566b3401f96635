//! How rows are changed by somebody who knows nothing of the server: over HTTP in the embedded store, by SQL, by
//! native calls of MongoDB.

use crate::control::Control;
use crate::transcript::{Change, Word};
use mongodb::Database;
use mongodb::bson::{Document, doc, serialize_to_document};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio_postgres::Client;

/// Who changes the rows.
pub enum Writes {
    Http(reqwest::Client),
    Sql(Client),
    Documents(Database),
}

/// Where a change is made in a database.
pub struct Place {
    pub table: String,
    /// What finds the row by its id.
    pub key: &'static str,
    /// The row by its columns.
    pub row: Value,
}

impl Writes {
    /// Makes a change; a record is the whole row, as a document. `place` says what it is in a table.
    pub async fn make(
        &self,
        address: SocketAddr,
        change: &Change,
        place: impl FnOnce(Value) -> Result<Place, String>,
    ) -> Result<(), String> {
        let record: Value =
            serde_json::from_str(change.record.as_deref().unwrap_or("{}")).map_err(|error| error.to_string())?;
        match self {
            Writes::Http(client) => request(client, address, change, &record).await,
            Writes::Sql(client) => execute(client, change, place(record)?).await,
            Writes::Documents(database) => write(database, change, &record).await,
        }
    }

    /// The same, and waits until it is in the log.
    pub async fn log(
        &self,
        control: &mut Control,
        address: SocketAddr,
        change: &Change,
        place: impl FnOnce(Value) -> Result<Place, String>,
    ) -> Result<(), String> {
        control.watch(&change.resource).await;
        control.barrier().await?;
        self.make(address, change, place).await?;
        control.barrier().await.map(drop)
    }
}

async fn request(client: &reqwest::Client, address: SocketAddr, change: &Change, record: &Value) -> Result<(), String> {
    let url = format!("http://{address}/api/{}/{}", change.resource, change.id);
    let request = match change.word {
        Word::Removed => client.delete(url),
        _ => client.put(url).json(record),
    };
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("the change is refused: {status} {}", answer.text().await.unwrap_or_default())),
    }
}

async fn execute(client: &Client, change: &Change, place: Place) -> Result<(), String> {
    let Place { table, key, row } = place;
    let columns: Vec<&str> = row.as_object().into_iter().flatten().map(|(column, _)| column.as_str()).collect();
    let columns = columns.join(", ");
    let populated = format!("select {columns} from jsonb_populate_record(null::{table}, ($1::text)::jsonb)");
    let (id, row) = (&change.id, row.to_string());
    let done = match change.word {
        Word::Removed => client.execute(&format!("delete from {table} where {key} = $1"), &[id]).await,
        Word::Updated => {
            let update = format!("update {table} set ({columns}) = ({populated}) where {key} = $2");
            client.execute(&update, &[&row, id]).await
        }
        _ => client.execute(&format!("insert into {table} ({columns}) {populated}"), &[&row]).await,
    };
    done.map(drop).map_err(|error| format!("{error:?}"))
}

async fn write(database: &Database, change: &Change, record: &Value) -> Result<(), String> {
    let collection = database.collection::<Document>(&change.resource);
    // A number stays one as a key.
    let id = record.get("id").filter(|id| id.is_number()).cloned().unwrap_or_else(|| change.id.clone().into());
    let this = match change.word {
        Word::Removed => doc! {"_id": &change.id},
        _ => serialize_to_document(&json!({ "_id": id })).map_err(|error| error.to_string())?,
    };
    let document = || -> Result<Document, String> {
        let mut document = serialize_to_document(record).map_err(|error| error.to_string())?;
        document.extend(this.clone());
        Ok(document)
    };
    let done = match change.word {
        Word::Removed => collection.delete_one(this).await.map(drop),
        Word::Updated => collection.replace_one(this.clone(), document()?).await.map(drop),
        _ => collection.insert_one(document()?).await.map(drop),
    };
    done.map_err(|error| error.to_string())
}
