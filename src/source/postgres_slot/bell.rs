//! Finding out how far the stream is: a message of ours is written into the WAL together with a snapshot; when the
//! stream has passed it, everything that the snapshot contains has been told. On an idle database it also lets the
//! server forget what is older.

use super::Settings;
use crate::error::Result;
use crate::event::Mark;
use crate::postgres::failure::failure;
use crate::postgres::snapshot;
use crate::source::{End, Feed};
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::Client;

/// The prefix of our messages.
pub(super) const PREFIX: &str = "tidings.reached";

/// A message that takes longer to come back means that there is more to read.
const SLOW: Duration = Duration::from_secs(1);

/// The end of the bell that the stream has.
pub(super) struct Rung {
    /// Unknown to everybody else, so that nobody can write our messages.
    token: String,
    passed: watch::Sender<u64>,
}

impl Rung {
    /// The state that everything before one of our messages belongs to; `None` when it is not ours.
    pub(super) fn mark(&self, content: &[u8]) -> Option<Mark> {
        let text = std::str::from_utf8(content).ok()?;
        snapshot::mark(text.strip_prefix(&self.token)?.trim_start()).ok()
    }

    /// The newest message was passed, and what came before it was handed over.
    pub(super) fn passed(&self) {
        self.passed.send_modify(|count| *count += 1);
    }
}

/// The end of the bell that rings.
pub(super) struct Bell {
    token: String,
    passed: watch::Receiver<u64>,
}

/// A bell and what it tells.
pub(super) fn bell() -> (Bell, Rung) {
    let token = uuid::Uuid::new_v4().to_string();
    let (sender, passed) = watch::channel(0);
    (Bell { token: token.clone(), passed }, Rung { token, passed: sender })
}

impl Bell {
    /// Writes a message at once, whenever somebody waits, and now and then; until the source is asked to stop.
    pub(super) async fn ring(mut self, client: &Client, settings: &Settings, feed: &Feed) -> Result<End> {
        let failed = |error| failure("writing a message into the WAL", error);
        let emit = client.prepare(EMIT).await.map_err(failed)?;
        let health = feed.health();
        while !health.is_stopping() {
            self.passed.mark_unchanged();
            client.execute(&emit, &[&PREFIX, &self.token]).await.map_err(failed)?;
            let mut is_rung = false;
            loop {
                tokio::select! {
                    passed = self.passed.changed() => match passed {
                        Ok(()) => break,
                        Err(_) => return Ok(End::Disconnected),
                    },
                    () = health.rung() => is_rung = true,
                    () = tokio::time::sleep(SLOW) => health.behind(),
                }
                if health.is_stopping() {
                    return Ok(End::Stopped);
                }
            }
            if !is_rung {
                tokio::select! {
                    () = health.rung() => {}
                    () = tokio::time::sleep(settings.heartbeat) => {}
                }
            }
        }
        Ok(End::Stopped)
    }
}

/// The snapshot is taken before the message is written, and the message is in the WAL after everything that the
/// snapshot contains.
const EMIT: &str = "select pg_logical_emit_message(true, $1::text, $2::text || ' ' || pg_current_snapshot()::text)";
