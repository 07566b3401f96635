//! Large events come in fragments (`$changeStreamSplitLargeEvent`), each with some of the fields; here they become
//! whole again.

use crate::mongodb::form;
use mongodb::bson::{RawDocument, RawDocumentBuf};
use std::borrow::Cow;

/// The fields of the event that has begun and is not complete.
#[derive(Default)]
pub(super) struct Fragments {
    begun: Option<RawDocumentBuf>,
}

impl Fragments {
    /// Takes what came next; gives an event once it is whole. The token is that of its last fragment.
    pub(super) fn take<'a>(&mut self, piece: &'a RawDocument) -> Option<Cow<'a, RawDocument>> {
        let split = piece.get_document("splitEvent").ok();
        let number = |name| split.and_then(|split| split.get_i32(name).ok()).unwrap_or(1);
        let (fragment, of) = (number("fragment"), number("of"));
        if of <= 1 {
            self.begun = None;
            return Some(Cow::Borrowed(piece));
        }
        let earlier = if fragment == 1 { None } else { self.begun.take() };
        let whole = merged(earlier.as_deref(), piece);
        if fragment >= of {
            return Some(Cow::Owned(whole));
        }
        self.begun = Some(whole);
        None
    }
}

/// The fields of both; the later ones count.
fn merged(earlier: Option<&RawDocument>, later: &RawDocument) -> RawDocumentBuf {
    let mut whole = RawDocumentBuf::new();
    for (name, value) in earlier.into_iter().flatten().flatten() {
        if form::get(later, name.as_str()).is_none() {
            whole.append(name, value);
        }
    }
    for (name, value) in later.into_iter().flatten() {
        whole.append(name, value);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::rawdoc;

    fn piece(fragment: i32, of: i32, more: RawDocumentBuf) -> RawDocumentBuf {
        let split = rawdoc! { "_id": fragment, "splitEvent": { "fragment": fragment, "of": of } };
        merged(Some(&split), &more)
    }

    #[test]
    fn fragments_become_whole_and_others_pass() {
        let mut fragments = Fragments::default();
        let plain = rawdoc! { "_id": 9 };
        assert_eq!(fragments.take(&plain).as_deref(), Some(&*plain));
        assert_eq!(fragments.take(&piece(1, 3, rawdoc! { "operationType": "update" })), None);
        assert_eq!(fragments.take(&piece(2, 3, rawdoc! { "a": 1, "c": 1 })), None);
        let last = piece(3, 3, rawdoc! { "b": 2, "c": 2 });
        let whole = fragments.take(&last).unwrap();
        let number = |name| whole.get_i32(name).unwrap();
        assert_eq!((number("_id"), number("a"), number("b"), number("c")), (3, 1, 2, 2));
        assert_eq!(whole.get_str("operationType").unwrap(), "update");
        let only = piece(1, 1, rawdoc! { "a": 1 });
        assert_eq!(fragments.take(&only).as_deref(), Some(&*only));
    }

    #[test]
    fn an_event_that_is_sent_again_begins_anew() {
        let mut fragments = Fragments::default();
        fragments.take(&piece(1, 2, rawdoc! { "stale": 1 }));
        fragments.take(&piece(1, 2, rawdoc! { "a": 1 }));
        let last = piece(2, 2, rawdoc! {});
        assert!(form::get(&fragments.take(&last).unwrap(), "stale").is_none());
    }
}
