//! A message half written: an object that is still open, field by field, in one string.

use super::json::quote;
use crate::event::Position;
use crate::message::Address;

/// Room for the keys and the punctuation of any message.
const PUNCTUATION: usize = 128;

/// A message half written: an object that is still open.
pub struct Draft(String);

impl Draft {
    /// `{"handler":H`, with room for `size` more bytes.
    pub fn new(handler: &str, size: usize) -> Draft {
        let mut out = String::with_capacity(PUNCTUATION + size);
        out.push_str("{\"handler\":\"");
        out.push_str(handler);
        out.push('"');
        Draft(out)
    }

    /// `{"handler":H,"resource":R`.
    pub fn about(handler: &str, address: &Address, size: usize) -> Draft {
        let reference = address.reference.as_ref().map_or(0, |reference| reference.0.len());
        Draft::new(handler, address.channel.len() + reference + size).text("resource", &address.channel)
    }

    /// A field whose value is written by `write`.
    pub fn value(mut self, key: &str, write: impl FnOnce(&mut String)) -> Draft {
        self.0.push_str(",\"");
        self.0.push_str(key);
        self.0.push_str("\":");
        write(&mut self.0);
        self
    }

    /// A field that is a string.
    pub fn text(self, key: &str, text: &str) -> Draft {
        self.value(key, |out| quote(text, out))
    }

    /// A field that is JSON text already.
    pub fn json(self, key: &str, json: &str) -> Draft {
        self.value(key, |out| out.push_str(json))
    }

    /// `"id":[word,K]`.
    pub fn event(self, word: &str, id: &str) -> Draft {
        self.value("id", |out| {
            out.push_str("[\"");
            out.push_str(word);
            out.push_str("\",");
            quote(id, out);
            out.push(']');
        })
    }

    /// `"position":P`, if there is one.
    pub fn position(self, position: Option<&Position>) -> Draft {
        match position {
            Some(position) => self.text("position", &position.to_string()),
            None => self,
        }
    }

    /// Adds the reference of the asking message, and closes.
    pub fn end(self, address: &Address) -> String {
        let Draft(mut out) = match &address.reference {
            Some(reference) => self.json("ref", &reference.0),
            None => self,
        };
        out.push('}');
        out
    }
}
