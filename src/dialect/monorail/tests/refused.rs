//! Bad input: what is met with silence, what is answered, and how.

use super::*;
use crate::message::{Asked, Code, Refusal};
use serde_json::json;

/// What the client hears of a message that the dialect itself refuses, without a `ref` and with one.
fn answers(channel: &str, message: &str) -> [Option<Value>; 2] {
    let referenced = message.replacen('{', r#"{"ref":{"a":1},"#, 1);
    [message, &referenced].map(|text| match hear(channel, text) {
        Heard::Refused(address, refusal) => tell(&address, &Notice::Refused(&refusal)),
        Heard::Nothing => None,
        Heard::Request(request) => panic!("{text} is taken for {request:?}"),
    })
}

fn word(answer: &Option<Value>) -> Option<(&str, u64)> {
    let params = &answer.as_ref()?["params"];
    Some((params["error"].as_str()?, params["status"].as_u64()?))
}

#[test]
fn what_is_no_message_is_silence() {
    let deep = format!(r#"{{"handler":"query","ref":1,"params":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    for text in [
        "",
        " ",
        "null",
        "7",
        r#""watch""#,
        "[]",
        r#"[{"handler":"init","ref":1}]"#,
        "{",
        r#"{"handler":"init","ref":1"#,
        r#"{"handler":"init","ref":1}}"#,
        r#"{handler:"init"}"#,
        "\u{feff}{}",
        "\0",
        r#"{"handler":"error","ref":1,"params":{}}"#,
        &deep,
    ] {
        assert!(matches!(hear("nodes", text), Heard::Nothing), "{text}");
    }
}

#[test]
fn refusals_of_the_dialect_itself_follow_the_table() {
    let malformed = (None, Some(("E_MALFORMED", 400)));
    let handler = (None, Some(("E_HANDLER", 400)));
    let resource = (None, Some(("E_RESOURCE", 404)));
    let criteria = (Some(("E_UNKNOWN", 500)), Some(("E_UNKNOWN", 500)));
    let unsupported = (None, Some(("E_UNSUPPORTED", 400)));
    for (channel, text, expected) in [
        ("nodes", r#"{"a":1}"#, handler),
        ("nodes", r#"{"handler":null}"#, handler),
        ("nodes", r#"{"handler":7}"#, handler),
        ("nodes", r#"{"handler":["watch"]}"#, handler),
        ("nodes", r#"{"handler":""}"#, handler),
        ("nodes", r#"{"handler":"Watch"}"#, handler),
        ("nodes", r#"{"handler":"toString"}"#, handler),
        ("nodes", r#"{"handler":"constructor"}"#, handler),
        ("nodes", r#"{"handler":"__proto__"}"#, handler),
        ("", r#"{"handler":"watch"}"#, resource),
        ("", r#"{"handler":"query","resource":""}"#, resource),
        ("", r#"{"handler":"get"}"#, resource),
        ("nodes", r#"{"handler":"watch","resource":7}"#, resource),
        ("nodes", r#"{"handler":"query","resource":true}"#, resource),
        ("nodes", r#"{"handler":"get","resource":{}}"#, resource),
        ("nodes", r#"{"handler":"barrier","resource":["nodes"]}"#, resource),
        ("nodes", r#"{"handler":"get"}"#, criteria),
        ("nodes", r#"{"handler":"get","params":null}"#, criteria),
        ("nodes", r#"{"handler":"get","params":{}}"#, criteria),
        ("mq", r#"{"handler":"watch"}"#, malformed),
        ("mq", r#"{"handler":"watch","params":"on.events"}"#, malformed),
        ("mq", r#"{"handler":"watch","params":{"routingKey":"a"}}"#, malformed),
        ("mq", r#"{"handler":"watch","params":{"exchange":"on.events"}}"#, malformed),
        ("mq", r#"{"handler":"watch","params":{"exchange":"on.events","routingKey":""}}"#, malformed),
        ("mq", r#"{"handler":"watch","params":{"exchange":"","routingKey":"a"}}"#, malformed),
        ("mq", r#"{"handler":"watch","params":{"exchange":"on.events","routingKey":7}}"#, malformed),
        ("mq", r#"{"handler":"get"}"#, unsupported),
        ("mq", r#"{"handler":"query","params":{}}"#, unsupported),
        ("nodes", r#"{"handler":"watch","params":true}"#, malformed),
        ("nodes", r#"{"handler":"query","params":false}"#, malformed),
        ("nodes", r#"{"handler":"get","params":true}"#, malformed),
        ("nodes", r#"{"handler":"query","params":["a",{"b":1}]}"#, malformed),
        ("nodes", r#"{"handler":"query","params":[true]}"#, malformed),
        ("nodes", r#"{"handler":"query","params":{"where":"n1"}}"#, malformed),
        ("nodes", r#"{"handler":"query","params":{"a":"\ud800"}}"#, malformed),
        ("nodes", r#"{"handler":"query","params":{"a":1e999}}"#, malformed),
        ("nodes", r#"{"handler":"query","params":{"limit":"2"}}"#, malformed),
        ("nodes", r#"{"handler":"query","params":{"a":{"$foo":1}}}"#, malformed),
        ("nodes", r#"{"handler":"get","params":{"a":{"$foo":1}}}"#, malformed),
        ("nodes", r#"{"handler":"watch","params":{"a":{"$foo":1}}}"#, malformed),
        ("nodes", r#"{"handler":"query","options":7}"#, malformed),
        ("nodes", r#"{"handler":"query","options":{"limit":-1}}"#, malformed),
        ("nodes", r#"{"handler":"all","options":{"fields":"name"}}"#, malformed),
        ("nodes", r#"{"handler":"watch","options":{"skip":"2"}}"#, malformed),
        ("nodes", r#"{"handler":"watch","initial":1}"#, malformed),
        ("nodes", r#"{"handler":"watch","since":7}"#, malformed),
        ("nodes", r#"{"handler":"watch","positions":"yes"}"#, malformed),
        ("nodes", r#"{"handler":"watch","progress":"1"}"#, malformed),
        ("nodes", r#"{"handler":"watch","progress":true}"#, malformed),
        ("nodes", r#"{"handler":"watch","patch":{}}"#, malformed),
    ] {
        let [silent, referenced] = answers(channel, text);
        assert_eq!((word(&silent), word(&referenced)), expected, "{text} on /{channel}");
        if let Some(answer) = referenced {
            assert_eq!(answer["ref"], json!({"a": 1}), "{text}");
        }
    }
}

#[test]
fn a_stop_is_never_answered() {
    for text in [r#"{"handler":"stop","resource":7}"#, r#"{"handler":"stop","params":{"a":"\ud800"}}"#] {
        let Heard::Refused(address, refusal) = hear("nodes", text) else { panic!("{text}") };
        assert_eq!(tell(&address, &Notice::Refused(&refusal)), None);
        let referenced = Address { reference: Some(Reference("1".into())), ..address };
        assert_eq!(tell(&referenced, &Notice::Refused(&refusal)), None, "{text}");
    }
}

#[test]
fn refusals_of_a_session_follow_the_table() {
    use Asked::{Barrier, Read, Unknown, Watch};
    for (code, asked, channel, word, status, aloud) in [
        (Code::Handler, Unknown, "nodes", "E_HANDLER", 400, false),
        (Code::Resource, Read, "nodes", "E_RESOURCE", 404, false),
        (Code::Resource, Watch, "nodes", "E_RESOURCE", 404, false),
        (Code::Resource, Barrier, "nodes", "E_RESOURCE", 404, false),
        (Code::Resource, Watch, "mq", "E_EXCHANGE", 400, true),
        (Code::Resource, Read, "mq", "E_UNSUPPORTED", 400, false),
        (Code::NoCriteria, Read, "nodes", "E_UNKNOWN", 500, true),
        (Code::Store, Read, "nodes", "E_STORE", 500, true),
        (Code::TooMany, Read, "nodes", "E_TOO_MANY", 500, true),
        (Code::Store, Watch, "nodes", "E_STORE", 500, false),
        (Code::TooMany, Watch, "nodes", "E_TOO_MANY", 500, false),
        (Code::Malformed, Watch, "mq", "E_MALFORMED", 400, false),
        (Code::Unsupported, Read, "mq", "E_UNSUPPORTED", 400, false),
        (Code::Limit, Watch, "nodes", "E_LIMIT", 429, false),
        (Code::Barrier, Barrier, "nodes", "E_BARRIER", 504, false),
    ] {
        let refusal = Refusal { code, asked, summary: "a \"reason\"".to_owned() };
        let params = json!({"error": word, "status": status, "summary": "a \"reason\"", "name": "Error",
                            "message": "a \"reason\""});
        let error = json!({"handler": "error", "resource": channel, "params": params});
        let told = tell(&address(channel, None), &Notice::Refused(&refusal));
        assert_eq!(told, aloud.then(|| error.clone()), "{code:?} {asked:?} without a reference");
        let mut referenced = error;
        referenced["ref"] = json!(1);
        assert_eq!(tell(&address(channel, Some("1")), &Notice::Refused(&refusal)), Some(referenced));
    }
}

#[test]
fn an_error_leaves_the_resource_out_when_none_was_named() {
    let refusal = Refusal { code: Code::Handler, asked: Asked::Unknown, summary: String::new() };
    let told = tell(&address("", Some("1")), &Notice::Refused(&refusal)).unwrap();
    assert!(told.get("resource").is_none());
}
