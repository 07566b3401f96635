//! A push as a message: `{"origin":"4f…","kind":"channel","ids":["room1"],"data":{"val":1}}`.

use crate::relay::Push;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// So many nodes are remembered; each start of one is another.
const NODES: usize = 1024;

/// A message that was read.
#[derive(Debug, PartialEq)]
pub(super) struct Letter {
    /// The node that it comes from; `None`: it comes from no node.
    pub(super) origin: Option<Arc<str>>,
    pub(super) push: Push,
}

#[derive(Deserialize)]
struct Form<'a> {
    #[serde(default)]
    origin: Option<Arc<str>>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    ids: Vec<Arc<str>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Letter {
    /// The message of a push; `data` stands in it as it was written.
    pub(super) fn write(origin: &Arc<str>, push: &Push) -> String {
        let (origin, ids) = (json!(origin), json!(push.ids));
        format!("{{\"origin\":{origin},\"kind\":\"{}\",\"ids\":{ids},\"data\":{}}}", push.kind.name(), push.data)
    }

    /// `None` when it is no push.
    pub(super) fn read(body: &[u8]) -> Option<Letter> {
        let form: Form<'_> = serde_json::from_slice(body).ok()?;
        let push = Push::read(&form.kind, form.ids, form.data.get())?;
        Some(Letter { origin: form.origin, push })
    }
}

/// Up to which number the pushes of each node have been seen: a node numbers them from 1 in the order in which it
/// publishes them.
#[derive(Default)]
pub(super) struct Seen(HashMap<Arc<str>, u64>);

impl Seen {
    /// Whether it has not been seen, which it is from now on. What has no number is always new.
    pub(super) fn is_new(&mut self, origin: Option<Arc<str>>, number: Option<u64>) -> bool {
        let (Some(origin), Some(number)) = (origin, number) else { return true };
        if self.0.len() >= NODES && !self.0.contains_key(&origin) {
            // Who is there is learned again with its next push.
            self.0.clear();
        }
        let newest = self.0.entry(origin).or_default();
        let is_new = number > *newest;
        *newest = number.max(*newest);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::Kind;

    #[test]
    fn a_push_arrives_as_it_was_written() {
        let data = "{\"b\": 1.0,  \"a\":\"\\u0041\\u0000ß\",\"n\":12345678901234567890123}";
        let push = Push { kind: Kind::Channel, ids: vec!["room \"1\"".into(), "ü".into()], data: data.into() };
        let text = Letter::write(&"n1".into(), &push);
        assert_eq!(Letter::read(text.as_bytes()), Some(Letter { origin: Some("n1".into()), push }));
        let shown = r#"{"origin":"x","kind":"channel","ids":["room1"],"data":{"val":1}}"#;
        assert_eq!(Letter::read(shown.as_bytes()).expect("a push").push.data, "{\"val\":1}".into());
    }

    #[test]
    fn r7_what_is_no_push_is_none() {
        let whole = r#"{"origin":"x","kind":"user","ids":["n::000000000000000000000001"],"data":{}}"#;
        assert!(Letter::read(whole.as_bytes()).is_some());
        assert!(Letter::read(whole.replace("\"origin\":\"x\",", "").as_bytes()).is_some(), "from no node");
        for end in 0..whole.len() {
            assert_eq!(Letter::read(&whole.as_bytes()[..end]), None);
        }
        for (good, bad) in [
            ("user", "everybody"),
            ("{}", "[]"),
            ("{}", "1"),
            ("[\"n::000000000000000000000001\"]", "\"n\""),
            ("\"x\"", "7"),
        ] {
            assert_eq!(Letter::read(whole.replace(good, bad).as_bytes()), None, "{bad}");
        }
        assert_eq!(Letter::read(b"\xff\xfe"), None);
    }

    #[test]
    fn what_is_published_again_is_seen_once() {
        let mut seen = Seen::default();
        let mut is_new = |origin: &str, number| seen.is_new(Some(origin.into()), number);
        assert!(is_new("a", Some(1)) && is_new("a", Some(2)) && is_new("b", Some(1)));
        assert!(!is_new("a", Some(1)) && !is_new("a", Some(2)) && is_new("a", Some(3)));
        assert!(is_new("a", None) && is_new("a", None));
        (0..NODES * 2).for_each(|number| assert!(is_new(&number.to_string(), Some(1))));
        assert!(seen.0.len() <= NODES);
    }
}
