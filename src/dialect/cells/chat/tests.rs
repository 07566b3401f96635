use super::*;
use crate::document::Document;
use proptest::prelude::*;
use serde_json::{Value, json};

fn asked(frame: Value) -> Option<Asked> {
    decode(frame.as_object().expect("a frame"))
}

fn workspace() -> RoomName {
    RoomName::Key(RoomKey { kind: Kind::Workspace, object: "ws-1".into() })
}

fn message() -> Message {
    Message {
        uuid: "m".into(),
        room: "r".into(),
        text: "hello2".to_owned(),
        author: "alice".to_owned(),
        timestamp: 1_700_000_000,
        activity: Value::Null,
        info: serde_json::Map::new(),
    }
}

#[test]
fn a_new_room_has_the_same_uuid_on_every_node() {
    let key = RoomKey { kind: Kind::Workspace, object: "ws-1".into() };
    assert_eq!(key.uuid(), "4a94a6f5-cab6-544f-98ce-4039d7f4865a");
}

#[test]
fn enums_come_by_name_or_number_and_the_type_may_be_absent() {
    let join = Asked::Join { room: workspace(), draft: Draft::default(), with_history: false };
    for frame in [
        json!({"@type": "JOIN", "Room": {"Type": "WORKSPACE", "RoomTypeObject": "ws-1"}}),
        json!({"Type": "JOIN", "Room": {"Type": 1, "RoomTypeObject": "ws-1", "Unknown": {}}}),
        json!({"@type": 0, "Room": {"Type": "WORKSPACE", "RoomTypeObject": "ws-1", "LastUpdated": "7", "Users": ["a"]}}),
        json!({"Room": {"Type": "WORKSPACE", "RoomTypeObject": "ws-1", "RoomLabel": null}, "Message": null, "x": 1}),
        json!({"Room": {"Type": "WORKSPACE", "RoomTypeObject": "ws-1"}, "Message": {"Message": "ping"}}),
    ] {
        assert_eq!(asked(frame.clone()), Some(join.clone()), "{frame}");
    }
    let room = json!({"Type": "WORKSPACE", "RoomTypeObject": "ws-1"});
    for (kind, number, meant) in
        [("LEAVE", 1, Asked::Leave(workspace())), ("HISTORY", 4, Asked::History(workspace(), Page::default()))]
    {
        assert_eq!(asked(json!({"@type": kind, "Room": room})), Some(meant.clone()));
        assert_eq!(asked(json!({"@type": number, "Room": room})), Some(meant));
    }
    let ping = json!({"@type": "JOIN", "Room": room, "Message": {"Message": "PING"}});
    assert_eq!(asked(ping), Some(Asked::Ping(workspace())));
    let delete = json!({"@type": "DELETE_MSG", "Message": {"Uuid": "m1", "Timestamp": "5", "Activity": {}}});
    assert_eq!(asked(delete), Some(Asked::Delete("m1".into())));
}

#[test]
fn a_room_without_an_object_is_named_by_its_uuid_and_the_key_asks_for_the_history() {
    let named = |room: Value| match asked(json!({"Room": room})) {
        Some(Asked::Join { room, draft, with_history }) => (room, draft.uuid, with_history),
        other => panic!("{other:?}"),
    };
    let global = RoomName::Key(RoomKey { kind: Kind::Global, object: "".into() });
    assert_eq!(named(json!({"Uuid": "r1"})), (RoomName::Uuid("r1".into()), Some("r1".into()), true));
    let both = json!({"Uuid": "r1", "Type": "WORKSPACE", "RoomTypeObject": "ws-1"});
    assert_eq!(named(both), (workspace(), Some("r1".into()), true));
    assert_eq!(named(json!({"Uuid": ""})), (global.clone(), None, true));
    assert_eq!(named(json!({})), (global, None, false));
}

#[test]
fn what_is_wrong_or_means_nothing_here_is_ignored() {
    let room = json!({"Type": "WORKSPACE", "RoomTypeObject": "ws-1"});
    for frame in [
        json!({}),
        json!({"@type": "SHOUT", "Room": room}),
        json!({"@type": 7, "Room": room}),
        json!({"@type": true, "Room": room}),
        json!({"@type": "ROOM_UPDATE", "Room": room}),
        json!({"@type": "DELETE_ROOM", "Room": room}),
        json!({"@type": "JOIN", "Room": {"Type": "ANY", "RoomTypeObject": "ws-1"}}),
        json!({"@type": "JOIN", "Room": {"Type": 4}}),
        json!({"@type": "JOIN", "Room": {"Type": "KITCHEN"}}),
        json!({"@type": "JOIN", "Room": {"RoomTypeObject": 1}}),
        json!({"@type": "JOIN", "Room": {"Users": "a"}}),
        json!({"@type": "JOIN", "Room": {"LastUpdated": "x"}}),
        json!({"@type": "JOIN", "Room": "ws-1"}),
        json!({"@type": "JOIN", "Message": {"Message": "PING"}}),
        json!({"@type": "HISTORY"}),
        json!({"@type": "POST", "Room": room}),
        json!({"@type": "POST", "Message": {"Message": "x"}}),
        json!({"@type": "POST", "Message": {"RoomUuid": "r", "Message": 1}}),
        json!({"@type": "POST", "Message": {"RoomUuid": "r", "Message": "x", "Activity": "y"}}),
        json!({"@type": "POST", "Message": {"RoomUuid": "r", "Message": "x", "Timestamp": 1.5}}),
        json!({"@type": "DELETE_MSG", "Message": {"RoomUuid": "r"}}),
    ] {
        assert_eq!(asked(frame.clone()), None, "{frame}");
    }
}

#[test]
fn a_page_is_read_whatever_its_letters_and_what_cannot_be_read_is_zero() {
    for (text, offset, limit) in [
        (r#"{"Offset":10,"Limit":40}"#, 10, 40),
        (r#"{"offset":"10","LIMIT":40}"#, 10, 40),
        (r#"{"Offset":-1,"Limit":"x"}"#, 0, 0),
        ("{}", 0, 0),
        ("", 0, 0),
        ("[1]", 0, 0),
    ] {
        let frame =
            json!({"@type": "HISTORY", "Room": {"Type": 1, "RoomTypeObject": "ws-1"}, "Message": {"Message": text}});
        assert_eq!(asked(frame), Some(Asked::History(workspace(), Page { offset, limit })), "{text}");
    }
}

#[test]
fn a_post_names_its_room_by_uuid_or_by_the_room_and_has_texts_as_info() {
    let post = |message: Value| match asked(json!({"@type": "POST", "Message": message, "Room": {"Uuid": "r2"}})) {
        Some(Asked::Post(post)) => post,
        other => panic!("{other:?}"),
    };
    let named = post(json!({"Uuid": "m", "RoomUuid": "r", "Message": "x", "Info": {"a": "b"}}));
    assert_eq!((named.room, named.edits, named.text), (RoomName::Uuid("r".into()), Some("m".into()), "x".to_owned()));
    assert_eq!(Value::from(named.info), json!({"a": "b"}));
    let other = post(json!({"Message": "x", "Uuid": "", "Info": {"a": 1}}));
    assert_eq!((other.room, other.edits), (RoomName::Uuid("r2".into()), None));
    assert!(other.info.is_empty());
}

#[test]
fn frames_are_written_as_the_contract_shows_them() {
    let key = RoomKey { kind: Kind::Workspace, object: "ws-1".into() };
    let users = vec!["alice".to_owned(), "bob".to_owned()];
    let room = Room { uuid: "r".into(), key, label: String::new(), users, last_updated: 0 };
    let update = r#"{"@type":"ROOM_UPDATE","Room":{"Uuid":"r","Type":"WORKSPACE","RoomTypeObject":"ws-1","Users":["alice","bob"]}}"#;
    assert_eq!(room_update(&room), update);
    let global = RoomKey { kind: Kind::Global, object: "".into() };
    let room = Room { key: global, label: "All".to_owned(), users: Vec::new(), last_updated: 5, ..room };
    let update = r#"{"@type":"ROOM_UPDATE","Room":{"Uuid":"r","Type":"GLOBAL","RoomLabel":"All","LastUpdated":5}}"#;
    assert_eq!(room_update(&room), update);

    let plain = r#"{"Uuid":"m","RoomUuid":"r","Message":"hello2","Author":"alice","Timestamp":"1700000000"}"#;
    assert_eq!(bare_message(&message()), plain);
    let activity = json!({"items": [{"markdown": "hello", "updated": "2023-11-14T22:14:00Z"}]});
    let info = json!({"b": "1", "a": "2"}).as_object().cloned().unwrap_or_default();
    let edited = Message { activity, info, ..message() };
    let told = r#"{"Uuid":"m","RoomUuid":"r","Message":"hello2","Author":"alice","Timestamp":"1700000000","Activity":{"items":[{"updated":"2023-11-14T22:14:00Z","markdown":"hello"}]},"Info":{"a":"2","b":"1"}}"#;
    assert_eq!(bare_message(&edited), told);
    assert_eq!(message_deleted(&message()), format!(r#"{{"@type":"DELETE_MSG","Message":{plain}}}"#));
    let more = r#"{"@type":"MAY_HAVE_MORE","RoomUuid":"r","Timestamp":1700000000,"Offset":40,"Limit":40}"#;
    assert_eq!(may_have_more("r", 1_700_000_000, Page { offset: 0, limit: 40 }), more);
    let more = r#"{"@type":"MAY_HAVE_MORE","RoomUuid":"","Timestamp":0,"Offset":1,"Limit":0}"#;
    assert_eq!(may_have_more("", 0, Page { offset: 1, limit: 0 }), more);
}

#[test]
fn what_another_service_says_is_read_leniently_and_passed_on_without_the_rest() {
    let message = json!({"Uuid": "m", "RoomUuid": "r", "Message": "x", "Author": "bob", "Timestamp": "7", "Secret": 1});
    let told = r#"{"Uuid":"m","RoomUuid":"r","Message":"x","Author":"bob","Timestamp":"7"}"#;
    match published(&json!({"Message": message, "Room": {"Uuid": "r"}})) {
        Some(Published::Message(message)) => assert_eq!(bare_message(&message), told),
        other => panic!("{other:?}"),
    }
    match published(&json!({"Message": message, "Details": "DELETE"})) {
        Some(Published::Deleted(message)) => assert_eq!(bare_message(&message), told),
        other => panic!("{other:?}"),
    }
    let room =
        json!({"Uuid": "r", "Type": 3, "RoomTypeObject": "n-1", "Users": ["b", "a"], "LastUpdated": "5", "x": 1});
    let told = r#"{"@type":"ROOM_UPDATE","Room":{"Uuid":"r","Type":"NODE","RoomTypeObject":"n-1","Users":["a","b"],"LastUpdated":5}}"#;
    match published(&json!({"Room": room, "Message": null})) {
        Some(Published::Room(room)) => assert_eq!(room_update(&room), told),
        other => panic!("{other:?}"),
    }
    assert_eq!(published(&json!({"Room": {"Type": "ANY"}})), Some(Published::Nothing));
    assert_eq!(published(&json!({})), Some(Published::Nothing));
    for bad in [json!([]), json!({"Room": 1}), json!({"Message": {"Uuid": 1}}), json!({"Message": {"Info": {"a": 1}}})]
    {
        assert_eq!(published(&bad), None, "{bad}");
    }
}

#[test]
fn only_harmless_html_is_kept() {
    for (text, clean) in [
        ("a & b", "a &amp; b"),
        ("<script>x</script>hi", "hi"),
        (r#"<b onclick="x">y</b>"#, "<b>y</b>"),
        ("a & b<script>x</script>", "a &amp; b"),
        ("say \"hi\" & 'ho'", "say \"hi\" &amp; 'ho'"),
        ("1 < 2 > 0", "1 &lt; 2 &gt; 0"),
        ("a\u{a0}b &nbsp; c", "a\u{a0}b \u{a0} c"),
        ("<!-- x -->y", "y"),
        ("<font color=red>x</font><blink>y</blink>", "xy"),
        ("<style>x</style><iframe>x</iframe><object>x</object><embed>y", "y"),
        ("<svg><text>x</text></svg><math>x</math><template>x</template><noscript>x</noscript>y", "y"),
        ("<textarea><b>x</b></textarea>", "&lt;b&gt;x&lt;/b&gt;"),
        (r#"<span title="t" style="x" class="y" id="z">s</span>"#, r#"<span title="t">s</span>"#),
        (r#"<a href="https://x.org/?a=1&b=2">l</a>"#, r#"<a href="https://x.org/?a=1&amp;b=2" rel="nofollow">l</a>"#),
        (
            r#"<a href="mailto:a@x.org" rel="me" target="_blank">l</a>"#,
            r#"<a href="mailto:a@x.org" rel="nofollow">l</a>"#,
        ),
        (r##"<a href="#top">l</a>"##, r##"<a href="#top" rel="nofollow">l</a>"##),
        (r#"<a href="javascript:x">l</a><a title=" href=">m</a>"#, r#"<a>l</a><a title=" href=">m</a>"#),
        (r#"<a href=" java	script:x">l</a><a href="data:x">m</a>"#, "<a>l</a><a>m</a>"),
        (
            r#"<img src="/i.png" alt="i" width="1" height="2" onerror="x">"#,
            r#"<img src="/i.png" alt="i" width="1" height="2">"#,
        ),
        (r#"<img src="mailto:a@x.org"><img src="data:x">"#, "<img><img>"),
        (
            r#"<table><tr><td colspan="2" rowspan="1" bgcolor="x">c</td></tr></table>"#,
            r#"<table><tbody><tr><td colspan="2" rowspan="1">c</td></tr></tbody></table>"#,
        ),
        ("<b>open", "<b>open</b>"),
        ("", ""),
    ] {
        assert_eq!(sanitised(text), clean, "{text}");
        assert_eq!(sanitised(clean), clean, "a second pass over {clean}");
    }
}

#[test]
fn what_never_settles_is_stored_as_text() {
    let stubborn = format!("<pre>{}x</pre><script>y</script>", "\n".repeat(100));
    let clean = sanitised(&stubborn);
    assert_eq!(sanitised(&clean), clean);
    assert!(!clean.contains("<script"));
}

#[test]
fn what_is_nested_too_deeply_is_stored_as_text() {
    let nested = |depth: usize| format!("{}x{}", "<b>".repeat(depth), "</b>".repeat(depth));
    assert_eq!(sanitised(&nested(100)), nested(100));
    for text in [nested(101), "<i>".repeat(20_000), "<i><table></i></table>".repeat(101)] {
        let clean = sanitised(&text);
        assert!(!clean.contains('<') && clean.contains("&lt;"), "{clean}");
        assert_eq!(sanitised(&clean), clean);
    }
}

proptest! {
    #[test]
    fn a_second_pass_changes_nothing(parts in prop::collection::vec(part(), 0..12)) {
        let clean = sanitised(&parts.concat());
        prop_assert_eq!(sanitised(&clean), clean);
    }

    #[test]
    fn no_frame_can_do_harm(text in "\\PC*", number in any::<i64>()) {
        let parts = [json!(text), json!(number), json!({"Uuid": text, "Type": number, "Message": text}), Value::Null];
        for (a, b) in parts.iter().flat_map(|a| parts.iter().map(move |b| (a, b))) {
            let frame = json!({"@type": a, "Room": b, "Message": a});
            let _ = decode(Document::new(frame).value().as_object().expect("a frame"));
        }
    }
}

/// Pieces of HTML that mean something only together.
fn part() -> impl Strategy<Value = String> {
    let names = "(a|b|p|div|table|tr|td|li|pre|svg|math|script|style|textarea|select|template|h1|q|img|form|font)";
    let regex = |pattern: String| prop::string::string_regex(&pattern).expect("a pattern");
    prop_oneof![
        regex(format!("<{names}( href=x| title=\"&quot;<\"| src=y)?>")),
        regex(format!("</{names}>")),
        regex("[a-z<>&\"'\n\u{a0} ]{0,4}".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("&lt;b&gt;".to_owned()),
    ]
}
