//! What an operator says to clients: to all of them, or to some, by connection, channel, resource, subject or role.
//! It is in no log; who is not connected misses it.
//!
//! ```json
//! {"data":{"handler":"notice","text":"back in a minute"},"to":{"channel":"nodes"},"skip":"1c2e…"}
//! ```

use crate::shard::{Handle, Visitor};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The longest text that is said, in bytes.
const LONGEST: usize = 64 * 1024;

/// Messages of the server's own: clients would believe them.
const OWN: [&str; 2] = ["error", "session"];

/// Something to say, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Broadcast {
    /// JSON, or any text.
    pub data: Arc<str>,
    /// `None`: everybody.
    to: Option<Selection>,
    skip: Option<Selection>,
}

/// Some of those who are connected.
#[derive(Debug, Clone, PartialEq)]
enum Selection {
    /// By what they know their connection by.
    Connections(Vec<String>),
    /// Those of whom all of this holds.
    Whoever(Vec<(Trait, String)>),
}

/// What tells clients apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trait {
    Connection,
    Dialect,
    Channel,
    Resource,
    Subject,
    Role,
}

/// The words for it.
const TRAITS: [(&str, Trait); 7] = [
    ("connection", Trait::Connection),
    ("dialect", Trait::Dialect),
    ("channel", Trait::Channel),
    ("resource", Trait::Resource),
    ("watching", Trait::Resource),
    ("subject", Trait::Subject),
    ("role", Trait::Role),
];

/// How many were told, and how many of those connected were not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub sent: u64,
    pub skipped: u64,
}

impl Broadcast {
    /// Reads `{"data":object|string,"to":S,"skip":S}`.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence for whoever sent it.
    pub fn parse(body: &Value) -> Result<Broadcast, String> {
        let body = body.as_object().ok_or("a broadcast is a JSON object")?;
        let data: Arc<str> = match body.get("data") {
            Some(Value::String(text)) => text.as_str().into(),
            Some(object @ Value::Object(fields)) => {
                check_handler(fields)?;
                object.to_string().into()
            }
            _ => return Err("data is an object or a string".to_owned()),
        };
        if data.len() > LONGEST {
            return Err(format!("data has at most {LONGEST} bytes"));
        }
        if let Ok(Value::Object(fields)) = serde_json::from_str(&data) {
            check_handler(&fields)?;
        }
        let selection = |name| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Selection::parse(name, value).map(Some),
        };
        Ok(Broadcast { data, to: selection("to")?, skip: selection("skip")? })
    }

    /// Whether this client is to hear it.
    pub fn is_for(&self, visitor: &Visitor) -> bool {
        self.to.as_ref().is_none_or(|to| to.has(visitor)) && !self.skip.as_ref().is_some_and(|skip| skip.has(visitor))
    }

    /// Says it on all shards.
    pub async fn say(self, shards: &[Handle]) -> Told {
        let (mut told, broadcast) = (Told::default(), Arc::new(self));
        for shard in shards {
            let own = broadcast.clone();
            let said = shard.ask(move |shard| shard.announce(&own.data, |visitor| own.is_for(visitor))).await;
            let (sent, skipped) = said.unwrap_or_default();
            told.sent += sent;
            told.skipped += skipped;
        }
        told
    }
}

/// Everybody who is connected, those first who came first.
pub async fn visitors(shards: &[Handle]) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for shard in shards {
        visitors.extend(shard.ask(|shard| shard.visitors()).await.unwrap_or_default());
    }
    visitors.sort_by(|one, other| one.opened.cmp(&other.opened).then_with(|| one.id.cmp(&other.id)));
    visitors
}

fn check_handler(fields: &Map<String, Value>) -> Result<(), String> {
    let handler = fields.get("handler").and_then(Value::as_str);
    match handler.filter(|handler| OWN.contains(handler)) {
        Some(own) => Err(format!("a message with the handler \"{own}\" is the server's own")),
        None => Ok(()),
    }
}

impl Selection {
    fn parse(name: &str, value: &Value) -> Result<Selection, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match value {
            Value::String(id) => Ok(Selection::Connections(vec![id.clone()])),
            Value::Array(ids) => {
                let ids: Option<Vec<String>> = ids.iter().map(text).collect();
                ids.map(Selection::Connections).ok_or_else(|| format!("{name} is a list of connections"))
            }
            Value::Object(fields) if fields.is_empty() => {
                Err(format!("{name} says nothing; leave it out for everybody"))
            }
            Value::Object(fields) => {
                let traits = fields.iter().map(|(key, value)| {
                    let known = TRAITS.iter().find(|(word, _)| word == key);
                    let (_, kind) = known.ok_or_else(|| format!("{name}.{key} is unknown; there are {}", words()))?;
                    let value = text(value).ok_or_else(|| format!("{name}.{key} is a string"))?;
                    Ok((*kind, value))
                });
                traits.collect::<Result<_, String>>().map(Selection::Whoever)
            }
            _ => Err(format!("{name} is a connection, a list of them, or an object like {{\"channel\":\"nodes\"}}")),
        }
    }

    fn has(&self, visitor: &Visitor) -> bool {
        match self {
            Selection::Connections(ids) => ids.iter().any(|id| **id == *visitor.id),
            Selection::Whoever(traits) => traits.iter().all(|(kind, value)| match kind {
                Trait::Connection => *visitor.id == **value,
                Trait::Dialect => visitor.dialect == value,
                Trait::Channel => visitor.channel.trim_start_matches('/') == value.trim_start_matches('/'),
                Trait::Resource => visitor.watching.iter().any(|resource| **resource == **value),
                Trait::Subject => visitor.subject.as_deref() == Some(value),
                Trait::Role => visitor.roles.iter().any(|role| **role == **value),
            }),
        }
    }
}

fn words() -> String {
    TRAITS.map(|(word, _)| word).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use serde_json::json;

    fn visitor() -> Visitor {
        Visitor {
            id: "c1".into(),
            dialect: "monorail",
            channel: "nodes".into(),
            watching: vec!["nodes".into(), "skus".into()],
            subject: Some("ann".into()),
            roles: vec!["ops".into()],
            opened: Timestamp::now(),
        }
    }

    #[test]
    fn a_selection_is_everybody_some_connections_or_those_of_whom_all_of_it_holds() {
        for (to, skip, is_for) in [
            (json!(null), json!(null), true),
            (json!("c1"), json!(null), true),
            (json!(["c2"]), json!(null), false),
            (json!(null), json!(["c2", "c1"]), false),
            (json!({"channel": "/nodes", "watching": "skus"}), json!(null), true),
            (json!({"resource": "skus", "role": "guest"}), json!(null), false),
            (json!({"subject": "ann", "dialect": "monorail", "connection": "c1"}), json!({"role": "guest"}), true),
            (json!({"subject": "ann"}), json!({"role": "ops"}), false),
        ] {
            let broadcast = Broadcast::parse(&json!({"data": "x", "to": to, "skip": skip})).expect("well formed");
            assert_eq!(broadcast.is_for(&visitor()), is_for, "{to} {skip}");
        }
    }

    #[test]
    fn what_is_said_is_an_object_as_json_or_a_string_as_it_is() {
        let said = |data: Value| Broadcast::parse(&json!({"data": data})).map(|broadcast| broadcast.data.to_string());
        assert_eq!(said(json!({"a": 1})).as_deref(), Ok("{\"a\":1}"));
        assert_eq!(said(json!("as it is")).as_deref(), Ok("as it is"));
        for bad in [json!(1), json!(null), json!([]), json!({"handler": "error"}), json!("{\"handler\":\"session\"}")] {
            assert!(said(bad.clone()).is_err(), "{bad}");
        }
        assert!(said(json!("x".repeat(LONGEST))).is_ok());
        assert!(said(json!("x".repeat(LONGEST + 1))).is_err());
    }

    #[test]
    fn what_is_no_selection_is_refused_with_a_word_on_why() {
        for (to, why) in [
            (json!({}), "leave it out"),
            (json!(7), "to is a connection"),
            (json!([7]), "to is a list of connections"),
            (json!({"chanel": "nodes"}), "to.chanel is unknown"),
            (json!({"channel": 7}), "to.channel is a string"),
        ] {
            let refused = Broadcast::parse(&json!({"data": "x", "to": to})).expect_err("malformed");
            assert!(refused.contains(why), "{refused}");
        }
    }
}
