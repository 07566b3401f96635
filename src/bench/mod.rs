//! `tidings bench`: what a delivery and an idle connection cost, side by side with a server that only writes.
//!
//! The server, the subscribers and the reference are processes of their own, started from this same program.
//! Every subscriber checks that it gets every message once and in order; otherwise there is no result.

mod child;
mod crowd;
mod latency;
mod message;
pub mod process;
mod publisher;
mod raw;
mod report;
mod scenario;
mod server;
mod server_frames;
mod subscriber;

pub use report::Report;

use crate::bench::crowd::Watching;
use crate::bench::report::{Case, Outcome};
use crate::bench::scenario::{Pace, Setup};
use crate::bench::server::Subject;
use crate::error::Result;
use std::io;
use std::thread;
use std::time::Duration;

/// The command line of `tidings bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    /// Every change goes to every subscriber
    FanOut(LoadArguments),
    /// Each subscriber watches records of its own; a change concerns one watch
    OneOfMany(OneOfManyArguments),
    /// Connections that watch and hear nothing: what the server holds for each
    Idle(IdleArguments),
    #[command(hide = true)]
    Subscriber(subscriber::Plan),
    #[command(hide = true)]
    RawWriter(raw::Plan),
}

#[derive(Debug, clap::Args)]
struct LoadArguments {
    /// How many subscribers there are
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
    /// How long a message is, in bytes
    #[arg(long, default_value_t = 256)]
    bytes: usize,
    /// How many changes a second are made, besides one at a time [default: 400 to all, 2000 to one of many]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How long each run makes changes
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, clap::Args)]
struct OneOfManyArguments {
    /// How many watches each subscriber has, on a record each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=200))]
    watches: u64,
    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Debug, clap::Args)]
struct IdleArguments {
    /// How many connections there are
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How long they are left alone before the server's memory is read
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    #[command(flatten)]
    common: CommonArguments,
}

#[derive(Debug, clap::Args)]
struct CommonArguments {
    /// How often each case is run; the median is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Which servers are measured
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Subject::Raw, Subject::RawGathered, Subject::Tidings])]
    server: Vec<Subject>,
    /// Over how many processes the subscribers are spread
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    processes: u32,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Does what the command line says, and prints the report.
///
/// Blocks its thread, and must not be called from within an async runtime.
///
/// # Errors
/// When the system has too few files, a server does not come up, or a subscriber did not get what it should.
pub fn run(arguments: &BenchArguments) -> Result<()> {
    let (report, common) = match &arguments.scenario {
        Scenario::FanOut(load) => (measure_load(Watching::Everything, load)?, &load.common),
        Scenario::OneOfMany(load) => (measure_load(Watching::Records(load.watches), &load.load)?, &load.load.common),
        Scenario::Idle(idle) => (measure_idle(idle)?, &idle.common),
        Scenario::Subscriber(plan) => return subscriber::run(plan, io::BufReader::new(io::stdin()), io::stdout()),
        Scenario::RawWriter(plan) => {
            end_with_whoever_started_this();
            return raw::run(plan, io::stdout());
        }
    };
    if common.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Nobody is left to talk with once the input ends, and a blocked `accept` would not notice.
fn end_with_whoever_started_this() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}

fn measure_load(watching: Watching, load: &LoadArguments) -> Result<Report> {
    let setup = Setup {
        watching,
        subscribers: load.subscribers as usize,
        processes: load.common.processes as usize,
        message_bytes: load.bytes,
        duration: Duration::from_secs(load.seconds),
    };
    allow_sockets(setup.subscribers)?;
    // To one of many a change costs so little that fewer could not be measured.
    let usual = if watching == Watching::Everything { 400 } else { 2000 };
    let mut cases = Vec::new();
    for pace in [Pace::OneAtATime, Pace::PerSecond(load.rate.unwrap_or(usual))] {
        cases.extend(load.common.server.iter().map(|subject| (*subject, pace)));
    }
    // Alone, a message would only wait; and to one subscriber there is nothing to gather.
    cases.retain(|(subject, pace)| {
        *subject != Subject::RawGathered || (*pace != Pace::OneAtATime && watching == Watching::Everything)
    });
    let whose = match watching {
        Watching::Everything => String::new(),
        Watching::Records(records) => format!(" of {records} records each"),
    };
    let title = format!(
        "{} subscribers{whose}, messages of {} bytes, {} s, median of {}",
        setup.subscribers, setup.message_bytes, load.seconds, load.common.repeat
    );
    let cases = repeat(load.common.repeat, &cases, |(subject, pace)| scenario::load(*subject, *pace, &setup))?;
    let cases = cases.into_iter().map(|((subject, pace), outcome)| Case { subject, pace: pace.to_string(), outcome });
    Ok(Report { title, cases: cases.collect() })
}

fn measure_idle(idle: &IdleArguments) -> Result<Report> {
    let (connections, settle) = (idle.connections as usize, Duration::from_secs(idle.seconds));
    allow_sockets(connections)?;
    let mut cases = idle.common.server.clone();
    cases.retain(|subject| *subject != Subject::RawGathered);
    let title = format!("{connections} idle connections with a watch each, median of {}", idle.common.repeat);
    let cases = repeat(idle.common.repeat, &cases, |subject| {
        scenario::idle(*subject, connections, idle.common.processes as usize, settle)
    })?;
    let cases = cases.into_iter().map(|(subject, outcome)| Case { subject, pace: "idle".to_owned(), outcome });
    Ok(Report { title, cases: cases.collect() })
}

/// One process holds all sockets, and a few files more.
fn allow_sockets(sockets: usize) -> Result<()> {
    process::raise_file_limit(sockets as u64 + 100)
}

/// Runs every case in turn, several times over, so that what else the machine does meets all of them alike.
fn repeat<C: Clone>(times: u32, cases: &[C], run: impl Fn(&C) -> Result<Outcome>) -> Result<Vec<(C, Outcome)>> {
    let mut outcomes = vec![Vec::new(); cases.len()];
    for _ in 0..times {
        for (case, outcomes) in cases.iter().zip(&mut outcomes) {
            outcomes.push(run(case)?);
        }
    }
    let medians = outcomes.iter().map(|outcomes| Outcome::median(outcomes));
    Ok(cases.iter().cloned().zip(medians).filter_map(|(case, median)| Some((case, median?))).collect())
}
