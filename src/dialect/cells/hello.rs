//! What a client says of itself: its token, in any of three forms, or that it wants to hear nothing more.
//!
//! ```text
//! {"@type":"subscribe","jwt":"…"}   {"@type":"register","jwt":"…"}   register:…
//! {"@type":"unsubscribe"}
//! ```

use serde_json::{Map, Value};

/// What a message turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Hello {
    Subscribe {
        /// Empty when there is none.
        token: String,
        /// What was heard last; empty: a client that wants positions and has none.
        resume: Option<String>,
    },
    Unsubscribe,
    /// A message of another kind.
    Other(Map<String, Value>),
    /// No JSON object.
    Unreadable,
}

/// Reads one message.
pub fn read(text: &str) -> Hello {
    if let Some(token) = text.strip_prefix("register:") {
        return Hello::Subscribe { token: token.trim().to_owned(), resume: None };
    }
    let Ok(Value::Object(message)) = serde_json::from_str(text) else { return Hello::Unreadable };
    let own = |key: &str| message.get(key).and_then(Value::as_str);
    match own("@type") {
        Some("subscribe" | "register") => Hello::Subscribe {
            token: own("jwt").unwrap_or_default().trim().to_owned(),
            resume: own("resume").map(str::to_owned),
        },
        Some("unsubscribe") => Hello::Unsubscribe,
        _ => Hello::Other(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_first_message_carries_the_token() {
        let token = |text: &str| match read(text) {
            Hello::Subscribe { token, resume } => (token, resume),
            other => panic!("{text}: {other:?}"),
        };
        for (text, expected) in [
            (r#"{"@type":"subscribe","jwt":"a.b.c"}"#, ("a.b.c", None)),
            (r#"{"jwt":" a.b.c ","@type":"register","more":1}"#, ("a.b.c", None)),
            ("register:  a.b.c \n", ("a.b.c", None)),
            ("register:", ("", None)),
            (r#"{"@type":"subscribe"}"#, ("", None)),
            (r#"{"@type":"subscribe","jwt":7}"#, ("", None)),
            (r#"{"@type":"subscribe","jwt":"t","resume":""}"#, ("t", Some(""))),
            (r#"{"@type":"subscribe","jwt":"t","resume":"e:7"}"#, ("t", Some("e:7"))),
        ] {
            assert_eq!(token(text), (expected.0.to_owned(), expected.1.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_unreadable_and_other_messages_are_whole() {
        assert_eq!(read(r#"{"@type":"unsubscribe"}"#), Hello::Unsubscribe);
        for text in ["", "x", "7", "[]", "\"register:x\"", "{\"@type\":", "null", " register:x"] {
            assert_eq!(read(text), Hello::Unreadable, "{text}");
        }
        assert!(matches!(read(r#"{"@type":"JOIN","Room":{}}"#), Hello::Other(message) if message.len() == 2));
        assert!(matches!(read("{}"), Hello::Other(message) if message.is_empty()));
    }
}
