//! What is done to each server, and what it costs.

use crate::bench::crowd::{Crowd, Watching};
use crate::bench::publisher::{Publisher, To};
use crate::bench::report::{Idle, Load, Outcome};
use crate::bench::server::{Server, Subject};
use crate::error::Result;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// How fast changes follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// The next one when all have received the last.
    OneAtATime,
    /// So many a second, however long they take.
    PerSecond(u32),
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pace::OneAtATime => f.write_str("one at a time"),
            Pace::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

/// Who subscribes, and what is told them for how long.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub watching: Watching,
    pub subscribers: usize,
    pub processes: usize,
    pub message_bytes: usize,
    pub duration: Duration,
}

/// Changes before the measured part, so that buffers are grown, pages are there, and every record exists.
const WARM_UP: u64 = CHANGED;

/// Records that are changed where each watch is on one record. However many watches there are, the same work is
/// done for the writes, so that the cost of the watches shows.
const CHANGED: u64 = 100;

/// Makes changes at a pace and measures what their delivery costs.
///
/// # Errors
/// When a server or a subscriber fails, and when a message is missing, doubled or out of order.
pub fn load(subject: Subject, pace: Pace, setup: &Setup) -> Result<Outcome> {
    let server = Server::start(subject, setup.subscribers)?;
    let crowd = Crowd::gather(server.address(), setup.subscribers, setup.processes, setup.watching)?;
    let mut play = Play { setup, changes: 0, publisher: server.publisher(setup.message_bytes)?, crowd };
    for _ in 0..WARM_UP {
        play.change()?;
        play.catch_up()?;
    }
    play.crowd.latencies()?;
    let (cpu_before, deliveries_before, started) = (server.cpu_seconds()?, play.crowd.deliveries(), Instant::now());
    match pace {
        Pace::OneAtATime => {
            while started.elapsed() < setup.duration {
                play.change()?;
                play.catch_up()?;
            }
        }
        Pace::PerSecond(rate) => {
            let gap = Duration::from_secs(1) / rate;
            let mut due = started;
            while due < started + setup.duration {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                play.change()?;
                due += gap;
            }
            play.catch_up()?;
        }
    }
    let (took, cpu) = (started.elapsed(), server.cpu_seconds()? - cpu_before);
    let deliveries = play.crowd.deliveries() - deliveries_before;
    let latencies = play.crowd.latencies()?;
    Ok(Outcome::Load(Load {
        deliveries,
        deliveries_per_second: deliveries as f64 / took.as_secs_f64(),
        cpu_seconds_per_million: cpu * 1e6 / deliveries as f64,
        latency_p50_ms: latencies.quantile(0.5).as_secs_f64() * 1e3,
        latency_p99_ms: latencies.quantile(0.99).as_secs_f64() * 1e3,
    }))
}

/// A run under way. The subscribers go first: the raw writer ends with its publisher, and they would notice.
struct Play<'a> {
    setup: &'a Setup,
    changes: u64,
    crowd: Crowd,
    publisher: Publisher,
}

impl Play<'_> {
    /// Makes the next change; if it concerns one watch only, some of them, spread over all, take turns.
    fn change(&mut self) -> Result<()> {
        let subscribers = self.setup.subscribers as u64;
        let (to, number) = match self.setup.watching {
            Watching::Everything => (To::Everybody, self.changes + 1),
            Watching::Records(records) => {
                let turns = subscribers.min(CHANGED);
                let turn = self.changes % turns;
                let subscriber = (turn * (subscribers / turns)) as usize;
                (To::One { subscriber, watch: turn % records }, self.changes / turns + 1)
            }
        };
        self.changes += 1;
        self.publisher.publish(to, number)?;
        self.crowd.expect(to);
        Ok(())
    }

    /// Waits until all changes were told. When they are not, the server may have refused one.
    fn catch_up(&mut self) -> Result<()> {
        self.crowd.catch_up().map_err(|error| self.publisher.complaint().unwrap_or(error))
    }
}

/// Connects watching subscribers, says nothing, and measures what the server holds for them.
///
/// # Errors
/// When a server or a subscriber fails.
pub fn idle(subject: Subject, connections: usize, processes: usize, settle: Duration) -> Result<Outcome> {
    let server = Server::start(subject, connections)?;
    let before = server.own_bytes()?;
    let _crowd = Crowd::gather(server.address(), connections, processes, Watching::Everything)?;
    thread::sleep(settle);
    let grown = server.own_bytes()?.saturating_sub(before);
    Ok(Outcome::Idle(Idle { connections, bytes_per_connection: grown as f64 / connections as f64 }))
}
