//! What an acknowledgement writes. Whoever said it is told of it by the change that comes back.

use crate::dialect::misakey::Ack;
use crate::error::Result;
use crate::metrics::Metrics;
use crate::misakey::tables::{Tables, kept};
use crate::misakey::{Role, tables::Moment};
use crate::store::{Condition, Write};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How often it is tried, and how long all together.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(5);

/// Before the second try; before the next one twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// Writes acknowledgements.
pub struct Acks {
    pub tables: Arc<Tables>,
    /// Only those of members count.
    pub members_only: bool,
    /// Up to which event is noted, for who counts by that.
    pub notes_newest: bool,
    pub metrics: Arc<Metrics>,
}

impl Acks {
    /// Writes one, which was said in this text; gives up when the store goes on failing.
    pub async fn write(&self, ack: &Ack, text: &str) {
        let trying = async {
            let mut pause = PAUSE;
            let mut outcome = self.try_write(ack, text).await;
            for _ in 1..TRIES {
                if outcome.is_ok() {
                    break;
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
                outcome = self.try_write(ack, text).await;
            }
            outcome
        };
        let why = match tokio::time::timeout(PATIENCE, trying).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.chain(),
            Err(_) => "the store takes too long".to_owned(),
        };
        self.metrics.dropped(Role::EventCounts.name(), "ack").inc();
        tracing::warn!(error = why, "an acknowledgement is lost");
    }

    async fn try_write(&self, ack: &Ack, text: &str) -> Result<()> {
        let Some(served) = self.tables.served(Role::EventCounts) else { return Ok(()) };
        if self.members_only && !self.tables.members(&ack.box_id).await?.contains(ack.identity.as_str()) {
            return Ok(());
        }
        let newest: Option<Moment> = match self.notes_newest {
            true => self.tables.newest(&ack.box_id).await?,
            false => None,
        };
        let id = format!("{}:{}", ack.identity, ack.box_id);
        let row = json!({
            "id": id,
            "identity_id": ack.identity,
            "box_id": ack.box_id,
            "count": 0,
            "acked_at": jiff::Timestamp::now().to_string(),
            // A new one each time: so it is a change, whatever the count was.
            "ack_id": Uuid::new_v4().to_string(),
            "ack_text": text,
            "acked_upto": newest.as_ref().map(kept),
        });
        served.store.write(&served.resource, &id, Write::Put(row), &Condition::None).await.map(drop)
    }
}
