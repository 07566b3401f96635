//! Who is in which room, and what is told to whom: everything of the chat that is in memory. Nothing here waits.

use crate::cells::chat::attachment::{Attachment, Live, Offered, Shown};
use crate::cells::chat::permission::{Access, access};
use crate::cells::chat::presence::{Place, Presence};
use crate::cells::chat::row::RoomRow;
use crate::cells::chat::{Settings, Silent, Told};
use crate::cells::desk::Seat;
use crate::cells::rights::Viewer;
use crate::dialect::cells::chat::{Kind, RoomKey, RoomName};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// What is known of rooms and of those who are in them.
pub struct State {
    settings: Settings,
    /// The rooms there are, by uuid, as far as the log has told.
    pub rooms: HashMap<Arc<str>, RoomRow>,
    presence: Presence,
    seats: HashMap<Seat, Sitting>,
    attached: HashMap<RoomKey, HashSet<Seat>>,
    /// What rooms are about that somebody is in, by their uuid.
    named: HashMap<Arc<str>, RoomKey>,
    /// Where the nodes are that attached rooms are about; `None`: not known yet.
    nodes: HashMap<Arc<str>, Option<Arc<str>>>,
}

/// Somebody at a socket.
struct Sitting {
    viewer: Arc<Viewer>,
    /// It said at least once that it is still there.
    pings: bool,
    rooms: HashMap<RoomKey, Attachment>,
}

/// A socket that was let into a room.
pub struct Entered {
    pub login: Arc<str>,
    /// The room's first state with the login in it.
    pub first: oneshot::Receiver<Bytes>,
    /// The login was absent.
    pub comes: bool,
}

/// What a sign of life leads to.
pub enum Pinged {
    /// It was known to be there.
    Nothing,
    /// This login is there again.
    Returned(Arc<str>),
    /// The socket is not in the room.
    Outside,
}

impl State {
    /// No rooms, and nobody there.
    pub fn new(settings: Settings) -> State {
        State {
            rooms: HashMap::new(),
            presence: Presence::new(settings.presence_ttl),
            seats: HashMap::new(),
            attached: HashMap::new(),
            named: HashMap::new(),
            nodes: HashMap::new(),
            settings,
        }
    }

    /// Somebody is at a socket by now, or nobody. Tells who is no longer present where.
    pub fn sit(&mut self, seat: Seat, viewer: Option<&Arc<Viewer>>) -> Vec<Place> {
        let known = self.seats.get(&seat).map(|sitting| sitting.viewer.clone());
        match (known, viewer) {
            (Some(known), Some(viewer)) if known.uuid == viewer.uuid && known.login == viewer.login => {
                if let Some(sitting) = self.seats.get_mut(&seat) {
                    sitting.viewer = viewer.clone();
                }
                self.review(seat)
            }
            (_, viewer) => {
                let left = self.stand_up(seat);
                let sitting =
                    |viewer: &Arc<Viewer>| Sitting { viewer: viewer.clone(), pings: false, rooms: HashMap::new() };
                self.seats.extend(viewer.map(|viewer| (seat, sitting(viewer))));
                left
            }
        }
    }

    /// The socket is closed. Who was at it may come back, so nobody is absent for that.
    pub fn gone(&mut self, seat: Seat, now: Instant) {
        let Some(sitting) = self.seats.remove(&seat) else { return };
        for key in sitting.rooms.keys() {
            if self.keeps(&sitting) && self.presence.has(key, &sitting.viewer.login) {
                self.presence.renew(key, &sitting.viewer.login, now);
            }
            self.let_go(seat, key);
        }
    }

    /// A node is here now, or nowhere. Tells who is no longer present for that.
    pub fn node(&mut self, node: &str, path: Option<&str>) -> Vec<Place> {
        let Some(place) = self.nodes.get_mut(node) else { return Vec::new() };
        // One that is nowhere has an empty path: nobody sees it.
        *place = Some(path.unwrap_or_default().into());
        let key = RoomKey { kind: Kind::Node, object: node.into() };
        let seats: Vec<Seat> = self.attached.get(&key).into_iter().flatten().copied().collect();
        seats.into_iter().flat_map(|seat| self.review(seat)).collect()
    }

    /// What a room that a client names is about.
    pub fn key(&self, name: &RoomName) -> Option<RoomKey> {
        match name {
            RoomName::Key(key) => Some(key.clone()),
            RoomName::Uuid(uuid) => self.key_of(uuid),
        }
    }

    /// What the room with this uuid is about.
    pub fn key_of(&self, uuid: &str) -> Option<RoomKey> {
        let known = || self.rooms.get(uuid).map(|row| &row.room.key);
        self.named.get(uuid).or_else(known).cloned()
    }

    /// The room among those of the socket that a client names, with its uuid.
    pub fn own(&self, seat: Seat, name: &RoomName) -> Option<(RoomKey, Arc<str>)> {
        let rooms = &self.seats.get(&seat)?.rooms;
        let (key, attachment) = match name {
            RoomName::Key(key) => rooms.get_key_value(key)?,
            RoomName::Uuid(uuid) => rooms.iter().find(|(_, attachment)| attachment.uuid.as_ref() == Some(uuid))?,
        };
        Some((key.clone(), attachment.uuid.clone()?))
    }

    /// The rooms of the socket in which it may write, by uuid.
    pub fn writable(&self, seat: Seat) -> HashMap<Arc<str>, RoomKey> {
        let rooms = self.seats.get(&seat).into_iter().flat_map(|sitting| &sitting.rooms);
        let writable = rooms.filter(|(key, _)| self.access(seat, key) == Access::Write);
        writable.filter_map(|(key, attachment)| Some((attachment.uuid.clone()?, key.clone()))).collect()
    }

    /// Who is at the socket.
    pub fn viewer(&self, seat: Seat) -> Option<&Arc<Viewer>> {
        self.seats.get(&seat).map(|sitting| &sitting.viewer)
    }

    /// What the socket may do in a room that it is in.
    pub fn access(&self, seat: Seat, key: &RoomKey) -> Access {
        let path = self.nodes.get(&key.object).and_then(Option::as_deref);
        self.viewer(seat).map_or(Access::Nothing, |viewer| access(viewer, key, path))
    }

    /// Something about the room is being answered to the socket.
    pub fn shut(&mut self, seat: Seat, key: &RoomKey) {
        self.attachment(seat, key).into_iter().for_each(Attachment::shut);
    }

    /// Keeps a place in a room until it is known whether the socket is let in; whether it is in already.
    pub fn reserve(&mut self, seat: Seat, key: &RoomKey) -> bool {
        let Some(sitting) = self.seats.get_mut(&seat) else { return false };
        if sitting.rooms.contains_key(key) {
            return true;
        }
        let mut attachment = Attachment::new();
        attachment.shut();
        sitting.rooms.insert(key.clone(), attachment);
        self.attached.entry(key.clone()).or_default().insert(seat);
        if key.kind == Kind::Node {
            self.nodes.entry(key.object.clone()).or_default();
        }
        false
    }

    /// Whether it has to be found out where the node is that a room is about.
    pub fn must_find(&self, key: &RoomKey) -> bool {
        key.kind == Kind::Node && self.nodes.get(&key.object).is_none_or(Option::is_none)
    }

    /// Where a node was found; what the log told meanwhile counts more.
    pub fn found(&mut self, node: &str, path: Option<&str>) {
        if let Some(place @ None) = self.nodes.get_mut(node) {
            *place = Some(path.unwrap_or_default().into());
        }
    }

    /// Lets the socket into the room where it has a place; `None`: it has none, or may not.
    pub fn enter(&mut self, seat: Seat, key: &RoomKey, now: Instant) -> Option<Entered> {
        if self.access(seat, key) == Access::Nothing {
            self.leave(seat, key);
            return None;
        }
        let sitting = self.seats.get_mut(&seat)?;
        let login = sitting.viewer.login.clone();
        let first = sitting.rooms.get_mut(key)?.expect(login.clone());
        let comes = self.presence.renew(key, &login, now);
        Some(Entered { login, first, comes })
    }

    /// The room that the socket is in has been found.
    pub fn name(&mut self, seat: Seat, key: &RoomKey, uuid: &Arc<str>) {
        if let Some(attachment) = self.attachment(seat, key) {
            attachment.uuid = Some(uuid.clone());
            self.named.insert(uuid.clone(), key.clone());
        }
    }

    /// Whether the login is present in the room by this node.
    pub fn has(&self, key: &RoomKey, login: &str) -> bool {
        self.presence.has(key, login)
    }

    /// The login is not present any more, whatever its sockets do.
    pub fn absent(&mut self, key: &RoomKey, login: &Arc<str>) {
        self.presence.end(key, login);
    }

    /// A sign of life of the socket in a room.
    pub fn ping(&mut self, seat: Seat, key: &RoomKey, now: Instant) -> Pinged {
        let Some(sitting) = self.seats.get_mut(&seat) else { return Pinged::Nothing };
        sitting.pings = true;
        if !sitting.rooms.contains_key(key) {
            return Pinged::Outside;
        }
        let login = sitting.viewer.login.clone();
        if self.presence.renew(key, &login, now) { Pinged::Returned(login) } else { Pinged::Nothing }
    }

    /// Takes the socket out of a room. The login is absent then, unless another socket of it is there; whether it is.
    pub fn leave(&mut self, seat: Seat, key: &RoomKey) -> Option<Place> {
        let sitting = self.seats.get_mut(&seat)?;
        let login = sitting.viewer.login.clone();
        sitting.rooms.remove(key);
        self.let_go(seat, key);
        if self.sittings_of(key, &login).next().is_some() {
            return None;
        }
        self.presence.end(key, &login);
        Some((key.clone(), login))
    }

    /// Takes everybody out of a room that is no more, and tells whom.
    pub fn dissolve(&mut self, uuid: &str, key: &RoomKey) -> Vec<Seat> {
        let seats: Vec<Seat> = self.attached.get(key).into_iter().flatten().copied().collect();
        let is_in = |own: &Attachment| own.uuid.as_deref() == Some(uuid);
        let out = seats.into_iter().filter(|seat| self.attachment(*seat, key).is_some_and(|own| is_in(own)));
        let out: Vec<Seat> = out.collect();
        for seat in &out {
            if let Some(sitting) = self.seats.get_mut(seat) {
                sitting.rooms.remove(key);
            }
            self.let_go(*seat, key);
        }
        if !self.attached.contains_key(key) {
            self.presence.end_all(key);
        }
        out
    }

    /// Whether anybody is to be told of a room.
    pub fn is_followed(&self, key: &RoomKey) -> bool {
        self.attached.contains_key(key)
    }

    /// Tells something of a room to everybody in it.
    pub fn tell(&mut self, uuid: &str, key: &RoomKey, live: &Live, told: &mut Told) {
        for seat in self.attached.get(key).into_iter().flatten() {
            let own = self.seats.get_mut(seat).and_then(|sitting| sitting.rooms.get_mut(key));
            let Some(attachment) = own.filter(|own| own.uuid.as_deref().is_none_or(|own| own == uuid)) else {
                continue;
            };
            match attachment.offer(live, self.settings.waiting) {
                Offered::Push => told.frames.push((*seat, live.frame.clone())),
                Offered::Nothing => {}
                Offered::Full => told.slow.push(*seat),
            }
        }
    }

    /// The answer began with what was read.
    pub fn showed(&mut self, seat: Seat, key: &RoomKey, shown: Shown, now: Instant) {
        if let Some(attachment) = self.attachment(seat, key) {
            attachment.expect_no_more();
            attachment.showed(shown, now);
        }
    }

    /// What waits for the socket until an answer about the room is over, which it is when nothing is left.
    pub fn take_waiting(&mut self, seat: Seat, key: &RoomKey) -> Vec<Live> {
        self.attachment(seat, key).map(Attachment::take_waiting).unwrap_or_default()
    }

    /// Time passes: who has become absent.
    pub fn tick(&mut self, now: Instant) -> Vec<Place> {
        for attachment in self.seats.values_mut().flat_map(|sitting| sitting.rooms.values_mut()) {
            attachment.forget(now);
        }
        let mut presence = std::mem::replace(&mut self.presence, Presence::new(self.settings.presence_ttl));
        let over = presence.expire(now, |(key, login)| self.sittings_of(key, login).any(|sitting| self.keeps(sitting)));
        self.presence = presence;
        over
    }

    fn attachment(&mut self, seat: Seat, key: &RoomKey) -> Option<&mut Attachment> {
        self.seats.get_mut(&seat)?.rooms.get_mut(key)
    }

    /// Whether a socket that is open is sign enough of whoever is at it.
    fn keeps(&self, sitting: &Sitting) -> bool {
        self.settings.silent == Silent::Present && !sitting.pings
    }

    /// The seats of a login that are in a room.
    fn sittings_of<'a>(&'a self, key: &RoomKey, login: &'a str) -> impl Iterator<Item = &'a Sitting> {
        let seats = self.attached.get(key).into_iter().flatten();
        let seats = seats.filter_map(|seat| self.seats.get(seat));
        seats.filter(move |sitting| *sitting.viewer.login == *login)
    }

    /// Takes the socket out of rooms that it may not be in any more.
    fn review(&mut self, seat: Seat) -> Vec<Place> {
        let keys = self.seats.get(&seat).into_iter().flat_map(|sitting| sitting.rooms.keys());
        // Where the node is not found yet, it is judged when it is.
        let lost = keys.filter(|key| !self.must_find(key) && self.access(seat, key) == Access::Nothing);
        let lost: Vec<RoomKey> = lost.cloned().collect();
        lost.iter().filter_map(|key| self.leave(seat, key)).collect()
    }

    fn stand_up(&mut self, seat: Seat) -> Vec<Place> {
        let keys = self.seats.get(&seat).into_iter().flat_map(|sitting| sitting.rooms.keys());
        let keys: Vec<RoomKey> = keys.cloned().collect();
        let left = keys.iter().filter_map(|key| self.leave(seat, key)).collect();
        self.seats.remove(&seat);
        left
    }

    fn let_go(&mut self, seat: Seat, key: &RoomKey) {
        let Some(seats) = self.attached.get_mut(key) else { return };
        seats.remove(&seat);
        if seats.is_empty() {
            self.attached.remove(key);
            self.named.retain(|_, named| named != key);
            if key.kind == Kind::Node {
                self.nodes.remove(&key.object);
            }
        }
    }
}
