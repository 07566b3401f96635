//! Slows down whoever shows bad credentials again and again, by the address that they come from.
//!
//! Promise: only refusals wait. A good credential is verified first, and never waits behind somebody's bad ones,
//! not even behind those of its own address.

use crate::auth::Denied;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Addresses that are remembered at most.
const ADDRESSES: usize = 20_000;

/// Refusals that wait at most, of one address and of all.
const WAITING_OF_ONE: usize = 8;
const WAITING: usize = 1024;

/// Failures past the limit that count: nobody is slow for longer than these take to be forgotten.
const DEEPEST: f64 = 20.0;

/// When refusals are slowed down.
#[derive(Debug, Clone, PartialEq)]
pub struct ThrottleSettings {
    /// Bad credentials of one address in a minute that are refused at once; `None`: all of them.
    pub failures: Option<u32>,
    /// The longest that a refusal waits.
    pub longest: Duration,
}

impl Default for ThrottleSettings {
    /// Ten a minute, then 1, 2, 4 … 30 seconds.
    fn default() -> ThrottleSettings {
        ThrottleSettings { failures: Some(10), longest: Duration::from_secs(30) }
    }
}

/// Counts failures, and has refusals wait.
pub struct Throttle {
    settings: ThrottleSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    addresses: HashMap<IpAddr, Failures>,
    waiting: usize,
}

struct Failures {
    /// Failures that are not forgotten yet; they are, evenly, within a minute as many as are allowed.
    level: f64,
    at: Instant,
    waiting: usize,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(settings: ThrottleSettings) -> Throttle {
        Throttle { settings, state: Mutex::default() }
    }

    /// Completes when this refusal may be told, and says as what: what could not have been a guess at once.
    pub async fn refuse(&self, peer: Option<IpAddr>, denied: Denied) -> Denied {
        match self.decide(peer, denied, Instant::now()) {
            Answer::Now(denied) => denied,
            Answer::Late(delay, _place) => {
                tokio::time::sleep(delay).await;
                denied
            }
        }
    }

    fn decide(&self, peer: Option<IpAddr>, denied: Denied, now: Instant) -> Answer<'_> {
        let (Some(failures), true) = (self.settings.failures, denied.may_be_guess()) else {
            return Answer::Now(denied);
        };
        let (address, failures) = (network(peer), f64::from(failures));
        let excess = self.count(address, failures, now);
        if excess <= 0.0 {
            return Answer::Now(denied);
        }
        match self.wait(address) {
            Some(place) => {
                let delay = Duration::from_secs_f64((excess.ceil() - 1.0).exp2());
                Answer::Late(delay.min(self.settings.longest), place)
            }
            None => {
                let seconds = (excess * 60.0 / failures).clamp(1.0, 60.0);
                Answer::Now(Denied::TooMany { retry_after: Duration::from_secs_f64(seconds.ceil()) })
            }
        }
    }

    /// How far an address is past the limit with one failure more.
    fn count(&self, address: IpAddr, failures: f64, now: Instant) -> f64 {
        let mut state = self.state();
        let forgotten = |one: &Failures| now.saturating_duration_since(one.at).as_secs_f64() * failures / 60.0;
        if state.addresses.len() >= ADDRESSES && !state.addresses.contains_key(&address) {
            state.addresses.retain(|_, one| one.waiting > 0 || one.level > forgotten(one));
            if state.addresses.len() >= ADDRESSES {
                return 0.0;
            }
        }
        let one = state.addresses.entry(address).or_insert(Failures { level: 0.0, at: now, waiting: 0 });
        one.level = ((one.level - forgotten(one)).max(0.0) + 1.0).min(failures + DEEPEST);
        one.at = now;
        one.level - failures
    }

    /// A place to wait in, if there is one.
    fn wait(&self, address: IpAddr) -> Option<Place<'_>> {
        let mut state = self.state();
        let State { addresses, waiting } = &mut *state;
        let one = addresses.get_mut(&address)?;
        if one.waiting >= WAITING_OF_ONE || *waiting >= WAITING {
            return None;
        }
        one.waiting += 1;
        *waiting += 1;
        Some(Place { throttle: self, address })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a refusal is told.
enum Answer<'a> {
    Now(Denied),
    Late(Duration, Place<'a>),
}

/// Where a refusal waits; given up when its client leaves.
struct Place<'a> {
    throttle: &'a Throttle,
    address: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.state();
        state.waiting -= 1;
        if let Some(one) = state.addresses.get_mut(&self.address) {
            one.waiting -= 1;
        }
    }
}

/// What failures are counted by: the address, of IPv6 the network, all of which one customer has. Those whose
/// address is not known are counted together.
fn network(peer: Option<IpAddr>) -> IpAddr {
    match peer.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(failures: u32) -> Throttle {
        Throttle::new(ThrottleSettings { failures: Some(failures), ..ThrottleSettings::default() })
    }

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn past_the_limit_refusals_come_later_and_later() {
        let throttle = throttle(3);
        let (address, now) = (peer("192.0.2.1"), Instant::now());
        let is_at_once =
            |peer, denied, now| matches!(throttle.decide(peer, denied, now), Answer::Now(told) if told == denied);
        for _ in 0..3 {
            assert!(is_at_once(address, Denied::Signature, now));
        }
        let mut late = Vec::new();
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            match throttle.decide(address, Denied::Signature, now) {
                Answer::Late(delay, place) => {
                    assert_eq!(delay.as_secs(), seconds);
                    late.push(place);
                }
                Answer::Now(denied) => panic!("{denied} after {} that wait", late.len()),
            }
        }
        // All places are taken now.
        let Answer::Now(denied) = throttle.decide(address, Denied::Signature, now) else { panic!("it waits") };
        assert_eq!(denied, Denied::TooMany { retry_after: Duration::from_secs(60) });
        assert!(is_at_once(peer("192.0.2.2"), Denied::Signature, now), "somebody else is not concerned");
        assert!(is_at_once(address, Denied::Expired, now), "it was no guess");
        assert!(is_at_once(address, Denied::Unavailable, now), "it was no guess");
        drop(late);
        assert_eq!(throttle.state().waiting, 0);
        assert!(matches!(throttle.decide(address, Denied::Key, now), Answer::Late(..)));
        assert!(is_at_once(address, Denied::Signature, now + Duration::from_secs(600)), "it is forgotten");
    }

    #[tokio::test]
    async fn who_leaves_gives_up_the_place() {
        let throttle = throttle(1);
        let address = peer("192.0.2.1");
        for _ in 0..20 {
            let refusal = throttle.refuse(address, Denied::Malformed);
            let _ = tokio::time::timeout(Duration::from_millis(1), refusal).await;
        }
        assert_eq!(throttle.state().waiting, 0);
        assert_eq!(throttle.state().addresses.values().map(|one| one.waiting).sum::<usize>(), 0);
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        assert_eq!(network(peer("2001:db8:1:2:3::4")), network(peer("2001:db8:1:2::9")));
        assert_ne!(network(peer("2001:db8:1:2::1")), network(peer("2001:db8:1:3::1")));
        assert_eq!(network(peer("::ffff:192.0.2.1")), network(peer("192.0.2.1")));
        assert_ne!(network(peer("192.0.2.1")), network(peer("192.0.2.2")));
    }

    #[test]
    fn the_table_is_bounded_and_makes_room_for_those_that_are_forgotten() {
        let (throttle, now) = (throttle(1), Instant::now());
        for number in 0..ADDRESSES as u32 + 10 {
            throttle.decide(Some(IpAddr::V4(number.into())), Denied::Key, now);
        }
        assert_eq!(throttle.state().addresses.len(), ADDRESSES);
        throttle.decide(peer("2001:db8::1"), Denied::Key, now + Duration::from_secs(61));
        assert_eq!(throttle.state().addresses.len(), 1);
    }
}
