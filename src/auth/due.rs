//! What comes next for a credential that somebody lives on: it ends, or is looked at again.

use crate::auth::{Lease, OnExpiry};
use crate::event::Timestamp;
use std::time::Duration;

/// What comes next for a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It ends.
    Ends,
    /// Look again whether it holds.
    Recheck,
}

impl Lease {
    /// What comes next, and in what time, for a credential that expires then (in seconds since 1970); `None`: it
    /// neither ends nor can be looked at.
    pub fn due(&self, expires: Option<i64>) -> Option<(Due, Duration)> {
        let rest = expires.map(|at| {
            let millis = at.saturating_add(1).saturating_mul(1000).saturating_sub(Timestamp::now().0);
            Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        });
        let recheck = self.recheck_after().filter(|recheck| rest.is_none_or(|rest| *recheck < rest));
        match (recheck, rest) {
            (Some(recheck), _) => Some((Due::Recheck, spread(recheck))),
            // What was taken back before its end counts, what has ended does not.
            (None, Some(_)) if self.on_expiry() == OnExpiry::Keep => None,
            (None, rest) => rest.map(|rest| (Due::Ends, rest)),
        }
    }
}

/// So that many that came together do not ask together for ever.
fn spread(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.9..=1.0))
}
