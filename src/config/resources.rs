//! `[resources.NAME]` and `[channels."/path"]`: what is served, under which names, to whom.

use crate::access::{Access, Read};
use crate::config::EMBEDDED;
use crate::config::access::{self, SharedBy};
use crate::config::feeds::{self, Kind, Records, Rows};
use crate::config::reader::Section;
use crate::config::value::{Found, not_among};
use crate::resource::{self, Delivery};

/// `[resources.NAME]`.
#[derive(Debug, Clone)]
pub struct Resource {
    pub name: String,
    /// A configured source, or `embedded`.
    pub source: String,
    pub records: Records,
    /// Where the rows of a feed of record events are; `None`: they cannot be read.
    pub rows: Option<Rows>,
    /// The fields of the key; empty: the table's primary key, `_id` in MongoDB, `id` in the embedded store.
    pub id: Vec<String>,
    pub access: Access,
    /// The rows that say who may see a record.
    pub shared_by: Option<SharedBy>,
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

/// `[channels."/path"]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    pub path: String,
    pub dialect: Dialect,
    pub resource: String,
    /// What it leaves of what the resource lets its readers see; `None`: all of it.
    pub narrows: Option<Access>,
}

/// The wire protocols there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Monorail,
    Files,
    Cells,
    Misakey,
    Jac,
}

/// The words for them.
pub(super) const DIALECTS: [(&str, Dialect); 5] = [
    ("monorail", Dialect::Monorail),
    ("files", Dialect::Files),
    ("cells", Dialect::Cells),
    ("misakey", Dialect::Misakey),
    ("jac", Dialect::Jac),
];

/// How many lines are kept where nothing is said.
const KEEP: usize = 10_000;

/// What the rest of the configuration means for a resource.
pub(super) struct Surroundings<'a> {
    pub(super) sources: &'a [(&'a str, Kind)],
    /// Without a word.
    pub(super) read: Read,
}

impl Resource {
    pub(super) fn read(name: String, table: Section<'_>, surroundings: &Surroundings<'_>) -> Resource {
        let source = source(&table, surroundings);
        let is_append_only = table.get("append_only", |value| value.boolean());
        let flag = |name| table.get(name, |value| value.boolean()).unwrap_or(false);
        let list = |name| table.get(name, |value| value.texts()).unwrap_or_default();
        let id = list("id");
        let kind = surroundings.kind(&source).flatten();
        let feed = feeds::read(&name, &table, kind, &id, &|source| surroundings.kind(source));
        let (access, shared_by) = access::of_resource(&table, &surroundings.read);
        let append_only = feed.append_only.or(is_append_only).unwrap_or(false);
        let resource = Resource {
            records: feed.records,
            rows: feed.rows,
            id,
            access,
            shared_by,
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
        let is_told_wrong = match feed.append_only {
            Some(told) => is_append_only.is_some_and(|said| said != told),
            None => append_only && resource.source != EMBEDDED,
        };
        if is_told_wrong {
            let sentence = match feed.append_only {
                Some(_) => "messages are lines unless reading or mapping says how they change records",
                None => "only a collection of the embedded store can be append-only",
            };
            reader.mistake(&table.key("append_only"), sentence);
        }
        table.finish();
        resource
    }

    /// A table or a collection that was found in a database, with the defaults.
    pub fn discovered(name: &str, source: &str, records: Records, read: Read) -> Resource {
        Resource {
            name: name.to_owned(),
            source: source.to_owned(),
            records,
            rows: None,
            id: Vec::new(),
            access: Access::of(read),
            shared_by: None,
            hide: Vec::new(),
            aliases: Vec::new(),
            writable: false,
            append_only: false,
            keep: KEEP,
            ignore_case: false,
            private: false,
        }
    }

    /// Whether there are records, or lines, to be read.
    pub fn has_rows(&self) -> bool {
        self.append_only || self.records.reading().is_none() || self.rows.is_some()
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
            has_rows: self.has_rows(),
            keep: self.keep,
            ignore_case: self.ignore_case,
            private: self.private,
            writable: self.writable,
            delivery: match self.records {
                Records::Notify { .. } => Delivery::AtMostOnce,
                Records::Exchange(_) => Delivery::AtLeastOnce,
                Records::Table(_) | Records::Collection(_) | Records::Wal { .. } => Delivery::Exact,
            },
            hide: boxed(&self.hide),
        }
    }
}

impl Surroundings<'_> {
    /// Without a word, the only source; the embedded store if there is none.
    fn default_source(&self) -> Option<&str> {
        match self.sources {
            [] => Some(EMBEDDED),
            [(only, _)] => Some(only),
            _ => None,
        }
    }

    /// What a source is; `None`: there is none of this name.
    fn kind(&self, source: &str) -> Option<Kind> {
        if source == EMBEDDED {
            return Some(Some(feeds::Place::Embedded));
        }
        self.sources.iter().find(|(name, _)| *name == source).map(|(_, kind)| *kind)
    }
}

fn source(table: &Section<'_>, surroundings: &Surroundings<'_>) -> String {
    let named = table.get("source", |value| {
        let name = value.text()?;
        let all = surroundings.sources.iter().map(|(source, _)| *source).chain([EMBEDDED]);
        if all.clone().any(|source| source == name) {
            return Ok(name);
        }
        Err(not_among(&name, all))
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
        let resource = table.get("resource", |value| value.text());
        let narrows = access::of_channel(&table);
        let key = table.key("resource");
        if resource.is_none() && !table.reader().is_placed(&key) {
            table.reader().mistake(&key, "is missing");
        }
        let known = resource.map(|resource| Channel { path, dialect: Dialect::Monorail, resource, narrows });
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
