//! `[monorail]`: who may connect, and the limits of one connection.

use crate::auth::Mode;
use crate::config::reader::Section;
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
        };
        table.finish();
        monorail
    }
}
