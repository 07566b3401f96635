//! What went wrong, for the operator: a kind to act on, a sentence to read, and the cause beneath it.
//! A client never sees one of these; it sees a `Refusal` or a close code.

use std::error::Error as StdError;
use std::fmt;

/// What kind of failure it is; decides whether it is worth trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The configuration or the command line asks for something that cannot be.
    Configuration,
    /// A database or broker cannot be reached at the moment; trying again may help.
    Unreachable,
    /// Somebody else refuses: a database (wrong password, missing right, missing table), the system (a port in use).
    Refused,
    /// What was read does not have the form it should have.
    Malformed,
    /// A query matched more rows than one answer may carry.
    TooMany,
    /// What was asked for does not exist.
    Missing,
    /// A condition of a write (`If-Match`) does not hold.
    Conflict,
    /// Reading or writing our own files failed.
    Storage,
    /// A defect of this program.
    Internal,
}

/// An error with its kind, its own sentence, and the error that caused it.
///
/// `Display` says its own part only; walk `source()` for the rest, or use [`Error::chain`].
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    sentence: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of everything that fails for an operator.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error without a deeper cause. The sentence is lower case and has no full stop.
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Error {
        Error { kind, sentence: sentence.into(), cause: None }
    }

    /// An error that another error caused.
    pub fn because(
        kind: Kind,
        sentence: impl Into<String>,
        cause: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Error {
        Error { kind, sentence: sentence.into(), cause: Some(cause.into()) }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole story in one line: this sentence and every cause, separated by colons; a cause that only
    /// repeats the one above it is left out.
    pub fn chain(&self) -> String {
        let mut line = self.sentence.clone();
        let mut next = self.source();
        while let Some(cause) = next {
            let said = cause.to_string();
            if !line.ends_with(&said) {
                line.push_str(": ");
                line.push_str(&said);
            }
            next = cause.source();
        }
        line
    }
}

/// The cause beneath all others. Libraries often say the same again above it, in their own words.
pub fn deepest<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as &(dyn StdError + 'static))
    }
}
