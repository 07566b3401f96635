//! `[server]` and `[log]`: where it listens, how it behaves under load, and how long entries are kept.

use crate::config::address;
use crate::config::reader::Section;
use crate::log::Retention;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    pub listen: SocketAddr,
    /// Where the log and the embedded store live; `None`: in memory.
    pub data: Option<PathBuf>,
    /// Resources readable by anyone may be served on an address that is not loopback.
    pub open: bool,
    pub tls: Option<Tls>,
    /// The `Origin`s that browsers may come from; empty: any.
    pub origins: Vec<String>,
    /// Over how long connections are told to go when the server goes down.
    pub drain: Duration,
    pub max_connections: usize,
    /// How many threads own sockets; 0: one per core.
    pub shards: usize,
    /// For how long at most messages are gathered under load before they are written; zero: not at all.
    pub gather: Duration,
    /// A source that is further behind makes `/readyz` say no.
    pub ready_lag: Duration,
}

/// The files of a certificate (with its chain) and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    pub retention: Retention,
    pub sync: Durability,
}

/// When an entry counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once the operating system has it: survives the end of the process, not that of the machine.
    Os,
    /// Once the disk has it.
    Always,
}

const GATHER: Duration = Duration::from_millis(20);

impl Server {
    pub(super) fn read(table: Section<'_>) -> Server {
        let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9100);
        let server = Server {
            listen: table.get("listen", |value| address::listen(&value.text()?)).unwrap_or(loopback),
            data: table.get("data", |value| value.text()).map(PathBuf::from),
            open: table.get("open", |value| value.boolean()).unwrap_or(false),
            tls: tls(&table),
            origins: table.get("origins", |value| value.texts()?.into_iter().map(origin).collect()).unwrap_or_default(),
            drain: Duration::from_secs(table.get("drain_seconds", |value| value.number(0..=3600)).unwrap_or(5)),
            max_connections: table.get("max_connections", |value| value.number(1..=10_000_000)).unwrap_or(100_000)
                as usize,
            shards: table.get("shards", |value| value.number(0..=1024)).unwrap_or(0) as usize,
            gather: table
                .get("gather", |value| match value.duration()? {
                    gap if gap > GATHER => Err("at most \"20ms\" is wanted: longer is felt".to_owned()),
                    gap => Ok(gap),
                })
                .unwrap_or(GATHER),
            ready_lag: table.get("ready_lag", |value| value.some_time()).unwrap_or(Duration::from_secs(10)),
        };
        table.finish();
        server
    }
}

fn tls(table: &Section<'_>) -> Option<Tls> {
    let certificate = table.get("tls_cert", |value| value.text()).map(PathBuf::from);
    let key = table.get("tls_key", |value| value.text()).map(PathBuf::from);
    match (certificate, key) {
        (Some(certificate), Some(key)) => return Some(Tls { certificate, key }),
        (Some(_), None) => table.reader().mistake(&table.key("tls_cert"), "tls_key is wanted with it"),
        (None, Some(_)) => table.reader().mistake(&table.key("tls_key"), "tls_cert is wanted with it"),
        (None, None) => {}
    }
    None
}

/// An origin as browsers send it: scheme, host, perhaps port, nothing after.
fn origin(text: String) -> Result<String, String> {
    match text.split_once("://") {
        Some(("http" | "https", host)) if !host.is_empty() && !host.contains(['/', ' ', '*']) => {
            Ok(text.to_lowercase())
        }
        _ => Err(format!("\"{text}\" is not an origin, like \"https://example.com\"")),
    }
}

impl Log {
    pub(super) fn read(table: Section<'_>) -> Log {
        let bytes = table.get("bytes", |value| value.limit(|value| value.size()));
        let age = table.get("age", |value| value.limit(|value| value.some_time()));
        let log = Log {
            retention: Retention {
                entries: table.get("entries", |value| value.limit(|value| value.number(1..=u64::MAX))).flatten(),
                bytes: bytes.unwrap_or(Some(256 << 20)),
                age: age.unwrap_or(Some(Duration::from_secs(24 * 3600))),
            },
            sync: table
                .get("sync", |value| value.choice(&[("os", Durability::Os), ("always", Durability::Always)]))
                .unwrap_or(Durability::Os),
        };
        table.finish();
        log
    }
}
