//! Writers in MongoDB: transactions that overlap, fail, and take long. The database keeps the history.

use crate::load::Load;
use crate::model::History;
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, Result, TRANSIENT_TRANSACTION_ERROR};
use mongodb::options::ReturnDocument;
use mongodb::{Client, ClientSession, Database};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

/// Writers of short transactions.
const WRITERS: usize = 8;

/// Rows that writers change in turn, and those of the long transactions.
const ROWS: usize = 40;
const SLOW_ROWS: usize = 3;

/// The longest transaction.
const LONG: Duration = Duration::from_secs(3);

/// A configuration that serves the rows of a database.
pub fn configuration(url: &str) -> String {
    format!("[sources.mongo]\nurl = {url:?}\n[resources.rows]\nsource = \"mongo\"\ncollection = \"rows\"\n")
}

/// Makes the collections, with most of the rows in them.
pub async fn prepare(database: &Database) {
    let images = doc! {"create": "rows", "changeStreamPreAndPostImages": {"enabled": true}};
    database.run_command(images).await.expect("a collection with images");
    let counters: Vec<Document> = (0..ROWS)
        .map(|number| format!("r{number}"))
        .chain((0..SLOW_ROWS).map(|number| format!("s{number}")))
        .map(|id| doc! {"_id": id, "version": 0_i64})
        .collect();
    database.collection("counters").insert_many(counters).await.expect("counters");
    database.create_collection("history").await.expect("a collection");
    for number in (0..ROWS).filter(|number| number % 4 != 0) {
        let mut session = database.client().start_session().await.expect("a session");
        session.start_transaction().await.expect("a transaction");
        step(database, &mut session, &format!("r{number}"), 0.3).await.expect("a row");
        session.commit_transaction().await.expect("a commit");
    }
}

/// Whether the server reads at the time that it is asked to. One that does not can only promise that nothing is
/// missing: what a list has may be told again behind it.
pub async fn is_exact(database: &Database) -> bool {
    let build = database.run_command(doc! {"buildInfo": 1}).await.expect("an answer");
    !build.contains_key("secantusVersion")
}

/// Everything that was ever committed.
pub async fn history(database: &Database) -> History {
    let cursor = database.collection::<Document>("history").find(doc! {}).sort(doc! {"row": 1, "version": 1}).await;
    let rows: Vec<Document> = cursor.expect("the history").try_collect().await.expect("the history");
    let mut history = History::new();
    for row in rows {
        let version = row.get_i64("version").expect("a version");
        let document = row.get_str("document").ok().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        history.entry(row.get_str("row").expect("a row").to_owned()).or_default().push((version, document));
    }
    history
}

/// Writers in short transactions, and a last one in long ones. They come back when their connection is lost.
pub fn start(url: &str) -> Load {
    let url = url.to_owned();
    Load::start(0..=WRITERS, move |number, stop| {
        let url = url.clone();
        async move {
            let mut rng = StdRng::seed_from_u64(number as u64);
            let client = Client::with_uri_str(&url).await.expect("a client");
            let database = client.default_database().expect("the URL names a database");
            while !stop.is_asked() {
                let done = match number == WRITERS {
                    true => long(&database, &mut rng).await,
                    false => short(&database, &mut rng).await,
                };
                if let Err(error) = done {
                    assert!(is_to_be_tried_again(&error), "{error:?}");
                    sleep(Duration::from_millis(rng.random_range(1..20))).await;
                }
            }
            History::new()
        }
    })
}

/// Whether another writer was first, or the server went away for a while.
fn is_to_be_tried_again(error: &Error) -> bool {
    use mongodb::error::ErrorKind::{ConnectionPoolCleared, Io, ServerSelection};
    error.contains_label(TRANSIENT_TRANSACTION_ERROR)
        || matches!(*error.kind, Io(_) | ServerSelection { .. } | ConnectionPoolCleared { .. })
}

/// A few changes, with pauses between them, some of them taken back.
async fn short(database: &Database, rng: &mut StdRng) -> Result<()> {
    let mut numbers: Vec<usize> = (0..rng.random_range(1..4)).map(|_| rng.random_range(0..ROWS)).collect();
    numbers.sort_unstable();
    let mut session = database.client().start_session().await?;
    session.start_transaction().await?;
    for number in numbers {
        step(database, &mut session, &format!("r{number}"), rng.random()).await?;
        sleep(Duration::from_millis(rng.random_range(0..40))).await;
    }
    match rng.random_bool(0.15) {
        true => session.abort_transaction().await?,
        false => commit(&mut session).await,
    }
    sleep(Duration::from_millis(rng.random_range(0..60))).await;
    Ok(())
}

/// A change that stays open while hundreds of others come and go.
async fn long(database: &Database, rng: &mut StdRng) -> Result<()> {
    let mut session = database.client().start_session().await?;
    session.start_transaction().await?;
    step(database, &mut session, &format!("s{}", rng.random_range(0..SLOW_ROWS)), rng.random()).await?;
    sleep(LONG).await;
    commit(&mut session).await;
    Ok(())
}

/// Whether it came to that is in the history, which is part of the transaction.
async fn commit(session: &mut ClientSession) {
    if let Err(error) = session.commit_transaction().await {
        println!("a commit failed: {error}");
    }
}

/// Makes one change of a row and notes it in the same transaction; who holds the counter may change the row, so
/// versions have no gap.
async fn step(database: &Database, session: &mut ClientSession, id: &str, dice: f64) -> Result<()> {
    let counters = database.collection::<Document>("counters");
    let rows = database.collection::<Document>("rows");
    let raised = counters
        .find_one_and_update(doc! {"_id": id}, doc! {"$inc": {"version": 1_i64}})
        .return_document(ReturnDocument::After)
        .session(&mut *session)
        .await?;
    let next = raised.expect("a counter").get_i64("version").expect("a version");
    let held = rows.find_one(doc! {"_id": id}).session(&mut *session).await?;
    let state = if dice < 0.6 { "on" } else { "off" };
    let note = doc! {"dice": dice.to_string(), "list": [next, next % 3]};
    let known = match held {
        None => {
            let fresh = doc! {"_id": id, "version": next, "state": state, "note": {"fresh": true}};
            rows.insert_one(fresh).session(&mut *session).await?;
            Some(serde_json::json!({"id": id, "version": next, "state": state, "note": {"fresh": true}}))
        }
        Some(_) if dice < 0.15 => {
            rows.delete_one(doc! {"_id": id}).session(&mut *session).await?;
            None
        }
        Some(_) => {
            let change = doc! {"$set": {"version": next, "state": state, "note": note}};
            rows.update_one(doc! {"_id": id}, change).session(&mut *session).await?;
            let note = serde_json::json!({"dice": dice.to_string(), "list": [next, next % 3]});
            Some(serde_json::json!({"id": id, "version": next, "state": state, "note": note}))
        }
    };
    let mut entry = doc! {"row": id, "version": next};
    if let Some(known) = known {
        entry.insert("document", known.to_string());
    }
    database.collection("history").insert_one(entry).session(session).await?;
    Ok(())
}
