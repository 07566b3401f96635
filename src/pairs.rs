//! Sorted pairs on the disk: opens the embedded database, one process at a time, and cuts a damaged end off
//! its journal instead of failing for ever.

use crate::error::{Error, Kind, Result, deepest};
use fjall::Database;
use std::error::Error as StdError;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Journals are folded into tables when they take this much; a restart reads at most that.
const JOURNAL_BYTES: u64 = 128 << 20;

/// Memory for blocks read from tables.
const CACHE_BYTES: u64 = 16 << 20;

/// Opens or creates the database in a directory.
///
/// A write that a crash tore is not there. Where even the journal's checksums fail, it is cut before the first
/// damaged write; the whole journal stays beside it with the ending `.damaged`.
///
/// # Errors
/// `Storage` when another process has it open, or the files cannot be reached; `Malformed` when it is damaged
/// beyond its last journal, or of a later format.
pub fn open(dir: &Path) -> Result<Database> {
    match attempt(dir) {
        Ok(database) => Ok(database),
        Err(Failure::Damaged(cause)) => {
            tracing::error!(dir = %dir.display(), error = cause, "the journal is damaged; cutting its end off");
            mend(dir)
        }
        Err(failure) => Err(failure.explain(dir)),
    }
}

enum Failure {
    Busy,
    Damaged(String),
    Other(fjall::Error),
}

impl Failure {
    fn explain(self, dir: &Path) -> Error {
        let dir = dir.display();
        match self {
            Failure::Busy => Error::new(
                Kind::Storage,
                format!("another process has {dir} open; end it, or choose another directory with --data"),
            ),
            Failure::Damaged(cause) => Error::because(Kind::Malformed, format!("{dir} is damaged"), cause),
            Failure::Other(cause) => Error::new(Kind::Storage, format!("cannot open {dir}: {}", deepest(&cause))),
        }
    }
}

impl From<fjall::Error> for Failure {
    fn from(error: fjall::Error) -> Failure {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        match (&error, io_kind(&error)) {
            (fjall::Error::Locked, _) => Failure::Busy,
            (fjall::Error::InvalidVersion(Some(_)) | fjall::Error::Poisoned, _) => Failure::Other(error),
            // A file that ends too early was damaged; any other trouble with a file may pass.
            (_, Some(kind)) if !matches!(kind, UnexpectedEof | InvalidData) => Failure::Other(error),
            _ => Failure::Damaged(error.to_string()),
        }
    }
}

/// The kind of the IO error that is the deepest cause, if there is one.
fn io_kind(error: &fjall::Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// Opens it once. The database asserts things of its files; on damaged ones such a panic is one more way to say so.
fn attempt(dir: &Path) -> std::result::Result<Database, Failure> {
    let open =
        || Database::builder(dir).worker_threads(1).cache_size(CACHE_BYTES).max_journaling_size(JOURNAL_BYTES).open();
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(Failure::from),
        Err(_) => Err(Failure::Damaged("an assertion failed while it was opened".to_owned())),
    }
}

/// Finds, by halving, the longest beginning of the newest journal that opens, and opens it.
///
/// This knows nothing of the journal's format, so it stays right when that changes; it takes some 25 openings,
/// which is acceptable for what happens after a broken disk only.
fn mend(dir: &Path) -> Result<Database> {
    let failed = |cause| Error::because(Kind::Storage, format!("cannot mend {}", dir.display()), cause);
    let Some(journal) = newest_journal(dir).map_err(failed)? else {
        return attempt(dir).map_err(|failure| failure.explain(dir));
    };
    let aside = journal.with_extension("jnl.damaged");
    fs::rename(&journal, &aside).map_err(failed)?;
    let whole = fs::read(&aside).map_err(failed)?;
    let opens = |length: usize| -> Result<Option<Database>> {
        fs::write(&journal, &whole[..length]).map_err(failed)?;
        match attempt(dir) {
            Ok(database) => Ok(Some(database)),
            Err(Failure::Damaged(_)) => Ok(None),
            Err(failure) => Err(failure.explain(dir)),
        }
    };
    let mut good = 0;
    if opens(good)?.is_none() {
        fs::rename(&aside, &journal).map_err(failed)?;
        return attempt(dir).map_err(|failure| failure.explain(dir));
    }
    // What is behind the last byte that is not zero was reserved and never written.
    let mut bad = whole.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).max(1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match opens(middle)? {
            Some(_) => good = middle,
            None => bad = middle,
        }
    }
    let database =
        opens(good)?.ok_or_else(|| Failure::Damaged("it changed while it was mended".into()).explain(dir))?;
    tracing::warn!(dir = %dir.display(), kept = good, of = whole.len(), "the damaged end of the journal was cut off");
    Ok(database)
}

/// The journal with the highest number.
fn newest_journal(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        if let Some(number) = number {
            newest = newest.max(Some((number, path)));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fjall::KeyspaceCreateOptions;

    fn fill(dir: &Path, count: u64) -> PathBuf {
        let database = open(dir).unwrap();
        let pairs = database.keyspace("pairs", KeyspaceCreateOptions::default).unwrap();
        for number in 0..count {
            let mut batch = database.batch();
            batch.insert(&pairs, number.to_be_bytes(), format!("value {number}"));
            batch.insert(&pairs, "last", number.to_be_bytes());
            batch.commit().unwrap();
        }
        newest_journal(dir).unwrap().unwrap()
    }

    fn count(dir: &Path) -> u64 {
        let database = open(dir).unwrap();
        let pairs = database.keyspace("pairs", KeyspaceCreateOptions::default).unwrap();
        let count = pairs.iter().count() as u64;
        match pairs.get("last").unwrap() {
            None => assert_eq!(count, 0),
            Some(last) => assert_eq!(last.as_ref(), (count - 2).to_be_bytes(), "a write is there whole or not at all"),
        }
        count.saturating_sub(1)
    }

    #[test]
    fn a_second_opening_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        let error = open(dir.path()).err().unwrap();
        assert_eq!(error.kind(), Kind::Storage);
        assert!(error.chain().contains("another process"), "{}", error.chain());
        drop(first);
        open(dir.path()).unwrap();
    }

    #[test]
    fn a_torn_end_is_cut_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let journal = fill(dir.path(), 50);
        assert_eq!(count(dir.path()), 50);
        let length = fs::metadata(&journal).unwrap().len();
        fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(length - 5).unwrap();
        assert_eq!(count(dir.path()), 49);
    }

    #[test]
    fn a_damaged_end_is_cut_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let journal = fill(dir.path(), 50);
        assert_eq!(count(dir.path()), 50);
        let mut bytes = fs::read(&journal).unwrap();
        let at = bytes.windows(8).rposition(|window| window == b"value 45").unwrap();
        bytes[at] ^= 1;
        fs::write(&journal, bytes).unwrap();
        assert_eq!(count(dir.path()), 45);
        assert_eq!(count(dir.path()), 45, "mended once, it stays mended");
    }
}
