//! What a resource is made of: a table, a collection, or a feed of messages, and how those are read.

use crate::config::address::Product;
use crate::config::reader::Section;
use crate::config::value::Found;
use crate::reading::{Mapping, Reading, Spot};
use std::time::Duration;

/// Where the records of a resource, or the changes of it, are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// A table of a database, perhaps with its schema: `public.nodes`.
    Table(String),
    /// A collection of MongoDB or of the embedded store.
    Collection(String),
    /// Messages of a broker.
    Exchange(Exchange),
    /// What others tell with `NOTIFY` on this channel of a Postgres database; told at most once.
    Notify { channel: String, reading: Reading },
    /// What transactions write into the log of a Postgres database with `pg_logical_emit_message`, under the
    /// prefix `tidings:` and the resource's name.
    Wal { reading: Reading },
}

/// Messages of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub name: String,
    /// The topic patterns that are followed; with `Follow::Watched` those that somebody watches.
    pub patterns: Vec<String>,
    pub follow: Follow,
    pub queue: Queue,
    pub reading: Reading,
}

/// When messages are taken from a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    Always,
    /// While somebody watches them, and this long after.
    Watched {
        linger: Duration,
    },
}

/// The kind of a broker's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Quorum,
    Classic,
    Stream,
}

/// Another source's store that has the rows of a feed of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    pub source: String,
    /// A table or a collection.
    pub records: Records,
}

/// What a source is, for the keys that make sense with it; `None`: it has a mistake itself.
pub(super) type Kind = Option<Place>;

/// Where records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Embedded,
    Of(Product),
}

/// What a resource says of its records.
pub(super) struct Feed {
    pub(super) records: Records,
    pub(super) rows: Option<Rows>,
    /// Whether messages are lines, where there are messages.
    pub(super) append_only: Option<bool>,
}

/// The keys of a resource that say where its records are; all of them are asked for, so that they are known.
struct Keys {
    table: Option<String>,
    collection: Option<String>,
    exchange: Option<String>,
    notify: Option<String>,
    wal: bool,
    rows: Option<String>,
}

/// Reads what the resource `name` of a source of this kind is made of. `kind_of` knows the other sources.
pub(super) fn read(
    name: &str,
    table: &Section<'_>,
    kind: Kind,
    id: &[String],
    kind_of: &dyn Fn(&str) -> Option<Kind>,
) -> Feed {
    let keys = Keys {
        table: table.get("table", |value| value.text()),
        collection: table.get("collection", |value| value.text()),
        exchange: table.get("exchange", |value| value.text()),
        notify: table.get("notify", |value| value.text()),
        wal: table.get("wal", |value| value.boolean()).unwrap_or(false),
        rows: table.get("rows", |value| value.text()),
    };
    let patterns = table.get("pattern", |value| value.texts());
    let queue = table.get("queue", |value| {
        value.choice(&[("quorum", Queue::Quorum), ("classic", Queue::Classic), ("stream", Queue::Stream)])
    });
    let collection = keys.collection.clone().unwrap_or_else(|| name.to_owned());
    let reading = reading(table, &collection, id);
    keys.refuse(table, kind);
    let own_name = || name.to_owned();
    let records = match kind {
        Some(Place::Embedded) => Records::Collection(collection.clone()),
        Some(Place::Of(Product::Mongodb)) => Records::Collection(collection.clone()),
        Some(Place::Of(Product::Rabbitmq)) => {
            if keys.exchange.is_none() && !table.reader().is_placed(&table.key("exchange")) {
                table.reader().mistake(&table.key("exchange"), "is missing: which messages of the broker are meant");
            }
            Records::Exchange(Exchange {
                name: keys.exchange.clone().unwrap_or_default(),
                patterns: patterns.unwrap_or_else(|| vec![default_pattern(&reading)]),
                follow: Follow::Always,
                queue: queue.unwrap_or(Queue::Quorum),
                reading,
            })
        }
        Some(Place::Of(Product::Postgres)) | None => match (&keys.notify, keys.wal) {
            (Some(channel), _) => Records::Notify { channel: channel.clone(), reading },
            (None, true) => Records::Wal { reading },
            (None, false) => Records::Table(keys.table.clone().unwrap_or_else(own_name)),
        },
    };
    let append_only = records.reading().map(Reading::is_append_only);
    let rows = keys.rows(table, &records, &collection, name, kind_of);
    Feed { records, rows, append_only }
}

impl Records {
    /// How messages are read, where there are messages.
    pub fn reading(&self) -> Option<&Reading> {
        match self {
            Records::Table(_) | Records::Collection(_) => None,
            Records::Exchange(Exchange { reading, .. })
            | Records::Notify { reading, .. }
            | Records::Wal { reading } => Some(reading),
        }
    }
}

impl Keys {
    /// Notes the keys that make no sense with a source of this kind.
    fn refuse(&self, table: &Section<'_>, kind: Kind) {
        let Some(kind) = kind else { return };
        let is_broker = kind == Place::Of(Product::Rabbitmq);
        let is_postgres = kind == Place::Of(Product::Postgres);
        let has_rows = self.rows.is_some();
        for (key, is_given, is_right, sentence) in [
            (
                "table",
                self.table.is_some(),
                is_postgres || has_rows,
                match kind {
                    Place::Embedded => "the embedded store has collections: write collection",
                    Place::Of(Product::Mongodb) => "MongoDB has collections: write collection",
                    Place::Of(_) => "a broker has exchanges: write exchange",
                },
            ),
            ("collection", self.collection.is_some(), !is_postgres || has_rows, "a database has tables: write table"),
            ("exchange", self.exchange.is_some(), is_broker, "only a broker (amqp://…) has exchanges"),
            ("pattern", table.reader().is_placed(&table.key("pattern")), is_broker, "only a broker has patterns"),
            ("queue", table.reader().is_placed(&table.key("queue")), is_broker, "only a broker has queues"),
            ("notify", self.notify.is_some(), is_postgres, "only Postgres has NOTIFY channels"),
            ("wal", self.wal, is_postgres, "only Postgres has messages in its log"),
        ] {
            if is_given && !is_right {
                table.reader().mistake(&table.key(key), sentence);
            }
        }
        let feeds = [self.table.is_some() && !has_rows, self.notify.is_some(), self.wal];
        if is_postgres && feeds.iter().filter(|given| **given).count() > 1 {
            table.reader().mistake(table.path(), "is one of table, notify and wal, not several");
        }
    }

    /// Where the rows of a feed are.
    fn rows(
        &self,
        table: &Section<'_>,
        records: &Records,
        collection: &str,
        name: &str,
        kind_of: &dyn Fn(&str) -> Option<Kind>,
    ) -> Option<Rows> {
        let source = self.rows.clone()?;
        let key = table.key("rows");
        if records.reading().is_none_or(Reading::is_append_only) {
            table.reader().mistake(&key, "only a feed of record events has its rows in another source");
            return None;
        }
        let records = match kind_of(&source) {
            Some(Some(Place::Of(Product::Postgres))) => {
                Records::Table(self.table.clone().unwrap_or_else(|| name.to_owned()))
            }
            Some(Some(Place::Of(Product::Mongodb))) => Records::Collection(collection.to_owned()),
            Some(None) => return None,
            Some(Some(_)) | None => {
                table.reader().mistake(&key, format!("\"{source}\" is no Postgres or MongoDB source"));
                return None;
            }
        };
        Some(Rows { source, records })
    }
}

/// Record events of one collection are asked for, and not those of all.
fn default_pattern(reading: &Reading) -> String {
    match reading {
        Reading::Waterline { collection, .. } => format!("{collection}.#"),
        _ => "#".to_owned(),
    }
}

/// `reading = "messages" | "waterline"`, or a table `mapping`.
fn reading(table: &Section<'_>, collection: &str, id: &[String]) -> Reading {
    let word = table.get("reading", |value| value.choice(&[("messages", false), ("waterline", true)])).unwrap_or(false);
    let required = table.get("required", |value| value.texts()).unwrap_or_default();
    let mapping = table.section("mapping");
    let is_mapped = mapping.is_there();
    let mapped = read_mapping(&mapping);
    mapping.finish();
    if is_mapped {
        if table.reader().is_placed(&table.key("reading")) {
            table.reader().mistake(&table.key("reading"), "there is a mapping, which says how messages are read");
        }
        return Reading::Mapped(mapped);
    }
    match word {
        true => Reading::Waterline {
            collection: collection.into(),
            key: id.first().map_or("id", String::as_str).into(),
            required: required.iter().map(|field| field.as_str().into()).collect(),
        },
        false => Reading::Messages { keyed: false },
    }
}

fn read_mapping(table: &Section<'_>) -> Mapping {
    let spot = |name| table.get(name, |value: &Found<'_>| Spot::parse(&value.text()?));
    let words = |name, default: &[&str]| -> Vec<Box<str>> {
        let given = table.get(name, |value| value.texts());
        match given {
            Some(words) => words.iter().map(|word| word.as_str().into()).collect(),
            None => default.iter().map(|word| (*word).into()).collect(),
        }
    };
    Mapping {
        id: spot("id").unwrap_or(Spot::Body(vec!["id".into()])),
        operation: spot("operation"),
        record: spot("record").unwrap_or(Spot::Body(Vec::new())),
        before: spot("before"),
        created: words("created", &["created", "insert"]),
        updated: words("updated", &["updated", "update"]),
        removed: words("removed", &["removed", "destroyed", "deleted", "delete"]),
    }
}
