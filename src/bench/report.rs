//! What was measured: a table for people, JSON for programs.

use crate::bench::server::Subject;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;

/// The medians of all runs of one kind.
#[derive(Debug, Default)]
pub struct Report {
    /// What was done, in one line.
    pub title: String,
    pub cases: Vec<Case>,
}

/// One server at one pace.
#[derive(Debug)]
pub struct Case {
    pub subject: Subject,
    /// `one at a time`, `400/s`, `idle`.
    pub pace: String,
    pub outcome: Outcome,
}

/// What one case gave.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Load(Load),
    Idle(Idle),
}

/// Under load: what a delivery costs, and how long it takes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Load {
    pub deliveries: u64,
    pub deliveries_per_second: f64,
    /// User and system time of the server.
    pub cpu_seconds_per_million: f64,
    pub latency_p50_ms: f64,
    pub latency_p99_ms: f64,
}

/// Doing nothing: what a connection holds in the server's own memory.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Idle {
    pub connections: usize,
    pub bytes_per_connection: f64,
}

impl Outcome {
    /// The number that is compared.
    fn cost(&self) -> f64 {
        match self {
            Outcome::Load(load) => load.cpu_seconds_per_million,
            Outcome::Idle(idle) => idle.bytes_per_connection,
        }
    }

    /// The median of each number over several runs of the same case; `None` without a run.
    pub fn median(runs: &[Outcome]) -> Option<Outcome> {
        let over = |number: fn(&Load) -> f64| {
            median(runs.iter().filter_map(|run| if let Outcome::Load(load) = run { Some(number(load)) } else { None }))
        };
        Some(match runs.first()? {
            Outcome::Load(_) => Outcome::Load(Load {
                deliveries: over(|load| load.deliveries as f64)? as u64,
                deliveries_per_second: over(|load| load.deliveries_per_second)?,
                cpu_seconds_per_million: over(|load| load.cpu_seconds_per_million)?,
                latency_p50_ms: over(|load| load.latency_p50_ms)?,
                latency_p99_ms: over(|load| load.latency_p99_ms)?,
            }),
            Outcome::Idle(idle) => {
                Outcome::Idle(Idle { bytes_per_connection: median(runs.iter().map(Outcome::cost))?, ..*idle })
            }
        })
    }
}

fn median(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

impl Report {
    /// The cost of a case in relation to the raw writer's at the same pace, if that was measured.
    fn ratio(&self, case: &Case) -> Option<f64> {
        let raw = self.cases.iter().find(|other| other.subject == Subject::Raw && other.pace == case.pace)?;
        Some(case.outcome.cost() / raw.outcome.cost()).filter(|ratio| ratio.is_finite())
    }

    /// The report for programs.
    pub fn to_json(&self) -> Value {
        let cases = self.cases.iter().map(|case| {
            json!({
                "server": case.subject.name(),
                "pace": case.pace,
                "ratio_to_raw": self.ratio(case),
                "measured": case.outcome,
            })
        });
        json!({ "title": self.title, "cases": cases.collect::<Vec<_>>() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        for (at, case) in self.cases.iter().enumerate() {
            let (name, pace) = (case.subject.name(), &case.pace);
            let ratio = self.ratio(case).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            match case.outcome {
                Outcome::Load(load) => {
                    if at == 0 {
                        writeln!(
                            f,
                            "{:20} {:14} {:>12} {:>7} {:>10} {:>10} {:>14}",
                            "server", "pace", "CPU s/mill.", "to raw", "p50 ms", "p99 ms", "deliveries/s"
                        )?;
                    }
                    writeln!(
                        f,
                        "{name:20} {pace:14} {:>12.2} {ratio:>7} {:>10.2} {:>10.2} {:>14.0}",
                        load.cpu_seconds_per_million,
                        load.latency_p50_ms,
                        load.latency_p99_ms,
                        load.deliveries_per_second
                    )?;
                }
                Outcome::Idle(idle) => {
                    if at == 0 {
                        writeln!(
                            f,
                            "{:20} {:>12} {:>18} {:>7}",
                            "server", "connections", "bytes/connection", "to raw"
                        )?;
                    }
                    writeln!(f, "{name:20} {:>12} {:>18.0} {ratio:>7}", idle.connections, idle.bytes_per_connection)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(cpu: f64) -> Outcome {
        Outcome::Load(Load {
            deliveries: 1000,
            deliveries_per_second: 10.0,
            cpu_seconds_per_million: cpu,
            latency_p50_ms: 1.0,
            latency_p99_ms: 2.0,
        })
    }

    #[test]
    fn a_case_is_the_median_of_its_runs_and_is_compared_with_raw_at_the_same_pace() {
        let case = |subject, pace: &str, outcome| Case { subject, pace: pace.to_owned(), outcome };
        let median = Outcome::median(&[load(9.0), load(3.0), load(6.0)]).expect("three runs");
        let report = Report {
            title: "fan-out".to_owned(),
            cases: vec![
                case(Subject::Raw, "one at a time", load(5.0)),
                case(Subject::Raw, "400/s", load(3.0)),
                case(Subject::Tidings, "400/s", median),
            ],
        };
        assert_eq!(report.to_json()["cases"][2]["ratio_to_raw"], 2.0);
        assert_eq!(report.to_json()["cases"][2]["measured"]["cpu_seconds_per_million"], 6.0);
        let table = report.to_string();
        assert!(table.lines().last().is_some_and(|line| line.contains("tidings") && line.contains("2.00")), "{table}");
    }
}
