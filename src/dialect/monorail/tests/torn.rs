//! Whatever is sent: no panic, and every answer is one JSON object.

use super::*;
use proptest::prelude::*;
use serde::de::IgnoredAny;

const VALID: &[&str] = &[
    r#"{"handler": "init"}"#,
    r#"{"handler":"watch"}"#,
    r#"{"handler":"stop","resource":null,"params":null}"#,
    r##"{"handler":"watch","params":{"exchange":"on.logging","routingKey":"#"}}"##,
    r#"{"handler":"get","params":["a",1]}"#,
    r#"{"handler":"query","params":{"where":{"a":{"$gt":1e3}},"sort":{"b":-1}},"options":{"fields":["x.y"]},"ref":"q"}"#,
    r#"{"handler":"watch","initial":true,"since":"e1:4:s1.2.3","positions":true,"progress":15,"patch":true,"ref":{"a":1}}"#,
    r#"{"handler":"barrier","ref":[1]}"#,
];

/// Decodes on both kinds of channel; what is refused must be writable.
fn survives(text: &str) {
    for channel in ["nodes", "mq", ""] {
        if let Heard::Refused(address, refusal) = hear(channel, text) {
            // What is told may hold a reference with a number that is JSON and too large for a `Value`.
            let told = Monorail::new().encode(&address, &Notice::Refused(&refusal));
            if let Some(told) = told {
                serde_json::from_str::<IgnoredAny>(&told).unwrap_or_else(|error| panic!("{told} is no JSON: {error}"));
            }
        }
    }
}

/// One small damage: bytes cut out, doubled, or replaced by something a parser cares about.
fn damaged() -> impl Strategy<Value = String> {
    let junk =
        prop::sample::select(vec!["", "{", "}", "[", "]", "\"", ":", ",", "null", "-1", "1e999", "\\u", "\0", "é"]);
    (prop::sample::select(VALID), any::<prop::sample::Index>(), 0usize..8, junk).prop_map(|(text, at, cut, junk)| {
        let at = at.index(text.len());
        let after = (at + cut).min(text.len());
        format!("{}{junk}{}", &text[..at], &text[after..])
    })
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn a_damaged_message_is_survived(text in damaged()) {
        survives(&text);
    }

    #[test]
    fn any_field_may_hold_anything(value in "[\\[{\"a-c0-9:,.}\\]-]{0,12}", field in "handler|resource|params|ref|options|since|progress|initial") {
        survives(&format!(r#"{{"handler":"watch","{field}":{value}}}"#));
        survives(&format!(r#"{{"handler":"query","{field}":{value}}}"#));
    }
}

#[test]
fn a_message_cut_anywhere_is_silence() {
    for text in VALID {
        for end in 0..text.len() {
            assert!(matches!(hear("nodes", &text[..end]), Heard::Nothing), "{}", &text[..end]);
        }
    }
}
