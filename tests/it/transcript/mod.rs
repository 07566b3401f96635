//! Conversations as data: what clients say and hear, and what changes meanwhile, one line each.
//!
//! ```text
//! # sentence                      starts a transcript; lines before the first one begin every transcript
//! given …                         state at the start, in words that the world understands
//! path /x     a path /x           opens a socket (`a`: its name; one that is not opened by a line of its own
//!                                 is opened at its first use, on the last path without a name)
//! > text      a> text             the client says this, word for word
//! < json      a< json             the server says this; "*" is any value
//! (  …  )                         the lines between arrive in any order
//! a< 403                          the upgrade was refused
//! < close 1008 json               the server closed, with this code (and reason)
//! ! resource id created json      a committed change; created, updated, removed, appended
//! u1> PUT /x json   u1< 200 json  an HTTP request, and its answer
//! ~ 50ms      a~ 50ms             nobody (a) hears anything for this long
//! ```

mod echo;
mod form;
mod play;
mod run;

pub use form::{Change, Transcript, Word, read};
pub(crate) use play::transcripts;
pub use play::{Setting, assert_all_played, play};
pub use run::{Sync, World, run};

use serde_json::Value;

/// Whether a message is as expected; `"*"` stands for anything, `1` is `1.0`.
pub fn agrees(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(expected), Value::Object(got)) => {
            expected.len() == got.len()
                && expected.iter().all(|(name, value)| got.get(name).is_some_and(|other| agrees(value, other)))
        }
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(got).all(|(value, other)| agrees(value, other))
        }
        (Value::Number(expected), Value::Number(got)) => expected == got || expected.as_f64() == got.as_f64(),
        _ => expected == got,
    }
}

mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_agree_as_json_with_a_wildcard() {
        assert!(agrees(&json!({"a": "*", "b": [1, "*"]}), &json!({"b": [1.0, {"x": 1}], "a": null})));
        for (expected, got) in [
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!({"a": 1, "b": "*"}), json!({"a": 1})),
            (json!([1, 2]), json!([2, 1])),
            (json!("1"), json!(1)),
        ] {
            assert!(!agrees(&expected, &got), "{expected} {got}");
        }
    }
}
