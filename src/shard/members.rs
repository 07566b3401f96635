//! The places of watches in their groups: taken, held, moved without a gap or a repeat, and left.

use crate::event::Offset;
use crate::hub::{GroupId, Wish};
use crate::shard::socket::Place;
use crate::shard::{Extras, Shard, SocketId, State, WatchId};
use std::rc::Rc;

/// A watch's place in a group: it is told entries after `from` and up to `until`.
pub struct Member {
    pub socket: SocketId,
    pub watch: WatchId,
    pub from: Offset,
    pub until: Offset,
    pub extras: Option<Rc<Extras>>,
}

/// `Member::from` of a watch that is told nothing live.
pub const NEVER: Offset = Offset::MAX;

/// A membership that ends once everything up to an offset was handed out.
pub struct Retired {
    pub until: Offset,
    pub group: GroupId,
    pub member: usize,
}

impl Shard {
    /// Adds a watch to its group; it is told nothing live until `go_live`. Returns the offset where live
    /// begins: the log has what is before.
    pub fn join(&self, id: SocketId, watch: WatchId, wish: &Wish, extras: Option<Rc<Extras>>) -> Offset {
        let (group, offset) = self.hub.join(self.id, wish);
        let mut state = self.state.borrow_mut();
        let member = Member { socket: id, watch, from: NEVER, until: NEVER, extras };
        let member = state.groups.entry(group).or_default().insert(member);
        match state.sockets.get_mut(id) {
            Some(socket) => socket.take_place(watch, group, member),
            None => {
                state.drop_member(group, member);
                drop(state);
                self.hub.leave(self.id, group);
            }
        }
        offset
    }

    /// From here on the watch is told every entry after `from`.
    pub fn go_live(&self, id: SocketId, watch: WatchId, from: Offset) {
        let mut state = self.state.borrow_mut();
        state.each_place(id, watch, |member, retired| {
            if !retired {
                member.from = from;
            }
        });
        if let Some(socket) = state.sockets.get_mut(id) {
            socket.held_back = false;
        }
    }

    /// From here on the watch is told nothing live, until `go_live`.
    pub fn hold(&self, id: SocketId, watch: WatchId) {
        self.state.borrow_mut().each_place(id, watch, |member, _| member.from = NEVER);
    }

    /// Ends the watch at once; what waits in the mailbox for it is dropped.
    pub fn leave(&self, id: SocketId, watch: WatchId) {
        self.discard(id, watch);
        self.leave_group(id, watch);
    }

    /// Takes the watch out of its group, to join another; what waits for it is still written.
    pub fn leave_group(&self, id: SocketId, watch: WatchId) {
        let mut state = self.state.borrow_mut();
        let Some(socket) = state.sockets.get_mut(id) else { return };
        let (gone, kept) = std::mem::take(&mut socket.places).into_iter().partition(|place| place.watch == watch);
        socket.places = kept;
        let gone: Vec<Place> = gone;
        for place in &gone {
            state.drop_member(place.group, place.member);
        }
        drop(state);
        for place in gone.iter().filter(|place| !place.retired) {
            self.hub.leave(self.id, place.group);
        }
    }

    /// Moves a live watch to another group without a gap or a repeat: the old one tells what was published
    /// before, the new one what comes after.
    pub fn regroup(&self, id: SocketId, watch: WatchId, wish: &Wish, extras: Option<Rc<Extras>>) {
        let (group, offset) = self.hub.join(self.id, wish);
        let mut state = self.state.borrow_mut();
        let State { sockets, groups, retired, .. } = &mut *state;
        let Some(socket) = sockets.get_mut(id) else {
            drop(state);
            return self.hub.leave(self.id, group);
        };
        let mut left = Vec::new();
        // It may have been told from the log what the hub has yet to publish.
        let mut from = offset;
        for place in socket.places.iter_mut().filter(|place| place.watch == watch && !place.retired) {
            if let Some(member) = groups.get_mut(&place.group).and_then(|members| members.get_mut(place.member)) {
                member.until = offset;
                if member.from != NEVER {
                    from = from.max(member.from);
                }
            }
            place.retired = true;
            left.push(place.group);
            retired.push_back(Retired { until: offset, group: place.group, member: place.member });
        }
        let member = Member { socket: id, watch, from, until: NEVER, extras };
        let member = groups.entry(group).or_default().insert(member);
        socket.take_place(watch, group, member);
        // Without changes nothing is flushed, and a client may change its watches again and again.
        state.forget_retired();
        drop(state);
        for group in left {
            self.hub.leave(self.id, group);
        }
    }
}

impl State {
    pub fn drop_member(&mut self, group: GroupId, member: usize) {
        if let Some(members) = self.groups.get_mut(&group) {
            members.try_remove(member);
            if members.is_empty() {
                self.groups.remove(&group);
            }
        }
    }

    pub fn each_place(&mut self, id: SocketId, watch: WatchId, mut change: impl FnMut(&mut Member, bool)) {
        let Some(socket) = self.sockets.get(id) else { return };
        for place in socket.places.iter().filter(|place| place.watch == watch) {
            if let Some(member) = self.groups.get_mut(&place.group).and_then(|members| members.get_mut(place.member)) {
                change(member, place.retired);
            }
        }
    }

    /// Forgets memberships whose last entry was handed out.
    pub fn forget_retired(&mut self) {
        while let Some(retired) = self.retired.front().filter(|retired| retired.until <= self.processed) {
            let (until, group, member) = (retired.until, retired.group, retired.member);
            self.retired.pop_front();
            // The member's number may have been given to somebody else since, who may be retired too.
            let same = self.groups.get(&group).and_then(|members| members.get(member));
            let socket = same.filter(|member| member.until == until).map(|member| member.socket);
            let Some(socket) = socket.and_then(|id| self.sockets.get_mut(id)) else { continue };
            let before = socket.places.len();
            socket.places.retain(|place| !(place.retired && place.group == group && place.member == member));
            if socket.places.len() < before {
                self.drop_member(group, member);
            }
        }
    }
}
