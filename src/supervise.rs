//! Keeps a source running: the first connect must work, or the program says why and ends (unless the source may
//! come later); after that it is tried again for ever, with growing pauses.

use crate::error::{Error, Kind, Result};
use crate::log::Log;
use crate::source::{End, Feed, Source, State};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(15);

/// A run of this length was a success, as is one that had nothing left to read; the next pause is short again.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// Runs a source until it is asked to stop. `first` is told how the first connect ended: nothing for well.
pub async fn supervise(source: Arc<dyn Source>, feed: Feed, log: Arc<dyn Log>, first: oneshot::Sender<Result<()>>) {
    let mut first = Some(first);
    let mut pause = FIRST_PAUSE;
    while !feed.health().is_stopping() {
        let begun = Instant::now();
        let outcome = run_once(&*source, &feed, &*log, &mut first).await;
        if feed.health().is_stopping() {
            break;
        }
        let error = match outcome {
            Ok(End::Stopped) => break,
            Ok(End::Disconnected) => Error::new(Kind::Unreachable, "the connection ended"),
            Err(error) => error,
        };
        let reason = error.chain();
        // Since the last failure it was down, so a live one has read everything in this run.
        if matches!(feed.health().state(), State::Live { .. }) || begun.elapsed() >= GOOD_RUN {
            pause = FIRST_PAUSE;
        }
        feed.health().down(reason.clone());
        let may_wait = source.may_come_later() && error.kind() == Kind::Unreachable;
        if let Some(first) = first.take() {
            if !may_wait {
                let _ = first.send(Err(error));
                return;
            }
            let _ = first.send(Ok(()));
        }
        tracing::warn!(source = %feed.source(), error = %reason, pause_ms = pause.as_millis() as u64, "a source is lost; trying again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&feed) => break,
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
    if let Some(first) = first {
        let _ = first.send(Ok(()));
    }
    tracing::debug!(source = %feed.source(), "a source has ended");
}

/// One run; tells `first`, or the log when it is not the first, once the source is connected.
async fn run_once(
    source: &dyn Source,
    feed: &Feed,
    log: &dyn Log,
    first: &mut Option<oneshot::Sender<Result<()>>>,
) -> Result<End> {
    let place = log.bookmark(feed.source())?;
    let run = source.run(place, feed);
    tokio::pin!(run);
    let mut look = tokio::time::interval(Duration::from_millis(10));
    loop {
        tokio::select! {
            end = &mut run => return end,
            _ = look.tick() => {
                if matches!(feed.health().state(), State::Live { .. } | State::Behind { .. }) {
                    match first.take() {
                        Some(first) => drop(first.send(Ok(()))),
                        None => tracing::info!(source = %feed.source(), "a source is back"),
                    }
                    return run.await;
                }
            }
        }
    }
}

/// Completes when the source is asked to stop; other rings are passed over.
async fn stopped(feed: &Feed) {
    while !feed.health().is_stopping() {
        feed.health().rung().await;
    }
}
