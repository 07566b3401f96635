//! The subscriber processes of one run, as the one who measures sees them.

use crate::bench::child::Child;
use crate::bench::latency::Latencies;
use crate::bench::publisher::To;
use crate::error::{Error, Kind, Result};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// How long anything that subscribers are waited for may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every subscriber, spread over processes.
pub struct Crowd {
    members: Vec<Member>,
}

struct Member {
    process: Child,
    subscribers: Range<usize>,
    /// How many messages must have come to it by now.
    expected: u64,
}

/// What the subscribers watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// Each of them the whole resource.
    Everything,
    /// Each of them so many records of its own, with a watch for each.
    Records(u64),
}

impl Crowd {
    /// Starts processes which together hold so many subscribers, and waits until every watch stands.
    ///
    /// # Errors
    /// What the first subscriber said that failed; `Unreachable` when they take too long.
    pub fn gather(server: SocketAddr, subscribers: usize, processes: usize, watching: Watching) -> Result<Crowd> {
        let share = subscribers.div_ceil(processes.max(1));
        let starts = (0..subscribers).step_by(share.max(1));
        let members = starts
            .map(|first| Member::start(server, first..subscribers.min(first + share), watching))
            .collect::<Result<Vec<_>>>()?;
        let mut crowd = Crowd { members };
        for member in &mut crowd.members {
            member.wait_for("ready")?;
        }
        Ok(crowd)
    }

    /// Notes that a change was made which concerns these subscribers.
    pub fn expect(&mut self, to: To) {
        for member in &mut self.members {
            member.expected += match to {
                To::Everybody => member.subscribers.len() as u64,
                To::One { subscriber, .. } => u64::from(member.subscribers.contains(&subscriber)),
            };
        }
    }

    /// Waits until everything that is expected has come.
    ///
    /// # Errors
    /// What the first subscriber said that failed; `Unreachable` when it does not come.
    pub fn catch_up(&mut self) -> Result<()> {
        for member in &mut self.members {
            member.process.tell(&format!("until {}", member.expected))?;
        }
        for member in &mut self.members {
            member.wait_for(&format!("at {}", member.expected))?;
        }
        Ok(())
    }

    /// How long the deliveries since the last call took.
    ///
    /// # Errors
    /// As `catch_up`.
    pub fn latencies(&mut self) -> Result<Latencies> {
        let mut all = Latencies::default();
        for member in &mut self.members {
            member.process.tell("report")?;
            let line = member.next_line()?;
            let text = line.strip_prefix("latencies ");
            text.and_then(|text| all.add_text(text))
                .ok_or_else(|| Error::new(Kind::Internal, format!("a subscriber process said {line:?}")))?;
        }
        Ok(all)
    }

    /// How many messages were expected so far, over all subscribers.
    pub fn deliveries(&self) -> u64 {
        self.members.iter().map(|member| member.expected).sum()
    }
}

impl Member {
    fn start(server: SocketAddr, subscribers: Range<usize>, watching: Watching) -> Result<Member> {
        let (server, first, count) = (server.to_string(), subscribers.start.to_string(), subscribers.len().to_string());
        let records = if let Watching::Records(records) = watching { records } else { 0 }.to_string();
        let words = ["bench", "subscriber", "--server", &server, "--first", &first, "--count", &count];
        let words = [&words[..], &["--records", &records]].concat();
        Ok(Member { process: Child::talking(&words)?, subscribers, expected: 0 })
    }

    fn wait_for(&mut self, wanted: &str) -> Result<()> {
        let line = self.next_line()?;
        match line.strip_prefix("failed ") {
            None if line == wanted => Ok(()),
            None => Err(Error::new(Kind::Internal, format!("a subscriber process said {line:?}, not {wanted:?}"))),
            Some(why) => Err(Error::new(Kind::Internal, why)),
        }
    }

    fn next_line(&mut self) -> Result<String> {
        self.process.next_line(PATIENCE)
    }
}
