//! What a process has used, from `/proc`, and how many files it may open.

use crate::error::{Error, Kind, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;

/// CPU seconds that a process has used so far, its own and the kernel's for it.
///
/// # Errors
/// `Missing` when there is no such process, or no `/proc`.
pub fn cpu_seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    // The second field is the name, in brackets, and may hold spaces; user and system time are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks: Option<f64> =
        fields.get(11..13).and_then(|times| times.iter().map(|time| time.parse::<f64>().ok()).sum());
    let ticks = ticks.ok_or_else(|| Error::new(Kind::Malformed, format!("{path} holds no times")))?;
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// Bytes of memory of its own that a process holds (`RssAnon`); what the kernel keeps for sockets is not in it.
///
/// # Errors
/// `Missing` when there is no such process, or no `/proc`.
pub fn own_bytes(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.parse::<u64>().ok());
    kilobytes.map(|number| number * 1024).ok_or_else(|| Error::new(Kind::Malformed, format!("{path} has no RssAnon")))
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    Error::because(Kind::Missing, format!("cannot read {path}"), error)
}

/// Lets this process, and those it starts, open so many files.
///
/// # Errors
/// `Configuration` when the system allows fewer.
pub fn raise_file_limit(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).map_err(|error| {
        let allowed = limit.maximum.unwrap_or(u64::MAX);
        let sentence = format!("{needed} open files are needed and {allowed} allowed (ulimit -Hn)");
        Error::because(Kind::Configuration, sentence, error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_what_it_has_used() {
        let before = cpu_seconds(std::process::id()).expect("our own");
        let mut number = 1_u64;
        while cpu_seconds(std::process::id()).expect("our own") < before + 0.02 {
            number = number.wrapping_mul(31);
        }
        let bytes = own_bytes(std::process::id()).expect("our own");
        assert!((100_000..100_000_000_000).contains(&bytes), "{bytes} {number}");
        assert!(cpu_seconds(u32::MAX).is_err());
    }

    #[test]
    fn more_files_than_the_system_has_are_refused_in_words() {
        raise_file_limit(10).expect("that many are always open");
        let said = raise_file_limit(u64::MAX - 1).expect_err("nobody has that many").chain();
        assert!(said.contains("open files are needed"), "{said}");
    }
}
