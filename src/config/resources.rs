//! `[resources.NAME]` and `[channels."/path"]`: what is served, under which names, to whom.

use crate::config::EMBEDDED;
use crate::config::reader::Section;
use crate::config::value::{Found, not_among};
use crate::resource::{self, Read};
use toml::de::DeValue;

/// `[resources.NAME]`.
#[derive(Debug, Clone)]
pub struct Resource {
    pub name: String,
    /// A configured source, or `embedded`.
    pub source: String,
    pub records: Records,
    /// The fields of the key; empty: the table's primary key, `id` in the embedded store.
    pub id: Vec<String>,
    pub read: Read,
    /// Patterns of dotted names whose keys nobody sees.
    pub hide: Vec<String>,
    /// Other names of its channel.
    pub aliases: Vec<String>,
    pub writable: bool,
    pub append_only: bool,
    /// How many lines an append-only one keeps; 0: none, so that it can be watched but not read.
    pub keep: usize,
    pub ignore_case: bool,
    pub private: bool,
}

/// Where the records of a resource are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// A table of a database, perhaps with its schema: `public.nodes`.
    Table(String),
    /// A collection of the embedded store.
    Collection(String),
}

/// `[channels."/path"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub path: String,
    pub dialect: Dialect,
    pub resource: String,
}

/// The wire protocols there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Monorail,
}

/// How many lines are kept where nothing is said.
const KEEP: usize = 10_000;

/// What the rest of the configuration means for a resource.
pub(super) struct Surroundings<'a> {
    pub(super) sources: &'a [&'a str],
    /// Without a word.
    pub(super) read: Read,
}

impl Resource {
    pub(super) fn read(name: String, table: Section<'_>, surroundings: &Surroundings<'_>) -> Resource {
        let source = source(&table, surroundings);
        let records = records(&name, &table, &source);
        let append_only = table.get("append_only", |value| value.boolean()).unwrap_or(false);
        let flag = |name| table.get(name, |value| value.boolean()).unwrap_or(false);
        let list = |name| table.get(name, |value| value.texts()).unwrap_or_default();
        let resource = Resource {
            records,
            id: list("id"),
            read: table.get("read", read).unwrap_or_else(|| surroundings.read.clone()),
            hide: list("hide"),
            aliases: list("aliases"),
            writable: flag("writable"),
            append_only,
            keep: table.get("keep", keep).unwrap_or(KEEP),
            ignore_case: flag("ignore_case"),
            private: flag("private"),
            source,
            name,
        };
        let reader = table.reader();
        if resource.name.is_empty() || resource.name.contains(['/', '?', '#', '%', ' ']) {
            reader.mistake(table.path(), "a resource's name stands in paths, so it has none of / ? # % and no space");
        }
        if !append_only && reader.is_placed(&table.key("keep")) {
            reader.mistake(&table.key("keep"), "only a resource with append_only = true keeps lines");
        }
        if append_only && matches!(resource.records, Records::Table(_)) {
            reader.mistake(&table.key("append_only"), "only a collection of the embedded store can be append-only");
        }
        table.finish();
        resource
    }

    /// A table that was found in a database, with the defaults.
    pub fn discovered(name: &str, source: &str, table: &str, read: Read) -> Resource {
        Resource {
            name: name.to_owned(),
            source: source.to_owned(),
            records: Records::Table(table.to_owned()),
            id: Vec::new(),
            read,
            hide: Vec::new(),
            aliases: Vec::new(),
            writable: false,
            append_only: false,
            keep: KEEP,
            ignore_case: false,
            private: false,
        }
    }

    /// What everybody needs to know of it; `primary` is the key where the configuration names none.
    pub fn resource(&self, primary: &[String]) -> resource::Resource {
        let key = if self.id.is_empty() { primary } else { &self.id };
        let boxed = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        resource::Resource {
            name: self.name.as_str().into(),
            source: self.source.as_str().into(),
            key: boxed(key),
            raw: self.name.starts_with("mq:"),
            append_only: self.append_only,
            keep: self.keep,
            ignore_case: self.ignore_case,
            private: self.private,
            writable: self.writable,
            hide: boxed(&self.hide),
            read: self.read.clone(),
        }
    }
}

impl Surroundings<'_> {
    /// Without a word, the only source; the embedded store if there is none.
    fn default_source(&self) -> Option<&str> {
        match self.sources {
            [] => Some(EMBEDDED),
            [only] => Some(only),
            _ => None,
        }
    }
}

fn source(table: &Section<'_>, surroundings: &Surroundings<'_>) -> String {
    let named = table.get("source", |value| {
        let name = value.text()?;
        let mut all = surroundings.sources.iter().copied().chain([EMBEDDED]);
        if all.any(|source| source == name) {
            return Ok(name);
        }
        Err(not_among(&name, surroundings.sources.iter().copied().chain([EMBEDDED])))
    });
    let key = table.key("source");
    match (named, surroundings.default_source()) {
        (Some(name), _) => name,
        (None, Some(only)) => only.to_owned(),
        (None, None) => {
            if !table.reader().is_placed(&key) {
                table.reader().mistake(&key, "is missing, and there are several sources");
            }
            String::new()
        }
    }
}

fn records(name: &str, table: &Section<'_>, source: &str) -> Records {
    let in_table = table.get("table", |value| value.text());
    let in_collection = table.get("collection", |value| value.text());
    if source == EMBEDDED {
        if in_table.is_some() {
            table.reader().mistake(&table.key("table"), "the embedded store has collections: write collection");
        }
        Records::Collection(in_collection.unwrap_or_else(|| name.to_owned()))
    } else {
        if in_collection.is_some() {
            table.reader().mistake(&table.key("collection"), "a database has tables: write table");
        }
        Records::Table(in_table.unwrap_or_else(|| name.to_owned()))
    }
}

fn read(value: &Found<'_>) -> Result<Read, String> {
    let words = value.texts()?;
    match (value, words.as_slice()) {
        (_, [word]) if word == "anyone" => Ok(Read::Anyone),
        (_, [word]) if word == "authenticated" => Ok(Read::Authenticated),
        (Found::Value(DeValue::String(text)), _) => Err(format!(
            "{}, or a list of roles like [\"{text}\"]",
            not_among(text, ["anyone", "authenticated"].into_iter())
        )),
        (_, []) => Err("the list of roles is empty, so nobody could read it".to_owned()),
        (_, roles) if roles.iter().any(|role| role == "anyone" || role == "authenticated") => {
            Err("\"anyone\" and \"authenticated\" stand alone, not in a list of roles".to_owned())
        }
        (_, roles) => Ok(Read::Roles(roles.iter().map(|role| role.as_str().into()).collect())),
    }
}

/// `10000` or `"10000 entries"`.
fn keep(value: &Found<'_>) -> Result<usize, String> {
    let number = match value.text() {
        Ok(text) => Found::Variable(text.strip_suffix("entries").unwrap_or(&text).trim_end()).number(0..=100_000_000),
        Err(_) => value.number(0..=100_000_000),
    };
    number.map(|number| number as usize).map_err(|sentence| format!("{sentence}, like 10000 or \"10000 entries\""))
}

impl Channel {
    pub(super) fn read(path: String, table: Section<'_>) -> Option<Channel> {
        let dialect = table.get("dialect", |value| value.choice(&[("monorail", Dialect::Monorail)]));
        let resource = table.get("resource", |value| value.text());
        let key = table.key("resource");
        if resource.is_none() && !table.reader().is_placed(&key) {
            table.reader().mistake(&key, "is missing");
        }
        let known = resource.map(|resource| Channel { path, dialect: dialect.unwrap_or(Dialect::Monorail), resource });
        let misnamed =
            known.as_ref().is_some_and(|channel| !channel.path.starts_with('/') || channel.alias().is_empty());
        if misnamed {
            table.reader().mistake(&key, "the path of a channel begins with \"/\" and has a name, like \"/nodes\"");
        }
        table.finish();
        known
    }

    /// The name of the channel: the last segment of its path.
    pub fn alias(&self) -> &str {
        self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}
