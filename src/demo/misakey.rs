//! A simulated conversation in an encrypted box: something that its members are told of before there are members.
//!
//! Its changes are plain writes of rows, as another program would make them.

use crate::demo::{DemoWrite, Hint, Scene};
use crate::event::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::VecDeque;
use uuid::Uuid;

/// The members, by identity and name. The first one made the box, the last one comes and goes.
const MEMBERS: [(&str, &str); 3] = [
    ("a11ce000-0000-4000-8000-000000000001", "Alice"),
    ("b0b00000-0000-4000-8000-000000000002", "Bob"),
    ("ca201000-0000-4000-8000-000000000003", "Carol"),
];

/// The box in which they talk.
const BOX: &str = "b0c50000-0000-4000-8000-0000000000b1";

/// More that was said is not kept.
const MOST_SAID: usize = 100;

/// The conversation, and what is about to be said.
pub struct Conversation {
    chance: StdRng,
    /// The row by which the last member came in; `None`: it is away.
    joined: Option<String>,
    /// The file that the second member has saved; `None`: none.
    saved: Option<String>,
    /// What was said, the oldest first.
    said: VecDeque<String>,
}

impl Default for Conversation {
    fn default() -> Conversation {
        Conversation { chance: StdRng::from_rng(&mut rand::rng()), joined: None, saved: None, said: VecDeque::new() }
    }
}

impl Scene for Conversation {
    /// What is there at the beginning: the members, the box, and a member beside its creator.
    fn seeds(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        let people = MEMBERS.iter().map(|(id, name)| {
            let identifier = format!("{}@example.org", name.to_lowercase());
            let row = json!({
                "display_name": name, "avatar_url": null, "identifier_value": identifier, "identifier_kind": "email",
            });
            DemoWrite::put("identities", id, row)
        });
        let mut seeds: Vec<DemoWrite> = people.collect();
        let created = json!({"public_key": "demo", "title": "Tidings"});
        seeds.push(event(MEMBERS[0].0, "create", created, None, now).1);
        seeds.push(event(MEMBERS[1].0, "member.join", Value::Null, None, now).1);
        seeds
    }

    /// Whatever happens next.
    fn step(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        match self.chance.random_range(0..10) {
            0 => vec![self.come_or_go(now)],
            1 => vec![self.save()],
            _ => {
                let (sender, name) = MEMBERS[self.chance.random_range(0..2)];
                // What is said is nobody's business: it looks like this to whoever has no key.
                let content = json!({"encrypted": STANDARD.encode(format!("{name} at {now}")), "public_key": "demo"});
                let (id, said) = event(sender, "msg.text", content, None, now);
                self.said.push_back(id);
                let oldest = (self.said.len() > MOST_SAID).then(|| self.said.pop_front()).flatten();
                let gone = oldest.map(|id| DemoWrite::delete("box_events", &id));
                [said].into_iter().chain(gone).collect()
            }
        }
    }

    fn talk(&self) -> Hint {
        let member = MEMBERS[1].0;
        let path = format!("/box-users/{member}/ws?access_token={{{member}}}");
        Hint { dialect: "misakey", path, say: String::new() }
    }
}

impl Conversation {
    fn come_or_go(&mut self, now: Timestamp) -> DemoWrite {
        let member = MEMBERS[2].0;
        match self.joined.take() {
            Some(join) => event(member, "member.leave", Value::Null, Some(&join), now).1,
            None => {
                let (id, write) = event(member, "member.join", Value::Null, None, now);
                self.joined = Some(id);
                write
            }
        }
    }

    fn save(&mut self) -> DemoWrite {
        match self.saved.take() {
            Some(id) => DemoWrite::delete("saved_files", &id),
            None => {
                let (id, file) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
                self.saved = Some(id.clone());
                DemoWrite::put("saved_files", &id, json!({"identity_id": MEMBERS[1].0, "encrypted_file_id": file}))
            }
        }
    }
}

/// A new event of the box, with its id.
fn event(sender: &str, kind: &str, content: Value, referrer: Option<&str>, now: Timestamp) -> (String, DemoWrite) {
    let id = Uuid::new_v4().to_string();
    let row = json!({
        "box_id": BOX, "created_at": now.to_string(), "sender_id": sender, "type": kind, "content": content,
        "referrer_id": referrer,
    });
    let write = DemoWrite::put("box_events", &id, row);
    (id, write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};
    use crate::demo::{SECRET, config_text};
    use crate::store::Write;

    #[test]
    fn the_conversation_is_configured_and_goes_on_with_people_coming_and_going() {
        let variables = [(SECRET.to_owned(), "s".to_owned())].into();
        let config = Config::from_text("demo", &config_text(), &Overrides { variables, ..Overrides::default() });
        let config = config.expect("a configuration without mistakes");
        let mut conversation = Conversation::default();
        let now = Timestamp(1_795_248_786_949);
        let mut writes = conversation.seeds(now);
        writes.extend((0..300).flat_map(|_| conversation.step(now)));
        let mut words: Vec<String> = Vec::new();
        for DemoWrite { resource, write, .. } in writes {
            assert!(config.resources.iter().any(|one| one.name == resource), "{resource}");
            words.push(match write {
                Write::Put(row) => row["type"].as_str().unwrap_or(resource).to_owned(),
                _ => format!("no {resource}"),
            });
        }
        for word in ["identities", "create", "member.join", "member.leave", "msg.text", "saved_files", "no saved_files"]
        {
            assert!(words.iter().any(|one| one == word), "{word}");
        }
    }
}
