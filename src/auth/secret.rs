//! Secrets, and where they are.

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::path::PathBuf;

/// A secret, or where it is. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Text(String),
    /// Read when it is needed; a newline at its end is not part of it.
    File(PathBuf),
}

impl Secret {
    /// A secret as it is.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret::Text(text.into())
    }

    /// The secret itself.
    ///
    /// # Errors
    /// `Configuration` when its file cannot be read, or is empty.
    pub fn read(&self) -> Result<String> {
        let path = match self {
            Secret::Text(text) => return Ok(text.clone()),
            Secret::File(path) => path,
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::because(Kind::Configuration, format!("cannot read the secret in {}", path.display()), error)
        })?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(Error::new(Kind::Configuration, format!("the secret in {} is empty", path.display()))),
            secret => Ok(secret.to_owned()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Text(_) => f.write_str("***"),
            Secret::File(path) => write!(f, "the content of {}", path.display()),
        }
    }
}
