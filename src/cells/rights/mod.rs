//! Who may do what in the tree, by the rows of users, roles, access rules and workspaces as they stand in the log.
//!
//! Nothing here reads anything: rows are put in, and viewers are computed from what is there.

mod grants;
mod nodes;
mod records;
#[cfg(test)]
mod tests;
mod viewer;

pub use nodes::Known;
pub use records::{Acl, Record, Role, User, Workspace};
pub use viewer::{Profile, Refused, Root, Seen, Viewer, ancestors};

use crate::cells::rights::grants::Grants;
use crate::cells::rows::Part;
use nodes::Nodes;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What the configuration says of rights.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What an access rule grants whose action is this policy: reading, writing.
    pub policies: HashMap<String, (bool, bool)>,
    /// Ids that stand for a path of each user, with the template of that.
    pub virtual_roots: HashMap<String, String>,
}

/// Whom a change may concern.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Affected {
    pub users: BTreeSet<Arc<str>>,
    /// Everybody who is said to have one of these roles.
    pub roles: BTreeSet<Arc<str>>,
}

impl Affected {
    /// Adds those whom another change concerns.
    pub fn add(&mut self, other: Affected) {
        self.users.extend(other.users);
        self.roles.extend(other.roles);
    }
}

/// The rows that rights are computed from.
#[derive(Debug, Default)]
pub struct Rights {
    settings: Settings,
    users: HashMap<Arc<str>, User>,
    logins: HashMap<Arc<str>, Arc<str>>,
    roles: HashMap<Arc<str>, Role>,
    workspaces: HashMap<Arc<str>, Workspace>,
    acls: HashMap<Arc<str>, Acl>,
    /// The access rules of each role.
    of_role: HashMap<Arc<str>, HashSet<Arc<str>>>,
    /// The access rules that name a node or a workspace.
    of_node: HashMap<Arc<str>, HashSet<Arc<str>>>,
    of_workspace: HashMap<Arc<str>, HashSet<Arc<str>>>,
    nodes: Nodes,
}

impl Rights {
    /// Rights of nobody.
    pub fn new(settings: Settings) -> Rights {
        Rights { settings, ..Rights::default() }
    }

    /// The user with this uuid.
    pub fn user(&self, uuid: &str) -> Option<&User> {
        self.users.get(uuid)
    }

    /// The user with this login.
    pub fn user_named(&self, login: &str) -> Option<&User> {
        self.users.get(self.logins.get(login)?)
    }

    /// The row of one of the parts that rights are made of.
    pub fn record(&self, part: Part, key: &str) -> Option<Record> {
        match part {
            Part::Users => self.users.get(key).cloned().map(Record::User),
            Part::Roles => self.roles.get(key).cloned().map(Record::Role),
            Part::Workspaces => self.workspaces.get(key).cloned().map(Record::Workspace),
            Part::Acls => self.acls.get(key).cloned().map(Record::Acl),
            _ => None,
        }
    }

    /// Whether the path of a node matters.
    pub fn tracks(&self, node: &str) -> bool {
        self.nodes.tracks(node)
    }

    /// Forgets the rows of a part, which are loaded anew.
    pub fn forget(&mut self, part: Part) {
        match part {
            Part::Users => {
                self.users.clear();
                self.logins.clear();
            }
            Part::Roles => self.roles.clear(),
            Part::Workspaces => self.workspaces.clear(),
            Part::Acls => {
                self.acls.clear();
                self.of_role.clear();
                self.of_node.clear();
                self.of_workspace.clear();
            }
            _ => {}
        }
    }

    /// Takes a row in place of the one that was known.
    pub fn put(&mut self, key: Arc<str>, record: Record) -> Affected {
        let mut affected = Affected::default();
        match record {
            Record::User(user) => {
                self.drop_login(&key);
                self.logins.insert(user.login.clone(), key.clone());
                self.users.insert(key.clone(), user);
                affected.users.insert(key);
            }
            Record::Role(role) => {
                let is_new = self.roles.insert(key.clone(), role).is_none();
                // What else a role is makes nobody's rights different.
                affected.roles.extend(Some(key).filter(|_| is_new));
            }
            Record::Workspace(workspace) => {
                self.affect(&mut affected, self.of_workspace.get(&key));
                self.workspaces.insert(key, workspace);
            }
            Record::Acl(acl) => {
                self.drop_acl(&key, &mut affected);
                self.add_acl(key, acl, &mut affected);
            }
        }
        affected
    }

    /// A row is gone.
    pub fn remove(&mut self, part: Part, key: &str) -> Affected {
        let mut affected = Affected::default();
        match part {
            Part::Users => {
                self.drop_login(key);
                affected.users.extend(self.users.remove_entry(key).map(|(key, _)| key));
            }
            Part::Roles => affected.roles.extend(self.roles.remove_entry(key).map(|(key, _)| key)),
            Part::Workspaces => {
                self.workspaces.remove(key);
                self.affect(&mut affected, self.of_workspace.get(key));
            }
            Part::Acls => self.drop_acl(key, &mut affected),
            _ => {}
        }
        affected
    }

    /// The path of a node matters from now on.
    pub fn track(&mut self, node: &Arc<str>) {
        self.nodes.track(node);
    }

    /// A node whose path matters is where this says; `None`: nowhere.
    pub fn place(&mut self, node: &str, known: Option<Known>) -> Affected {
        let mut affected = Affected::default();
        if self.nodes.place(node, known) {
            self.affect(&mut affected, self.of_node.get(node));
        }
        affected
    }

    /// Where a node is that access rules name.
    pub fn known(&self, node: &str) -> Option<&Known> {
        self.nodes.known(node)
    }

    fn add_acl(&mut self, id: Arc<str>, acl: Acl, affected: &mut Affected) {
        for (index, key) in
            [(&mut self.of_role, &acl.role), (&mut self.of_node, &acl.node), (&mut self.of_workspace, &acl.workspace)]
        {
            if !key.is_empty() {
                index.entry(key.clone()).or_default().insert(id.clone());
            }
        }
        if !acl.node.is_empty() && !self.settings.virtual_roots.contains_key(&*acl.node) {
            self.nodes.track(&acl.node);
        }
        affected.roles.insert(acl.role.clone());
        self.acls.insert(id, acl);
    }

    fn drop_acl(&mut self, id: &str, affected: &mut Affected) {
        let Some(acl) = self.acls.remove(id) else { return };
        for (index, key) in
            [(&mut self.of_role, &acl.role), (&mut self.of_node, &acl.node), (&mut self.of_workspace, &acl.workspace)]
        {
            if let Some(ids) = index.get_mut(key) {
                ids.remove(id);
                if ids.is_empty() {
                    index.remove(key);
                }
            }
        }
        affected.roles.insert(acl.role);
    }

    fn drop_login(&mut self, uuid: &str) {
        let Some(user) = self.users.get(uuid) else { return };
        if self.logins.get(&user.login).is_some_and(|owner| **owner == *uuid) {
            self.logins.remove(&user.login);
        }
    }

    /// Everybody whose role has one of these rules is concerned.
    fn affect(&self, affected: &mut Affected, acls: Option<&HashSet<Arc<str>>>) {
        let rules = acls.into_iter().flatten().filter_map(|id| self.acls.get(id));
        affected.roles.extend(rules.map(|acl| acl.role.clone()));
    }

    /// What a role grants.
    fn grants(&self, role: &str) -> Grants {
        let rules = self.of_role.get(role).into_iter().flatten().filter_map(|id| self.acls.get(id));
        Grants::of(rules, &self.settings.policies)
    }
}
