//! Whatever is sent: no panic, and every answer is one JSON object. What is passed on is what was sent.

use super::decode::{Fault, Reference, Request, decode};
use super::root::Root;
use super::{body, encode};
use crate::relay::{Kind, Push};
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const VALID: &[&str] = &[
    r#"{"type": "connection"}"#,
    r#"{"type":"walker","walker":"w","node":"n::672b35cec309e5ef8469c372","response":true,"context":{"a":[1]},"ref":1.50}"#,
    r#"{"type":"walker","walker":"w","node":null,"response":"false","ref":"ä\u0041"}"#,
    r#"{"type":"user","root_ids":["n::672b35cec309e5ef8469c372"],"data":{"a":{"b":[{}]}}}"#,
    r#"{"type":"channel","channel_ids":["a","b"],"data":{}}"#,
    r#"{"type":"client","client_ids":["1:2"],"data":{"x":1e400}}"#,
    r#"{"type":"change_user","token":"bearer x"}"#,
    r#"{"root_ids":[],"channel_ids":["a"],"data":{}}"#,
];

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

fn push(text: &str) -> Push {
    match decode(text, 10) {
        Ok(Request::Push(push)) => push,
        other => panic!("{text}: {other:?}"),
    }
}

/// What is answered to a message that asks for nothing.
fn refused(text: &str) -> String {
    match decode(text, 10) {
        Err(fault) => encode::fault(&fault),
        other => panic!("{text}: {other:?}"),
    }
}

/// Decodes a message and a body; whatever is wrong can be written.
fn survives(text: &str) {
    if let Err(fault) = decode(text, 10) {
        let told = encode::fault(&fault);
        // What is said back may hold a number that is JSON and too large for a `Value`.
        serde_json::from_str::<IgnoredAny>(&told).unwrap_or_else(|error| panic!("{told} is no JSON: {error}"));
        assert!(told.starts_with(r#"{"error":["#), "{told}");
    }
    let _ = body::context(text.as_bytes());
    if let Err(findings) = body::pushes(text.as_bytes()) {
        assert!(!findings.is_empty() && encode::detail(&findings).starts_with(r#"{"detail":[{"#));
    }
}

/// One small damage: bytes cut out, doubled, or replaced by something a parser cares about.
fn damaged() -> impl Strategy<Value = String> {
    let junk = prop::sample::select(vec!["", "{", "}", "[", "]", "\"", ":", ",", "null", "-1", "\\u", "\0", "é"]);
    (prop::sample::select(VALID), any::<prop::sample::Index>(), 0usize..8, junk).prop_filter_map(
        "not text",
        |(text, at, cut, junk)| {
            let at = at.index(text.len());
            let (before, after) = (text.get(..at)?, text.get((at + cut).min(text.len())..)?);
            Some(format!("{before}{junk}{after}"))
        },
    )
}

proptest! {
    #[test]
    fn damaged_messages_are_survived(text in damaged()) {
        survives(&text);
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }
}

#[test]
fn what_is_valid_is_understood() {
    for text in &VALID[..7] {
        assert!(decode(text, 10).is_ok(), "{text}");
        (0..text.len()).filter_map(|end| text.get(..end)).for_each(|torn| assert!(decode(torn, 10).is_err(), "{torn}"));
    }
    assert!(body::pushes(VALID[7].as_bytes()).is_ok());
    assert!(body::pushes(&[0xff, 0xfe]).is_err() && body::context(&[0xff]).is_err());
}

#[test]
fn the_data_of_a_push_is_the_text_between_its_braces() {
    let pushed = push(r#"{"type":"channel","channel_ids":["a","\u0061"],"data": { "b":1.0 , "a":"\u00e4" } }"#);
    assert_eq!((pushed.kind, &*pushed.data), (Kind::Channel, r#"{ "b":1.0 , "a":"\u00e4" }"#));
    assert_eq!(pushed.ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["a", "a"]);
}

#[test]
fn of_a_client_s_own_words_not_too_many_are_said_back() {
    let long = "é".repeat(100_000);
    for text in [
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"user","root_ids":["{long}"],"data":{{}}}}"#),
        format!(r#"{{"type":"channel","channel_ids":"{long}","data":{{}}}}"#),
    ] {
        assert!(refused(&text).len() < 5000);
    }
}

#[test]
fn a_reference_comes_back_last_and_as_it_was_written() {
    let fault = refused(r#"{"ref": 1.50 ,"type":"walker"}"#);
    assert!(fault.ends_with(r#"],"ref":1.50}"#), "{fault}");
    for other in ["[1]", "{}", "true", "null"] {
        let fault = refused(&format!(r#"{{"ref":{other},"type":"walker"}}"#));
        assert!(fault.ends_with("}]}"), "{fault}");
    }
    let reference = Reference(raw("\"r\\u0041\""));
    assert_eq!(encode::answer(&[], Some(&reference)), "{\"status\":200,\"ref\":\"r\\u0041\"}");
    assert_eq!(encode::failed("No.", Some(&reference)), "{\"error\":[\"No.\\n\"],\"ref\":\"r\\u0041\"}");
}

#[test]
fn answers_are_compact_and_have_the_order_that_clients_know() {
    let told = encode::connection("c\"1", &Root::public(), "räume");
    let expected = r#"{"type":"connection","data":{"client_id":"c\"1","root_id":"n::000000000000000000000001","channel_id":"räume"}}"#;
    assert_eq!(told, expected);
    let reports = [raw(r#"{"b" : 1.50, "a": [ 1, "x y" ]}"#), raw("null")];
    assert_eq!(encode::answer(&reports, None), r#"{"status":200,"reports":[{"b":1.50,"a":[1,"x y"]},null]}"#);
    assert_eq!(encode::denied("user", "No \"way\"!", None), r#"{"type":"user","error":"No \"way\"!"}"#);
    assert_eq!(encode::fault(&Fault::binary()), r#"{"error":["Binary messages are not supported.\n"]}"#);
    assert_eq!(encode::change("m", "created", r#"{"a":1}"#), r#"{"type":"m.created","data":{"a":1}}"#);
}
