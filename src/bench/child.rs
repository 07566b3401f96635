//! A process of this same program, which is talked with by lines and ends with its owner.

use crate::error::{Error, Kind, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A started process; it is ended when this is dropped.
pub struct Child {
    process: std::process::Child,
    talk: Option<Talk>,
}

struct Talk {
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Child {
    /// Starts this program with these words, to be talked with.
    ///
    /// # Errors
    /// `Internal` when it does not start.
    pub fn talking(words: &[&str]) -> Result<Child> {
        let mut process = start(this_program()?.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let output = process.stdout.take().expect("it was asked for");
        let input = process.stdin.take().expect("it was asked for");
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(std::io::Result::ok);
            lines.all(|line| said.send(line).is_ok())
        });
        Ok(Child { process, talk: Some(Talk { input, lines }) })
    }

    /// Starts this program with these words; what it says goes to a file.
    ///
    /// # Errors
    /// `Internal` when it does not start.
    pub fn logging(words: &[&str], log: File) -> Result<Child> {
        let process = start(this_program()?.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))?;
        Ok(Child { process, talk: None })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)))
    }

    /// Says a line to it.
    ///
    /// # Errors
    /// `Internal` when it has ended.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let ended = || Error::new(Kind::Internal, "a process of the measurement has ended");
        let talk = self.talk.as_mut().ok_or_else(ended)?;
        writeln!(talk.input, "{line}").map_err(|_| ended())
    }

    /// The next line it says.
    ///
    /// # Errors
    /// `Unreachable` when it does not come in time.
    pub fn next_line(&mut self, patience: Duration) -> Result<String> {
        let line = self.talk.as_mut().and_then(|talk| talk.lines.recv_timeout(patience).ok());
        line.ok_or_else(|| Error::new(Kind::Unreachable, "a process of the measurement did not answer in time"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn this_program() -> Result<Command> {
    std::env::current_exe()
        .map(Command::new)
        .map_err(|error| Error::because(Kind::Internal, "cannot find this program's own file", error))
}

fn start(command: &mut Command) -> Result<std::process::Child> {
    command.spawn().map_err(|error| Error::because(Kind::Internal, "cannot start a process", error))
}
