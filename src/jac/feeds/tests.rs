use super::*;
use crate::event::{Reason, Stamp, Timestamp};
use serde_json::json;

fn event(operation: Operation, before: Option<Value>, after: Option<Value>) -> ResourceEvent {
    ResourceEvent {
        resource: "messages".into(),
        id: "m1".into(),
        operation,
        before: before.map(Document::new),
        after: after.map(Document::new),
        time: Timestamp::now(),
        stamp: Stamp::None,
    }
}

/// What is pushed to whom, as `word: ids`.
fn told(feed: &Feed, event: &ResourceEvent) -> Vec<String> {
    let pushes = feed.pushes(event).into_iter();
    let told = pushes.map(|push| {
        let data: Value = serde_json::from_str(&push.data).expect("JSON");
        format!("{} {}: {}", data["type"].as_str().unwrap_or_default(), data["data"]["n"], push.ids.join(" "))
    });
    told.collect()
}

#[test]
fn who_is_named_before_and_after_is_told_what_it_means_for_them() {
    let feed = Feed::new("messages", Kind::Channel, "in.rooms");
    let record = |n: u32, rooms: Value| Some(json!({"n": n, "in": {"rooms": rooms}}));
    for (operation, before, after, expected) in [
        (Operation::Created, None, record(1, json!("a")), vec!["messages.created 1: a"]),
        (Operation::Appended, None, record(1, json!(["a", "b", "a"])), vec!["messages.appended 1: a b"]),
        (Operation::Created, None, record(1, json!(5)), vec![]),
        (Operation::Created, None, record(1, json!("")), vec![]),
        (Operation::Created, None, Some(json!({"n": 1})), vec![]),
        (Operation::Updated, record(1, json!("a")), record(2, json!("a")), vec!["messages.updated 2: a"]),
        (Operation::Updated, None, record(2, json!("a")), vec!["messages.updated 2: a"]),
        (
            Operation::Updated,
            record(1, json!(["a", "b"])),
            record(2, json!(["b", "c"])),
            vec!["messages.removed 1: a", "messages.created 2: c", "messages.updated 2: b"],
        ),
        (Operation::Removed, record(1, json!("a")), None, vec!["messages.removed 1: a"]),
        (Operation::Removed, None, None, vec![]),
        (Operation::Reset(Reason::Source), None, None, vec![]),
    ] {
        assert_eq!(told(&feed, &event(operation, before, after)), expected, "{operation:?}");
    }
}

#[test]
fn users_are_named_by_any_text_and_each_once() {
    let feed = Feed::new("messages", Kind::User, "to");
    let names = json!({"n": 1, "to": ["ann", "N::672B35CEC309E5EF8469C372", "672b35cec309e5ef8469c372"]});
    let expected = format!("messages.created 1: {} n::672b35cec309e5ef8469c372", Root::of("ann"));
    assert_eq!(told(&feed, &event(Operation::Created, None, Some(names))), [expected]);
}

#[test]
fn a_record_is_a_push_or_has_another_form() {
    let user = "n::672b35cec309e5ef8469c372";
    for record in [
        json!({"kind": "channel", "ids": ["a", "b", "a"], "data": {"x": 1}, "more": 5}),
        json!({"kind": "user", "ids": [user], "data": {}}),
        json!({"kind": "client", "ids": [], "data": {}}),
    ] {
        assert!(push(&record).is_some(), "{record}");
    }
    let twice = push(&json!({"kind": "channel", "ids": ["a", "a"], "data": {}})).expect("a push");
    assert_eq!(twice.ids.len(), 1, "once for each socket");
    for record in [
        json!({}),
        json!({"kind": "room", "ids": ["a"], "data": {}}),
        json!({"kind": "channel", "ids": "a", "data": {}}),
        json!({"kind": "channel", "ids": [1], "data": {}}),
        json!({"kind": "channel", "ids": ["a"], "data": [1]}),
        json!({"kind": "channel", "ids": ["a"]}),
        json!({"kind": "user", "ids": [user, "zzz"], "data": {}}),
        json!("text"),
    ] {
        assert!(push(&record).is_none(), "{record}");
    }
}

#[test]
fn only_new_records_are_pushes_and_one_of_another_form_is_counted() {
    let metrics = Arc::new(Metrics::default());
    let pushes = Some("messages".into());
    let feeds = Feeds { feeds: Vec::new(), pushes, topics: Arc::default(), metrics: metrics.clone() };
    let good = || Some(json!({"kind": "channel", "ids": ["a"], "data": {"x": 1}}));
    assert_eq!(feeds.of(&event(Operation::Created, None, good())).len(), 1);
    assert_eq!(feeds.of(&event(Operation::Appended, None, good())).len(), 1);
    assert_eq!(feeds.of(&event(Operation::Updated, good(), good())).len(), 0);
    assert_eq!(feeds.of(&event(Operation::Removed, good(), None)).len(), 0);
    assert_eq!(feeds.of(&event(Operation::Created, None, Some(json!({})))).len(), 0);
    assert_eq!(metrics.dropped("messages", "form").get(), 1);
    assert_eq!(feeds.follows().len(), 1);
}
