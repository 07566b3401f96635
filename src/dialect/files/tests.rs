use super::Files;
use crate::audience::{Audience, Rights, Role, Sight};
use crate::dialect::{Dialect, Heard};
use crate::event::{Entry, Operation, Position, Reason, ResourceEvent, Stamp, Timestamp};
use crate::files::message::{About, Message, Operation as Happened};
use crate::message::{Address, Farewell, Goodbye, Notice, Shape, Transition};
use serde_json::{Value, json};

fn entry(message: Message, rights: Rights) -> Entry {
    let event = ResourceEvent {
        resource: "files:messages".into(),
        id: message.file.clone(),
        operation: Operation::Appended,
        before: None,
        after: Some(message.document()),
        time: Timestamp(0),
        stamp: Stamp::None,
    };
    Entry { offset: 7, audience: Audience::limited(rights), event }
}

fn told(entry: &Entry, subject: &str, position: Option<Position>) -> Value {
    let sight = Sight { subject: Some(subject.into()), ..Sight::default() };
    let variant = Files.variant(entry, &sight, Timestamp(0));
    let (transition, shape) = (Transition::Appended, Shape::Whole);
    let address = Address { channel: "/files".into(), reference: None };
    let notice = Notice::Change { entry, transition, shape, variant, position };
    serde_json::from_str(&Files.encode(&address, &notice).unwrap()).unwrap()
}

fn message(operation: Happened, data: Option<Value>) -> Message {
    Message {
        file: "S1".into(),
        about: About::Metadata,
        operation,
        kind: "Core#Space".into(),
        id: "S1".into(),
        parent: None,
        data,
    }
}

#[test]
fn what_was_created_says_who_reads_it_and_what_he_may_do() {
    let data = json!({"key": "S1", "lastModified": {"user": "ann", "time": 5}});
    let mut levels = Rights::of(["ann".into()], Role::Owner).levels().to_vec();
    levels.extend(Rights::of(["bob".into()], Role::Reader).levels().iter().cloned());
    let entry = entry(message(Happened::Created, Some(data)), Rights::new(levels));
    let (own, other) = (told(&entry, "ann", None), told(&entry, "bob", None));
    assert_eq!(own["data"]["lastModified"], json!({"user": "ann", "time": 5, "byMe": true}));
    assert_eq!(other["data"]["lastModified"]["byMe"], json!(false));
    assert_eq!(own["data"]["capabilities"]["canDelete"], json!(true));
    assert_eq!(other["data"]["capabilities"]["canEdit"], json!(false));
    assert!(own.get("parent").is_none() && own.get("position").is_none(), "{own}");
}

#[test]
fn a_revision_says_whether_it_is_the_readers_own() {
    let data = json!({"id": "r", "modification": {"user": "ann"}});
    let revision =
        Message { kind: "Core#Revision".into(), parent: Some("S1".into()), ..message(Happened::Created, Some(data)) };
    let entry = entry(revision, Rights::of(["ann".into(), "bob".into()], Role::Owner));
    assert_eq!(told(&entry, "ann", None)["data"], json!({"id": "r", "modification": {"user": "ann", "byMe": true}}));
    assert_eq!(told(&entry, "bob", None)["data"]["modification"]["byMe"], json!(false));
}

#[test]
fn anything_else_is_the_same_for_everybody() {
    let entry = entry(message(Happened::Deleted, None), Rights::of(["ann".into(), "bob".into()], Role::Reader));
    let expected =
        json!({"type": "event", "operation": "deleted", "kind": "Core#Space", "id": "S1", "position": "e1:7"});
    for subject in ["ann", "bob"] {
        assert_eq!(told(&entry, subject, Some(Position::new("e1".into(), 7))), expected);
    }
}

#[test]
fn a_resume_is_answered_by_its_verdict() {
    let address = Address { channel: "/files".into(), reference: None };
    for (broken, reason) in
        [(None, None), (Some(Reason::Epoch), Some("epoch")), (Some(Reason::Retention), Some("expired"))]
    {
        let notice = Notice::Resumed { position: Position::new("e1".into(), 3), broken };
        let verdict: Value = serde_json::from_str(&Files.encode(&address, &notice).unwrap()).unwrap();
        let mut expected = json!({"type": "resume", "complete": broken.is_none(), "position": "e1:3"});
        if let Some(reason) = reason {
            expected["reason"] = json!(reason);
        }
        assert_eq!(verdict, expected);
    }
    assert_eq!(Files.encode(&address, &Notice::List { rows: &[], position: None }), None);
}

#[test]
fn whatever_clients_say_is_dropped() {
    for text in ["", "{", "null", r#"{"handler":"watch"}"#] {
        assert!(matches!(Files.decode(&"".into(), text), Heard::Nothing), "{text}");
    }
    assert_eq!(Files.goodbye(Goodbye::Expired), Farewell::Close(1008, "token expired".into()));
    assert!(matches!(Files.goodbye(Goodbye::Slow), Farewell::Close(1013, _)));
}
