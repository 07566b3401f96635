//! What a doctor finds when it looks at a source: whether something is as it should be, and what mends it.

use crate::error::Error;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub ok: bool,
    pub sentence: String,
    /// A statement or a command that mends it.
    pub fix: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn good(sentence: impl Into<String>) -> Finding {
        Finding { ok: true, sentence: sentence.into(), fix: None }
    }

    /// Something is wrong.
    pub fn bad(sentence: impl Into<String>, fix: Option<String>) -> Finding {
        Finding { ok: false, sentence: sentence.into(), fix }
    }

    /// It could not be looked at.
    pub fn of(error: &Error) -> Finding {
        Finding::bad(error.chain(), None)
    }
}
