//! Who is present in a room, as all nodes of the program keep it together: `{"<login>":{"<node>":<seconds>}}`. A
//! login is present while any node says so; one that no node ever spoke of was put there by another program.

use serde_json::{Map, Value};

/// Seconds after which a node says again that somebody is present.
const SAID_AGAIN: i64 = 60;

/// Seconds after which nobody believes a node any more.
const BELIEVED: i64 = 180;

/// Who is present, and by which nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    pub users: Vec<String>,
    pub presence: Map<String, Value>,
}

/// One node that looks at a room.
pub struct Look<'a> {
    pub node: &'a str,
    /// In seconds since 1970.
    pub now: i64,
    /// Whose coming or going is the reason to look.
    pub about: Option<&'a str>,
    /// Whether this node has somebody in the room.
    pub has: &'a dyn Fn(&str) -> bool,
}

impl Look<'_> {
    /// Who is present as this node knows it; `None` when that is what is there.
    pub fn settle(&self, before: &Present) -> Option<Present> {
        let mut after = before.clone();
        let mut absent = Vec::new();
        for (login, nodes) in &mut after.presence {
            let Value::Object(nodes) = nodes else {
                absent.push(login.clone());
                continue;
            };
            nodes.retain(|node, said| match node == self.node {
                true => (self.has)(login),
                false => self.is_believed(said),
            });
            if let Some(said) = nodes.get_mut(self.node)
                && said.as_i64().is_none_or(|said| (self.now - said).abs() >= SAID_AGAIN)
            {
                *said = self.now.into();
            }
            if nodes.is_empty() {
                absent.push(login.clone());
            }
        }
        for login in absent {
            after.presence.remove(&login);
            after.users.retain(|user| *user != login);
        }
        if let Some(login) = self.about {
            self.settle_one(login, &mut after);
        }
        after.users.sort();
        after.users.dedup();
        (after != *before).then_some(after)
    }

    fn settle_one(&self, login: &str, after: &mut Present) {
        if (self.has)(login) {
            let nodes = after.presence.entry(login).or_insert_with(|| Map::new().into());
            if let Value::Object(nodes) = nodes {
                nodes.entry(self.node).or_insert(self.now.into());
            }
            after.users.push(login.to_owned());
        } else if !after.presence.contains_key(login) {
            after.users.retain(|user| user != login);
        }
    }

    fn is_believed(&self, said: &Value) -> bool {
        said.as_i64().is_some_and(|said| self.now - said <= BELIEVED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn present(users: &[&str], presence: Value) -> Present {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        Present { users, presence: presence.as_object().cloned().expect("an object") }
    }

    /// What node `n` makes of it at the second 1000, having these logins in the room.
    fn settled(about: Option<&str>, has: &[&str], before: &Present) -> Option<Present> {
        Look { node: "n", now: 1000, about, has: &|login| has.contains(&login) }.settle(before)
    }

    #[test]
    fn who_comes_is_added_once_and_who_goes_is_removed() {
        let empty = present(&[], json!({}));
        let alice = present(&["alice"], json!({"alice": {"n": 1000}}));
        assert_eq!(settled(Some("alice"), &["alice"], &empty), Some(alice.clone()));
        assert_eq!(settled(Some("alice"), &["alice"], &alice), None);
        assert_eq!(settled(Some("alice"), &[], &alice), Some(empty.clone()));
        assert_eq!(settled(Some("alice"), &[], &empty), None);
    }

    #[test]
    fn who_is_present_by_another_node_stays() {
        let both = present(&["alice"], json!({"alice": {"m": 950, "n": 990}}));
        let other = present(&["alice"], json!({"alice": {"m": 950}}));
        assert_eq!(settled(Some("alice"), &[], &both), Some(other.clone()));
        assert_eq!(settled(Some("alice"), &[], &other), None);
    }

    #[test]
    fn what_a_node_said_long_ago_is_removed_by_any_node() {
        let old = present(&["alice", "bob"], json!({"alice": {"m": 819}, "bob": {"m": 820}}));
        assert_eq!(settled(None, &[], &old), Some(present(&["bob"], json!({"bob": {"m": 820}}))));
    }

    #[test]
    fn a_starting_node_removes_what_it_said_before() {
        let left = present(&["alice", "bob"], json!({"alice": {"n": 999}, "bob": {"n": 999, "m": 999}}));
        assert_eq!(settled(None, &[], &left), Some(present(&["bob"], json!({"bob": {"m": 999}}))));
    }

    #[test]
    fn while_it_lasts_it_is_said_again_every_minute() {
        let said = |at: i64| present(&["alice"], json!({"alice": {"n": at}}));
        assert_eq!(settled(None, &["alice"], &said(941)), None);
        assert_eq!(settled(None, &["alice"], &said(940)), Some(said(1000)));
        assert_eq!(settled(None, &["alice"], &said(1)), Some(said(1000)), "its own it believes, however old");
    }

    #[test]
    fn who_was_put_there_by_another_program_stays_until_they_leave_here() {
        let foreign = present(&["alice", "carol"], json!({"alice": {"n": 999}}));
        assert_eq!(settled(Some("alice"), &[], &foreign), Some(present(&["carol"], json!({}))));
        assert_eq!(
            settled(Some("carol"), &["alice"], &foreign),
            Some(present(&["alice"], json!({"alice": {"n": 999}})))
        );
        assert_eq!(settled(None, &["alice"], &foreign), None);
    }

    #[test]
    fn what_cannot_be_read_is_nobody() {
        let odd = present(&["alice", "bob"], json!({"alice": 7, "bob": {"m": "x"}}));
        assert_eq!(settled(None, &[], &odd), Some(present(&[], json!({}))));
    }
}
