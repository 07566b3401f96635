//! Keeps a way to the other nodes: whatever ends it, it is tried again until the program goes down.

use crate::error::Result;
use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::watch;

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause before the next try.
pub const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Something that connects, and lasts as long as its connection.
#[async_trait]
pub trait Way: Send {
    /// Connects, says so, and goes on until the connection ends or the program goes down.
    ///
    /// # Errors
    /// Why it ended.
    async fn follow(&mut self, standing: &mut Standing) -> Result<()>;
}

/// Whether it works at the moment, for the log: each change is said once.
pub struct Standing {
    /// What it is, for people.
    name: String,
    is_lost: bool,
    pause: Duration,
    stopped: watch::Receiver<bool>,
}

impl Standing {
    /// It is connected.
    pub fn found(&mut self) {
        if std::mem::take(&mut self.is_lost) {
            tracing::info!(way = self.name, "connected again");
        }
        self.pause = FIRST_PAUSE;
    }

    /// Whether it was lost since it was last found.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Completes when the program goes down.
    /// Completes when the program goes down.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stopped.clone();
        // Nobody who could stop it is left: that is the end, too.
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    }
}

/// Follows a way until `stopped` turns true.
pub async fn keep(name: String, mut way: impl Way, stopped: watch::Receiver<bool>) {
    let mut standing = Standing { name, is_lost: false, pause: FIRST_PAUSE, stopped };
    while let Err(error) = way.follow(&mut standing).await {
        if !std::mem::replace(&mut standing.is_lost, true) {
            tracing::warn!(way = standing.name, error = %error.chain(), "lost; trying again");
        }
        let pause = standing.pause;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = standing.stopped() => return,
        }
        standing.pause = (pause * 2).min(LAST_PAUSE);
    }
}
