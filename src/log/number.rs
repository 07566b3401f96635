//! Events become entries: each gets the next offset, and a log gets its epoch.

use crate::document::Document;
use crate::event::{Audience, Entry, Offset, Operation, Position, ResourceEvent, Stamp};
use serde_json::Value;
use std::sync::Arc;

/// A new name for a log: eight of `[a-z0-9]`, by chance.
pub(super) fn new_epoch() -> Arc<str> {
    let mut number: u64 = rand::random();
    let mut letters = String::with_capacity(8);
    for _ in 0..8 {
        letters.push(char::from_digit((number % 36) as u32, 36).expect("36 is the base of the digits"));
        number /= 36;
    }
    letters.into()
}

/// Whether a text is such a name.
pub(super) fn is_epoch(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// The entries of these events, numbered from the one after `last`.
pub(super) fn number(epoch: &Arc<str>, last: Offset, events: Vec<(ResourceEvent, Audience)>) -> Vec<Arc<Entry>> {
    let numbered = events.into_iter().zip(last + 1..);
    numbered
        .map(|((mut event, audience), offset)| {
            if event.operation == Operation::Appended {
                place(&mut event, epoch, offset);
            }
            Arc::new(Entry { offset, audience, event })
        })
        .collect()
}

/// A line is known by its place in the log: as its stamp, and as its id where it has none of its own.
fn place(event: &mut ResourceEvent, epoch: &Arc<str>, offset: Offset) {
    event.stamp = Stamp::Offset(offset);
    if !event.id.is_empty() {
        return;
    }
    event.id = Position::new(epoch.clone(), offset).to_string().into();
    if let Some(body) = &event.after
        && let Value::Object(fields) = body.value()
        && fields.get("id").is_none_or(Value::is_null)
    {
        let mut fields = fields.clone();
        fields.insert("id".to_owned(), Value::String(event.id.to_string()));
        event.after = Some(Document::new(Value::Object(fields)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_eight_letters_or_digits_and_never_the_same() {
        let (one, other) = (new_epoch(), new_epoch());
        assert!(is_epoch(&one) && is_epoch(&other));
        assert_ne!(one, other);
        for text in ["", "abcd123", "abcd12345", "ABCD1234", "abcd-234"] {
            assert!(!is_epoch(text), "{text}");
        }
    }
}
