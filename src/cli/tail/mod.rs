//! `tidings tail`: follows one resource over a WebSocket and prints one line per change. When the connection
//! is lost it comes back by itself and goes on where it was.

mod backoff;
mod follow;
mod socket;
#[cfg(test)]
mod tests;

use crate::cli::tail::backoff::Backoff;
use crate::cli::tail::follow::{Follow, Heard, Line};
use crate::cli::tail::socket::{Socket, target};
use crate::error::{Error, Kind, Result};
use clap::Args;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// What to follow, and how to print it.
#[derive(Debug, Args)]
pub struct Tail {
    /// The server, like ws://localhost:9100 (or wss://, http://, https://, or only host:port)
    url: String,
    /// The resource, or another name of its channel
    resource: String,
    /// Only rows that match, as JSON: '{"type": "compute", "rank": {"$gt": 2}}'
    #[arg(value_parser = filter)]
    filter: Option<Map<String, Value>>,
    /// Print JSON, one object per line: event, id, data, position
    #[arg(long)]
    json: bool,
    /// Begin with the rows that there are
    #[arg(long)]
    initial: bool,
    /// Go on after this position, as --json prints it
    #[arg(long, value_name = "POSITION")]
    since: Option<String>,
    /// End after this many lines
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// A token to show; `tidings token` makes one
    #[arg(long, env = "TIDINGS_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// How a session ended.
enum End {
    /// All that was wanted has been printed, or nobody reads it any more.
    Done,
    /// The connection is lost; come back, but not sooner than this.
    Lost { reason: String, at_least: Duration },
}

impl Tail {
    /// Follows until enough has been printed.
    ///
    /// # Errors
    /// `Unreachable` when the first connection cannot be made; `Refused` when the server does not want it.
    pub async fn run(&self, out: &mut (dyn Write + Send)) -> Result<()> {
        let request = target(&self.url, self.token.as_deref())?;
        let filter = self.filter.clone().unwrap_or_default();
        let mut follow = Follow::new(self.resource.clone(), filter, self.initial, self.since.clone());
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut backoff = Backoff::default();
        let mut socket = Some(Socket::open(request.clone()).await?);
        while left > 0 {
            let opened = Instant::now();
            let attempt = match socket.take() {
                Some(socket) => Ok(socket),
                None => Socket::open(request.clone()).await,
            };
            let end = match attempt {
                Ok(socket) => self.session(socket, &mut follow, &mut left, out).await?,
                Err(error) if error.kind() == Kind::Unreachable => {
                    End::Lost { reason: error.chain(), at_least: Duration::ZERO }
                }
                Err(error) => return Err(error),
            };
            let End::Lost { reason, at_least } = end else { break };
            let wait = backoff.after(opened.elapsed(), at_least);
            tracing::warn!(reason, wait = ?wait, "the connection is lost; coming back");
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    async fn session(
        &self,
        mut socket: Socket,
        follow: &mut Follow,
        left: &mut u64,
        out: &mut (dyn Write + Send),
    ) -> Result<End> {
        for ask in follow.asks() {
            if let Err(lost) = socket.send(ask).await {
                return lost.into_end();
            }
        }
        loop {
            let text = match socket.next().await {
                Ok(text) => text,
                Err(lost) => return lost.into_end(),
            };
            let lines = match follow.hear(&text) {
                Heard::Lines(lines) => lines,
                Heard::Refused(reason) => return Err(Error::new(Kind::Refused, reason)),
            };
            for line in lines {
                if let Err(error) = self.print(&line, out) {
                    // Whoever read our output has gone (`| head`): that is an end, not a failure.
                    return match error.kind() {
                        io::ErrorKind::BrokenPipe => Ok(End::Done),
                        _ => Err(Error::because(Kind::Storage, "cannot print", error)),
                    };
                }
                *left -= 1;
                if *left == 0 {
                    return Ok(End::Done);
                }
            }
        }
    }

    fn print(&self, line: &Line, out: &mut (dyn Write + Send)) -> io::Result<()> {
        if self.json {
            writeln!(out, "{}", line.json())?;
        } else {
            writeln!(out, "{line}")?;
        }
        out.flush()
    }
}

fn filter(text: &str) -> std::result::Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(filter)) => Ok(filter),
        Ok(_) => Err("a filter is a JSON object, like '{\"type\": \"compute\"}'".to_owned()),
        Err(error) => Err(format!("a filter is a JSON object, like '{{\"type\": \"compute\"}}' ({error})")),
    }
}
