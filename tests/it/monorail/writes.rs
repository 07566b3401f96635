//! How the changes of a transcript are made: over HTTP, by native calls of a database, or as messages of a broker.

use crate::broker::Broker;
use crate::transcript::{Change, Word};
use mongodb::Database;
use mongodb::bson::{Document, RawDocumentBuf, doc, serialize_to_document};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::mongodb::form;

/// Who makes the changes.
pub enum Writes {
    /// A client of the server under test.
    Http(reqwest::Client),
    /// Somebody who knows nothing of the server: the collections have the names of the resources. Lines are written
    /// over HTTP.
    Documents(Database, reqwest::Client),
    /// As RackHD does it: rows in MongoDB, told on `on.waterline`; log lines on an exchange of their own.
    Messages(Database, Box<Broker>),
}

impl Writes {
    /// Whether a barrier of the server cannot know of a change that was just made: a broker does not tell how much
    /// is under way.
    pub fn are_messages(&self) -> bool {
        matches!(self, Writes::Messages(..))
    }

    /// Makes a change.
    pub async fn make(&self, address: SocketAddr, change: &Change) -> Result<(), String> {
        match self {
            Writes::Http(client) => request(client, address, change).await,
            Writes::Documents(_, client) if change.word == Word::Appended => request(client, address, change).await,
            Writes::Documents(database, _) => write(database, change).await,
            Writes::Messages(database, broker) => {
                if let Some(exchange) = change.resource.strip_prefix("mq:") {
                    publish(broker, exchange, &change.id, &record_of(change)?).await;
                } else if change.word == Word::Appended {
                    publish(broker, &broker.exchange("on.lines"), "info", &record_of(change)?).await;
                } else {
                    // What is destroyed is told as it was.
                    let gone = read(database, change).await?;
                    write(database, change).await?;
                    let word = match change.word {
                        Word::Created => "created",
                        Word::Updated => "updated",
                        Word::Removed | Word::Appended => "destroyed",
                    };
                    let key = format!("{}.{word}.{}", change.resource, change.id);
                    let body = json!({"event": word, "record": if change.word == Word::Removed { gone } else { record_of(change)? }});
                    publish(broker, &broker.exchange("on.waterline"), &key, &body).await;
                }
                Ok(())
            }
        }
    }
}

async fn publish(broker: &Broker, exchange: &str, key: &str, body: &Value) {
    broker.publish(exchange, key, body).await;
}

/// The record; of a removal that shows none, its key.
fn record_of(change: &Change) -> Result<Value, String> {
    match &change.record {
        Some(record) => serde_json::from_str(record).map_err(|error| error.to_string()),
        None => Ok(json!({"id": change.id})),
    }
}

async fn request(client: &reqwest::Client, address: SocketAddr, change: &Change) -> Result<(), String> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let resource = format!("http://{address}/api/{}", encoded(&change.resource));
    let id = encoded(&change.id);
    let request = match change.word {
        Word::Created | Word::Updated => client.put(format!("{resource}/{id}")),
        Word::Removed => client.delete(format!("{resource}/{id}")),
        Word::Appended => client.post(format!("{resource}?id={id}")),
    };
    let request = match (&change.record, change.word) {
        (None, _) | (_, Word::Removed) => request,
        (Some(record), _) => request.header("content-type", "application/json").body(record.clone()),
    };
    let answer = request.send().await.map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    Err(format!("the change is refused: {status} {}", answer.text().await.unwrap_or_default()))
}

fn key_of(change: &Change) -> &'static str {
    if change.resource == "graphObjs" { "instanceId" } else { "_id" }
}

/// The row as it is now, or null.
async fn read(database: &Database, change: &Change) -> Result<Value, String> {
    let rows = database.collection::<RawDocumentBuf>(&change.resource);
    let row = rows.find_one(doc! {key_of(change): &change.id}).await.map_err(|error| error.to_string())?;
    Ok(row.map(|row| form::document(&row)).unwrap_or_default())
}

/// A native write; the record's `id` is the document's `_id`.
async fn write(database: &Database, change: &Change) -> Result<(), String> {
    let collection = database.collection::<Document>(&change.resource);
    let this = doc! {key_of(change): &change.id};
    let document = || -> Result<Document, String> {
        let mut record = record_of(change)?;
        let fields = record.as_object_mut().ok_or("a document is wanted")?;
        let id = fields.remove("id").unwrap_or_else(|| Value::from(change.id.as_str()));
        fields.insert("_id".to_owned(), id);
        serialize_to_document(&record).map_err(|error| error.to_string())
    };
    let done = match change.word {
        Word::Created => collection.insert_one(document()?).await.map(drop),
        Word::Updated => collection.replace_one(this, document()?).await.map(drop),
        Word::Removed => collection.delete_one(this).await.map(drop),
        Word::Appended => return Err("nothing is appended to a collection".to_owned()),
    };
    done.map_err(|error| error.to_string())
}
