//! `{"type":"ack","object":{"sender_id":"<identity>","box_id":"<box>"}}`: somebody has seen a box.

use crate::dialect::misakey::uuid;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The longest message that is heard, and the longest text that is given back.
pub const MAX_BYTES: usize = 8192;

/// That somebody has seen a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub identity: String,
    pub box_id: String,
}

impl Ack {
    /// Reads a message; `None` when it is anything else. The letter case of the four keys does not matter, and of equal
    /// ones the last counts.
    pub fn parse(text: &str) -> Option<Ack> {
        let message: Ordered = serde_json::from_str(text).ok()?;
        let object = message.last("object")?;
        let is_ack = matches!(message.last("type"), Some(Ordered::Text(kind)) if kind == "ack");
        let id = |name: &str| match object.last(name) {
            Some(Ordered::Text(id)) => uuid(id),
            _ => None,
        };
        is_ack.then_some(Ack { identity: id("sender_id")?, box_id: id("box_id")? })
    }

    /// Whether a text, from wherever, is this acknowledgement and can be given back.
    pub fn is_said_by(&self, text: &str) -> bool {
        text.len() <= MAX_BYTES && Ack::parse(text).is_some_and(|ack| ack == *self)
    }
}

/// JSON with the keys of objects as they came: repeated, in their order. What is not looked at is not kept.
enum Ordered {
    Object(Vec<(String, Ordered)>),
    Text(String),
    Other,
}

impl Ordered {
    /// The last value whose key is this word in some letter case.
    fn last(&self, word: &str) -> Option<&Ordered> {
        let Ordered::Object(fields) = self else { return None };
        fields.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(word)).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ordered, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Ordered;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Ordered::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Ordered, A::Error> {
        // Read as everything is, which keeps count of how deep it goes.
        while sequence.next_element::<Ordered>()?.is_some() {}
        Ok(Ordered::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Ordered, E> {
        Ok(Ordered::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Ordered, E> {
        Ok(Ordered::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Ordered, E> {
        Ok(Ordered::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Ordered, E> {
        Ok(Ordered::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Ordered, E> {
        Ok(Ordered::Other)
    }

    fn visit_unit<E>(self) -> Result<Ordered, E> {
        Ok(Ordered::Other)
    }
}
