//! `[channels."/ws"]` with `dialect = "cells"`: which resources are the parts of a Cells server, and how its events
//! and its chat are served.

use crate::cells::coalesce::Delays;
use crate::cells::flow;
use crate::cells::rights;
use crate::cells::rows::Part;
use crate::config::channels;
use crate::config::reader::{Reader, Section};
use crate::config::value::Found;
use crate::config::{Config, Resource};
use std::time::Duration;

/// A Cells server, as configured.
#[derive(Debug, Clone)]
pub struct Cells {
    /// The key in the configuration.
    pub path: String,
    /// The resource of the rows of each part.
    pub roles: Vec<(Part, String)>,
    /// The resource of the events of each part that has such.
    pub events: Vec<(Part, String)>,
    /// The names of columns that are not the usual ones: part, column, name.
    pub fields: Vec<(Part, String, String)>,
    pub rights: rights::Settings,
    pub flow: flow::Settings,
    /// The largest message that a client may send, in bytes.
    pub max_message: usize,
    /// Frames that may wait for one client.
    pub queue: usize,
    /// How long somebody may be there who is nobody; `None`: for ever.
    pub subscribe_timeout: Option<Duration>,
    /// Whether a client is closed whose token has ended.
    pub ends_with_token: bool,
    /// Whether changes of users are told those who administrate.
    pub tells_admins: bool,
    pub chat: Chat,
}

/// What is particular to its chat.
#[derive(Debug, Clone)]
pub struct Chat {
    /// How long somebody is present in a room without saying so.
    pub presence_ttl: Duration,
    /// Whether a socket that never says so is present for as long as it is open.
    pub is_present_without_ping: bool,
    /// The most messages that are told at once.
    pub history_max: usize,
    /// Whether nodes say how many comments they have.
    pub counts_comments: bool,
}

impl Cells {
    pub(super) fn read(path: String, table: Section<'_>) -> Cells {
        let reader = table.reader();
        let parts = |name: &'static str| {
            let mut parts = Vec::new();
            for (role, resource) in table.texts(name) {
                match Part::named(&role) {
                    Some(part) => parts.push((part, resource)),
                    None => reader.mistake(&table.key(name), no_role(&role)),
                }
            }
            parts
        };
        let (roles, events) = (parts("roles"), parts("events"));
        let fields = table.texts("fields").into_iter().filter_map(|(column, name)| match field(&column) {
            Some((part, column)) => Some((part, column, name)),
            None => {
                reader.mistake(&table.key("fields"), format!("\"{column}\" is no column, like \"tree_nodes.mtime\""));
                None
            }
        });
        let fields = fields.collect();
        let flag = |name, default| table.get(name, |value| value.boolean()).unwrap_or(default);
        let number = |name, most, default| table.get(name, |value| value.number(0..=most)).unwrap_or(default);
        let millis = |name, default| Duration::from_millis(number(name, 3_600_000, default));
        let delays = Delays { quiet: millis("coalesce_quiet_ms", 1000), longest: millis("coalesce_max_ms", 3000) };
        let silent = |name, default| number(name, 1_000_000, default) as u32;
        let timeout = number("subscribe_timeout_s", 86_400, 120);
        let rights = rights::Settings {
            policies: table.entries("policies", grants).into_iter().collect(),
            virtual_roots: table.texts("virtual_roots").into_iter().collect(),
        };
        let chat = Chat {
            presence_ttl: millis("presence_ttl_ms", 20_000),
            is_present_without_ping: table
                .get("presence_without_ping", |value| value.choice(&[("expire", false), ("connected", true)]))
                .unwrap_or(false),
            history_max: number("history_max", 1_000_000, 2000) as usize,
            counts_comments: flag("comment_count", true),
        };
        let cells = Cells {
            roles,
            events,
            fields,
            rights,
            flow: flow::Settings { delays, silent: (silent("silent_per_s", 20), silent("silent_burst", 10)) },
            max_message: number("max_message_bytes", 64 << 20, 65_536) as usize,
            queue: number("send_queue", 1_000_000, 1024) as usize,
            subscribe_timeout: (timeout > 0).then(|| Duration::from_secs(timeout)),
            ends_with_token: table
                .get("on_expiry", |value| value.choice(&[("keep", false), ("close", true)]))
                .unwrap_or(false),
            tells_admins: flag("admin_user_events", false),
            chat,
            path,
        };
        if cells.path != "/ws" {
            reader.mistake(table.path(), "its channels are at fixed paths; say channels.\"/ws\"");
        }
        table.finish();
        cells
    }

    /// The resource of a part's rows.
    pub fn role(&self, part: Part) -> Option<&str> {
        channels::role(&self.roles, part)
    }

    /// Notes what does not fit the rest of the configuration.
    pub(super) fn check(&self, config: &Config, reader: &Reader<'_>) {
        let key = format!("channels.{}", self.path);
        let roles = format!("{key}.roles");
        if config.auth.as_ref().is_some_and(|auth| auth.jwt.is_none()) || config.auth.is_none() {
            let sentence = "everybody must show a signed token, and there is no [auth] with jwt to verify it with";
            reader.mistake(&key, sentence);
        }
        for part in Part::NEEDED.into_iter().filter(|part| self.role(*part).is_none()) {
            reader.mistake(&roles, format!("the role {0} is missing, like {{ {0} = \"cells_{0}\" }}", part.name()));
        }
        if self.role(Part::IdmChanges).is_some() {
            reader.mistake(&roles, "idm_changes has no rows, only events");
        }
        let resource = |name: &String| config.resources.iter().find(|resource| resource.name == *name);
        for (part, resource) in self.roles.iter().filter_map(|(part, name)| Some((part, resource(name)?))) {
            if Part::WITH_BEFORE.contains(part) && !resource.tells_before() {
                let name = &resource.name;
                reader.mistake(&roles, format!("\"{name}\" does not tell what a row was before a change"));
            }
            if !is_of_rows(resource) {
                reader.mistake(&roles, format!("\"{}\" has no rows; it may be one of events", resource.name));
            }
        }
        let mut sources = [Part::ChatRooms, Part::ChatMessages].map(|part| self.role(part)).into_iter().flatten();
        let source = |name: &str| resource(&name.to_owned()).map(|resource| &resource.source);
        let first = sources.next().and_then(source);
        if sources.any(|name| source(name) != first) {
            reader.mistake(&roles, "chat_rooms and chat_messages are in one source");
        }
    }
}

fn is_of_rows(resource: &Resource) -> bool {
    resource.has_rows() && !resource.append_only
}

fn no_role(role: &str) -> String {
    let names: Vec<_> = Part::ALL.iter().map(|part| part.name()).collect();
    format!("\"{role}\" is no role; there are {}", names.join(", "))
}

/// `tree_nodes.mtime`: a column of a part that has another name.
fn field(text: &str) -> Option<(Part, String)> {
    let (part, column) = text.split_once('.')?;
    let part = Part::named(part)?;
    part.columns().contains(&column).then(|| (part, column.to_owned()))
}

/// `["read", "write"]`: what a policy grants.
fn grants(value: &Found<'_>) -> Result<(bool, bool), String> {
    let words = value.texts()?;
    match words.iter().find(|word| !matches!(word.as_str(), "read" | "write")) {
        Some(word) => Err(format!("a policy grants \"read\" and \"write\", not \"{word}\"")),
        None => Ok((words.iter().any(|word| word == "read"), words.iter().any(|word| word == "write"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    const ROLES: &str =
        "users = \"u\", roles = \"r\", workspaces = \"w\", acls = \"a\", chat_rooms = \"c\", chat_messages = \"m\"";

    /// A server with these channels, over resources of one letter.
    fn read(channels: &str) -> Result<Config, String> {
        let resources: String =
            ["u", "r", "w", "a", "c", "m", "t"].map(|name| format!("[resources.{name}]\n")).concat();
        let auth = "[auth]\njwt = { algorithm = \"HS256\", secret = \"s\" }\n";
        let lines = "[resources.lines]\nappend_only = true\n";
        Config::from_text("test", &format!("{auth}{resources}{lines}{channels}"), &Overrides::default())
            .map_err(|mistakes| mistakes.to_string())
    }

    fn channel(more: &str) -> String {
        format!("[channels.\"/ws\"]\ndialect = \"cells\"\nroles = {{ {ROLES} }}\n{more}")
    }

    #[test]
    fn its_options_have_the_defaults_that_clients_expect() {
        let config = read(&channel("")).expect("in order");
        let [cells] = &config.cells[..] else { panic!("one server: {:?}", config.cells) };
        assert_eq!(
            (cells.max_message, cells.queue, cells.subscribe_timeout),
            (65_536, 1024, Some(Duration::from_secs(120)))
        );
        let delays = Delays { quiet: Duration::from_secs(1), longest: Duration::from_secs(3) };
        assert_eq!((cells.flow.delays, cells.flow.silent), (delays, (20, 10)));
        assert_eq!((cells.chat.presence_ttl, cells.chat.history_max), (Duration::from_secs(20), 2000));
        assert!(!cells.ends_with_token && !cells.tells_admins && cells.chat.counts_comments);
        let more = "subscribe_timeout_s = 0\non_expiry = \"close\"\nevents = { tasks = \"lines\" }\n\
                    policies = { a = [\"read\"], b = [\"write\", \"read\"] }\nvirtual_roots = { my-files = \"p/{login}\" }";
        let config = read(&channel(more)).expect("in order");
        let cells = &config.cells[0];
        assert_eq!((cells.subscribe_timeout, cells.ends_with_token), (None, true));
        assert_eq!((cells.rights.policies["a"], cells.rights.policies["b"]), ((true, false), (true, true)));
        assert_eq!(cells.events, [(Part::Tasks, "lines".to_owned())]);
    }

    #[test]
    fn a_server_that_cannot_be_served_is_a_mistake() {
        for (text, wanted) in [
            (channel("").replace("users = \"u\", ", ""), "the role users is missing"),
            (channel("").replace("users", "persons"), "\"persons\" is no role"),
            (channel("").replace("\"u\"", "\"x\""), "there is no resource \"x\""),
            (channel("").replace("chat_rooms = \"c\"", "chat_rooms = \"lines\""), "\"lines\" has no rows"),
            (channel("").replace("users =", "idm_changes = \"t\", users ="), "idm_changes has no rows"),
            (channel("fields = { \"users.age\" = \"a\" }"), "\"users.age\" is no column"),
            (channel("policies = { a = [\"delete\"] }"), "not \"delete\""),
            (channel("on_expiry = \"maybe\""), "one of \"keep\", \"close\""),
            (channel("").replace("\"/ws\"", "\"/events\""), "say channels.\"/ws\""),
            (channel("history = 7"), "there is no such key"),
        ] {
            let mistakes = read(&text).err().unwrap_or_default();
            assert!(mistakes.contains(wanted), "{wanted}: {mistakes}");
        }
    }
}
