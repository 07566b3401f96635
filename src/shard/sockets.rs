//! The sockets of a shard by number. A number is never used twice: whatever still works for a socket that is
//! gone must not reach the one that came after it.

use crate::shard::SocketId;
use slab::Slab;

/// The low bits of a number are the place; the others count the sockets that there ever were.
const PLACE_BITS: u32 = 24;
const PLACES: usize = 1 << PLACE_BITS;

/// The sockets that are open.
pub struct Sockets<T> {
    places: Slab<(SocketId, T)>,
    ever: usize,
}

impl<T> Default for Sockets<T> {
    fn default() -> Sockets<T> {
        Sockets { places: Slab::new(), ever: 0 }
    }
}

impl<T> Sockets<T> {
    /// Takes a socket in; returns its number.
    pub fn insert(&mut self, socket: T) -> SocketId {
        self.ever += 1;
        let entry = self.places.vacant_entry();
        let id = (self.ever << PLACE_BITS) | (entry.key() % PLACES);
        entry.insert((id, socket));
        id
    }

    /// The socket with this number, while it is open.
    pub fn get(&self, id: SocketId) -> Option<&T> {
        self.places.get(id % PLACES).filter(|(of, _)| *of == id).map(|(_, socket)| socket)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: SocketId) -> Option<&mut T> {
        self.places.get_mut(id % PLACES).filter(|(of, _)| *of == id).map(|(_, socket)| socket)
    }

    /// Lets go of the socket with this number.
    pub fn remove(&mut self, id: SocketId) -> Option<T> {
        self.get(id)?;
        self.places.try_remove(id % PLACES).map(|(_, socket)| socket)
    }

    /// The numbers of those that are open in every `slots`-th place, beginning with `slot`.
    pub fn in_slot(&self, slot: usize, slots: usize) -> Vec<SocketId> {
        let places = (slot..self.places.capacity()).step_by(slots);
        places.filter_map(|place| self.places.get(place)).map(|(id, _)| *id).collect()
    }

    /// The numbers of all that are open.
    pub fn ids(&self) -> Vec<SocketId> {
        self.places.iter().map(|(_, (id, _))| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_used_twice() {
        let mut sockets = Sockets::default();
        let first = sockets.insert("first");
        assert_eq!(sockets.remove(first), Some("first"));
        let second = sockets.insert("second");
        assert_ne!(first, second);
        assert_eq!(sockets.get(first), None);
        assert_eq!(sockets.remove(first), None);
        assert_eq!(sockets.get(second), Some(&"second"));
    }

    #[test]
    fn every_socket_is_in_one_slot() {
        for count in [0, 1, 30, 100] {
            let mut sockets = Sockets::default();
            let mut expected: Vec<SocketId> = (0..count).map(|number| sockets.insert(number)).collect();
            if let Some(gone) = expected.pop() {
                sockets.remove(gone);
            }
            let mut due: Vec<SocketId> = (0..30).flat_map(|slot| sockets.in_slot(slot, 30)).collect();
            due.sort_unstable();
            expected.sort_unstable();
            assert_eq!(due, expected);
        }
    }
}
