//! What following one resource means, without a socket: what to ask on each connection, what each message
//! says, and the position from which the next connection goes on.

use serde_json::{Map, Value, json};
use std::fmt;

/// The reference of our watch, and of the barrier that tells where it stands.
const WATCH: &str = "tail";
const BARRIER: &str = "tail-stands";

/// Seconds after which the server tells of its progress though nothing happened.
const PROGRESS: u64 = 15;

/// One resource being followed.
#[derive(Debug)]
pub(super) struct Follow {
    resource: String,
    filter: Value,
    initial: bool,
    position: Option<String>,
    /// The history is broken and its position not to be believed before the list that replaces it is here.
    awaits_list: bool,
}

/// One line of the output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// `listed`, `created`, `updated`, `removed`; `reset`: forget everything, a fresh list follows.
    pub(super) event: String,
    /// The key; of a reset, the reason.
    pub(super) id: String,
    pub(super) document: Option<Value>,
    pub(super) position: Option<String>,
}

/// What a message says.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// These changes, perhaps none.
    Lines(Vec<Line>),
    /// The server does not do this; asking again would not help.
    Refused(String),
}

impl Follow {
    /// Follows a resource, from a position if there is one, else from a list or from now on.
    pub(super) fn new(resource: String, filter: Map<String, Value>, initial: bool, since: Option<String>) -> Follow {
        Follow { resource, filter: Value::Object(filter), initial, position: since, awaits_list: false }
    }

    /// What to send when a connection is open.
    pub(super) fn asks(&self) -> [String; 2] {
        let mut watch = json!({
            "handler": "watch", "resource": self.resource, "params": self.filter, "ref": WATCH,
            "positions": true, "progress": PROGRESS,
        });
        match &self.position {
            Some(position) => watch["since"] = position.as_str().into(),
            None => watch["initial"] = self.initial.into(),
        }
        // Tells a position even if nothing ever changes, so that nothing is lost with the connection.
        let barrier = json!({"handler": "barrier", "resource": self.resource, "ref": BARRIER});
        [watch.to_string(), barrier.to_string()]
    }

    /// Takes a message. What is not understood is passed over: a later server may say more.
    pub(super) fn hear(&mut self, text: &str) -> Heard {
        let Ok(Value::Object(mut message)) = serde_json::from_str::<Value>(text) else {
            return Heard::Lines(Vec::new());
        };
        let reference = message.get("ref").and_then(Value::as_str).unwrap_or_default().to_owned();
        let handler = message.get("handler").and_then(Value::as_str).unwrap_or_default().to_owned();
        if reference != WATCH && !(reference == BARRIER && handler == "barrier") {
            return Heard::Lines(Vec::new());
        }
        let position = message.get("position").and_then(Value::as_str).map(str::to_owned);
        let lines = match handler.as_str() {
            "error" => return Heard::Refused(refusal(&message)),
            "list" => {
                self.awaits_list = false;
                listed(message.remove("items"), position.as_ref())
            }
            "resumed" if message.get("complete") == Some(&Value::Bool(false)) => {
                self.awaits_list = true;
                let reason = message.get("reason").and_then(Value::as_str).unwrap_or("unknown");
                vec![Line::new("reset", reason, None, None)]
            }
            "item" | "remove" => changed(&handler, message, position.as_ref()).into_iter().collect(),
            _ => Vec::new(),
        };
        if let Some(position) = position.filter(|_| !self.awaits_list) {
            self.position = Some(position);
        }
        Heard::Lines(lines)
    }
}

fn listed(items: Option<Value>, position: Option<&String>) -> Vec<Line> {
    let Some(Value::Array(items)) = items else { return Vec::new() };
    let last = items.len().saturating_sub(1);
    let line = |(index, document): (usize, Value)| {
        let id = document.get("id").map(text_of).unwrap_or_default();
        // The list's position is safe only once all of it has been seen.
        Line::new("listed", &id, Some(document), position.filter(|_| index == last).cloned())
    };
    items.into_iter().enumerate().map(line).collect()
}

/// `item` with `[word, key]`, or the topic of a message; `remove` with the key.
fn changed(handler: &str, mut message: Map<String, Value>, position: Option<&String>) -> Option<Line> {
    let document = message.remove("data");
    let (event, id) = match (handler, message.remove("id")?) {
        ("remove", id) => ("removed".to_owned(), text_of(&id)),
        (_, Value::Array(pair)) => (text_of(pair.first()?), text_of(pair.get(1)?)),
        (_, id) => ("appended".to_owned(), text_of(&id)),
    };
    Some(Line::new(&event, &id, document, position.cloned()))
}

fn refusal(message: &Map<String, Value>) -> String {
    let part = |name| message.get("params").and_then(|params| params.get(name)).and_then(Value::as_str);
    format!("the server refuses: {} ({})", part("summary").unwrap_or("no reason"), part("error").unwrap_or("no code"))
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Line {
    fn new(event: &str, id: &str, document: Option<Value>, position: Option<String>) -> Line {
        Line { event: event.to_owned(), id: id.to_owned(), document, position }
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> String {
        let mut object = json!({"event": self.event, "id": self.id});
        if let Some(document) = &self.document {
            object["data"] = document.clone();
        }
        if let Some(position) = &self.position {
            object["position"] = position.as_str().into();
        }
        object.to_string()
    }
}

/// For people: the word, the key, the document. Control characters of a key cannot reach the terminal.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String = self.id.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
        write!(f, "{:<8} {id}", self.event)?;
        self.document.iter().try_for_each(|document| write!(f, "  {document}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(since: Option<&str>) -> Follow {
        let filter = json!({"type": "compute"}).as_object().cloned().unwrap_or_default();
        Follow::new("nodes".to_owned(), filter, true, since.map(str::to_owned))
    }

    fn watch(follow: &Follow) -> Value {
        serde_json::from_str(&follow.asks()[0]).unwrap()
    }

    fn lines(follow: &mut Follow, message: Value) -> Vec<String> {
        match follow.hear(&message.to_string()) {
            Heard::Lines(lines) => lines.iter().map(Line::to_string).collect(),
            Heard::Refused(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn every_change_is_one_line() {
        let mut follow = follow(None);
        for (message, wanted) in [
            (json!({"handler": "session", "id": "x"}), vec![]),
            (
                json!({"handler": "list", "items": [{"id": "a"}, {"id": 7}], "position": "e:1", "ref": "tail"}),
                vec![r#"listed   a  {"id":"a"}"#, r#"listed   7  {"id":7}"#],
            ),
            (
                json!({"handler": "item", "id": ["created", "b"], "data": {"id": "b"}, "position": "e:2", "ref": "tail"}),
                vec![r#"created  b  {"id":"b"}"#],
            ),
            (
                json!({"handler": "remove", "id": "b", "params": {"id": "b"}, "data": {"id": "b"}, "ref": "tail"}),
                vec![r#"removed  b  {"id":"b"}"#],
            ),
            (
                json!({"handler": "item", "id": "graph.started", "data": 5, "ref": "tail"}),
                vec!["appended graph.started  5"],
            ),
            (json!({"handler": "item", "id": ["created", "else"], "data": {}}), vec![]),
            (json!({"handler": "item", "ref": "tail"}), vec![]),
            (json!({"handler": "item", "id": [], "ref": "tail"}), vec![]),
            (json!({"handler": "list", "items": 4, "ref": "tail"}), vec![]),
            (json!([1]), vec![]),
        ] {
            assert_eq!(lines(&mut follow, message.clone()), wanted, "{message}");
        }
    }

    #[test]
    fn the_next_connection_goes_on_where_this_one_was() {
        let mut follow = follow(None);
        assert_eq!((watch(&follow)["initial"].clone(), watch(&follow).get("since")), (true.into(), None));
        for (message, position) in [
            (json!({"handler": "barrier", "ref": "tail-stands", "position": "e:1"}), "e:1"),
            (json!({"handler": "item", "id": ["updated", "a"], "ref": "tail", "position": "e:2"}), "e:2"),
            (json!({"handler": "progress", "ref": "tail", "position": "e:3"}), "e:3"),
            (json!({"handler": "resumed", "complete": true, "ref": "tail", "position": "e:3"}), "e:3"),
        ] {
            lines(&mut follow, message);
            assert_eq!(watch(&follow)["since"], position);
            assert_eq!(watch(&follow).get("initial"), None);
        }
    }

    #[test]
    fn a_broken_history_is_told_and_its_position_waits_for_the_list() {
        let mut follow = follow(Some("old:9"));
        let broken =
            json!({"handler": "resumed", "complete": false, "reason": "epoch", "position": "e:5", "ref": "tail"});
        assert_eq!(lines(&mut follow, broken), ["reset    epoch"]);
        lines(&mut follow, json!({"handler": "barrier", "ref": "tail-stands", "position": "e:6"}));
        assert_eq!(watch(&follow)["since"], "old:9");
        lines(&mut follow, json!({"handler": "list", "items": [], "position": "e:6", "ref": "tail"}));
        assert_eq!(watch(&follow)["since"], "e:6");
    }

    #[test]
    fn the_position_of_a_list_comes_with_its_last_row() {
        let list = json!({"handler": "list", "items": [{"id": 1}, {"id": 2}], "position": "e:1", "ref": "tail"});
        let Heard::Lines(lines) = follow(None).hear(&list.to_string()) else { panic!("refused") };
        let positions: Vec<_> = lines.iter().map(|line| line.position.as_deref()).collect();
        assert_eq!(positions, [None, Some("e:1")]);
    }

    #[test]
    fn a_refused_watch_is_the_end_and_a_refused_barrier_is_not() {
        let error = |reference: &str| json!({"handler": "error", "ref": reference, "params": {"error": "E_RESOURCE", "summary": "no such resource"}});
        let told = follow(None).hear(&error("tail").to_string());
        assert_eq!(told, Heard::Refused("the server refuses: no such resource (E_RESOURCE)".to_owned()));
        assert_eq!(follow(None).hear(&error("tail-stands").to_string()), Heard::Lines(Vec::new()));
    }

    #[test]
    fn a_line_in_json_carries_its_position_and_a_key_cannot_write_to_the_terminal() {
        let line = Line::new("created", "a\u{1b}[2Jb", Some(json!({"id": "a"})), Some("e:1".to_owned()));
        assert_eq!(line.json(), r#"{"data":{"id":"a"},"event":"created","id":"a\u001b[2Jb","position":"e:1"}"#);
        assert!(line.to_string().starts_with("created  a\u{fffd}[2Jb"));
    }
}
