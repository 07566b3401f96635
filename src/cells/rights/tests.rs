use super::*;
use crate::cells::rows::Names;
use crate::document::Document;
use serde_json::{Value, json};

/// Rights by rows: users by uuid with their roles, all roles that these name, and the rest as it is given.
struct Plant {
    rights: Rights,
    names: Names,
}

impl Plant {
    fn new(settings: Settings) -> Plant {
        Plant { rights: Rights::new(settings), names: Names::default() }
    }

    fn put(&mut self, part: Part, key: &str, row: Value) -> Affected {
        let row = Document::new(row);
        let fields = self.names.fields(part, key, &row).expect("an object");
        self.rights.put(fields.key(), Record::read(part, &fields).expect("a record"))
    }

    fn user(&mut self, uuid: &str, roles: &[&str]) {
        roles.iter().for_each(|role| drop(self.put(Part::Roles, role, json!({}))));
        self.put(Part::Users, uuid, json!({"login": uuid, "roles": roles}));
    }

    fn node(&mut self, uuid: &str, path: &str) {
        self.rights.track(&uuid.into());
        let name = path.rsplit('/').next().unwrap_or_default().into();
        self.rights.place(uuid, Some(Known { path: path.into(), name, read_at: None }));
    }

    /// `role node action[=value]`, and a workspace where it is a root of one.
    fn acl(&mut self, id: &str, rule: &str) -> Affected {
        let mut words = rule.split(' ');
        let mut next = || words.next().unwrap_or_default();
        let (role, node, action, workspace) = (next(), next(), next(), next());
        let (action, value) = action.split_once('=').unwrap_or((action, "1"));
        let row = json!({"action_name": action, "action_value": value, "role_id": role, "node_id": node,
            "workspace_id": workspace});
        self.put(Part::Acls, id, row)
    }

    fn acls(&mut self, rules: &[&str]) {
        for (number, rule) in rules.iter().enumerate() {
            self.acl(&format!("a{number}"), rule);
        }
    }

    fn viewer(&self, uuid: &str) -> Viewer {
        self.rights.viewer(uuid).expect("a viewer")
    }
}

fn settings() -> Settings {
    let policies = [("ro".to_owned(), (true, false)), ("wo".to_owned(), (false, true))].into();
    Settings { policies, virtual_roots: [("my-files".to_owned(), "personal/{login}".to_owned())].into() }
}

/// The tree: a / a/b / a/b/c, of which a/b/c/x is nobody's rule.
fn tree(rules: &[&str]) -> Plant {
    let mut plant = Plant::new(settings());
    plant.user("u", &["r1", "r2", "r3"]);
    plant.acls(rules);
    for (uuid, path) in [("a", "a"), ("b", "a/b"), ("c", "a/b/c")] {
        plant.node(uuid, path);
    }
    plant
}

#[test]
fn the_rules_of_masks_as_a_table() {
    // What may be done with a/b/c/x: r, w, both, or nothing.
    for (rules, may) in [
        (&[][..], ""),
        (&["r1 a read"], "r"),
        (&["r1 a read", "r1 a write"], "rw"),
        (&["r1 a write"], "w"),
        (&["r1 a read", "r1 c write"], "w"),
        (&["r1 a read", "r1 b lock"], ""),
        (&["r1 a read", "r1 b deny", "r1 c read"], ""),
        (&["r1 a deny", "r1 c read"], ""),
        // The last role with a mask replaces those before it, on that node.
        (&["r1 a read", "r2 a write"], "w"),
        (&["r1 a deny", "r2 a read"], "r"),
        (&["r2 a deny", "r1 a read"], ""),
        (&["r1 a read", "r3 a deny", "r2 a read"], ""),
        (&["r1 a deny", "r2 b read"], ""),
        // A policy grants what is configured, and the flags beside it do not count.
        (&["r1 a policy=ro"], "r"),
        (&["r1 a policy=ro", "r1 a write"], "r"),
        (&["r1 a policy=ro", "r1 a policy=wo"], "rw"),
        (&["r1 a policy=unheard", "r1 a read"], ""),
        (&["r1 a policy=ro", "r1 a deny"], ""),
        (&["r1 a policy=ro", "r2 a read", "r2 a write"], "rw"),
        // What else an action may be is no mask.
        (&["r1 a read", "r1 b quota=7"], "r"),
        (&["r1 a read", "r1 b read=0"], "r"),
        // Of a role that the user has not.
        (&["other a read"], ""),
    ] {
        let viewer = tree(rules).viewer("u");
        let reads = if viewer.can_read("x", "a/b/c/x") { "r" } else { "" };
        let writes = if viewer.can_write("x", "a/b/c/x") { "w" } else { "" };
        assert_eq!(format!("{reads}{writes}"), may, "{rules:?}");
    }
}

#[test]
fn a_node_is_known_by_its_uuid_and_what_is_above_it_by_path() {
    let viewer = tree(&["r1 c read"]).viewer("u");
    assert!(viewer.can_read("c", "moved/away"), "its own mask goes along");
    assert!(!viewer.can_read("x", "a/b/cx"), "no ancestor, though the path begins so");
    assert!(!viewer.can_read("x", "a/b/c"), "another node at that place");
    assert!(viewer.can_read("x", "a/b/c/d/e"));
}

#[test]
fn a_role_counts_only_while_it_exists() {
    let mut plant = tree(&["r1 a read", "r2 a deny"]);
    assert!(!plant.viewer("u").can_read("a", "a"));
    assert_eq!(plant.rights.remove(Part::Roles, "r2").roles, ["r2".into()].into());
    assert!(plant.viewer("u").can_read("a", "a"));
    assert_eq!(plant.put(Part::Roles, "r2", json!({})).roles, ["r2".into()].into());
    assert!(!plant.viewer("u").can_read("a", "a"));
}

fn placed(viewer: &Viewer, uuid: &str, path: &str) -> Vec<String> {
    let root = |is_root| if is_root { " root" } else { "" };
    viewer.places(uuid, path).iter().map(|one| format!("{} {}{}", one.workspace, one.path, root(one.is_root))).collect()
}

#[test]
fn a_node_is_seen_below_the_roots_of_workspaces() {
    let mut plant = tree(&["r1 b read w1", "r1 a read", "r2 a write w2", "r2 c read w2", "r1 c read w3"]);
    for (uuid, slug) in [("w1", "one"), ("w2", "two")] {
        plant.put(Part::Workspaces, uuid, json!({"slug": slug}));
    }
    // Role r2 leaves only writing on a.
    let viewer = plant.viewer("u");
    let root = "4a8a08f0-c";
    assert_eq!(placed(&viewer, "x", "a/b/c/x.txt"), ["w1 one/c/x.txt", "w2 two/0cc175b9-a/b/c/x.txt"]);
    assert_eq!(placed(&viewer, "b", "a/b"), ["w1 one/", "w2 two/0cc175b9-a/b"]);
    assert_eq!(placed(&viewer, "x", "a/x"), Vec::<String>::new(), "it may be written and not read");
    assert_eq!(placed(&viewer, "x", "a/b/.hidden"), Vec::<String>::new());
    assert_eq!(placed(&viewer, "x", "a/b/.git/config"), ["w1 one/.git/config", "w2 two/0cc175b9-a/b/.git/config"]);
    assert_eq!(placed(&viewer, "x", "else/where"), Vec::<String>::new());
    assert_eq!(viewer.workspaces.keys().map(|uuid| &**uuid).collect::<Vec<_>>(), ["w1", "w2"], "there is no w3");
    let keys: Vec<_> = viewer.workspaces["w2"].roots.iter().map(|root| root.key.as_str()).collect();
    assert_eq!(keys, ["0cc175b9-a", root], "sorted by id");
}

#[test]
fn the_root_itself_is_named_by_its_key_where_there_are_several() {
    let mut plant = tree(&["r1 DATASOURCE:ds read w", "r1 my-files read w", "r1 b read w"]);
    plant.put(Part::Workspaces, "w", json!({"slug": "s"}));
    assert_eq!(placed(&plant.viewer("u"), "b", "a/b"), ["w s/92eb5ffe-b root"], "two that are known are several");
    plant.node("DATASOURCE:ds", "ds");
    let viewer = plant.viewer("u");
    assert_eq!(placed(&viewer, "DATASOURCE:ds", "ds"), ["w s/ds root"]);
    assert_eq!(placed(&viewer, "x", "ds/x"), ["w s/ds/x"]);
    assert_eq!(placed(&viewer, "x", "personal/u/x"), ["w s/template-my-files/x"]);
    assert_eq!(placed(&viewer, "x", "personal/u"), ["w s/template-my-files root"]);
    assert_eq!(placed(&viewer, "x", "personal/other/x"), Vec::<String>::new(), "everybody has their own");
}

#[test]
fn a_root_counts_once_its_path_is_known_and_while_it_grants_something() {
    let mut plant = Plant::new(settings());
    plant.user("u", &["r"]);
    plant.put(Part::Workspaces, "w", json!({"slug": "s"}));
    plant.acl("1", "r n read w");
    assert!(plant.viewer("u").workspaces.is_empty(), "nobody knows where it is");
    let known = |path: &str| Some(Known { path: path.into(), name: "name".into(), read_at: None });
    assert_eq!(plant.rights.place("n", known("a/n")).roles, ["r".into()].into());
    assert_eq!(placed(&plant.viewer("u"), "x", "a/n/x"), ["w s/x"]);
    assert_eq!(plant.rights.place("n", known("a/n")), Affected::default(), "it is there already");
    assert_eq!(plant.rights.place("other", known("b")), Affected::default(), "nobody cares");
    assert_eq!(plant.acl("2", "r n deny").roles, ["r".into()].into());
    assert!(plant.viewer("u").workspaces.is_empty());
    plant.rights.remove(Part::Acls, "2");
    plant.acl("1", "r n lock w");
    assert!(plant.viewer("u").workspaces.is_empty());
    plant.acl("1", "r n write w");
    assert_eq!(plant.viewer("u").workspaces.len(), 1);
    assert_eq!(plant.rights.remove(Part::Workspaces, "w").roles, ["r".into()].into());
    assert!(plant.viewer("u").workspaces.is_empty());
}

#[test]
fn who_is_gone_or_locked_is_refused() {
    let mut plant = Plant::new(Settings::default());
    plant.user("u", &[]);
    assert_eq!(plant.rights.viewer("v"), Err(Refused::Unknown));
    assert_eq!(plant.put(Part::Users, "u", json!({"login": "n", "locks": ["x", "logout"]})).users, ["u".into()].into());
    assert_eq!(plant.rights.viewer("u"), Err(Refused::Locked));
    assert!(plant.rights.user_named("u").is_none() && plant.rights.user_named("n").is_some());
    plant.rights.remove(Part::Users, "u");
    assert_eq!(plant.rights.viewer("u"), Err(Refused::Unknown));
    assert!(plant.rights.user_named("n").is_none());
}

#[test]
fn policies_mean_a_viewer_by_login_profile_and_role() {
    let mut plant = Plant::new(Settings::default());
    plant.user("u", &["r"]);
    plant.put(Part::Users, "u", json!({"login": "alice", "profile": "shared", "roles": ["r", "gone"]}));
    let viewer = plant.viewer("u");
    let reads = |subject: &str| {
        let list = json!([{"Action": "READ", "Subject": subject, "Effect": "allow"}]);
        viewer.reads(&crate::dialect::cells::node::Policies::read(&list).expect("policies"))
    };
    for (subject, may) in [
        ("*", true),
        ("user:alice", true),
        ("user:u", false),
        ("profile:anon", true),
        ("profile:shared", true),
        ("profile:standard", false),
        ("role:r", true),
        ("role:gone", false),
        ("r", false),
    ] {
        assert_eq!(reads(subject), may, "{subject}");
    }
}
