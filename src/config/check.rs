//! What only shows when the whole configuration is looked at: names that lead nowhere or twice somewhere, and
//! doors that stand open by oversight.

use crate::auth::Mode;
use crate::config::mistakes::nearest;
use crate::config::reader::Reader;
use crate::config::{Config, Server};
use crate::resource::Read;
use std::collections::BTreeMap;

/// Notes every contradiction between the parts.
pub(super) fn check(config: &Config, reader: &Reader<'_>) {
    doors(config, reader);
    names(config, reader);
    log(config, reader);
}

fn doors(config: &Config, reader: &Reader<'_>) {
    let has_auth = config.auth.is_some() || reader.is_placed("auth.jwt") || reader.is_placed("auth");
    if !has_auth && config.monorail.auth != Mode::None {
        reader.mistake("monorail.auth", "asks for credentials, and there is no [auth] to verify them with");
    }
    let unreadable = config.resources.iter().filter(|resource| resource.read != Read::Anyone);
    for resource in unreadable.filter(|_| !has_auth) {
        let key = format!("resources.{}.read", resource.name);
        reader.mistake(&key, "nobody could read it: there is no [auth] to verify credentials with");
    }
    if let Some(open) = config.server.forbidden(&config.readable_by_anyone()) {
        reader.mistake("server.listen", open);
    }
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
    own.chain(mapped).chain(paths)
}

fn log(config: &Config, reader: &Reader<'_>) {
    let retention = config.log.retention;
    if config.server.data.is_none() && retention.entries.is_none() && retention.bytes.is_none() {
        reader.mistake("log.bytes", "without server.data the log is in memory, which needs a limit: bytes or entries");
    }
}
