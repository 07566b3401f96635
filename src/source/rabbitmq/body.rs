//! The bytes of a message as JSON, whatever they are.

use serde_json::{Value, json};

/// Longer bodies are not told.
pub(super) const LONGEST: usize = 16 << 20;

/// JSON of any type; `None` when it is none.
pub(super) fn json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// What is no JSON, on a channel that tells bodies as they are.
pub(super) fn buffer(bytes: &[u8], content_type: Option<&str>) -> Value {
    let mut value = json!({"data": {"type": "Buffer", "data": bytes}});
    if let Some(content_type) = content_type {
        value["contentType"] = Value::from(content_type);
    }
    value
}

/// What is no JSON, as a line: a text is one.
pub(super) fn line(bytes: &[u8], content_type: Option<&str>) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => buffer(bytes, content_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_told_somehow() {
        for (bytes, told) in [
            (&b"5"[..], Some(json!(5))),
            (b"null", Some(Value::Null)),
            (b"\"x\"", Some(json!("x"))),
            (b" [1] ", Some(json!([1]))),
            (b"", None),
            (b"hi", None),
            (b"{\"a\":", None),
            (b"\xff\xfe", None),
        ] {
            assert_eq!(json(bytes), told, "{bytes:?}");
        }
        assert_eq!(
            buffer(b"hi", Some("text/plain")),
            json!({"data": {"type": "Buffer", "data": [104, 105]}, "contentType": "text/plain"})
        );
        assert_eq!(buffer(b"", None), json!({"data": {"type": "Buffer", "data": []}}));
        assert_eq!(line(b"hi", None), json!("hi"));
        assert_eq!(line(b"\xff", None), json!({"data": {"type": "Buffer", "data": [255]}}));
    }

    #[test]
    fn a_body_nested_too_deep_is_no_json_and_no_end() {
        let deep = "[".repeat(100_000);
        assert_eq!(json(deep.as_bytes()), None);
    }
}
