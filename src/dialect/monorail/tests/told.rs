//! What a client is told, byte for byte.

use super::*;
use crate::document::Document;
use crate::event::{Audience, Entry, Operation, Position, Reason, ResourceEvent, Stamp, Timestamp};
use crate::message::{Shape, Transition};
use crate::query::Row;
use serde_json::json;

fn told(channel: &str, reference: Option<&str>, notice: &Notice<'_>) -> String {
    let address = address(channel, reference);
    tell(&address, notice);
    Monorail::new().encode(&address, notice).unwrap()
}

fn row(id: &str, document: Value) -> Row {
    Row::new(id, document.into())
}

fn entry(id: &str, before: Option<Value>, after: Option<Value>) -> Entry {
    let event = ResourceEvent {
        resource: "nodes".into(),
        id: id.into(),
        operation: Operation::Updated,
        before: before.map(Document::new),
        after: after.map(Document::new),
        time: Timestamp(0),
        stamp: Stamp::None,
    };
    Entry { offset: 1, audience: Audience::Everyone, event }
}

fn position(offset: u64) -> Position {
    Position::new("e1".into(), offset)
}

fn changed(channel: &str, entry: &Entry, transition: Transition) -> String {
    told(channel, None, &Notice::Change { entry, transition, shape: Shape::Whole, variant: 0, position: None })
}

#[test]
fn answers_are_written_as_the_protocol_says() {
    let rows = [row("n1", json!({"id": "n1", "name": "a"})), row("n2", json!({"id": "n2"}))];
    let id = "b7a1af52-e3bc-4f4b-8210-ccf006c4684a";
    assert_eq!(told("nodes", None, &Notice::Session { id }), format!(r#"{{"handler":"session","id":"{id}"}}"#));
    assert_eq!(
        told("nodes", Some(r#"{"q": 1.0}"#), &Notice::List { rows: &rows, position: Some(position(3)) }),
        r#"{"handler":"list","resource":"nodes","items":[{"id":"n1","name":"a"},{"id":"n2"}],"position":"e1:3","ref":{"q": 1.0}}"#
    );
    assert_eq!(
        told("nodes", None, &Notice::List { rows: &[], position: None }),
        r#"{"handler":"list","resource":"nodes","items":[]}"#
    );
    assert_eq!(
        told("nodes", None, &Notice::Found { row: &rows[1] }),
        r#"{"handler":"item","resource":"nodes","id":{"id":"n2"},"data":{"id":"n2"}}"#
    );
    assert_eq!(
        told("nodes", Some("7"), &Notice::Missed { criteria: r#"{"id":"zz"}"# }),
        r#"{"handler":"remove","resource":"nodes","params":{"id":"zz"},"ref":7}"#
    );
    assert_eq!(told("nodes", None, &Notice::Blank), r#"{"handler":"item","resource":"nodes"}"#);
    assert_eq!(
        told("nodes", Some("\"b\""), &Notice::Barrier { position: position(2) }),
        r#"{"handler":"barrier","position":"e1:2","ref":"b"}"#
    );
    assert_eq!(
        told("nodes", None, &Notice::Progress { position: position(2), time: Timestamp(1_795_249_094_849) }),
        r#"{"handler":"progress","resource":"nodes","position":"e1:2","time":"2026-11-21T08:18:14.849Z"}"#
    );
    assert_eq!(
        told("nodes", None, &Notice::Resumed { position: position(2), broken: None }),
        r#"{"handler":"resumed","resource":"nodes","complete":true,"position":"e1:2"}"#
    );
    assert_eq!(
        told("nodes", None, &Notice::Resumed { position: position(2), broken: Some(Reason::Epoch) }),
        r#"{"handler":"resumed","resource":"nodes","complete":false,"reason":"epoch","position":"e1:2"}"#
    );
}

#[test]
fn changes_are_told_with_their_word_and_the_whole_document() {
    let change = entry("n1", Some(json!({"id": "n1", "v": 1})), Some(json!({"id": "n1", "v": 2})));
    for (transition, expected) in [
        (
            Transition::Created,
            r#"{"handler":"item","resource":"nodes","id":["created","n1"],"data":{"id":"n1","v":2}}"#,
        ),
        (
            Transition::Entered,
            r#"{"handler":"item","resource":"nodes","id":["updated","n1"],"data":{"id":"n1","v":2}}"#,
        ),
        (
            Transition::Updated,
            r#"{"handler":"item","resource":"nodes","id":["updated","n1"],"data":{"id":"n1","v":2}}"#,
        ),
        (
            Transition::Left,
            r#"{"handler":"remove","resource":"nodes","id":"n1","params":{"id":"n1"},"data":{"id":"n1","v":1}}"#,
        ),
    ] {
        assert_eq!(changed("nodes", &change, transition), expected);
    }
    let blind = entry("n\"1", None, None);
    assert_eq!(
        changed("nodes", &blind, Transition::Left),
        r#"{"handler":"remove","resource":"nodes","id":"n\"1","params":{"id":"n\"1"},"data":{"id":"n\"1"}}"#
    );
    let shape = Shape::Patch { forward: "[1]", revert: "[2]" };
    let (transition, position) = (Transition::Updated, Some(position(9)));
    let patch = Notice::Change { entry: &change, transition, shape, variant: 0, position };
    assert_eq!(
        told("nodes", Some("1"), &patch),
        r#"{"handler":"patch","resource":"nodes","id":["updated","n1"],"data":[1],"revert":[2],"position":"e1:9","ref":1}"#
    );
}

#[test]
fn a_broker_message_has_its_routing_key_and_any_body() {
    for body in [json!(5), json!(null), json!("hi"), json!([1]), json!({"graphId": "g1"})] {
        let line = entry("graph.started.g1", None, Some(body.clone()));
        assert_eq!(
            changed("mq", &line, Transition::Appended),
            format!(r#"{{"handler":"item","resource":"mq","id":"graph.started.g1","data":{body}}}"#)
        );
        let rows = [row("a.b", body.clone())];
        assert_eq!(
            told("mq", None, &Notice::List { rows: &rows, position: None }),
            format!(r#"{{"handler":"list","resource":"mq","items":[{{"id":"a.b","data":{body}}}]}}"#)
        );
        assert_eq!(
            told("mq", None, &Notice::Found { row: &rows[0] }),
            format!(r#"{{"handler":"item","resource":"mq","id":"a.b","data":{body}}}"#)
        );
    }
}

#[test]
fn a_log_line_is_created_and_always_an_object() {
    let line = entry("e1:42", None, Some(json!({"id": "e1:42", "level": "info"})));
    assert_eq!(
        changed("logs", &line, Transition::Appended),
        r#"{"handler":"item","resource":"logs","id":["created","e1:42"],"data":{"id":"e1:42","level":"info"}}"#
    );
    let bare = entry("e1:43", None, Some(json!("hi")));
    assert_eq!(
        changed("logs", &bare, Transition::Appended),
        r#"{"handler":"item","resource":"logs","id":["created","e1:43"],"data":{"id":"e1:43","message":"hi"}}"#
    );
    let rows = [row("e1:43", json!([1]))];
    assert_eq!(
        told("logs", None, &Notice::List { rows: &rows, position: None }),
        r#"{"handler":"list","resource":"logs","items":[{"id":"e1:43","message":[1]}]}"#
    );
}

#[test]
fn a_channel_may_have_any_name() {
    let odd = "a\"b\\\n中";
    let value: Value = serde_json::from_str(&told(odd, None, &Notice::Blank)).unwrap();
    assert_eq!(value["resource"], odd);
}
