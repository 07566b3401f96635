//! What one change means to one watch. Live delivery, resume and catching up all ask here, so they agree.

use crate::audience::{Audience, Sight};
use crate::document::Document;
use crate::event::{Entry, Operation, Timestamp};
use crate::filter::Filter;
use crate::message::Transition;

/// Whether a version of a row is in, out, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Absent,
    In,
    Out,
    Unknown,
}

/// How an entry concerns a watch with these filters (any of them matching is enough); `None`: not at all. A record
/// that may not be seen is as if it did not match.
pub fn verdict<'a>(
    filters: impl Iterator<Item = &'a Filter> + Clone,
    sight: &Sight,
    entry: &Entry,
    now: Timestamp,
) -> Option<Transition> {
    let event = &entry.event;
    let (was_shown, is_shown) = (entry.audience.shows_before(sight, now.0), entry.audience.shows_after(sight, now.0));
    if !was_shown && !is_shown {
        return None;
    }
    let matches = |document: &Document| {
        let mut any = filters.clone();
        if any.any(|filter| filter.matches(&event.id, document.value())) { Side::In } else { Side::Out }
    };
    let after = match (&event.operation, &event.after) {
        (Operation::Removed, _) => Side::Absent,
        (Operation::Reset(_), _) => return None,
        _ if !is_shown => Side::Out,
        (_, Some(document)) => matches(document),
        (_, None) => Side::Unknown,
    };
    let before = match (&event.operation, &event.before) {
        (Operation::Appended, _) => return (after == Side::In).then_some(Transition::Appended),
        (Operation::Created, _) => Side::Absent,
        _ if !was_shown => Side::Out,
        (_, Some(document)) => matches(document),
        (_, None) => Side::Unknown,
    };
    if was_shown && is_shown && entry.audience != Audience::Everyone && event.before == event.after {
        // Only others begin or end to see it here.
        return None;
    }
    let filtered = || !filters.clone().any(|filter| matches!(filter, Filter::All));
    match (before, after) {
        (Side::Absent, Side::In) => Some(Transition::Created),
        (Side::Out, Side::In) => Some(Transition::Entered),
        (Side::In | Side::Unknown, Side::In) => Some(Transition::Updated),
        (Side::In, _) => Some(Transition::Left),
        (Side::Unknown, Side::Absent) => Some(Transition::Left),
        (Side::Unknown, _) => filtered().then_some(Transition::Left),
        (Side::Absent | Side::Out, _) => None,
    }
}

/// Whether a watch with this filter needs the version before to judge the entry, and it is missing.
pub fn is_unjudgeable(filter: &Filter, entry: &Entry) -> bool {
    entry.event.lacks_before() && !matches!(filter, Filter::All)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audience::{Rights, Role};
    use crate::event::{ResourceEvent, Stamp};
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp(0);

    fn entry(operation: Operation, before: Option<Value>, after: Option<Value>) -> Entry {
        let event = ResourceEvent {
            resource: "nodes".into(),
            id: "n1".into(),
            operation,
            before: before.map(Document::new),
            after: after.map(Document::new),
            time: Timestamp(0),
            stamp: Stamp::None,
        };
        Entry { offset: 1, audience: Audience::Everyone, event }
    }

    #[test]
    fn every_row_of_the_table_of_transitions() {
        use Operation::*;
        let filter = Filter::parse(&json!({"up": true})).expect("a filter");
        let (up, down) = (|| Some(json!({"up": true})), || Some(json!({"up": false})));
        let cases = [
            (Created, None, up(), Some(Transition::Created)),
            (Created, None, down(), None),
            (Updated, down(), up(), Some(Transition::Entered)),
            (Updated, up(), up(), Some(Transition::Updated)),
            (Updated, up(), down(), Some(Transition::Left)),
            (Removed, up(), None, Some(Transition::Left)),
            (Updated, down(), down(), None),
            (Removed, down(), None, None),
            (Updated, None, up(), Some(Transition::Updated)),
            (Updated, None, down(), Some(Transition::Left)),
            (Removed, None, None, Some(Transition::Left)),
            (Appended, None, up(), Some(Transition::Appended)),
            (Appended, None, down(), None),
        ];
        for (operation, before, after, expected) in cases {
            let entry = entry(operation, before, after);
            assert_eq!(verdict([&filter].into_iter(), &Sight::default(), &entry, NOW), expected, "{entry:?}");
        }
    }

    #[test]
    fn without_a_filter_an_update_is_never_a_removal() {
        let entry = entry(Operation::Updated, None, None);
        assert_eq!(verdict([&Filter::All].into_iter(), &Sight::default(), &entry, NOW), None);
    }

    fn seen_by(subject: Option<&str>, entry: &Entry) -> Option<Transition> {
        let sight = Sight { subject: subject.map(Into::into), ..Sight::default() };
        verdict([&Filter::All].into_iter(), &sight, entry, NOW)
    }

    fn readers(subjects: &[&str]) -> Rights {
        Rights::of(subjects.iter().map(|subject| (*subject).into()), Role::Reader)
    }

    #[test]
    fn an_audience_shows_an_entry_to_its_subjects_only() {
        let mut entry = entry(Operation::Created, None, Some(json!({})));
        entry.audience = Audience::limited(readers(&["ann"]));
        assert_eq!(seen_by(Some("ann"), &entry), Some(Transition::Created));
        assert_eq!((seen_by(Some("bob"), &entry), seen_by(None, &entry)), (None, None));
    }

    #[test]
    fn who_gains_or_loses_the_right_to_see_a_record_is_told_and_nobody_else() {
        let change = |after| {
            let mut entry = entry(Operation::Updated, Some(json!({"n": 1})), Some(after));
            entry.audience = Audience::Limited { before: readers(&["ann", "bob"]), after: readers(&["bob", "eve"]) };
            entry
        };
        let told = |entry: &Entry| ["ann", "bob", "eve", "dan"].map(|subject| seen_by(Some(subject), entry));
        let (left, entered) = (Some(Transition::Left), Some(Transition::Entered));
        assert_eq!(told(&change(json!({"n": 1}))), [left, None, entered, None]);
        assert_eq!(told(&change(json!({"n": 2}))), [left, Some(Transition::Updated), entered, None]);
    }
}
