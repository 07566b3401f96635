//! A simulated office on Pydio Cells: files that come, change and go, tasks that run, and somebody to tell it.
//!
//! Its changes are plain writes of rows, as Cells itself would make them.

use crate::demo::{DemoWrite, Hint, Scene};
use crate::event::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The users, by uuid and login; the first one may write, the second read.
const USERS: [(&str, &str); 2] = [("cells-ann", "ann"), ("cells-bob", "bob")];

/// More files than this are not kept.
const MOST_FILES: usize = 8;

/// The office, and what it is about to do.
pub struct Office {
    chance: StdRng,
    /// Files that come and go, the oldest first: uuid and path.
    files: VecDeque<(String, String)>,
    round: u64,
}

impl Default for Office {
    fn default() -> Office {
        Office { chance: StdRng::from_rng(&mut rand::rng()), files: VecDeque::new(), round: 0 }
    }
}

impl Scene for Office {
    /// The users with their roles, a workspace, its folder, and who may do what there.
    fn seeds(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let mut writes = vec![
            DemoWrite::put(
                "cells_workspaces",
                "office",
                json!({"uuid": "office", "slug": "common-files", "label": "Common files"}),
            ),
            DemoWrite::put("cells_tree_nodes", "office-root", node("office-root", "office", "COLLECTION", now)),
        ];
        for (number, (uuid, login)) in USERS.into_iter().enumerate() {
            let role = format!("{uuid}-role");
            writes.push(DemoWrite::put("cells_roles", &role, json!({"uuid": role, "label": login})));
            let rights = if number == 0 { &["read", "write"][..] } else { &["read"] };
            writes.extend(rights.iter().map(|right| acl(&role, right)));
            let user = json!({"uuid": uuid, "login": login, "profile": "standard", "roles": [role]});
            writes.push(DemoWrite::put("cells_users", uuid, user));
        }
        writes
    }

    fn step(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        self.round += 1;
        match self.chance.random_range(0..4) {
            0 if self.files.len() < MOST_FILES => vec![self.new_file(now)],
            1 if self.files.len() > 1 => self.delete_file(),
            2 => self.change_file(now),
            _ => vec![self.task(now)],
        }
    }

    fn talk(&self) -> Hint {
        let say = format!("{{\"@type\":\"subscribe\",\"jwt\":\"{{{}}}\"}}", USERS[0].0);
        Hint { dialect: "cells", path: "/ws/event".to_owned(), say }
    }
}

impl Office {
    fn new_file(&mut self, now: Timestamp) -> DemoWrite {
        let uuid = format!("office-{:08x}", self.chance.random::<u32>());
        let path = format!("office/report-{}.txt", self.round);
        let write = DemoWrite::put("cells_tree_nodes", &uuid, node(&uuid, &path, "LEAF", now));
        self.files.push_back((uuid, path));
        write
    }

    fn change_file(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let Some((uuid, _)) = self.files.back() else { return Vec::new() };
        let change = json!({"size": self.round * 100, "etag": format!("e{}", self.round), "mtime": now.0 / 1000});
        vec![DemoWrite::merge("cells_tree_nodes", uuid, change)]
    }

    fn delete_file(&mut self) -> Vec<DemoWrite> {
        let gone = self.files.pop_front();
        gone.map(|(uuid, _)| DemoWrite::delete("cells_tree_nodes", &uuid)).into_iter().collect()
    }

    /// Something that runs for three rounds.
    fn task(&self, now: Timestamp) -> DemoWrite {
        let (number, part) = (self.round / 3, self.round % 3);
        let (id, status) = (format!("copy-{number}"), if part == 2 { "Finished" } else { "Running" });
        let (_, owner) = USERS[0];
        let task = json!({"id": id, "job_id": "copy", "status": status, "trigger_owner": owner,
            "start_time": now.0 / 1000, "has_progress": true, "progress": part as f64 / 2.0, "job": {"Label": "Copy"}});
        DemoWrite::put("cells_tasks", &id, task)
    }
}

fn node(uuid: &str, path: &str, kind: &str, now: Timestamp) -> Value {
    let parent = (kind == "LEAF").then_some("office-root");
    json!({"uuid": uuid, "parent_uuid": parent, "path": path, "type": kind, "mtime": now.0 / 1000, "etag": "e0"})
}

fn acl(role: &str, right: &str) -> DemoWrite {
    let id = format!("{role}-{right}");
    let acl = json!({"id": id, "action_name": right, "action_value": "1", "role_id": role, "workspace_id": "office",
        "node_id": "office-root"});
    DemoWrite::put("cells_acls", &id, acl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::rights::{Known, Record, Rights};
    use crate::cells::rows::{Names, Part};
    use crate::document::Document;
    use crate::store::Write;

    #[test]
    fn every_row_of_the_office_can_be_read_and_its_users_see_its_files() {
        let (names, mut rights, now) = (Names::default(), Rights::default(), Timestamp(1_795_248_786_949));
        let mut office = Office::default();
        for DemoWrite { resource, id, write } in office.seeds(now) {
            let Write::Put(row) = write else { panic!("a new row is put") };
            let part = Part::named(resource.trim_start_matches("cells_")).expect("a part");
            let row = Document::new(row);
            let fields = names.fields(part, &id, &row).expect("an object");
            match Record::read(part, &fields) {
                Some(record) => drop(rights.put(fields.key(), record)),
                None => assert!(crate::cells::change::node(&fields).is_ok(), "{resource} {id}"),
            }
        }
        rights.place("office-root", Some(Known { path: "office".into(), name: "office".into(), read_at: None }));
        let file = office.new_file(now);
        for (uuid, login) in USERS {
            let viewer = rights.viewer(uuid).expect("a user");
            assert_eq!(viewer.places(&file.id, "office/report-0.txt").len(), 1, "{login}");
        }
    }
}
