//! `[monorail]`: who may connect, and the limits of one connection.

use crate::access::Read;
use crate::auth::Mode;
use crate::config::address::Product;
use crate::config::feeds::{Exchange, Follow, Place, Queue, Records};
use crate::config::reader::{Reader, Section};
use crate::config::resources::{Resource, Surroundings};
use crate::config::{EMBEDDED, value::Found};
use crate::reading::Reading;
use std::time::Duration;

/// `[monorail]`.
#[derive(Debug, Clone)]
pub struct Monorail {
    /// Whether a client must show who it is.
    pub auth: Mode,
    pub initial: Initial,
    /// `None`: no pings.
    pub ping: Option<Duration>,
    /// The longest message a client may send, in bytes.
    pub max_message: usize,
    pub max_watches: usize,
    pub queue_bytes: usize,
    pub write_timeout: Duration,
    /// The longest list.
    pub max_items: usize,
    pub barrier_timeout: Duration,
    /// Channel name → resource.
    pub channels: Vec<(String, String)>,
    pub mq: Mq,
}

/// `[monorail.mq]`: the exchanges that clients may watch by name.
#[derive(Debug, Clone)]
pub struct Mq {
    /// The broker; `None`: the only one there is, or the embedded store.
    pub source: Option<String>,
    pub exchanges: Vec<String>,
    /// How many messages of an exchange are held, for those where any are.
    pub tail: Vec<(String, usize)>,
    /// Who may watch an exchange, where it is not everybody.
    pub roles: Vec<(String, Vec<String>)>,
    /// How long a pattern is followed after its last watcher has gone.
    pub linger: Duration,
}

/// When a watch begins with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// When it asks for one.
    Ask,
    Always,
}

impl Monorail {
    /// `has_auth`: without a word, credentials are read exactly when there is a way to verify them.
    pub(super) fn read(table: Section<'_>, has_auth: bool) -> Monorail {
        let modes = [("none", Mode::None), ("optional", Mode::Optional), ("required", Mode::Required)];
        let starts = [("ask", Initial::Ask), ("always", Initial::Always)];
        let seconds =
            |name, default| table.get(name, |value| value.some_time()).unwrap_or(Duration::from_secs(default));
        let count = |name, most, default| {
            table.get(name, |value| value.number(1..=most)).map_or(default, |number| number as usize)
        };
        let bytes = |name, default: u64| {
            let size = table.get(name, |value| match value.size()? {
                size @ 1024..=0x4000_0000 => Ok(size),
                _ => Err("a size from \"1KiB\" to \"1GiB\" is wanted".to_owned()),
            });
            size.unwrap_or(default) as usize
        };
        let monorail = Monorail {
            auth: table.get("auth", |value| value.choice(&modes)).unwrap_or(match has_auth {
                true => Mode::Optional,
                false => Mode::None,
            }),
            initial: table.get("initial", |value| value.choice(&starts)).unwrap_or(Initial::Ask),
            ping: match table.get("ping_seconds", |value| value.number(0..=3600)).unwrap_or(30) {
                0 => None,
                seconds => Some(Duration::from_secs(seconds)),
            },
            max_message: bytes("max_message", 1 << 20),
            max_watches: count("max_watches", 1_000_000, 256),
            queue_bytes: bytes("queue_bytes", 16 << 20),
            write_timeout: seconds("write_timeout", 10),
            max_items: count("max_items", 100_000_000, 100_000),
            barrier_timeout: seconds("barrier_timeout", 10),
            channels: table.texts("channels"),
            mq: Mq::read(table.section("mq")),
        };
        table.finish();
        monorail
    }
}

impl Mq {
    fn read(table: Section<'_>) -> Mq {
        let held = |value: &Found<'_>| value.number(0..=100_000_000).map(|number| number as usize);
        let mq = Mq {
            source: table.get("source", |value| value.text()),
            exchanges: table.get("exchanges", |value| value.texts()).unwrap_or_default(),
            tail: table.entries("tail", held),
            roles: table.entries("roles", |value| value.texts()),
            linger: table.get("linger", |value| value.some_time()).unwrap_or(Duration::from_secs(600)),
        };
        for (key, names) in [
            ("tail", mq.tail.iter().map(|(name, _)| name).collect::<Vec<_>>()),
            ("roles", mq.roles.iter().map(|(name, _)| name).collect()),
        ] {
            for name in names.into_iter().filter(|name| !mq.exchanges.contains(name)) {
                table.reader().mistake(&table.key(key), format!("\"{name}\" is not among the exchanges"));
            }
        }
        table.finish();
        mq
    }

    /// Each exchange is a resource `mq:` and its name, unless that is configured already.
    pub(super) fn add_to(&self, resources: &mut Vec<Resource>, surroundings: &Surroundings<'_>, reader: &Reader<'_>) {
        let mut brokers = surroundings.sources.iter().filter(|(_, kind)| *kind == Some(Place::Of(Product::Rabbitmq)));
        let source = match (&self.source, brokers.next(), brokers.next()) {
            (Some(name), ..) if *name == EMBEDDED || surroundings.sources.iter().any(|(source, _)| source == name) => {
                name.as_str()
            }
            (Some(name), ..) => {
                return reader.mistake("monorail.mq.source", format!("there is no source \"{name}\""));
            }
            (None, Some((only, _)), None) => only,
            (None, None, _) => EMBEDDED,
            (None, Some(_), Some(_)) => {
                return reader.mistake("monorail.mq", "there are several brokers: say which is meant with source");
            }
        };
        for exchange in &self.exchanges {
            let name = format!("mq:{exchange}");
            if resources.iter().any(|resource| resource.name == name) {
                continue;
            }
            let keep = self.tail.iter().find(|(of, _)| of == exchange).map_or(0, |(_, keep)| *keep);
            let records = match source {
                EMBEDDED => Records::Collection(name.clone()),
                _ => Records::Exchange(self.exchange(exchange, keep > 0)),
            };
            let roles = self.roles.iter().find(|(of, _)| of == exchange);
            let read = roles.map_or(surroundings.read.clone(), |(_, roles)| {
                Read::Roles(roles.iter().map(|role| role.as_str().into()).collect())
            });
            resources.push(Resource { append_only: true, keep, ..Resource::discovered(&name, source, records, read) });
        }
    }

    /// All of it is followed where a tail is kept, else what somebody watches.
    fn exchange(&self, name: &str, is_held: bool) -> Exchange {
        Exchange {
            name: name.to_owned(),
            patterns: if is_held { vec!["#".to_owned()] } else { Vec::new() },
            follow: if is_held { Follow::Always } else { Follow::Watched { linger: self.linger } },
            queue: Queue::Quorum,
            reading: Reading::Messages { keyed: true },
        }
    }
}
