//! Which topic patterns of an exchange somebody watches, so that a source asks the broker for no others; and since
//! which offset of the log each pattern is followed without a gap.
//!
//! A pattern is followed while somebody watches it, and a while longer, so that clients that come back find what
//! they missed.

use crate::event::Offset;
use crate::filter::{Filter, Topic};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The patterns of one exchange. Shared by the sessions that watch it and the source that follows it.
#[derive(Debug, Default)]
pub struct Interests {
    patterns: Mutex<HashMap<String, State>>,
    changed: Notify,
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    watchers: usize,
    /// When the last watcher went; `None` while there are some.
    left: Option<Instant>,
    /// Every matching message after this offset is in the log; `None`: the broker was not asked yet.
    since: Option<Offset>,
}

/// Somebody's interest in a pattern; ends when it is dropped.
#[derive(Debug)]
pub struct Interest {
    interests: Arc<Interests>,
    pattern: String,
}

impl Interests {
    /// Notes that somebody watches what this filter matches. A filter that is no topic wants everything.
    pub fn want(self: &Arc<Self>, filter: &Filter) -> Interest {
        let pattern = pattern_of(filter);
        let mut patterns = self.patterns();
        let state = patterns.entry(pattern.clone()).or_default();
        state.watchers += 1;
        state.left = None;
        let is_new = state.since.is_none();
        drop(patterns);
        if is_new {
            self.changed.notify_one();
        }
        Interest { interests: self.clone(), pattern }
    }

    /// The offset after which every message that the filter matches is in the log, if that is so.
    pub fn since(&self, filter: &Filter) -> Option<Offset> {
        let patterns = self.patterns();
        let since = |pattern: &str| patterns.get(pattern).and_then(|state| state.since);
        // What matches is followed too while everything is.
        [since(&pattern_of(filter)), since("#")].into_iter().flatten().min()
    }

    /// Whether the broker was asked for everything that somebody watches.
    pub fn is_settled(&self) -> bool {
        self.patterns().values().all(|state| state.since.is_some())
    }

    /// Completes when the broker was asked for everything that somebody watches.
    pub async fn settled(&self) {
        loop {
            let mut told = pin!(self.settled.notified());
            // Heard from here on, so that what settles between the look and the wait is not missed.
            told.as_mut().enable();
            if self.is_settled() {
                return;
            }
            told.await;
        }
    }

    /// Completes when there is a new pattern since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The patterns that the broker was not asked for yet.
    pub fn missing(&self) -> Vec<String> {
        let patterns = self.patterns();
        patterns.iter().filter(|(_, state)| state.since.is_none()).map(|(pattern, _)| pattern.clone()).collect()
    }

    /// The broker was asked for a pattern: matching messages after this offset are in the log.
    pub fn follow(&self, pattern: &str, since: Offset) {
        let mut patterns = self.patterns();
        let state = patterns.entry(pattern.to_owned()).or_default();
        state.since = Some(since);
        if state.watchers == 0 && state.left.is_none() {
            state.left = Some(Instant::now());
        }
        drop(patterns);
        self.settled.notify_waiters();
    }

    /// What the broker was asked for is no longer so: each pattern has to be asked for again.
    pub fn lose(&self) {
        self.patterns().values_mut().for_each(|state| state.since = None);
        self.changed.notify_one();
    }

    /// Every pattern that is followed, and since when.
    pub fn followed(&self) -> Vec<(String, Offset)> {
        let patterns = self.patterns();
        patterns.iter().filter_map(|(pattern, state)| Some((pattern.clone(), state.since?))).collect()
    }

    /// Forgets the patterns that nobody has watched for `linger`, and returns those that were followed.
    pub fn forget(&self, linger: Duration) -> Vec<String> {
        let mut forgotten = Vec::new();
        let mut patterns = self.patterns();
        patterns.retain(|pattern, state| {
            let is_kept = state.watchers > 0 || state.left.is_some_and(|left| left.elapsed() < linger);
            if !is_kept && state.since.is_some() {
                forgotten.push(pattern.clone());
            }
            is_kept
        });
        drop(patterns);
        self.settled.notify_waiters();
        forgotten
    }

    fn patterns(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.patterns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        if let Some(state) = self.interests.patterns().get_mut(&self.pattern) {
            state.watchers -= 1;
            if state.watchers == 0 {
                state.left = Some(Instant::now());
            }
        }
    }
}

/// The longest pattern that a broker can be asked for, in bytes; of a longer one everything is asked for.
const LONGEST: usize = 255;

fn pattern_of(filter: &Filter) -> String {
    let pattern = match filter {
        Filter::Topic(Topic(words)) => Some(words.join(".")),
        _ => None,
    };
    pattern.filter(|pattern| pattern.len() <= LONGEST).unwrap_or_else(|| "#".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(pattern: &str) -> Filter {
        Filter::Topic(Topic::parse(pattern))
    }

    #[test]
    fn a_pattern_is_followed_while_somebody_watches_it_and_a_while_longer() {
        let interests = Arc::new(Interests::default());
        let (first, second) = (interests.want(&topic("a.#")), interests.want(&topic("a.#")));
        assert_eq!(interests.missing(), ["a.#"]);
        assert!(!interests.is_settled());
        interests.follow("a.#", 7);
        assert_eq!(interests.since(&topic("a.#")), Some(7));
        assert!(interests.is_settled() && interests.missing().is_empty());
        drop(first);
        assert!(interests.forget(Duration::ZERO).is_empty());
        drop(second);
        assert!(interests.forget(Duration::from_secs(60)).is_empty());
        assert_eq!(interests.followed(), [("a.#".to_owned(), 7)]);
        assert_eq!(interests.forget(Duration::ZERO), ["a.#"]);
        assert_eq!(interests.since(&topic("a.#")), None);
    }

    #[test]
    fn a_pattern_is_followed_at_least_as_long_as_everything_is() {
        let interests = Arc::new(Interests::default());
        let _watchers = (interests.want(&topic("a.#")), interests.want(&topic("#")));
        interests.follow("a.#", 7);
        interests.follow("#", 3);
        assert_eq!((interests.since(&topic("a.#")), interests.since(&topic("b"))), (Some(3), Some(3)));
        interests.follow("#", 9);
        assert_eq!((interests.since(&topic("a.#")), interests.since(&topic("b"))), (Some(7), Some(9)));
    }

    #[tokio::test]
    async fn only_a_pattern_that_is_not_followed_yet_tells_the_source() {
        let interests = Arc::new(Interests::default());
        let _first = interests.want(&topic("x"));
        interests.changed().await;
        interests.follow("x", 0);
        let _second = interests.want(&topic("x"));
        assert!(tokio::time::timeout(Duration::from_millis(20), interests.changed()).await.is_err());
        interests.lose();
        interests.changed().await;
        assert_eq!(interests.missing(), ["x"]);
    }

    #[tokio::test]
    async fn whoever_waits_is_told_once_everything_that_is_watched_is_followed() {
        let interests = Arc::new(Interests::default());
        interests.settled().await;
        let (_first, second) = (interests.want(&topic("x")), interests.want(&topic("y")));
        let mut waiting = pin!(interests.settled());
        let short = Duration::from_millis(20);
        interests.follow("x", 1);
        assert!(tokio::time::timeout(short, waiting.as_mut()).await.is_err());
        drop(second);
        interests.forget(Duration::ZERO);
        assert!(tokio::time::timeout(short, waiting.as_mut()).await.is_ok());
    }
}
