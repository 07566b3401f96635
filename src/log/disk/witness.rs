//! What a log has promised, kept beside it in a file of one line, so that a log which lost something notices.
//!
//! ```text
//! tidings-log 1 open k3v9x0aq 5f6a…-boot-id 00000000000000000042 9c1d…
//! ```
//! The words: how it stands, the epoch, the machine's boot, the newest offset that was acknowledged, a hash.
//! The line is written in place with every append, without waiting for the disk.

use crate::error::{Error, Kind, Result};
use crate::event::Offset;
use crate::log::number::is_epoch;
use sha1::{Digest, Sha1};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// How the log was left, or stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Closed, with everything on the disk.
    Closed,
    /// In use; appends are with the operating system.
    Open,
    /// In use; appends are on the disk.
    Synced,
}

impl State {
    const ALL: [State; 3] = [State::Closed, State::Open, State::Synced];

    fn word(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::Synced => "synced",
        }
    }
}

/// What the line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Testimony {
    pub(super) state: State,
    pub(super) epoch: Arc<str>,
    pub(super) boot: String,
    pub(super) last: Offset,
}

impl Testimony {
    fn line(&self) -> String {
        let Testimony { state, epoch, boot, last } = self;
        let line = format!("tidings-log 1 {:6} {epoch} {boot} {last:020}", state.word());
        let hash = hash(&line);
        format!("{line} {hash}\n")
    }

    fn parse(text: &str) -> Option<Testimony> {
        // A shorter line leaves the end of a longer one behind; only the first counts.
        let (line, hashed) = text.lines().next()?.rsplit_once(' ')?;
        if hash(line) != hashed {
            return None;
        }
        let mut words = line.strip_prefix("tidings-log 1 ")?.split_whitespace();
        let word = words.next()?;
        let state = State::ALL.into_iter().find(|state| state.word() == word)?;
        let epoch = words.next().filter(|epoch| is_epoch(epoch))?.into();
        let boot = words.next()?.to_owned();
        let last = words.next()?.parse().ok()?;
        Some(Testimony { state, epoch, boot, last })
    }
}

fn hash(line: &str) -> String {
    Sha1::digest(line.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The file.
pub(super) struct Witness {
    file: File,
    said: Testimony,
}

impl Witness {
    /// What was said last; `None` when there is no file or it cannot be believed.
    pub(super) fn heard(dir: &Path) -> Option<Testimony> {
        Testimony::parse(&std::fs::read_to_string(path(dir)).ok()?)
    }

    /// Says this, and waits until it is on the disk.
    pub(super) fn call(dir: &Path, said: Testimony) -> Result<Witness> {
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path(dir))?;
            file.write_all_at(said.line().as_bytes(), 0)?;
            file.sync_all()?;
            File::open(dir)?.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(|cause| failed(dir, cause))?;
        Ok(Witness { file, said })
    }

    /// Says that everything up to this offset is acknowledged.
    pub(super) fn acknowledge(&mut self, last: Offset) -> io::Result<()> {
        self.said.last = last;
        self.file.write_all_at(self.said.line().as_bytes(), 0)
    }

    /// Says that the log is closed, and waits until that is on the disk.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.said.state = State::Closed;
        self.file.write_all_at(self.said.line().as_bytes(), 0)?;
        self.file.sync_all()
    }
}

fn path(dir: &Path) -> std::path::PathBuf {
    dir.join("witness")
}

fn failed(dir: &Path, cause: io::Error) -> Error {
    Error::because(Kind::Storage, format!("cannot write {}", path(dir).display()), cause)
}

/// Names this run of the machine; where it cannot be known, no two are the same.
pub(super) fn boot() -> String {
    let known = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let known = known.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty() && !id.contains(char::is_whitespace));
    known.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_a_damaged_one_is_not_believed() {
        for state in State::ALL {
            let said = Testimony { state, epoch: "abcd1234".into(), boot: "b-1".into(), last: 42 };
            let line = said.line();
            assert_eq!(Testimony::parse(&line), Some(said.clone()));
            assert_eq!(Testimony::parse(&format!("{line}rest of a longer one")), Some(said));
            for at in 0..line.len() - 1 {
                let mut damaged = line.clone().into_bytes();
                damaged[at] ^= 1;
                let damaged = String::from_utf8(damaged).unwrap();
                assert_eq!(Testimony::parse(&damaged), None, "{damaged}");
                assert_eq!(Testimony::parse(&line[..at]), None);
            }
        }
    }
}
