//! How often somebody has asked whether everything was heard.

use crate::error::Result;
use crate::event::Mark;
use crate::source::Health;
use crate::store::feed::Progress;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the questions. The source answers one, and all before it, by telling itself its number over the database
/// and hearing it.
#[derive(Debug)]
pub struct Asked {
    questions: AtomicU64,
    health: Arc<Health>,
}

impl Asked {
    /// No question yet; `health` is that of the source, which is rung for each.
    pub fn new(health: Arc<Health>) -> Asked {
        Asked { questions: AtomicU64::new(0), health }
    }

    /// The number of the newest question.
    pub(super) fn so_far(&self) -> u64 {
        self.questions.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Progress for Asked {
    async fn mark(&self) -> Result<Mark> {
        let number = self.questions.fetch_add(1, Ordering::SeqCst) + 1;
        self.health.ring();
        Ok(Mark::Offset(number))
    }
}
