//! A simulated team that shares spaces and projects: a file store to look at before there is one.
//!
//! Its changes are plain writes of rows, as another program would make them.

use crate::demo::{DemoWrite, Hint, Scene};
use crate::event::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The users, by key and name. The first one owns everything, the second may write, the last one comes and goes.
const USERS: [(&str, &str); 3] = [("ann", "Ann Archer"), ("bob", "Bob Baker"), ("cleo", "Cleo Clark")];

/// The keys of what stays, so that examples can name it.
const SPACE: &str = "northwind";
const PROJECT: &str = "orders";

/// More projects than this are not kept.
const MOST_PROJECTS: usize = 5;

/// The team, and what it is about to do.
pub struct Team {
    chance: StdRng,
    /// Projects that come and go, the oldest first.
    projects: VecDeque<String>,
    /// Whether the last user has access to the space.
    is_shared: bool,
    round: u64,
}

impl Scene for Team {
    /// Makes the users, a space, its projects, who has access to them, and contents.
    fn seeds(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let mut writes: Vec<DemoWrite> =
            USERS.iter().map(|(key, name)| DemoWrite::put("users", key, json!({"key": key, "name": name}))).collect();
        let space = file(SPACE, "Core#Space", "Northwind", &[], now);
        writes.push(DemoWrite::put("files", SPACE, space));
        for (seq, (user, role)) in [("bob", "writer"), ("cleo", "reader")].into_iter().enumerate() {
            writes.push(DemoWrite::put("file_permissions", user, permission(user, role, seq)));
        }
        writes.extend(project(PROJECT, "Orders", now));
        writes.extend(self.new_project(now));
        writes
    }

    fn step(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        self.round += 1;
        match self.chance.random_range(0..10) {
            0 => self.share(now),
            1 if self.projects.len() < MOST_PROJECTS => self.new_project(now),
            2 if !self.projects.is_empty() => self.delete_project(now),
            3..=5 => {
                let info = json!({"info": {"description": format!("revised {} times", self.round)}});
                vec![self.change("files", PROJECT, info, now)]
            }
            _ => {
                let requests = json!({"value": {"requests": {"list orders": {"runs": self.round}}}});
                vec![DemoWrite::merge("file_media", PROJECT, requests)]
            }
        }
    }

    fn talk(&self) -> Hint {
        let path = format!("/files/{PROJECT}?alt=media&token={{bob}}");
        Hint { dialect: "files", path, say: String::new() }
    }
}

impl Default for Team {
    fn default() -> Team {
        Team { chance: StdRng::from_rng(&mut rand::rng()), projects: VecDeque::new(), is_shared: true, round: 0 }
    }
}

impl Team {
    /// The last user is given access to the space, or loses it.
    fn share(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        self.is_shared = !self.is_shared;
        let change = match self.is_shared {
            true => json!({"deleted": false, "deletedTime": null, "deletingUser": null}),
            false => json!({"deleted": true, "deletedTime": now.0, "deletingUser": "ann"}),
        };
        vec![DemoWrite::merge("file_permissions", "cleo", change)]
    }

    fn new_project(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let key = format!("draft-{:08x}", self.chance.next_u32());
        self.projects.push_back(key.clone());
        project(&key, &format!("Draft {}", self.round), now)
    }

    fn delete_project(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let Some(key) = self.projects.pop_front() else { return Vec::new() };
        let deleted = json!({"deleted": true, "deletedInfo": {"user": "bob", "name": "Bob Baker", "time": now.0}});
        vec![DemoWrite::merge("files", &key, deleted), DemoWrite::merge("file_media", &key, json!({"deleted": true}))]
    }

    fn change(&mut self, resource: &'static str, id: &str, mut change: Value, now: Timestamp) -> DemoWrite {
        let (user, name) = USERS[self.chance.random_range(0..2)];
        change["lastModified"] = json!({"user": user, "name": name, "time": now.0});
        DemoWrite::merge(resource, id, change)
    }
}

fn file(key: &str, kind: &str, name: &str, parents: &[&str], now: Timestamp) -> Value {
    let (user, full_name) = USERS[0];
    json!({
        "key": key, "kind": kind, "owner": user, "parents": parents, "info": {"name": name},
        "lastModified": {"user": user, "name": full_name, "time": now.0}, "deleted": false,
    })
}

fn project(key: &str, name: &str, now: Timestamp) -> Vec<DemoWrite> {
    let contents = json!({"kind": "Core#HttpProject", "requests": {"list orders": {"method": "GET", "runs": 0}}});
    let media = json!({"key": key, "mime": "application/json", "value": contents, "revised": 0, "deleted": false});
    vec![
        DemoWrite::put("files", key, file(key, "Core#Project", name, &[SPACE], now)),
        DemoWrite::put("file_media", key, media),
    ]
}

fn permission(user: &str, role: &str, seq: usize) -> Value {
    json!({
        "key": user, "file": SPACE, "seq": seq, "type": "user", "owner": user, "role": role, "addingUser": USERS[0].0,
        "deleted": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::rows::{File, Mapping, Media, Part, Permission, Shape};
    use crate::store::Write;

    #[test]
    fn every_row_of_the_team_can_be_read() {
        let now = Timestamp(1_795_248_786_949);
        let rows = project("p", "P", now).into_iter();
        let rows = rows.chain([DemoWrite::put("file_permissions", "bob", permission("bob", "writer", 0))]);
        for DemoWrite { resource, id, write } in rows {
            let Write::Put(row) = write else { panic!("a new row is put") };
            let read = |part| Mapping::new(part, Shape::Flat, &[]).members(&id, &row).expect("members");
            let is_read = match resource {
                "files" => File::read(read(Part::Files)).is_some(),
                "file_media" => Media::read(read(Part::Media)).is_some(),
                _ => Permission::read(read(Part::Permissions)).is_some(),
            };
            assert!(is_read, "{resource} {row}");
        }
    }
}
