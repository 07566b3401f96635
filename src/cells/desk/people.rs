//! Who is there: the sockets, whose they are, and who is concerned by a role, a workspace or a place in the tree.

use crate::cells::desk::{Channel, Seat};
use crate::cells::rights::{Profile, Viewer, ancestors};
use crate::event::Offset;
use crate::shard::Peer;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Everybody.
#[derive(Default)]
pub struct People {
    /// In the order in which they came.
    seats: BTreeMap<Seat, Sitting>,
    /// Those of whom at least one socket is there, by uuid.
    persons: HashMap<Arc<str>, Person>,
    logins: Index,
    roles: Index,
    workspaces: Index,
    /// By the paths of the roots that they see.
    roots: Index,
    admins: HashSet<Arc<str>>,
}

/// A socket.
pub struct Sitting {
    pub peer: Peer,
    pub channel: Channel,
    user: Option<Arc<str>>,
    /// What happens is pushed to it; else it is told from the log.
    pub is_live: bool,
    /// The position that it was told last; `None`: it wants none.
    pub told: Option<Offset>,
}

struct Person {
    viewer: Arc<Viewer>,
    seats: BTreeSet<Seat>,
}

/// Users by something that they have.
#[derive(Default)]
struct Index(HashMap<Arc<str>, HashSet<Arc<str>>>);

impl Index {
    fn add(&mut self, key: &Arc<str>, user: &Arc<str>) {
        self.0.entry(key.clone()).or_default().insert(user.clone());
    }

    fn drop(&mut self, key: &Arc<str>, user: &Arc<str>) {
        if let Some(users) = self.0.get_mut(key) {
            users.remove(user);
            if users.is_empty() {
                self.0.remove(key);
            }
        }
    }

    fn of(&self, key: &str) -> impl Iterator<Item = &Arc<str>> {
        self.0.get(key).into_iter().flatten()
    }
}

impl People {
    /// A socket is there, or is somebody else from now on.
    pub fn sit(&mut self, seat: Seat, sitting: (Peer, Channel), viewer: Viewer, told: Option<Offset>) {
        self.rise(seat);
        let uuid = viewer.uuid.clone();
        self.replace(viewer);
        if let Some(person) = self.persons.get_mut(&uuid) {
            person.seats.insert(seat);
        }
        let (peer, channel) = sitting;
        self.seats.insert(seat, Sitting { peer, channel, user: Some(uuid), is_live: true, told });
    }

    /// A socket is gone, or is nobody from now on.
    pub fn rise(&mut self, seat: Seat) {
        let Some(user) = self.seats.remove(&seat).and_then(|sitting| sitting.user) else { return };
        let Some(person) = self.persons.get_mut(&user) else { return };
        person.seats.remove(&seat);
        if person.seats.is_empty() {
            self.drop_person(&user);
        }
    }

    /// A user who is there has other rights from now on; one who is not there yet comes in.
    pub fn replace(&mut self, viewer: Viewer) {
        let uuid = viewer.uuid.clone();
        let seats = self.drop_person(&uuid);
        self.logins.add(&viewer.login, &uuid);
        viewer.declared.iter().for_each(|role| self.roles.add(role, &uuid));
        for (workspace, seen) in &viewer.workspaces {
            self.workspaces.add(workspace, &uuid);
            seen.roots.iter().for_each(|root| self.roots.add(&root.path, &uuid));
        }
        if viewer.profile == Profile::Admin {
            self.admins.insert(uuid.clone());
        }
        self.persons.insert(uuid, Person { viewer: Arc::new(viewer), seats });
    }

    /// A socket.
    pub fn sitting(&mut self, seat: Seat) -> Option<&mut Sitting> {
        self.seats.get_mut(&seat)
    }

    /// Who a socket is.
    pub fn viewer(&self, seat: Seat) -> Option<&Arc<Viewer>> {
        let user = self.seats.get(&seat)?.user.as_ref()?;
        self.persons.get(user).map(|person| &person.viewer)
    }

    /// A user who is there.
    pub fn person(&self, uuid: &str) -> Option<&Arc<Viewer>> {
        self.persons.get(uuid).map(|person| &person.viewer)
    }

    /// The sockets of a user.
    pub fn seats_of(&self, uuid: &str) -> Vec<Seat> {
        self.persons.get(uuid).map(|person| person.seats.iter().copied().collect()).unwrap_or_default()
    }

    /// The sockets of a user that hear events as they happen.
    pub fn hearers(&self, uuid: &str) -> impl Iterator<Item = Seat> {
        let seats = self.persons.get(uuid).into_iter().flat_map(|person| &person.seats);
        seats.copied().filter(|seat| {
            self.seats.get(seat).is_some_and(|sitting| sitting.channel == Channel::Event && sitting.is_live)
        })
    }

    /// Every socket, in the order in which they came.
    pub fn seats(&mut self) -> impl Iterator<Item = (Seat, &mut Sitting)> {
        self.seats.iter_mut().map(|(seat, sitting)| (*seat, sitting))
    }

    /// The users there who have a role.
    pub fn with_role(&self, role: &str) -> BTreeSet<Arc<str>> {
        let has = |uuid: &&Arc<str>| self.person(uuid).is_some_and(|viewer| viewer.has_role(role));
        self.roles.of(role).filter(has).cloned().collect()
    }

    /// The users there who are said to have a role, whether or not it exists.
    pub fn declared(&self, role: &str) -> BTreeSet<Arc<str>> {
        self.roles.of(role).cloned().collect()
    }

    /// Everybody there.
    pub fn everybody(&self) -> BTreeSet<Arc<str>> {
        self.persons.keys().cloned().collect()
    }

    /// The users there who have a workspace with this slug.
    pub fn with_slug(&self, slug: &str) -> BTreeSet<Arc<str>> {
        let has = |person: &&Person| person.viewer.workspaces.values().any(|seen| *seen.slug == *slug);
        self.persons.values().filter(has).map(|person| person.viewer.uuid.clone()).collect()
    }

    /// The users there who have a workspace.
    pub fn with_workspace(&self, workspace: &str) -> BTreeSet<Arc<str>> {
        self.workspaces.of(workspace).cloned().collect()
    }

    /// The user there with this login.
    pub fn with_login(&self, login: &str) -> BTreeSet<Arc<str>> {
        self.logins.of(login).cloned().collect()
    }

    /// The users there who administrate.
    pub fn admins(&self) -> BTreeSet<Arc<str>> {
        self.admins.iter().cloned().collect()
    }

    /// The users there who have a root at this path or above it.
    pub fn with_root_over(&self, path: &str) -> BTreeSet<Arc<str>> {
        let paths = std::iter::once(path).chain(ancestors(path));
        paths.flat_map(|path| self.roots.of(path)).cloned().collect()
    }

    /// Takes a user out of everything; returns its sockets.
    fn drop_person(&mut self, uuid: &Arc<str>) -> BTreeSet<Seat> {
        let Some(Person { viewer, seats }) = self.persons.remove(uuid) else { return BTreeSet::new() };
        self.logins.drop(&viewer.login, uuid);
        viewer.declared.iter().for_each(|role| self.roles.drop(role, uuid));
        for (workspace, seen) in &viewer.workspaces {
            self.workspaces.drop(workspace, uuid);
            seen.roots.iter().for_each(|root| self.roots.drop(&root.path, uuid));
        }
        self.admins.remove(uuid);
        seats
    }
}
