//! Who is present in which room by the sockets of this node: for a time after every JOIN or PING of a login, on any of
//! its sockets.

use crate::dialect::cells::chat::RoomKey;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A login in a room.
pub type Place = (RoomKey, Arc<str>);

/// Who is present, and until when.
#[derive(Debug)]
pub struct Presence {
    lasts: Duration,
    until: HashMap<Place, Instant>,
}

impl Presence {
    /// Nobody; a sign of life lasts so long.
    pub fn new(lasts: Duration) -> Presence {
        Presence { lasts, until: HashMap::new() }
    }

    /// A login showed a sign of life in a room; whether it was absent before.
    pub fn renew(&mut self, key: &RoomKey, login: &Arc<str>, now: Instant) -> bool {
        self.until.insert((key.clone(), login.clone()), now + self.lasts).is_none()
    }

    /// Whether it is present.
    pub fn has(&self, key: &RoomKey, login: &str) -> bool {
        self.until.contains_key(&(key.clone(), login.into()))
    }

    /// It is present no longer; whether it was.
    pub fn end(&mut self, key: &RoomKey, login: &Arc<str>) -> bool {
        self.until.remove(&(key.clone(), login.clone())).is_some()
    }

    /// Nobody is present in this room.
    pub fn end_all(&mut self, key: &RoomKey) {
        self.until.retain(|(room, _), _| room != key);
    }

    /// Takes out who has shown no sign of life for too long, unless something else keeps them.
    pub fn expire(&mut self, now: Instant, is_kept: impl Fn(&Place) -> bool) -> Vec<Place> {
        let is_over = |(place, until): &(&Place, &Instant)| **until <= now && !is_kept(place);
        let over: Vec<Place> = self.until.iter().filter(is_over).map(|(place, _)| place.clone()).collect();
        for place in &over {
            self.until.remove(place);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::cells::chat::Kind;

    #[test]
    fn presence_ends_20_seconds_after_the_last_sign_of_life_on_any_socket() {
        let room = RoomKey { kind: Kind::Workspace, object: "ws-1".into() };
        let alice: Arc<str> = "alice".into();
        let mut now = Instant::now();
        let mut presence = Presence::new(Duration::from_secs(20));
        assert!(presence.renew(&room, &alice, now));
        now += Duration::from_secs(15);
        assert!(!presence.renew(&room, &alice, now), "a second tab, or a ping");
        now += Duration::from_millis(19_999);
        assert!(presence.expire(now, |_| false).is_empty());
        now += Duration::from_millis(1);
        assert!(presence.expire(now, |_| true).is_empty(), "it is kept by an open socket");
        assert_eq!(presence.expire(now, |_| false), [(room.clone(), alice.clone())]);
        assert!(!presence.has(&room, &alice));
        assert!(!presence.end(&room, &alice));
    }
}
