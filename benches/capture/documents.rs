//! MongoDB: a bare loop over a change stream.

use crate::Feed;
use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, RawDocumentBuf, Timestamp, doc};
use mongodb::options::{ChangeStreamOptions, FullDocumentBeforeChangeType, FullDocumentType};
use mongodb::{Client, Database};

/// A collection of a database of its own.
pub struct Documents {
    url: String,
    database: Database,
    from: Timestamp,
}

/// Documents that change in turn.
const DOCUMENTS: i64 = 1000;

impl Documents {
    pub async fn create(server: &str) -> Documents {
        let name = format!("tidings_bench_{}", uuid::Uuid::new_v4().simple());
        let client = Client::with_uri_str(server).await.expect("MongoDB can be reached");
        let database = client.database(&name);
        let images = doc! {"create": "rows", "changeStreamPreAndPostImages": {"enabled": true}};
        database.run_command(images).await.expect("a collection");
        let rows = (0..DOCUMENTS).map(|n| doc! {"_id": n, "number": 0_i64, "state": "on", "text": "x".repeat(100)});
        database.collection("rows").insert_many(rows).await.expect("documents");
        let url = format!("{}/{name}", server.trim_end_matches('/'));
        Documents { url, database, from: Timestamp { time: 0, increment: 0 } }
    }
}

#[async_trait]
impl Feed for Documents {
    fn name(&self) -> &'static str {
        "mongodb"
    }

    fn configuration(&self) -> String {
        format!("[sources.mongo]\nurl = {:?}\n[resources.rows]\nsource = \"mongo\"\n", self.url)
    }

    async fn mark(&mut self) {
        let reply = self.database.run_command(doc! {"ping": 1}).await.expect("an answer");
        let Some(Bson::Timestamp(time)) = reply.get("operationTime").cloned() else { panic!("no time in {reply}") };
        self.from = Timestamp { time: time.time, increment: time.increment + 1 };
    }

    async fn fill(&mut self, changes: usize) {
        let rows = self.database.collection::<Document>("rows");
        for round in 0..changes / 1000 {
            let updates: Vec<Document> = (0..1000_i64)
                .map(|n| {
                    let number = round as i64 * 1000 + n;
                    doc! {"q": {"_id": n % DOCUMENTS}, "u": {"$set": {"number": number, "state": "off"}}}
                })
                .collect();
            self.database.run_command(doc! {"update": rows.name(), "updates": updates}).await.expect("changes");
        }
    }

    async fn read(&mut self, changes: usize) {
        let options = ChangeStreamOptions::builder()
            .start_at_operation_time(self.from)
            .full_document(FullDocumentType::WhenAvailable)
            .full_document_before_change(FullDocumentBeforeChangeType::WhenAvailable)
            .build();
        let stream = self.database.watch().with_options(options).await.expect("a change stream");
        let mut stream = stream.with_type::<RawDocumentBuf>();
        for _ in 0..changes {
            stream.try_next().await.expect("a change").expect("the stream goes on");
        }
    }

    async fn clean(&mut self) {
        self.database.drop().await.expect("the database is dropped");
    }
}
