//! Why a patch is not applied.

use std::fmt;

/// Why a patch, or one of its operations, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no array of operations, or lacks what an operation needs.
    Malformed,
    /// This `path` or `from` is no JSON pointer, or leads through a name that is not allowed.
    Pointer(String),
    /// What is to be replaced, removed, moved or copied is not there.
    Location,
    /// What a `test` expects is not there.
    Test,
    /// What the path leads into is missing, or has neither members nor elements; or a value is moved into itself.
    Target,
    /// The path leads into an array, but its last part is no index there.
    Index,
    /// The whole document cannot be removed.
    Root,
    /// Too many operations, or what they make is too deep or too large.
    TooMuch,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed => f.write_str("the patch is malformed"),
            Fault::Pointer(text) => write!(f, "invalid pointer '{text}'"),
            Fault::Location => f.write_str("there is nothing"),
            Fault::Test => f.write_str("the test failed"),
            Fault::Target => f.write_str("invalid target"),
            Fault::Index => f.write_str("there is no such place in the array"),
            Fault::Root => f.write_str("the whole document cannot be removed"),
            Fault::TooMuch => f.write_str("the patch asks for too much"),
        }
    }
}

impl std::error::Error for Fault {}
