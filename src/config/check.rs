//! What only shows when the whole configuration is looked at: names that lead nowhere or twice somewhere, and
//! doors that stand open by oversight.

use crate::access::Read;
use crate::auth::Mode;
use crate::config::mistakes::nearest;
use crate::config::reader::Reader;
use crate::config::{Channel, Config, Records, Resource, Server};
use crate::reading::Reading;
use std::collections::BTreeMap;

/// Notes every contradiction between the parts.
pub(super) fn check(config: &Config, reader: &Reader<'_>) {
    doors(config, reader);
    names(config, reader);
    rules(config, reader);
    sharing(config, reader);
    log(config, reader);
    let has_auth = has_auth(config, reader);
    config.admin.iter().for_each(|admin| admin.check(&config.resources, reader));
    config.files.iter().for_each(|files| files.check(&config.resources, has_auth, reader));
    config.jac.iter().for_each(|jac| jac.check(config, reader));
    config.cells.iter().for_each(|cells| cells.check(config, reader));
    config.misakey.iter().for_each(|misakey| misakey.check(&config.resources, has_auth, reader));
}

fn doors(config: &Config, reader: &Reader<'_>) {
    let has_auth = has_auth(config, reader);
    if !has_auth && config.monorail.auth != Mode::None {
        reader.mistake("monorail.auth", "asks for credentials, and there is no [auth] to verify them with");
    }
    let unreadable = config.resources.iter().filter(|resource| resource.access.read != Read::Anyone);
    for resource in unreadable.filter(|_| !has_auth) {
        let key = format!("resources.{}.read", resource.name);
        reader.mistake(&key, "nobody could read it: there is no [auth] to verify credentials with");
    }
    for resource in config.resources.iter().filter(|_| !has_auth) {
        for (name, is_given) in resource.needs_viewers() {
            let key = format!("resources.{}.{name}", resource.name);
            if is_given {
                reader.mistake(&key, "tells viewers apart, and there is no [auth] to verify credentials with");
            }
        }
    }
    if let Some(open) = config.server.forbidden(&config.readable_by_anyone()) {
        reader.mistake("server.listen", open);
    }
}

/// Whether credentials are to be verified, rightly or wrongly configured.
fn has_auth(config: &Config, reader: &Reader<'_>) -> bool {
    config.auth.is_some() || reader.is_placed("auth.jwt") || reader.is_placed("auth")
}

impl Server {
    /// Why these resources, which anyone may read, cannot be served at this address, if so.
    pub fn forbidden(&self, readable_by_anyone: &[&str]) -> Option<String> {
        if self.open || self.listen.ip().is_loopback() || readable_by_anyone.is_empty() {
            return None;
        }
        Some(format!(
            "{} is reachable from outside, and anyone may read {}; say server.open = true (--open) if that is meant, \
             or read = \"authenticated\"",
            self.listen,
            readable_by_anyone.join(", "),
        ))
    }
}

fn names(config: &Config, reader: &Reader<'_>) {
    let resources: Vec<&str> = config.resources.iter().map(|resource| resource.name.as_str()).collect();
    // The names of what is discovered are known only at the start, which then refuses them.
    let is_complete = config.sources.iter().all(|source| !config.discovers(source));
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, alias, resource) in claims(config) {
        if is_complete && !resources.contains(&resource) {
            let meant = nearest(resource, resources.iter().copied());
            reader.mistake_near(&key, format!("there is no resource \"{resource}\""), meant);
        }
        if alias != resource && resources.contains(&alias) {
            reader.mistake(&key, format!("\"{alias}\" is the name of a resource already"));
        }
        if let Some(other) = owners.insert(alias, resource).filter(|other| *other != resource) {
            reader.mistake(&key, format!("\"{alias}\" already leads to the resource \"{other}\""));
        }
    }
}

/// Rules that could not be kept, or that contradict each other.
fn rules(config: &Config, reader: &Reader<'_>) {
    for resource in config.resources.iter().filter(|resource| resource.access.is_limited()) {
        if !resource.tells_before() {
            let key = format!("resources.{}", resource.name);
            let sentence = "its messages do not tell a record as it was before a change, so nobody knows who saw it; \
                            say where that stands with mapping.before";
            reader.mistake(&key, sentence);
        }
    }
    let mut narrowed: BTreeMap<&str, &Channel> = BTreeMap::new();
    for channel in &config.channels {
        let before = narrowed.insert(channel.alias(), channel);
        if let Some(other) = before.filter(|other| other.narrows != channel.narrows) {
            let sentence =
                format!("\"{}\" is the same channel as that of \"{}\", with other rules", channel.path, other.path);
            reader.mistake(&format!("channels.{}", channel.path), sentence);
        }
    }
}

/// Records that are shared out by what cannot do that.
fn sharing(config: &Config, reader: &Reader<'_>) {
    for (resource, shared_by) in config.resources.iter().filter_map(|one| Some((one, one.shared_by.as_ref()?))) {
        let key = format!("resources.{}.shared_by", resource.name);
        if resource.append_only || !resource.has_rows() {
            reader.mistake(&key, "only records that can be read are shared out, not lines or mere changes");
        }
        let grants = config.resources.iter().find(|one| one.name == shared_by.resource);
        let key = format!("{key}.resource");
        match grants {
            None => {
                let names = config.resources.iter().map(|one| one.name.as_str());
                let sentence = format!("there is no resource \"{}\"", shared_by.resource);
                reader.mistake_near(&key, sentence, nearest(&shared_by.resource, names));
            }
            Some(grants) if grants.name == resource.name => reader.mistake(&key, "it cannot share out itself"),
            Some(grants) if grants.append_only || !grants.has_rows() => {
                reader.mistake(&key, "grants are records that can be read, not lines or mere changes");
            }
            Some(_) => {}
        }
    }
}

impl Resource {
    /// The keys that only make sense for viewers who have shown who they are, and whether they are given.
    fn needs_viewers(&self) -> [(&'static str, bool); 4] {
        let access = &self.access;
        [
            ("only", access.only.as_ref().is_some_and(|rule| !rule.is_common())),
            ("audience", !access.audience.is_empty()),
            ("shared_by", self.shared_by.is_some()),
            ("admins", !access.admins.is_empty()),
        ]
    }

    /// Whether its changes can tell a record as it was before. Of a table or a collection the database decides, which
    /// `tidings check` looks at; of a broker's record events those that were told before are known.
    pub(super) fn tells_before(&self) -> bool {
        match &self.records {
            Records::Table(_) | Records::Collection(_) | Records::Exchange(_) => true,
            Records::Wal { reading } | Records::Notify { reading, .. } => match reading {
                Reading::Mapped(mapping) => mapping.before.is_some(),
                reading => reading.is_append_only(),
            },
        }
    }
}

/// Every claim that a channel leads to a resource: the key that makes it, the channel, the resource.
pub(super) fn claims(config: &Config) -> impl Iterator<Item = (String, &str, &str)> {
    let own = config.resources.iter().flat_map(|resource| {
        let key = format!("resources.{}.aliases", resource.name);
        resource.aliases.iter().map(move |alias| (key.clone(), alias.as_str(), resource.name.as_str()))
    });
    let mapped = config
        .monorail
        .channels
        .iter()
        .map(|(alias, resource)| (format!("monorail.channels.{alias}"), alias.as_str(), resource.as_str()));
    let paths = config
        .channels
        .iter()
        .map(|channel| (format!("channels.{}.resource", channel.path), channel.alias(), channel.resource.as_str()));
    let roles = config.files.iter().flat_map(|files| {
        let key = format!("channels.{}.roles", files.path);
        // A role is known by the name of its resource; it claims nothing more.
        files.roles.iter().map(move |(_, name)| (key.clone(), name.as_str(), name.as_str()))
    });
    let cells = config.cells.iter().flat_map(|cells| {
        let key = |table: &str| format!("channels.{}.{table}", cells.path);
        let (rows, events) = (key("roles"), key("events"));
        let rows = cells.roles.iter().map(move |(_, name)| (rows.clone(), name.as_str(), name.as_str()));
        rows.chain(cells.events.iter().map(move |(_, name)| (events.clone(), name.as_str(), name.as_str())))
    });
    let of_boxes = config.misakey.iter().flat_map(|misakey| {
        let key = format!("channels.{}.roles", misakey.path);
        misakey.roles.iter().map(move |(_, name)| (key.clone(), name.as_str(), name.as_str()))
    });
    own.chain(mapped).chain(paths).chain(roles).chain(cells).chain(of_boxes)
}

fn log(config: &Config, reader: &Reader<'_>) {
    let retention = config.log.retention;
    if config.server.data.is_none() && retention.entries.is_none() && retention.bytes.is_none() {
        reader.mistake("log.bytes", "without server.data the log is in memory, which needs a limit: bytes or entries");
    }
}
