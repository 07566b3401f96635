//! How often something may happen: on average, and at once.

use std::time::{Duration, Instant};

/// A token bucket. Full at the beginning.
#[derive(Debug, Clone)]
pub struct Pace {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Pace {
    /// So many times a second on average, and so many times at once.
    pub fn new(per_second: u32, burst: u32, now: Instant) -> Pace {
        let burst = f64::from(burst);
        Pace { per_second: f64::from(per_second), burst, left: burst, at: now }
    }

    /// Once more, if it may happen now.
    pub fn try_take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// Once more, in any case; how long to wait until that is within the pace.
    pub fn take(&mut self, now: Instant) -> Duration {
        self.refill(now);
        self.left -= 1.0;
        match self.left {
            left if left >= 0.0 => Duration::ZERO,
            debt => Duration::try_from_secs_f64(-debt / self.per_second).unwrap_or(Duration::MAX),
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.burst);
        self.at = now.max(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_average_holds() {
        let start = Instant::now();
        let mut pace = Pace::new(10, 3, start);
        assert_eq!((0..5).filter(|_| pace.try_take(start)).count(), 3);
        let later = start + Duration::from_millis(250);
        assert_eq!((0..5).filter(|_| pace.try_take(later)).count(), 2);
        let much_later = start + Duration::from_secs(60);
        assert_eq!((0..9).filter(|_| pace.try_take(much_later)).count(), 3, "what is not used is not saved up");
    }

    #[test]
    fn who_takes_more_waits_as_long_as_that_takes() {
        let start = Instant::now();
        let mut pace = Pace::new(10, 1, start);
        assert_eq!(pace.take(start), Duration::ZERO);
        let waits = [pace.take(start), pace.take(start)].map(|wait| wait.as_millis());
        assert_eq!(waits, [100, 200]);
        assert_eq!(Pace::new(0, 0, start).take(start), Duration::MAX);
    }
}
