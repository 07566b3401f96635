//! Somebody with everything that decides what is shown to them.

use crate::cells::rights::grants::Mask;
use crate::cells::rights::{Rights, User};
use crate::dialect::cells::node::{Place, Policies, name_of};
use md5::{Digest, Md5};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How much somebody is trusted, from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    Anon,
    Shared,
    Standard,
    Admin,
}

/// Why somebody may not come in, or stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    Locked,
}

/// Somebody, as of one place in the log.
#[derive(Debug, PartialEq)]
pub struct Viewer {
    pub uuid: Arc<str>,
    pub login: Arc<str>,
    pub group_path: Arc<str>,
    pub profile: Profile,
    /// Those that exist, in the order in which they count.
    pub roles: Vec<Arc<str>>,
    /// The same with those that do not exist (yet).
    pub declared: Vec<Arc<str>>,
    /// By uuid.
    pub workspaces: BTreeMap<Arc<str>, Seen>,
    /// What is granted on a node, by its id.
    masks: HashMap<Arc<str>, Mask>,
    /// The same by the path of the node, where that is known.
    by_path: HashMap<Arc<str>, Mask>,
    /// The same of paths that a template makes, where no node is named.
    by_template: HashMap<Arc<str>, Mask>,
}

/// A workspace as somebody sees it.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub slug: Arc<str>,
    /// Sorted by id; at least one.
    pub roots: Vec<Root>,
}

/// Where a workspace begins in the tree.
#[derive(Debug, PartialEq)]
pub struct Root {
    pub id: Arc<str>,
    pub path: Arc<str>,
    /// What stands for it in paths when there are several.
    pub key: String,
}

impl Rights {
    /// Who the user with this uuid is by now.
    ///
    /// # Errors
    /// When there is no such user, or it is locked out.
    pub fn viewer(&self, uuid: &str) -> Result<Viewer, Refused> {
        let user = self.users.get(uuid).ok_or(Refused::Unknown)?;
        if user.is_locked() {
            return Err(Refused::Locked);
        }
        let roles: Vec<_> = user.roles.iter().filter(|role| self.roles.contains_key(*role)).cloned().collect();
        let (mut masks, mut links) = (HashMap::new(), BTreeSet::new());
        for role in &roles {
            let grants = self.grants(role);
            // The last role that says anything of a node is the one that counts.
            masks.extend(grants.masks);
            links.extend(grants.roots);
        }
        let (mut by_path, mut by_template): (HashMap<Arc<str>, Mask>, HashMap<Arc<str>, Mask>) = Default::default();
        for (node, mask) in &masks {
            let Some((path, _)) = self.stands(node, user) else { continue };
            if self.settings.virtual_roots.contains_key(&**node) {
                by_template.insert(path.clone(), *mask);
            }
            by_path.entry(path).and_modify(|other| *other = other.with(*mask)).or_insert(*mask);
        }
        let mut workspaces: BTreeMap<Arc<str>, Seen> = BTreeMap::new();
        // Ordered by workspace and node, so the roots are sorted by id.
        for (id, node) in links.into_iter().filter(|(_, node)| masks.get(node).is_some_and(|mask| mask.opens())) {
            let (Some(workspace), Some((path, name))) = (self.workspaces.get(&id), self.stands(&node, user)) else {
                continue;
            };
            let key = self.root_key(&node, &path, &name);
            let seen = workspaces.entry(id).or_insert_with(|| Seen { slug: workspace.slug.clone(), roots: Vec::new() });
            seen.roots.push(Root { id: node, path, key });
        }
        Ok(Viewer {
            uuid: user.uuid.clone(),
            login: user.login.clone(),
            group_path: user.group_path.clone(),
            profile: Profile::named(&user.profile),
            roles,
            declared: user.roles.clone(),
            workspaces,
            masks,
            by_path,
            by_template,
        })
    }

    /// The path and the name of a node that access rules name, for this user.
    fn stands(&self, node: &str, user: &User) -> Option<(Arc<str>, Arc<str>)> {
        if let Some(template) = self.settings.virtual_roots.get(node) {
            let path = template.replace("{login}", &user.login).replace("{uuid}", &user.uuid);
            let path = path.replace("{group_path}", &user.group_path);
            let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
            let path = segments.join("/");
            return Some((path.as_str().into(), name_of(&path).into()));
        }
        self.known(node).map(|known| (known.path.clone(), known.name.clone()))
    }

    fn root_key(&self, id: &str, path: &str, name: &str) -> String {
        if self.settings.virtual_roots.contains_key(id) {
            return format!("template-{id}");
        }
        match id.strip_prefix("DATASOURCE:") {
            Some(source) if source == path => source.to_owned(),
            _ => {
                let hash = Md5::digest(id.as_bytes());
                let start: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                format!("{start}-{name}")
            }
        }
    }
}

impl Viewer {
    /// Whether this node may be read.
    pub fn can_read(&self, uuid: &str, path: &str) -> bool {
        self.may(uuid, path, |mask| mask.reads)
    }

    /// Whether this node may be written.
    pub fn can_write(&self, uuid: &str, path: &str) -> bool {
        self.may(uuid, path, |mask| mask.writes)
    }

    /// Where a node is seen, in order of the workspaces' uuids.
    pub fn places(&self, uuid: &str, path: &str) -> Vec<Place<'_>> {
        if name_of(path).starts_with('.') || !self.can_read(uuid, path) {
            return Vec::new();
        }
        self.workspaces.iter().filter_map(|(id, seen)| seen.place(id, path)).collect()
    }

    /// Whether metadata with these policies may be read.
    pub fn reads(&self, policies: &Policies) -> bool {
        policies.let_read(|subject| self.is(subject))
    }

    /// Whether this viewer has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| **own == *role)
    }

    /// Whether a policy means this viewer.
    fn is(&self, subject: &str) -> bool {
        match subject.split_once(':') {
            Some(("user", login)) => *login == *self.login,
            Some(("profile", profile)) => {
                Profile::WORDS.iter().any(|(word, own)| *word == profile && *own <= self.profile)
            }
            Some(("role", role)) => self.has_role(role),
            _ => subject == "*",
        }
    }

    /// No mask of the node or above it denies, and the nearest one grants.
    fn may(&self, uuid: &str, path: &str, grants: fn(&Mask) -> bool) -> bool {
        let own = self.masks.get(uuid).or_else(|| self.by_template.get(path));
        let above = ancestors(path).filter_map(|path| self.by_path.get(path));
        let mut nearest = None;
        for mask in own.into_iter().chain(above) {
            if mask.denies {
                return false;
            }
            nearest.get_or_insert(mask);
        }
        nearest.is_some_and(grants)
    }
}

impl Seen {
    /// Where a path stands in this workspace; `None`: outside.
    fn place<'a>(&self, workspace: &'a str, path: &str) -> Option<Place<'a>> {
        let (root, below) = self.roots.iter().find_map(|root| Some((root, below(&root.path, path)?)))?;
        let (slug, key) = (&self.slug, &root.key);
        let (path, is_root) = match (self.roots.len(), below) {
            (1, below) => (format!("{slug}/{below}"), false),
            (_, "") => (format!("{slug}/{key}"), true),
            (_, below) => (format!("{slug}/{key}/{below}"), false),
        };
        Some(Place { workspace, path, is_root })
    }
}

impl Profile {
    const WORDS: [(&'static str, Profile); 4] = [
        ("anon", Profile::Anon),
        ("shared", Profile::Shared),
        ("standard", Profile::Standard),
        ("admin", Profile::Admin),
    ];

    /// The profile with this name; one that nobody knows is trusted with nothing.
    fn named(name: &str) -> Profile {
        Profile::WORDS.iter().find(|(word, _)| *word == name).map_or(Profile::Anon, |(_, profile)| *profile)
    }
}

/// What of a path is below another one; empty for the same.
fn below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(root)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// The paths above a path, the nearest first.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(end, _)| path.split_at(end).0)
}
