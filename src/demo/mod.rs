//! A simulated data centre: something to watch before a database is connected, or to feed databases with.

pub mod cells;
pub mod files;
pub mod jac;
pub mod misakey;
mod plant;
mod run;
mod simulation;
#[cfg(test)]
mod tests;
mod workflow;

pub use run::{Existing, furnish, run, write};
pub use simulation::Simulation;

use crate::event::Timestamp;
use crate::store::Write;
use serde_json::Value;

/// The resources that the simulation writes, those that others refer to first.
pub const RESOURCES: [&str; 5] = ["skus", "nodes", "catalogs", "workflows", "logs"];

/// One write that the simulation makes; an empty id is one that the log gives.
#[derive(Debug, Clone)]
pub struct DemoWrite {
    pub resource: &'static str,
    pub id: String,
    pub write: Write,
}

impl DemoWrite {
    /// The whole record.
    fn put(resource: &'static str, id: &str, record: Value) -> DemoWrite {
        DemoWrite { resource, id: id.to_owned(), write: Write::Put(record) }
    }

    /// A part of the record.
    fn merge(resource: &'static str, id: &str, change: Value) -> DemoWrite {
        DemoWrite { resource, id: id.to_owned(), write: Write::MergePatch(change) }
    }

    /// The record goes.
    fn delete(resource: &'static str, id: &str) -> DemoWrite {
        DemoWrite { resource, id: id.to_owned(), write: Write::Delete }
    }
}

/// The variable that the configuration takes the secret of its tokens from.
pub const SECRET: &str = "DEMO_SECRET";

/// One of the protocols of the demo, with somebody at work behind it.
pub trait Scene: Send {
    /// What is there at the beginning.
    fn seeds(&mut self, now: Timestamp) -> Vec<DemoWrite>;

    /// Whatever happens next.
    fn step(&mut self, now: Timestamp) -> Vec<DemoWrite>;

    /// How to talk to it.
    fn talk(&self) -> Hint;
}

/// How a newcomer talks to one of the protocols. In its texts `{NAME}` stands for a token of the subject NAME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    pub dialect: &'static str,
    /// The path of a socket, with its query.
    pub path: String,
    /// What to send first; empty: nothing.
    pub say: String,
}

/// Everybody who is at work beside the data centre.
pub fn scenes() -> Vec<Box<dyn Scene>> {
    vec![
        Box::new(files::Team::default()),
        Box::new(cells::Office::default()),
        Box::new(misakey::Conversation::default()),
        Box::new(jac::Chat::default()),
    ]
}

/// The configuration that the demo runs with.
pub fn config_text() -> String {
    let parts = [
        include_str!("demo.toml"),
        include_str!("files.toml"),
        include_str!("cells.toml"),
        include_str!("misakey.toml"),
        include_str!("jac.toml"),
    ];
    parts.join("\n")
}

/// What is printed at the start, for a server at this address (`127.0.0.1:9100`) that was started as `program`.
/// `token` makes a token of a subject.
pub fn welcome(program: &str, address: &str, scenes: &[Box<dyn Scene>], token: impl Fn(&str) -> String) -> String {
    let monorail = Hint {
        dialect: "monorail",
        path: "/nodes".to_owned(),
        say: r#"{"handler":"watch","initial":true}"#.to_owned(),
    };
    let hints = std::iter::once(monorail).chain(scenes.iter().map(|scene| scene.talk()));
    let lines: String = hints.map(|hint| line(address, &hint, &token)).collect();
    format!(
        r#"A simulated data centre is running. See it live: http://{address}/

Three things to try in another terminal:

  # every switch, and one change that everybody who watches sees at once
  curl -G http://{address}/api/nodes --data-urlencode 'filter={{"type":"switch"}}'
  curl -X PATCH http://{address}/api/nodes/{node} \
       -H 'Content-Type: application/merge-patch+json' -d '{{"tags":["seen"]}}'

  # the workflows that run now, and each of their steps
  {program} tail ws://{address} workflows '{{"_status":"running"}}' --initial

  # what they log, line by line
  {program} tail ws://{address} logs --initial

Protocols on this port, each with somebody at work. Connect any WebSocket client, and send what stands behind it:

{lines}
Ctrl-C ends it.
"#,
        node = plant::FIRST_RACK,
    )
}

fn line(address: &str, hint: &Hint, token: &impl Fn(&str) -> String) -> String {
    let filled = |text: &str| {
        let mut filled = String::new();
        let mut rest = text;
        // A subject in braces is one word; braces of JSON hold more.
        while let Some(at) = rest.find('{') {
            let word: String =
                rest[at + 1..].chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
            let end = at + 1 + word.len();
            filled.push_str(&rest[..at]);
            match !word.is_empty() && rest[end..].starts_with('}') {
                true => {
                    filled.push_str(&token(&word));
                    rest = &rest[end + 1..];
                }
                false => {
                    filled.push('{');
                    rest = &rest[at + 1..];
                }
            }
        }
        filled + rest
    };
    format!("  {:<9} ws://{address}{}  {}", hint.dialect, filled(&hint.path), filled(&hint.say)).trim_end().to_owned()
        + "\n"
}
