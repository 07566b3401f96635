//! A change of the file store: one transaction, done again when others came between, answered once whom it concerns
//! has been told.

use super::FilesApi;
use super::asker::Asker;
use super::failure::Failure;
use super::visit::Visit;
use crate::event::Stamp;
use crate::store::transaction::Intent;
use async_trait::async_trait;
use tokio::time::timeout;

/// Then the asker hears that others are changing the file all the time.
const TRIES: usize = 20;

/// What is to be changed.
#[async_trait]
pub(super) trait Mutation: Sync {
    /// What its asker hears of it.
    type Done: Send;

    /// Reads, judges and writes; every row names the change by the visit's id. Nothing has happened before the
    /// commit.
    async fn attempt(&self, visit: &mut Visit<'_>) -> Result<Self::Done, Failure>;
}

/// Lets it happen.
pub(super) async fn carry_out<M: Mutation>(api: &FilesApi, asker: &Asker, mutation: &M) -> Result<M::Done, Failure> {
    for _ in 0..TRIES {
        match carry_out_once(api, asker, mutation).await {
            Err(failure) if failure.is_contention => {}
            outcome => return outcome,
        }
    }
    Err(Failure::contention())
}

async fn carry_out_once<M: Mutation>(api: &FilesApi, asker: &Asker, mutation: &M) -> Result<M::Done, Failure> {
    let mut visit = Visit::begin(api, asker, Intent::Change).await?;
    let done = mutation.attempt(&mut visit).await?;
    // Expected before it is committed, so that it cannot be over before anybody waits for it.
    let told = api.echo.expect(&visit.n, visit.written);
    let committed = visit.transaction.commit().await?;
    if committed.stamp != Stamp::None {
        // It is committed, whether or not everybody has heard of it by then.
        let _ = timeout(api.settings.hold, told).await;
    }
    Ok(done)
}
