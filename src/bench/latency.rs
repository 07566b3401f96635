//! How long deliveries took, counted in buckets, so that the counts of several processes can be added up.

use std::time::Duration;

/// Buckets per doubling: a value is known to about 4 %.
const STEPS: u32 = 16;
const DOUBLINGS: u32 = 36;

/// Counts of durations, in microseconds.
#[derive(Debug, Clone)]
pub struct Latencies {
    buckets: Vec<u64>,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { buckets: vec![0; (STEPS * DOUBLINGS) as usize] }
    }
}

impl Latencies {
    /// Counts one more.
    pub fn add(&mut self, micros: u64) {
        self.buckets[bucket(micros)] += 1;
    }

    /// The duration within which this share of all deliveries was made.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.buckets.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let at = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        Duration::from_micros(start_of(at.unwrap_or(0)))
    }

    /// `bucket:count`, separated by commas, without the empty ones.
    pub fn to_text(&self) -> String {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(at, count)| format!("{at}:{count}")).collect::<Vec<_>>().join(",")
    }

    /// Adds what `to_text` wrote elsewhere; `None` when it is something else.
    pub fn add_text(&mut self, text: &str) -> Option<()> {
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (at, count) = pair.split_once(':')?;
            *self.buckets.get_mut(at.parse::<usize>().ok()?)? += count.parse::<u64>().ok()?;
        }
        Some(())
    }
}

fn bucket(micros: u64) -> usize {
    let doubling = micros.max(u64::from(STEPS)).ilog2() - STEPS.ilog2();
    let at = u64::from(doubling * STEPS) + (micros >> doubling);
    (at as usize).min((STEPS * DOUBLINGS) as usize - 1)
}

/// The smallest duration that falls into a bucket.
fn start_of(bucket: usize) -> u64 {
    let steps = STEPS as usize;
    let doubling = (bucket / steps).saturating_sub(1);
    ((bucket - doubling * steps) as u64) << doubling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_to_a_few_percent() {
        let mut latencies = Latencies::default();
        (1..=100_000).for_each(|micros| latencies.add(micros));
        for (share, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.0001, 10.0)] {
            let measured = latencies.quantile(share).as_micros() as f64;
            assert!((measured - exact).abs() / exact < 0.07, "{share}: {measured}");
        }
    }

    #[test]
    fn counts_of_two_processes_add_up() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        one.add(10);
        other.add(1_000_000);
        other.add(u64::MAX);
        one.add_text(&other.to_text()).expect("our own text");
        assert_eq!(one.buckets.iter().sum::<u64>(), 3);
        assert_eq!(one.add_text("999999:1"), None);
        assert_eq!(one.add_text("what"), None);
    }
}
