//! What the program counts of itself, told at `/metrics` in the OpenMetrics text form. Counting is an atomic
//! addition; where there are labels, take the handle once and keep it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::atomic::AtomicU64;

/// What [`Metrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge of seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// All counters of one running program.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open connections.
    pub connections: Gauge,
    /// Connections opened so far.
    pub opened: Counter,
    /// Watches that stand.
    pub watches: Gauge,
    /// Groups of equal watches.
    pub groups: Gauge,
    /// Connections that are told from the log: they resume, or did not keep up.
    pub lagging: Gauge,
    /// Times that a connection's pushes were held back.
    pub held_back: Counter,
    /// Resumes that were complete, and those that had to start over.
    pub resumed: Counter,
    pub started_over: Counter,
    /// Users, channels and clients that somebody can be reached as.
    pub topics: Gauge,
    /// Pushes handed to a connection.
    pub deliveries: Counter,
    /// Bytes written to connections.
    pub bytes_written: Counter,
    /// How many bytes one flush of a shard handed to its sockets, all together.
    pub flush_bytes: Histogram,
    /// Watches and groups that were tried for an entry, and those of them that matched.
    pub candidates: Counter,
    pub matches: Counter,
    /// Watches that every entry is tried with, because no index fits them.
    pub catch_all: Gauge,
    /// Offset of the newest entry, offset before the oldest, and bytes of the log.
    pub log_last: Gauge,
    pub log_floor: Gauge,
    pub log_bytes: Gauge,
    closes: Family<Close, Counter>,
    refused: Family<Refused, Counter>,
    messages: Family<Message, Counter>,
    entries: Family<Logged, Counter>,
    dropped: Family<Dropped, Counter>,
    relay_dropped: Family<Undelivered, Counter>,
    sources_up: Family<Named, Gauge>,
    sources_lag: Family<Named, Seconds>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Close {
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Message {
    handler: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Logged {
    source: String,
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Dropped {
    source: String,
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Undelivered {
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    source: String,
}

impl Metrics {
    /// Connections that this side ended with this close code.
    pub fn closes(&self, code: u16) -> Counter {
        self.closes.get_or_create_owned(&Close { code })
    }

    /// Credentials that were not accepted, by why.
    pub fn refused(&self, why: &'static str) -> Counter {
        self.refused.get_or_create_owned(&Refused { why })
    }

    /// Messages of clients that asked for this; one word for all that are not understood, or clients could add labels.
    pub fn messages(&self, handler: &'static str) -> Counter {
        self.messages.get_or_create_owned(&Message { handler })
    }

    /// Entries logged of this source and operation.
    pub fn entries(&self, source: &str, operation: &'static str) -> Counter {
        self.entries.get_or_create_owned(&Logged { source: source.to_owned(), operation })
    }

    /// What a source received and did not tell, by why.
    pub fn dropped(&self, source: &str, why: &'static str) -> Counter {
        self.dropped.get_or_create_owned(&Dropped { source: source.to_owned(), why })
    }

    /// Pushes between nodes that were not told, by why.
    pub fn relay_dropped(&self, why: &'static str) -> Counter {
        self.relay_dropped.get_or_create_owned(&Undelivered { why })
    }

    /// Whether a source is connected: 1 or 0.
    pub fn source_up(&self, source: &str) -> Gauge {
        self.sources_up.get_or_create_owned(&Named { source: source.to_owned() })
    }

    /// How far a source is behind.
    pub fn source_lag(&self, source: &str) -> Seconds {
        self.sources_lag.get_or_create_owned(&Named { source: source.to_owned() })
    }

    /// Everything as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("a String takes every text");
        text
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("tidings");
        let all = &mut registry;
        Metrics {
            connections: add(all, "connections", "Open connections"),
            opened: add(all, "connections_opened", "Connections opened"),
            watches: add(all, "watches", "Watches that stand"),
            groups: add(all, "groups", "Groups of equal watches"),
            lagging: add(all, "connections_lagging", "Connections that catch up from the log"),
            held_back: add(all, "connections_held_back", "Times that a connection's pushes were held back"),
            resumed: add(all, "resumes_complete", "Resumes that were complete"),
            started_over: add(all, "resumes_started_over", "Resumes that had to start over"),
            topics: add(all, "topics", "Users, channels and clients that somebody is connected as"),
            deliveries: add(all, "deliveries", "Pushes handed to connections"),
            bytes_written: add(all, "written_bytes", "Bytes written to connections"),
            flush_bytes: flush_bytes(all),
            candidates: add(all, "match_candidates", "Groups of watches tried for entries"),
            matches: add(all, "matches", "Groups of watches that matched entries"),
            catch_all: add(all, "match_catch_all", "Groups of watches that no index fits"),
            log_last: add(all, "log_last_offset", "Offset of the newest entry"),
            log_floor: add(all, "log_floor_offset", "Offset before the oldest entry"),
            log_bytes: add(all, "log_bytes", "Bytes of the log"),
            closes: add(all, "closes", "Connections that the server ended, by close code"),
            refused: add(all, "credentials_refused", "Credentials that were not accepted, by why"),
            messages: add(all, "messages", "Messages received, by what they ask for"),
            entries: add(all, "entries", "Entries logged, by source and operation"),
            dropped: add(all, "source_dropped", "Messages and changes received and not told, by source and why"),
            relay_dropped: add(all, "relay_dropped", "Pushes between nodes that were not told, by why"),
            sources_up: add(all, "source_up", "Whether the source is connected"),
            sources_lag: source_lag(all),
            registry,
        }
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// From a single small frame to a large one for a thousand sockets.
fn flush_bytes(registry: &mut Registry) -> Histogram {
    let histogram = Histogram::new(exponential_buckets(64.0, 4.0, 11));
    registry.register_with_unit(
        "flush",
        "Bytes that one flush of a shard handed to its sockets",
        Unit::Bytes,
        histogram.clone(),
    );
    histogram
}

fn source_lag(registry: &mut Registry) -> Family<Named, Seconds> {
    let family = Family::default();
    registry.register_with_unit("source_lag", "How far the source is behind", Unit::Seconds, family.clone());
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counted_is_told() {
        let metrics = Metrics::default();
        metrics.connections.inc();
        metrics.deliveries.inc_by(3);
        metrics.flush_bytes.observe(100.0);
        metrics.closes(1013).inc();
        metrics.closes(1013).inc();
        metrics.messages("watch").inc();
        metrics.entries("my \"db\"", "created").inc();
        metrics.dropped("db", "broken").inc();
        metrics.relay_dropped("unreadable").inc();
        metrics.source_up("db").set(1);
        metrics.source_lag("db").set(1.5);
        let text = metrics.render();
        for line in [
            "tidings_connections 1",
            "tidings_deliveries_total 3",
            "tidings_flush_bytes_bucket{le=\"256.0\"} 1",
            "tidings_closes_total{code=\"1013\"} 2",
            "tidings_messages_total{handler=\"watch\"} 1",
            "tidings_entries_total{source=\"my \\\"db\\\"\",operation=\"created\"} 1",
            "tidings_source_dropped_total{source=\"db\",why=\"broken\"} 1",
            "tidings_relay_dropped_total{why=\"unreadable\"} 1",
            "tidings_source_up{source=\"db\"} 1",
            "tidings_source_lag_seconds{source=\"db\"} 1.5",
            "# TYPE tidings_log_bytes gauge",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_handle_that_is_kept_counts_like_a_fresh_one() {
        let metrics = Metrics::default();
        let kept = metrics.entries("db", "updated");
        kept.inc();
        assert_eq!(metrics.entries("db", "updated").get(), 1);
    }
}
