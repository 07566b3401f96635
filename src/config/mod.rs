//! What the operator wrote: one TOML file, every value of which the environment can override, checked as a
//! whole before anything is opened. The reference is `tidings.example.toml`.
//!
//! The variable of a key is `TIDINGS_` and the key in capitals, with an underscore for everything that is
//! neither letter nor digit: `sources.inventory.url` is `TIDINGS_SOURCES_INVENTORY_URL`. Lists are separated
//! by commas. Variables that begin with `TIDINGS_TEST_` are left alone; any other unknown one is a mistake.

mod access;
mod address;
mod admin;
mod cells;
mod channels;
mod check;
mod feeds;
mod files;
mod identity;
mod jac;
mod misakey;
mod mistakes;
mod monorail;
mod reader;
mod resources;
mod server;
mod sources;
#[cfg(test)]
mod tests;
mod units;
mod value;

pub use access::SharedBy;
pub use address::{Product, redacted};
pub use admin::Admin;
pub use cells::Cells;
pub use feeds::{Exchange, Follow, Queue, Records, Rows};
pub use files::Files;
pub use jac::{Jac, Relay, Walker, WalkerKind};
pub use misakey::{Counts, Misakey};
pub use mistakes::{Mistake, Mistakes, Place};
pub use monorail::{Initial, Monorail, Mq};
pub use resources::{Channel, Dialect, Resource};
pub use server::{Durability, Log, Server, Tls};
pub use sources::{Capture, Source};
pub use units::{duration, size};

use crate::access::{Access, Read};
use crate::auth;
use crate::error::{Error, Kind, Result as Outcome};
use reader::Reader;
use resources::{DIALECTS, Surroundings};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The name of the source that needs no configuration: the embedded store.
pub const EMBEDDED: &str = "embedded";

/// A whole configuration, complete and without contradiction.
#[derive(Debug, Clone)]
pub struct Config {
    /// How a command line names this configuration, without passwords: `--config tidings.toml`, or URLs. Empty
    /// when all of it is in the environment.
    pub arguments: String,
    pub server: Server,
    pub log: Log,
    /// The databases to follow, without the embedded store.
    pub sources: Vec<Source>,
    pub resources: Vec<Resource>,
    pub channels: Vec<Channel>,
    /// The file stores among the channels.
    pub files: Vec<Files>,
    /// The channels of the other dialects.
    pub cells: Vec<Cells>,
    pub misakey: Vec<Misakey>,
    pub jac: Vec<Jac>,
    pub monorail: Monorail,
    /// How credentials are verified; `None`: there are none.
    pub auth: Option<auth::Settings>,
    /// What an operator may do; `None`: nothing.
    pub admin: Option<Admin>,
}

/// What stands over the file: the environment, and what the command line says. Not for `Debug`: it is full of
/// secrets.
#[derive(Clone, Default)]
pub struct Overrides {
    /// The variables of the environment, all of them: a secret may be in any.
    pub variables: BTreeMap<String, String>,
    /// Keys that options of the command line set: key, option, value.
    pub options: Vec<(&'static str, &'static str, String)>,
    /// Databases to serve whole, besides those that the file names.
    pub urls: Vec<String>,
}

impl Overrides {
    /// The environment of this process. Variables that are not text are none of ours.
    pub fn from_environment() -> Overrides {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
        Overrides { variables: texts.collect(), ..Overrides::default() }
    }
}

impl Config {
    /// Reads a configuration; `name` is what its mistakes are reported under.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_text(name: &str, text: &str, overrides: &Overrides) -> Result<Config, Mistakes> {
        let reader = Reader::new(name, text, overrides);
        let table = reader.parse();
        let mut config = Config::read(&reader, &table);
        for url in &overrides.urls {
            match address::product(url) {
                Ok(Product::Rabbitmq) => reader.mistake_outside(
                    redacted(url),
                    "a broker has nothing to discover: name its exchanges as resources in a file".to_owned(),
                ),
                Ok(_) => config.sources.push(Source::discovering(sources::name_of(url, &config.sources), url)),
                Err(sentence) => reader.mistake_outside(redacted(url), sentence),
            }
        }
        config.arguments = overrides.urls.iter().map(|url| word(&redacted(url))).collect::<Vec<_>>().join(" ");
        check::check(&config, &reader);
        reader.finish().map(|()| config)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `Configuration` when it cannot be read or is wrong.
    pub fn from_file(path: &Path, overrides: &Overrides) -> Outcome<Config> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::because(Kind::Configuration, format!("cannot read {}", path.display()), error))?;
        let name = path.display().to_string();
        let mut config = Config::from_text(&name, &text, overrides)?;
        config.arguments = format!("--config {} {}", word(&name), config.arguments).trim_end().to_owned();
        Ok(config)
    }

    /// Follows everything in one database that has a key, with the defaults for everything else.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn for_url(url: &str) -> Result<Config, Mistakes> {
        Config::from_text("defaults", "", &Overrides { urls: vec![url.to_owned()], ..Overrides::default() })
    }

    /// No database: the embedded store, in memory, with the defaults.
    pub fn embedded_default() -> Config {
        Config::from_text("defaults", "", &Overrides::default()).expect("the defaults are in order")
    }

    /// Every other name by which a resource is known as a channel: alias → resource.
    pub fn aliases(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let all = check::claims(self).filter(|(_, alias, resource)| alias != resource);
        all.map(|(_, alias, resource)| (alias.into(), resource.into())).collect()
    }

    /// What channels leave of their resource, by the channel's name.
    pub fn narrowed(&self) -> Vec<(Arc<str>, Access)> {
        let narrows = |channel: &Channel| Some((channel.alias().into(), channel.narrows.clone()?));
        self.channels.iter().filter_map(narrows).collect()
    }

    /// Whether every table of this source that has a key is served.
    pub fn discovers(&self, source: &Source) -> bool {
        source.product != Product::Rabbitmq
            && source
                .discover
                .unwrap_or_else(|| !self.has_resources_of(source) && !self.jac.iter().any(|jac| jac.uses(&source.name)))
    }

    /// Whether this source only carries pushes: no resource has its changes or its rows there.
    pub fn only_carries(&self, source: &Source) -> bool {
        !self.discovers(source) && !self.has_resources_of(source) && self.jac.iter().any(|jac| jac.uses(&source.name))
    }

    fn has_resources_of(&self, source: &Source) -> bool {
        let names = |resource: &Resource| {
            resource.source == source.name || resource.rows.as_ref().is_some_and(|rows| rows.source == source.name)
        };
        self.resources.iter().any(names)
    }

    /// Who may read what is discovered.
    pub fn read_of_discovered(&self) -> Read {
        default_read(self.auth.is_some())
    }

    /// The names of the resources, and of the sources whose every table, anyone may read.
    pub fn readable_by_anyone(&self) -> Vec<&str> {
        let resources = self.resources.iter().filter(|resource| resource.access.read == Read::Anyone);
        let sources = self.sources.iter().filter(|source| self.discovers(source));
        let sources = sources.filter(|_| self.read_of_discovered() == Read::Anyone);
        resources.map(|resource| resource.name.as_str()).chain(sources.map(|source| source.name.as_str())).collect()
    }

    fn read<'a>(reader: &'a Reader<'a>, table: &'a toml::de::DeTable<'a>) -> Config {
        let root = reader.root(table);
        let server = Server::read(root.section("server"));
        let log = Log::read(root.section("log"));
        let sources: Vec<_> =
            root.named("sources").into_iter().map(|(name, table)| (Source::read(&name, table), name)).collect();
        let auth_table = root.section("auth");
        let has_auth = auth_table.is_there();
        let auth = identity::read(auth_table);
        let admin = Admin::read(root.section("admin"));
        let monorail = Monorail::read(root.section("monorail"), has_auth);
        // A source with a mistake is still a source that resources may name.
        let names: Vec<_> = sources
            .iter()
            .map(|(source, name)| (name.as_str(), source.as_ref().map(|source| feeds::Place::Of(source.product))))
            .collect();
        let surroundings = Surroundings { sources: &names, read: default_read(has_auth) };
        let resources = root.named("resources").into_iter();
        let mut resources: Vec<_> = resources.map(|(name, table)| Resource::read(name, table, &surroundings)).collect();
        monorail.mq.add_to(&mut resources, &surroundings, reader);
        let (mut channels, mut files) = (Vec::new(), Vec::new());
        let (mut cells, mut misakey, mut jac) = (Vec::new(), Vec::new(), Vec::new());
        for (path, table) in root.named("channels") {
            match table.get("dialect", |value| value.choice(&DIALECTS)) {
                Some(Dialect::Files) => files.push(Files::read(path, table)),
                Some(Dialect::Cells) => cells.push(Cells::read(path, table)),
                Some(Dialect::Misakey) => misakey.push(Misakey::read(path, table)),
                Some(Dialect::Jac) => jac.push(Jac::read(path, table)),
                _ => channels.extend(Channel::read(path, table)),
            }
        }
        root.finish();
        let sources = sources.into_iter().filter_map(|(source, _)| source).collect();
        Config {
            arguments: String::new(),
            server,
            log,
            sources,
            resources,
            channels,
            files,
            cells,
            misakey,
            jac,
            monorail,
            auth,
            admin,
        }
    }
}

/// Who may read what nothing is said of: where there are credentials, whoever shows one; else anyone.
fn default_read(has_auth: bool) -> Read {
    if has_auth { Read::Authenticated } else { Read::Anyone }
}

/// A word as a shell takes it for one.
fn word(text: &str) -> String {
    match text.chars().all(|letter| letter.is_alphanumeric() || "/:@._-=,%+".contains(letter)) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

impl From<Mistakes> for Error {
    fn from(mistakes: Mistakes) -> Error {
        Error::new(Kind::Configuration, mistakes.to_string())
    }
}
