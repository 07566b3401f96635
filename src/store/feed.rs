//! The store of a resource whose changes come as messages. Its rows, if there are any, are in another store.
//!
//! Promise: a list followed by what was received after its mark misses nothing. It may be told what the list has
//! already, for messages carry no version that could be compared with the rows'.

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Stamp};
use crate::query::Query;
use crate::resource::Resource;
use crate::store::{Condition, Snapshot, Store, Write, Written};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long a list waits until its resource is followed.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far a feed of messages has come.
#[async_trait]
pub trait Progress: Send + Sync {
    /// A mark that contains every message that was sent before the call, as far as the product can tell. Waits
    /// until what is watched is followed at all.
    async fn mark(&self) -> Result<Mark>;
}

/// Where lines go that clients write.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// Sends a line under a routing key, and returns when the product has it.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`, as the product says.
    async fn send(&self, key: &str, body: &Value) -> Result<()>;
}

/// The rows of a feed.
pub struct FeedStore {
    rows: Option<Arc<dyn Store>>,
    progress: Arc<dyn Progress>,
    outlet: Option<Arc<dyn Outlet>>,
}

impl FeedStore {
    /// A store of a feed; without `rows` it can only be watched.
    pub fn new(rows: Option<Arc<dyn Store>>, progress: Arc<dyn Progress>) -> FeedStore {
        FeedStore { rows, progress, outlet: None }
    }

    /// The same, with a place to which lines can be written.
    pub fn with_outlet(self, outlet: Arc<dyn Outlet>) -> FeedStore {
        FeedStore { outlet: Some(outlet), ..self }
    }
}

#[async_trait]
impl Store for FeedStore {
    async fn query(&self, resource: &Resource, query: &Query) -> Result<Snapshot> {
        let Some(rows) = &self.rows else {
            return Err(Error::new(Kind::Refused, format!("{} has changes, and no rows to read", resource.name)));
        };
        // Taken first: what arrives while the rows are read is told after them. Of a feed that is not followed now
        // nothing is in the list; once it is, those who got this list are told to start over.
        let marking = tokio::time::timeout(PATIENCE, self.progress.mark());
        let mark = marking.await.unwrap_or(Ok(Mark::Offset(0)))?;
        let snapshot = rows.query(resource, query).await?;
        Ok(Snapshot { mark, ..snapshot })
    }

    async fn mark(&self) -> Result<Mark> {
        self.progress.mark().await
    }

    /// A line's routing key is its id; without one its `level`, as loggers route.
    async fn write(&self, resource: &Resource, id: &str, write: Write, _: &Condition) -> Result<Written> {
        if let (Some(outlet), Write::Append(body)) = (&self.outlet, &write) {
            let level = body.get("level").and_then(Value::as_str).unwrap_or_default();
            outlet.send(if id.is_empty() { level } else { id }, body).await?;
            return Ok(Written { before: None, after: Some(Document::new(body.clone())), stamp: Stamp::None });
        }
        Err(Error::new(Kind::Refused, format!("{} follows messages and takes no writes", resource.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::store::embedded::Embedded;
    use serde_json::json;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Received(AtomicU64);

    #[async_trait]
    impl Progress for Received {
        async fn mark(&self) -> Result<Mark> {
            Ok(Mark::Offset(self.0.load(Ordering::Relaxed)))
        }
    }

    #[tokio::test]
    async fn a_list_has_the_rows_of_another_store_and_the_mark_of_the_feed() {
        let nodes = Resource::named("nodes");
        let rows = Embedded::open(None).expect("a store");
        rows.write(&nodes, "n1", Write::Put(json!({"a": 1})), &Condition::None).await.expect("a write");
        let received = Arc::new(Received(AtomicU64::new(7)));
        let store = FeedStore::new(Some(rows), received.clone());
        let all = Query { filter: Arc::new(Filter::All), sort: Vec::new(), skip: 0, limit: None, max_items: 10 };
        let snapshot = store.query(&nodes, &all).await.expect("a list");
        assert_eq!((snapshot.rows.len(), snapshot.mark), (1, Mark::Offset(7)));
        let bare = FeedStore::new(None, received);
        assert_eq!(bare.query(&nodes, &all).await.unwrap_err().kind(), Kind::Refused);
        assert_eq!(bare.mark().await.expect("a mark"), Mark::Offset(7));
        let write = bare.write(&nodes, "n1", Write::Delete, &Condition::None).await;
        assert_eq!(write.unwrap_err().kind(), Kind::Refused);
    }
}
