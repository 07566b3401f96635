//! How far a broker's messages have been handed over, for barriers and lists.

use crate::error::Result;
use crate::event::{Mark, Timestamp};
use crate::interest::Interests;
use crate::store::feed;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the messages of one broker that were handed over. It begins with the time, so that a mark of an earlier
/// run of the program is behind it.
#[derive(Debug)]
pub struct Count(AtomicU64);

impl Default for Count {
    fn default() -> Count {
        Count(AtomicU64::new(u64::try_from(Timestamp::now().0).unwrap_or_default() * 1000))
    }
}

impl Count {
    /// Adds so many; everything up to the returned mark is handed over with them.
    pub(super) fn add(&self, messages: usize) -> Mark {
        Mark::Offset(self.0.fetch_add(messages as u64, Ordering::AcqRel) + messages as u64)
    }
}

/// The progress of one resource.
#[derive(Debug)]
pub struct Progress {
    count: Arc<Count>,
    interests: Arc<Interests>,
}

impl Progress {
    /// `interests` are the patterns that the resource must be bound to.
    pub fn new(count: Arc<Count>, interests: Arc<Interests>) -> Progress {
        Progress { count, interests }
    }
}

#[async_trait]
impl feed::Progress for Progress {
    async fn mark(&self) -> Result<Mark> {
        self.interests.settled().await;
        Ok(self.count.add(0))
    }
}
