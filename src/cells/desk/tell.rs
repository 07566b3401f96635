//! Whom a change is told, and in which words. Those who see the same are told the same text, made once.

use crate::cells::change::Change;
use crate::cells::desk::people::People;
use crate::cells::desk::{Frames, Seat};
use crate::cells::rights::{Profile, Viewer};
use crate::dialect::cells::idm::{Concerns, Idm};
use crate::dialect::cells::node::{Node, Place, Policies};
use crate::dialect::cells::task::Task;
use crate::dialect::cells::tree::{Action, TreeEvent};
use crate::frame;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What the system itself does belongs to this login.
const SYSTEM: &str = "pydio.system.user";

/// The workspace of those who administrate.
const SETTINGS: &str = "settings";

/// Who of those that are there is told of a change of identities.
pub fn concerned(people: &People, idm: &Idm, tells_admins: bool) -> BTreeSet<Arc<str>> {
    match &idm.concerns {
        Concerns::Role(role) => people.with_role(role),
        Concerns::Workspace(workspace) => people.with_workspace(workspace),
        Concerns::User { uuid, login } => {
            let own = match &**uuid {
                "" => people.with_login(login),
                uuid => people.person(uuid).map(|viewer| viewer.uuid.clone()).into_iter().collect(),
            };
            let admins = if tells_admins { people.with_slug(SETTINGS) } else { BTreeSet::new() };
            own.into_iter().chain(admins).collect()
        }
        Concerns::Nobody => BTreeSet::new(),
    }
}

/// The frames of a change, for everybody there.
pub fn everybody(people: &People, change: &Change, tells_admins: bool, out: &mut Frames) {
    let users = match change {
        Change::Tree(event) => seeing(people, event),
        Change::Task(task) if &*task.owner == SYSTEM => people.admins(),
        Change::Task(task) => people.with_login(&task.owner),
        Change::Activity(activity) => {
            activity.login.as_deref().map(|login| people.with_login(login)).unwrap_or_default()
        }
        Change::Idm(idm) => concerned(people, idm, tells_admins),
        Change::Followed(_) => BTreeSet::new(),
    };
    let mut texts = Texts::default();
    for uuid in &users {
        let Some(viewer) = people.person(uuid) else { continue };
        let frames = texts.of(change, viewer);
        for seat in people.hearers(uuid) {
            out.extend(frames.iter().map(|frame| (seat, frame.clone())));
        }
    }
}

/// The frames of a change that concerns these users.
pub fn these(people: &People, users: &BTreeSet<Arc<str>>, text: &str, out: &mut Frames) {
    let frame = frame::text(text.as_bytes());
    let seats = users.iter().flat_map(|uuid| people.hearers(uuid));
    out.extend(seats.map(|seat| (seat, frame.clone())));
}

/// The frames of a change for one socket that was not told of it when it happened.
pub fn one(people: &People, seat: Seat, change: &Change, tells_admins: bool, out: &mut Vec<Bytes>) {
    let Some(viewer) = people.viewer(seat) else { return };
    let is_told = match change {
        Change::Tree(_) => true,
        Change::Task(task) => hears_of(viewer, task),
        Change::Activity(activity) => activity.login.as_deref() == Some(&*viewer.login),
        Change::Idm(idm) => concerned(people, idm, tells_admins).contains(&viewer.uuid),
        Change::Followed(_) => false,
    };
    if is_told {
        out.extend(Texts::default().of(change, viewer));
    }
}

fn hears_of(viewer: &Viewer, task: &Task) -> bool {
    match &*task.owner {
        SYSTEM => viewer.profile == Profile::Admin,
        owner => *owner == *viewer.login,
    }
}

/// The users there in whose workspaces a node of the event may be seen.
fn seeing(people: &People, event: &TreeEvent) -> BTreeSet<Arc<str>> {
    let nodes = event.source.iter().chain(&event.target);
    nodes.flat_map(|node| people.with_root_over(&node.path)).collect()
}

/// The texts that were made of one change.
#[derive(Default)]
struct Texts(HashMap<Key, Option<Bytes>>);

/// What a text depends on, beside the change.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    workspace: String,
    source: Option<String>,
    target: Option<String>,
    /// The namespaces that are left out, by their number.
    hidden: Vec<bool>,
}

impl Texts {
    /// The frames for a viewer.
    fn of(&mut self, change: &Change, viewer: &Viewer) -> Vec<Bytes> {
        match change {
            Change::Tree(event) => self.of_tree(event, viewer),
            Change::Task(Task { text, .. }) => vec![self.same(text)],
            Change::Idm(idm) => vec![self.same(&idm.text)],
            Change::Activity(activity) => vec![self.same(&activity.text)],
            Change::Followed(_) => Vec::new(),
        }
    }

    fn same(&mut self, text: &str) -> Bytes {
        let key = Key { workspace: String::new(), source: None, target: None, hidden: Vec::new() };
        let made = self.0.entry(key).or_insert_with(|| Some(frame::text(text.as_bytes())));
        made.clone().unwrap_or_default()
    }

    /// One for each workspace in which a node of the event is seen.
    fn of_tree(&mut self, event: &TreeEvent, viewer: &Viewer) -> Vec<Bytes> {
        let is_about_metadata = event.action == Action::UpdateUserMeta;
        if is_about_metadata && !event.readers.iter().any(|policies| viewer.reads(policies)) {
            return Vec::new();
        }
        let places = |node: &Option<Arc<Node>>| match node {
            Some(node) => viewer.places(&node.uuid, &node.path),
            None => Vec::new(),
        };
        let (sources, targets) = (places(&event.source), places(&event.target));
        let mut workspaces: BTreeSet<&str> = BTreeSet::new();
        workspaces.extend(sources.iter().chain(&targets).map(|place| place.workspace));
        let may_read = |policies: &Policies| viewer.reads(policies);
        let nodes = event.source.iter().chain(&event.target);
        let guarded = nodes.flat_map(|node| node.user_meta.values());
        let hidden: Vec<bool> = guarded.map(|namespace| !may_read(&namespace.policies)).collect();
        let mut frames = Vec::new();
        for workspace in workspaces {
            let place = |places: &[Place<'_>]| places.iter().position(|place| place.workspace == workspace);
            let source = place(&sources).and_then(|at| sources.get(at));
            let target = place(&targets).and_then(|at| targets.get(at));
            let key = Key {
                workspace: workspace.to_owned(),
                source: source.map(|place| place.path.clone()),
                target: target.map(|place| place.path.clone()),
                hidden: hidden.clone(),
            };
            let make = || event.write(source, target, may_read).map(|text| frame::text(text.as_bytes()));
            frames.extend(self.0.entry(key).or_insert_with(make).clone());
        }
        frames
    }
}
