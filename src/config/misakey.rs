//! A channel with `dialect = "misakey"`: what happens to a member of encrypted boxes.

use crate::config::Resource;
use crate::config::channels;
use crate::config::reader::{Reader, Section};
use crate::config::value::Found;
use crate::dialect::misakey::CloseStyle;
use crate::door::misakey::Pattern;
use crate::misakey::{PUSHED, Role};
use std::time::Duration;

/// Boxes, as configured.
#[derive(Debug, Clone)]
pub struct Misakey {
    /// The key in the configuration, in which `{id}` stands for an identity.
    pub path: String,
    /// The resource of each role that has one.
    pub roles: Vec<(Role, String)>,
    /// The first of these claims that is a text names the identity.
    pub identity_claim: Vec<String>,
    /// Between two pings; `None`: never.
    pub ping: Option<Duration>,
    /// How long nothing may be heard of a client; `None`: for ever.
    pub pong_timeout: Option<Duration>,
    pub close_style: CloseStyle,
    /// Over how long its sockets are ended when the program goes down.
    pub drain_spread: Duration,
    /// Where browsers may come from besides the server's own pages.
    pub allowed_origins: Vec<String>,
    /// How often opaque tokens are asked for again; `None`: never.
    pub recheck: Option<Duration>,
    /// Only members of a box may acknowledge it.
    pub ack_members_only: bool,
    pub counts: Counts,
    /// The types of events that are told.
    pub push_types: Vec<String>,
}

/// Who counts what members have not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// A trigger on Postgres, else this program.
    Auto,
    /// A trigger, or whoever writes.
    Trigger,
    /// This program.
    Recount,
    Off,
}

impl Misakey {
    pub(super) fn read(path: String, table: Section<'_>) -> Misakey {
        let reader = table.reader();
        let mut roles = Vec::new();
        for (name, resource) in table.texts("roles") {
            match Role::ALL.into_iter().find(|role| role.name() == name) {
                Some(role) => roles.push((role, resource)),
                None => reader.mistake(&table.key("roles"), no_role(&name)),
            }
        }
        for role in [Role::BoxEvents, Role::Identities] {
            if !roles.iter().any(|(of, _)| *of == role) {
                reader.mistake(&table.key("roles"), format!("the role {} is missing", role.name()));
            }
        }
        if Pattern::parse(&path).is_none() || path.starts_with("/api/") {
            reader.mistake(table.path(), "a path with one {id} is wanted, like \"/box-users/{id}/ws\"");
        }
        let time = |name, default| table.get(name, |value| value.duration()).unwrap_or(Duration::from_secs(default));
        let some_time = |name, default| Some(time(name, default)).filter(|time| !time.is_zero());
        let styles = [("drop", CloseStyle::Drop), ("frame", CloseStyle::Frame)];
        let counts =
            [("auto", Counts::Auto), ("trigger", Counts::Trigger), ("recount", Counts::Recount), ("off", Counts::Off)];
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let misakey = Misakey {
            roles,
            identity_claim: table.get("identity_claim", claims).unwrap_or_else(|| texts(&["mid", "ext.mid", "sub"])),
            ping: some_time("ping", 45),
            pong_timeout: some_time("pong_timeout", 120),
            close_style: table.get("close_style", |value| value.choice(&styles)).unwrap_or(CloseStyle::Drop),
            drain_spread: time("drain_spread", 5),
            allowed_origins: table.get("allowed_origins", |value| value.texts()).unwrap_or_default(),
            recheck: some_time("recheck", 300),
            ack_members_only: table.get("ack_members_only", |value| value.boolean()).unwrap_or(false),
            counts: table.get("counts", |value| value.choice(&counts)).unwrap_or(Counts::Auto),
            push_types: table.get("push_types", |value| value.texts()).unwrap_or_else(|| texts(&PUSHED)),
            path,
        };
        table.finish();
        misakey
    }

    /// The resource of a role.
    pub fn role(&self, role: Role) -> Option<&str> {
        channels::role(&self.roles, role)
    }

    /// The private resource of what is told.
    pub fn messages(&self) -> String {
        channels::messages(&self.path)
    }

    /// Notes what does not fit the rest of the configuration.
    pub(super) fn check(&self, resources: &[Resource], has_auth: bool, reader: &Reader<'_>) {
        let key = format!("channels.{}", self.path);
        channels::needs_auth(&key, has_auth, reader);
        let counts = [Counts::Trigger, Counts::Recount];
        if counts.contains(&self.counts) && self.role(Role::EventCounts).is_none() {
            reader.mistake(&format!("{key}.counts"), "there is no role event_counts to count in");
        }
        for (role, name) in &self.roles {
            if resources.iter().any(|resource| resource.name == *name && resource.append_only) {
                let sentence = format!("{} are records that change, and \"{name}\" has lines", role.name());
                reader.mistake(&format!("{key}.roles"), sentence);
            }
        }
    }
}

fn no_role(name: &str) -> String {
    let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
    format!("\"{name}\" is no role; there are {}", names.join(", "))
}

fn claims(value: &Found<'_>) -> Result<Vec<String>, String> {
    match value.texts()? {
        claims if claims.is_empty() => Err("at least one claim is wanted".to_owned()),
        claims => Ok(claims),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    const RESOURCES: &str = "[resources.e]\nsource = \"embedded\"\n[resources.i]\nsource = \"embedded\"\n\
                             [resources.l]\nsource = \"embedded\"\nappend_only = true\n";

    fn read(auth: &str, path: &str, more: &str) -> Result<Config, String> {
        let text = format!("{auth}{RESOURCES}[channels.\"{path}\"]\ndialect = \"misakey\"\n{more}\n");
        Config::from_text("c", &text, &Overrides::default()).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn without_a_word_the_deployed_system_is_imitated() {
        let auth = "[auth]\njwt = { algorithm = \"HS256\", secret = \"s\" }\n";
        let config = read(auth, "/box-users/{id}/ws", "roles = { box_events = \"e\", identities = \"i\" }");
        let misakey = config.expect("a configuration").misakey.remove(0);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((misakey.ping, misakey.pong_timeout, misakey.recheck), (seconds(45), seconds(120), seconds(300)));
        assert_eq!((misakey.close_style, misakey.counts), (CloseStyle::Drop, Counts::Auto));
        assert_eq!((misakey.role(Role::BoxEvents), misakey.role(Role::SavedFiles)), (Some("e"), None));
        let config = read(auth, "/u/{id}", "roles = { box_events = \"e\", identities = \"i\" }\npong_timeout = \"0s\"");
        assert_eq!(config.expect("a configuration").misakey.remove(0).pong_timeout, None);
    }

    #[test]
    fn every_mistake_is_named() {
        let auth = "[auth]\njwt = { algorithm = \"HS256\", secret = \"s\" }\n";
        let roles = "roles = { box_events = \"e\", identities = \"i\" }";
        for (auth, path, more, sentence) in [
            (auth, "/box-users/ws", roles, "a path with one {id} is wanted"),
            (auth, "/api/{id}/ws", roles, "a path with one {id} is wanted"),
            (auth, "/b/{id}", "roles = { box_events = \"e\" }", "the role identities is missing"),
            (auth, "/b/{id}", "roles = { boxes = \"e\" }", "\"boxes\" is no role"),
            (auth, "/b/{id}", "roles = { box_events = \"x\", identities = \"i\" }", "there is no resource \"x\""),
            (auth, "/b/{id}", "roles = { box_events = \"l\", identities = \"i\" }", "and \"l\" has lines"),
            (auth, "/b/{id}", &format!("{roles}\ncounts = \"recount\""), "there is no role event_counts"),
            (auth, "/b/{id}", &format!("{roles}\nidentity_claim = []"), "at least one claim is wanted"),
            ("", "/b/{id}", roles, "there is no [auth]"),
        ] {
            let mistakes = read(auth, path, more).expect_err(sentence);
            assert!(mistakes.contains(sentence), "{mistakes}\n  wanted: {sentence}");
        }
    }
}
