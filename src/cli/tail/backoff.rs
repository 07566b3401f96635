//! How long to wait before connecting again: longer each time, at random, so that many clients do not come
//! back at once.

use rand::RngExt;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A session that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// Counts attempts that led to nothing.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The wait after a session of this length; `at_least` is what the server's goodbye asks for.
    pub(super) fn after(&mut self, session: Duration, at_least: Duration) -> Duration {
        if session >= GOOD {
            self.attempts = 0;
        }
        let most = self.most();
        self.attempts += 1;
        most.mul_f64(rand::rng().random::<f64>()).max(at_least)
    }

    fn most(&self) -> Duration {
        FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_over_after_a_good_session() {
        let mut backoff = Backoff::default();
        for most in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            assert_eq!(backoff.most(), Duration::from_millis(most));
            assert!(backoff.after(Duration::ZERO, Duration::ZERO) <= Duration::from_millis(most));
        }
        backoff.after(GOOD, Duration::ZERO);
        assert_eq!(backoff.most(), FIRST * 2);
        assert!(backoff.after(GOOD, Duration::from_secs(1)) >= Duration::from_secs(1));
    }
}
