//! Remembers who was refused: clients try again for ever with a token that is refused for ever, so the same token from
//! the same place is refused later and later.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a refusal is remembered.
const MEMORY: Duration = Duration::from_secs(5 * 60);

/// The longest that one is delayed.
const LONGEST: Duration = Duration::from_secs(30);

/// Refusals that are remembered at most.
const MOST: usize = 20_000;

/// The address and a hash of the token.
type Key = (Option<IpAddr>, [u8; 32]);

/// Who was refused.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<Key, Refused>>);

#[derive(Debug)]
struct Refused {
    times: u32,
    at: Instant,
}

impl Refusals {
    /// This token is refused once more. How long to wait before that is told.
    pub fn refuse(&self, peer: Option<IpAddr>, token: &str, now: Instant) -> Duration {
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, refused| now.saturating_duration_since(refused.at) < MEMORY);
        }
        let key = key(peer, token);
        if all.len() >= MOST && !all.contains_key(&key) {
            return Duration::ZERO;
        }
        let refused = all.entry(key).or_insert(Refused { times: 0, at: now });
        if now.saturating_duration_since(refused.at) >= MEMORY {
            refused.times = 0;
        }
        (refused.times, refused.at) = (refused.times.saturating_add(1), now);
        match refused.times {
            1 => Duration::ZERO,
            times => Duration::from_secs(1 << (times - 2).min(16)).min(LONGEST),
        }
    }

    /// This token is good by now.
    pub fn accept(&self, peer: Option<IpAddr>, token: &str) {
        self.all().remove(&key(peer, token));
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(peer: Option<IpAddr>, token: &str) -> Key {
    (peer.map(|address| address.to_canonical()), Sha256::digest(token.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_from_the_same_place_is_refused_later_and_later() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let here = Some("192.0.2.1".parse().unwrap());
        let there = Some("192.0.2.2".parse().unwrap());
        let delays: Vec<u64> = (0..8).map(|_| refusals.refuse(here, "bad", start).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 30, 30]);
        assert!(refusals.refuse(there, "bad", start).is_zero(), "somebody else");
        assert!(refusals.refuse(here, "worse", start).is_zero(), "another token");
        let later = start + MEMORY;
        assert!(refusals.refuse(here, "bad", later).is_zero(), "it is forgotten");
        assert_eq!(refusals.refuse(here, "bad", later).as_secs(), 1);
        refusals.accept(here, "bad");
        assert!(refusals.refuse(here, "bad", later).is_zero(), "it was good in between");
    }
}
