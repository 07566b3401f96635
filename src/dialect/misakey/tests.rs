use super::*;
use crate::audience::Audience;
use crate::document::Document;
use crate::event::{Operation, ResourceEvent, Stamp};
use crate::message::{Shape, Transition};
use serde_json::{Value, json};

const ANN: &str = "a11ce000-0000-4000-8000-000000000001";
const BOB: &str = "b0b00000-0000-4000-8000-000000000002";

const DIALECT: Misakey = Misakey { close_style: CloseStyle::Drop };

fn entry(message: Message) -> Entry {
    let event = ResourceEvent {
        resource: "messages".into(),
        id: "1".into(),
        operation: Operation::Appended,
        before: None,
        after: Some(message.document()),
        time: Timestamp(0),
        stamp: Stamp::None,
    };
    Entry { offset: 1, audience: Audience::Everyone, event }
}

/// What somebody is told of a message.
fn told(message: Message, reader: &str, position: Option<&str>) -> String {
    let entry = entry(message);
    let sight = Sight { subject: Some(reader.into()), ..Sight::default() };
    let notice = Notice::Change {
        entry: &entry,
        transition: Transition::Appended,
        shape: Shape::Whole,
        variant: DIALECT.variant(&entry, &sight, Timestamp(0)),
        position: position.map(|text| text.parse().expect("a position")),
    };
    DIALECT.encode(&address(), &notice).expect("a text")
}

fn kick() -> Message {
    let person =
        |id: &str| identity(id, &json!({"display_name": "é", "identifier_value": "x@y", "identifier_kind": "email"}));
    let object = json!({
        "type": "member.kick", "content": {"kicker": person(ANN), "kicker_id": ANN}, "box_id": "b", "id": "1",
        "server_event_created_at": "2021-01-19T08:14:51Z", "referrer_id": null, "sender": person(BOB),
    });
    Message::Event { object, creator: Some(ANN.to_owned()) }
}

#[test]
fn an_event_has_an_open_text_for_the_creator_of_the_box_and_an_opaque_one_for_others() {
    let text = |value: &str, kind: &str| {
        let person = |id| {
            format!(
                r#"{{"id":"{id}","display_name":"é","avatar_url":null,"identifier_value":"{value}","identifier_kind":"{kind}"}}"#
            )
        };
        format!(
            r#"{{"type":"event.new","object":{{"type":"member.kick","content":{{"kicker":{}}},"box_id":"b","id":"1","server_event_created_at":"2021-01-19T08:14:51Z","referrer_id":null,"sender":{}}}}}"#,
            person(ANN),
            person(BOB)
        )
    };
    assert_eq!(told(kick(), ANN, None), text("x@y", "email"));
    assert_eq!(told(kick(), BOB, None), text("", ""));
    let placed = told(kick(), BOB, Some("e1:7"));
    assert_eq!(placed, text("", "").strip_suffix('}').expect("an object").to_owned() + r#","position":"e1:7"}"#);
}

#[test]
fn every_message_has_its_keys_in_one_order() {
    for (message, expected) in [
        (
            Message::BoxDelete { id: "b".into(), sender: None, public_key: Value::Null },
            r#"{"type":"box.delete","object":{"id":"b","sender_id":null,"public_key":null}}"#,
        ),
        (
            Message::BoxSettings {
                object: json!({"box_id": "b", "identity_id": "i", "muted": true, "owner_org_id": "o"}),
            },
            r#"{"type":"box.settings","object":{"identity_id":"i","box_id":"b","muted":true,"owner_org_id":"o"}}"#,
        ),
        (
            Message::FileSaved { file: "f".into(), is_saved: false },
            r#"{"type":"file.saved","object":{"encrypted_file_id":"f","is_saved":false}}"#,
        ),
        (
            Message::Notification {
                object: json!({"id": 7, "type": "t", "details": null, "created_at": "c", "acknowledged_at": null}),
            },
            r#"{"type":"notification","object":{"id":7,"type":"t","details":null,"created_at":"c","acknowledged_at":null}}"#,
        ),
    ] {
        assert_eq!(told(message, ANN, None), expected);
    }
}

#[test]
fn an_acknowledgement_is_given_back_as_it_came_unless_positions_are_told() {
    let ack =
        |text: Option<&str>| Message::Ack { identity: "i".into(), box_id: "b".into(), text: text.map(Into::into) };
    let canonical = r#"{"type":"ack","object":{"sender_id":"i","box_id":"b"}}"#;
    assert_eq!(told(ack(Some("{ \"as\":\"it came\" }")), ANN, None), "{ \"as\":\"it came\" }");
    assert_eq!(told(ack(None), ANN, None), canonical);
    let placed = r#"{"type":"ack","object":{"sender_id":"i","box_id":"b"},"position":"e1:7"}"#;
    assert_eq!(told(ack(Some("{}")), ANN, Some("e1:7")), placed);
}

#[test]
fn a_resume_is_told_with_why_it_is_not_complete() {
    let verdict =
        |broken| DIALECT.encode(&address(), &Notice::Resumed { position: "e1:7".parse().expect("a position"), broken });
    for (broken, object) in [
        (None, r#"{"complete":true,"reason":null}"#),
        (Some(Reason::Epoch), r#"{"complete":false,"reason":"epoch"}"#),
        (Some(Reason::Retention), r#"{"complete":false,"reason":"trimmed"}"#),
        (Some(Reason::Source), r#"{"complete":false,"reason":"source"}"#),
    ] {
        let expected = format!(r#"{{"type":"resume","object":{object},"position":"e1:7"}}"#);
        assert_eq!(verdict(broken), Some(expected));
    }
}

#[test]
fn an_ack_is_read_whatever_the_case_of_its_keys_and_the_last_of_equal_ones_counts() {
    let ack = Some(Ack { identity: ANN.to_owned(), box_id: BOB.to_owned() });
    for text in [
        format!(r#"{{"type":"ack","object":{{"sender_id":"{ANN}","box_id":"{BOB}"}}}}"#),
        format!(
            r#" {{"more":[1,{{}},null,1.5,-1,true], "OBJECT":{{"Box_ID":"{BOB}","SENDER_id":"{}"}},"Type":"ack"}} "#,
            ANN.to_uppercase()
        ),
        format!(
            r#"{{"type":"x","TYPE":"ack","object":[],"object":{{"sender_id":"x","box_id":"{BOB}","Sender_Id":"{ANN}"}}}}"#
        ),
    ] {
        assert_eq!(Ack::parse(&text), ack, "{text}");
    }
    let deep = format!(
        r#"{{"type":"ack","object":{{"sender_id":"{ANN}","box_id":"{BOB}"}},"x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    for text in [
        "",
        " ",
        "null",
        "[]",
        "\"ack\"",
        "1",
        "{",
        "{}",
        r#"{"type":"ack"}"#,
        &deep,
        r#"{"type":"ack","object":[]}"#,
        &format!(r#"{{"type":"Ack","object":{{"sender_id":"{ANN}","box_id":"{BOB}"}}}}"#),
        &format!(r#"{{"type":"ack","Type":1,"object":{{"sender_id":"{ANN}","box_id":"{BOB}"}}}}"#),
        &format!(r#"{{"type":"ack","object":{{"sender_id":"{ANN}","box_id":"{BOB}","Box_id":null}}}}"#),
        &format!(r#"{{"type":"ack","object":{{"sender_id":"{ANN}","box_id":"{}"}}}}"#, BOB.replace('-', "")),
        &format!(r#"{{"type":"ack","object":{{"sender_id":"{ANN}","box_id":"box"}}}}"#),
        &format!(r#"{{"type":"ack","object":{{"sender_id":7,"box_id":"{BOB}"}}}}"#),
    ] {
        assert_eq!(Ack::parse(text), None, "{text}");
    }
}

#[test]
fn a_text_is_given_back_only_if_it_is_that_acknowledgement() {
    let ack = Ack { identity: ANN.to_owned(), box_id: BOB.to_owned() };
    let text = format!(r#"{{"type":"ack","object":{{"sender_id":"{ANN}","box_id":"{BOB}"}}}}"#);
    assert!(ack.is_said_by(&text));
    assert!(!ack.is_said_by(&text.replace(ANN, BOB)));
    assert!(!ack.is_said_by(&(text + &" ".repeat(MAX_BYTES))));
}

#[test]
fn a_client_that_stays_away_after_a_close_frame_is_sent_none() {
    let frame = Misakey { close_style: CloseStyle::Frame };
    for (goodbye, code) in [
        (Goodbye::GoingDown, 1012),
        (Goodbye::Expired, 1008),
        (Goodbye::Rights, 1008),
        (Goodbye::Silent, 1011),
        (Goodbye::Internal, 1011),
        (Goodbye::Slow, 1013),
    ] {
        let expected = if goodbye == Goodbye::Slow { Farewell::BreakOff } else { Farewell::End };
        assert_eq!(DIALECT.goodbye(goodbye), expected, "{goodbye:?}");
        assert_eq!(frame.goodbye(goodbye), Farewell::Close(code, goodbye.reason().into()));
    }
    for (goodbye, code) in [(Goodbye::TooBig, 1009), (Goodbye::Protocol, 1002), (Goodbye::NotUtf8, 1007)] {
        for style in [DIALECT, frame] {
            assert_eq!(style.goodbye(goodbye), Farewell::Close(code, goodbye.reason().into()));
        }
    }
}

#[test]
fn nobody_who_is_not_known_has_identifiers() {
    let unknown = json!({
        "id": "anonymous-user", "display_name": "Anonymous User", "avatar_url": null, "identifier_value": "",
        "identifier_kind": "",
    });
    assert_eq!(anonymous(), unknown);
    assert_eq!(Document::new(identity("i", &json!({}))).value()["display_name"], Value::Null);
}
