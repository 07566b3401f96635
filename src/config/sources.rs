//! `[sources.NAME]`: a database to follow.

use crate::config::EMBEDDED;
use crate::config::address::{self, Product, redacted};
use crate::config::reader::Section;
use crate::config::value::{Found, not_among};
use std::fmt;
use std::time::Duration;

/// `[sources.NAME]`.
#[derive(Clone)]
pub struct Source {
    pub name: String,
    pub product: Product,
    /// May contain a password: show it through [`redacted`] only.
    pub url: String,
    pub capture: Capture,
    /// How often changes are looked for when nothing rings.
    pub poll: Duration,
    /// How long changes that were read stay in the outbox.
    pub purge: Duration,
    /// The replication slot; `None`: a name made of that of the database.
    pub slot: Option<String>,
    pub publication: String,
    /// What the names of the broker's queues begin with: of this program alone.
    pub queue_prefix: String,
    /// So many messages the broker hands over before the first is in the log.
    pub prefetch: u16,
    /// Whether what capturing needs is made at the start where it is missing.
    pub install: bool,
    /// At most this many connections for queries and writes.
    pub connections: usize,
    pub statement_timeout: Duration,
    /// Serve every table that has a key; `None`: if no resource names this source.
    pub discover: Option<bool>,
}

/// How changes are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// The best way that the database offers.
    Auto,
    /// Triggers write every change into a table of Tidings.
    Outbox,
    /// The server streams its log through a replication slot.
    Slot,
}

impl Source {
    pub(super) fn read(name: &str, table: Section<'_>) -> Option<Source> {
        if name == EMBEDDED {
            table.reader().mistake(&table.key("url"), "\"embedded\" is the name of the embedded store");
        }
        let known = table.get("url", |value| {
            let url = value.text()?;
            address::product(&url).map(|product| (product, url))
        });
        if known.is_none() && !table.reader().is_placed(&table.key("url")) {
            table.reader().mistake(&table.key("url"), "is missing");
        }
        let defaults = Source::discovering(name.to_owned(), "");
        let source = Source {
            capture: table.get("capture", capture).unwrap_or(defaults.capture),
            poll: table.get("poll", |value| value.some_time()).unwrap_or(defaults.poll),
            purge: table.get("purge", |value| value.some_time()).unwrap_or(defaults.purge),
            slot: table.get("slot", slot),
            publication: table.get("publication", |value| value.text()).unwrap_or(defaults.publication),
            queue_prefix: table.get("queue_prefix", |value| value.text()).unwrap_or(defaults.queue_prefix),
            prefetch: table
                .get("prefetch", |value| value.number(1..=u64::from(u16::MAX)))
                .map_or(defaults.prefetch, |number| number as u16),
            install: table.get("install", |value| value.boolean()).unwrap_or(defaults.install),
            connections: table
                .get("connections", |value| value.number(1..=1000))
                .map_or(defaults.connections, |number| number as usize),
            statement_timeout: table
                .get("statement_timeout", |value| value.some_time())
                .unwrap_or(defaults.statement_timeout),
            discover: table.get("discover", |value| value.boolean()),
            ..defaults
        };
        table.finish();
        known.map(|(product, url)| Source { product, url, ..source })
    }

    /// A source that serves everything that has a key, with the defaults.
    pub fn discovering(name: String, url: &str) -> Source {
        Source {
            name,
            product: address::product(url).unwrap_or(Product::Postgres),
            url: url.to_owned(),
            capture: Capture::Auto,
            poll: Duration::from_millis(500),
            purge: Duration::from_secs(3600),
            slot: None,
            publication: "tidings".to_owned(),
            queue_prefix: "tidings".to_owned(),
            prefetch: 1000,
            install: false,
            connections: 8,
            statement_timeout: Duration::from_secs(30),
            discover: None,
        }
    }
}

fn capture(value: &Found<'_>) -> Result<Capture, String> {
    let text = value.text()?;
    match text.as_str() {
        "auto" => Ok(Capture::Auto),
        "outbox" => Ok(Capture::Outbox),
        "slot" => Ok(Capture::Slot),
        "listen" => Err("a channel that others NOTIFY is a resource with notify = \"the channel\"".to_owned()),
        _ => Err(not_among(&text, ["auto", "slot", "outbox"].into_iter())),
    }
}

fn slot(value: &Found<'_>) -> Result<String, String> {
    let name = value.text()?;
    let is_name = name.len() < 64 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    is_name.then_some(name).ok_or_else(|| "a slot's name has only a-z, 0-9 and _, at most 63 of them".to_owned())
}

/// A name for a source that has only a URL: that of its database, with a number if it is taken.
pub(super) fn name_of(url: &str, taken: &[Source]) -> String {
    let path = url.split(['?', '#']).next().and_then(|url| url.rsplit_once('/')).map_or("", |(_, name)| name);
    let product = match url.split_once("://").map_or(url, |(scheme, _)| scheme) {
        "mongodb" | "mongodb+srv" => "mongodb",
        "amqp" | "amqps" => "broker",
        _ => "postgres",
    };
    let name = if path.is_empty() || path.contains(['@', ':', '%']) { product } else { path };
    let is_free = |name: &str| name != EMBEDDED && taken.iter().all(|source| source.name != name);
    let numbered = (2..).map(|number| format!("{name}{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).expect("numbers do not end")
}

/// Without the password.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("url", &redacted(&self.url))
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}
