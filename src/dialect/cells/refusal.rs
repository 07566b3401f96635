//! How a client is told that it may not stay: in the reason of a close frame, which has room for 123 bytes.

use crate::dialect::cells::shape::quoted;
use crate::message::Farewell;

/// Bytes that fit into a close frame beside the code.
const ROOM: usize = 123;

/// The close that says this: `{"@type":"error","jwt":"","error":"<text>"}`. A longer text is cut between two
/// characters, so that the JSON stays whole.
pub fn refusal(text: &str) -> Farewell {
    let mut letters = text.chars();
    loop {
        let reason = format!(r#"{{"@type":"error","jwt":"","error":{}}}"#, quoted(letters.as_str()));
        if reason.len() <= ROOM || letters.next_back().is_none() {
            return Farewell::Close(1008, reason.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn reason(text: &str) -> String {
        match refusal(text) {
            Farewell::Close(1008, reason) => reason.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_short_text_stands_as_it_is() {
        assert_eq!(reason("empty jwt"), r#"{"@type":"error","jwt":"","error":"empty jwt"}"#);
    }

    #[test]
    fn r1_whatever_the_text_the_close_is_legal_and_its_json_whole() {
        for text in ["", "\"".repeat(200).as_str(), "ä€😀\n".repeat(60).as_str(), "x".repeat(10_000).as_str()] {
            let reason = reason(text);
            assert!(reason.len() <= ROOM, "{}", reason.len());
            let value: Value = serde_json::from_str(&reason).expect("whole JSON");
            assert!(text.starts_with(value["error"].as_str().expect("a text")));
        }
    }
}
