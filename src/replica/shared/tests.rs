//! Who may see what, in the order of the log, whatever happens to grants and records.

use super::*;
use crate::audience::Sight;
use crate::document::Document;
use serde_json::{Value, json};

fn shared(remembers: Duration) -> Shared {
    let feed = |name: &str| Feed { resource: name.into(), source: "db".into() };
    let path = |name: &str| Some(Path::parse(name));
    let settings = Settings {
        records: feed("documents"),
        grants: feed("grants"),
        record: Path::parse("document"),
        subject: path("user"),
        group: path("team"),
        until: path("until"),
        owner: path("owner"),
        remembers,
    };
    Shared::new(settings, 7)
}

/// Loaded with these, as they were at the mark, which the log has.
fn loaded(records: Value, grants: Value) -> Shared {
    let mut shared = shared(Duration::ZERO);
    shared.load("documents", rows(records), Mark::Offset(0));
    shared.load("grants", rows(grants), Mark::Offset(0));
    shared.reached(&"db".into(), &Mark::Offset(0));
    shared
}

fn rows(records: Value) -> Vec<Row> {
    let records = records.as_object().cloned().unwrap_or_default();
    records.into_iter().map(|(id, value)| Row::new(id, Document::new(value))).collect()
}

fn event(resource: &str, id: &str, before: Value, after: Value, number: u64) -> ResourceEvent {
    let document = |value: Value| (!value.is_null()).then(|| Document::new(value));
    let (before, after) = (document(before), document(after));
    let operation = match (&before, &after) {
        (None, _) => Operation::Created,
        (_, None) => Operation::Removed,
        _ => Operation::Updated,
    };
    let (time, stamp) = (Timestamp::now(), Stamp::Offset(number));
    ResourceEvent { resource: resource.into(), id: id.into(), operation, before, after, time, stamp }
}

fn take(shared: &mut Shared, event: ResourceEvent) -> Vec<Logged> {
    let mut out = Vec::new();
    shared.take(event, Audience::Everyone, &mut out);
    out
}

fn sight(subject: &str, groups: &[&str]) -> Sight {
    let groups: Vec<Arc<str>> = groups.iter().map(|group| (*group).into()).collect();
    Sight { subject: Some(subject.into()), groups: groups.into(), ..Sight::default() }
}

/// What was logged of documents: the id, and for each of these whether it saw the version before and sees that after.
fn told(logged: &[Logged], subjects: &[&str]) -> Vec<String> {
    let of_documents = logged.iter().filter(|(event, _)| &*event.resource == "documents");
    let line = |(event, audience): &Logged| {
        let each = subjects.iter().map(|subject| {
            let eyes = sight(subject, &[]);
            let mark = |is_seen| if is_seen { '+' } else { '-' };
            format!(" {subject}{}{}", mark(audience.shows_before(&eyes, 0)), mark(audience.shows_after(&eyes, 0)))
        });
        format!("{}{}", event.id, each.collect::<String>())
    };
    of_documents.map(line).collect()
}

fn seen(shared: &Shared, sight: &Sight) -> String {
    let mut ids: Vec<String> =
        shared.view().now(|table| table.rows(sight)).0.iter().map(|row| row.id.to_string()).collect();
    ids.sort();
    ids.join(" ")
}

#[test]
fn a_grant_that_comes_moves_or_goes_is_told_to_whom_it_concerns() {
    let documents = json!({"d1": {"owner": "eve", "n": 1}, "d2": {"owner": "eve"}});
    let mut shared = loaded(documents, json!({}));
    let to = |document: &str, user: &str| json!({"document": document, "user": user});
    let came = take(&mut shared, event("grants", "g1", Value::Null, to("d1", "ann"), 1));
    assert_eq!(told(&came, &["ann", "bob", "eve"]), ["d1 ann-+ bob-- eve++"]);
    let (extra, _) = &came[1];
    assert_eq!((extra.operation, &extra.before), (Operation::Updated, &extra.after));
    assert_eq!(extra.after.as_ref().unwrap().value()["n"], 1);
    let other = take(&mut shared, event("grants", "g1", to("d1", "ann"), to("d1", "bob"), 2));
    assert_eq!(told(&other, &["ann", "bob"]), ["d1 ann+- bob-+"]);
    let moved = take(&mut shared, event("grants", "g1", to("d1", "bob"), to("d2", "bob"), 3));
    assert_eq!(told(&moved, &["bob"]), ["d1 bob+-", "d2 bob-+"]);
    // A second grant of the same: nothing is gained by it, and nothing lost by its end.
    assert_eq!(told(&take(&mut shared, event("grants", "g2", Value::Null, to("d2", "bob"), 4)), &[]), [""; 0]);
    assert_eq!(told(&take(&mut shared, event("grants", "g1", to("d2", "bob"), Value::Null, 5)), &[]), [""; 0]);
    let gone = take(&mut shared, event("grants", "g2", to("d2", "bob"), Value::Null, 6));
    assert_eq!(told(&gone, &["bob"]), ["d2 bob+-"]);
    // Of a record that is not there, nobody is told.
    assert_eq!(take(&mut shared, event("grants", "g3", Value::Null, to("d9", "bob"), 7)).len(), 1);
}

#[test]
fn a_change_of_a_record_is_for_those_who_see_it_by_its_owners_and_its_grants() {
    let grants = json!({"g1": {"document": "d1", "user": ["ann", "cid"]}, "g2": {"document": "d1", "team": "red"}});
    let mut shared = loaded(json!({"d1": {"owner": ["eve", "bob"]}}), grants);
    let change = event("documents", "d1", json!({"owner": ["eve", "bob"]}), json!({"owner": "dan"}), 1);
    let logged = take(&mut shared, change);
    assert_eq!(told(&logged, &["ann", "bob", "cid", "dan", "eve", "fay"]), ["d1 ann++ bob+- cid++ dan-+ eve+- fay--"]);
    assert!(logged[0].1.shows_after(&sight("fay", &["red"]), 0));
    let gone = take(&mut shared, event("documents", "d1", json!({"owner": "dan"}), Value::Null, 2));
    assert_eq!(told(&gone, &["ann", "dan", "eve"]), ["d1 ann++ dan++ eve--"]);
    let back = take(&mut shared, event("documents", "d1", Value::Null, json!({"owner": "eve"}), 3));
    assert_eq!(told(&back, &["ann", "dan", "eve"]), ["d1 ann++ dan-- eve++"]);
}

#[test]
fn a_grant_ends_when_its_time_is_over_and_once() {
    let end = Timestamp::now().0 + 60_000;
    let grant = |until: i64| json!({"document": "d1", "user": "ann", "until": until});
    let mut shared = loaded(json!({"d1": {}}), json!({"g1": grant(end)}));
    let tick = |shared: &mut Shared, at: i64| {
        let mut out = Vec::new();
        shared.tick(Timestamp(at), &mut out);
        told(&out, &["ann"])
    };
    assert_eq!(tick(&mut shared, end), [""; 0]);
    assert_eq!(tick(&mut shared, end + 1), ["d1 ann+-"]);
    assert_eq!(tick(&mut shared, end + 2), [""; 0]);
    // Given anew for longer, it begins again; with a time that is over, or none at all to be read, it never does.
    let again = take(&mut shared, event("grants", "g1", grant(end), grant(end + 99), 2));
    assert_eq!(told(&again, &["ann"]), ["d1 ann-+"]);
    assert_eq!(tick(&mut shared, end + 100), ["d1 ann+-"]);
    assert_eq!(told(&take(&mut shared, event("grants", "g1", grant(end + 99), Value::Null, 3)), &["ann"]), [""; 0]);
    for until in [json!(1), json!("soon")] {
        let late = json!({"document": "d1", "user": "bob", "until": until});
        assert_eq!(told(&take(&mut shared, event("grants", "g2", Value::Null, late, 3)), &[]), [""; 0]);
    }
}

#[test]
fn what_ended_while_the_program_was_away_is_told_as_long_as_somebody_may_resume() {
    let now = Timestamp::now().0;
    let grant = |user: &str, ago: i64| json!({"document": "d1", "user": user, "until": now - ago});
    let mut shared = shared(Duration::from_secs(100));
    shared.load("documents", rows(json!({"d1": {}})), Mark::Offset(0));
    shared.load("grants", rows(json!({"g1": grant("ann", 50_000), "g2": grant("bob", 500_000)})), Mark::Offset(0));
    let mut out = Vec::new();
    shared.tick(Timestamp::now(), &mut out);
    assert_eq!(told(&out, &["ann", "bob"]), ["d1 ann+- bob--"]);
}

#[test]
fn what_a_load_contains_is_told_by_the_rights_of_the_load() {
    let mut shared = shared(Duration::ZERO);
    // While the program was away, ann's grant was taken back, and bob's was given and taken back.
    shared.load("documents", rows(json!({"d1": {"n": 2}})), Mark::Offset(5));
    shared.load("grants", rows(json!({"g3": {"document": "d1", "user": "cid"}})), Mark::Offset(5));
    let to = |user: &str| json!({"document": "d1", "user": user});
    let mut log = |event| told(&take(&mut shared, event), &["ann", "bob", "cid"]);
    assert_eq!(log(event("grants", "g1", to("ann"), Value::Null, 1)), ["d1 ann+- bob-- cid++"]);
    assert_eq!(log(event("grants", "g2", Value::Null, to("bob"), 2)), [""; 0]);
    assert_eq!(log(event("documents", "d1", json!({"n": 1}), json!({"n": 2}), 3)), ["d1 ann-- bob-- cid++"]);
    assert_eq!(log(event("grants", "g2", to("bob"), Value::Null, 4)), ["d1 ann-- bob+- cid++"]);
    assert_eq!(log(event("grants", "g3", Value::Null, to("cid"), 5)), ["d1 ann-- bob-- cid-+"]);
    assert_eq!(seen(&shared, &sight("cid", &[])), "d1");
    assert_eq!(seen(&shared, &sight("ann", &[])), "");
}

#[tokio::test]
async fn a_list_is_of_one_offset_and_waits_until_the_log_has_what_it_needs() {
    let mut shared = shared(Duration::ZERO);
    let (view, ann) = (shared.view(), sight("ann", &[]));
    shared.load("documents", rows(json!({"d1": {}, "d2": {}})), Mark::Offset(3));
    let is_at = |view: &View, mark| view.now(|table| table.is_at(&[("db".into(), Mark::Offset(mark))]));
    assert!(!is_at(&view, 3));
    shared.load("grants", rows(json!({"g1": {"document": "d1", "user": "ann"}})), Mark::Offset(4));
    shared.reached(&"db".into(), &Mark::Offset(3));
    assert!(!is_at(&view, 3), "the load has what the log does not have");
    shared.reached(&"db".into(), &Mark::Offset(4));
    assert!(is_at(&view, 4) && !is_at(&view, 5));
    let grant = json!({"document": "d2", "user": "ann"});
    take(&mut shared, event("grants", "g2", Value::Null, grant, 5));
    take(&mut shared, event("documents", "d1", json!({}), Value::Null, 6));
    // Not in the log yet.
    let ids = |rows: Vec<Row>| rows.into_iter().map(|row| row.id.to_string()).collect::<Vec<_>>();
    assert_eq!((seen(&shared, &ann), view.now(|table| table.rows(&ann)).1), ("d1".to_owned(), 7));
    let marks = [("db".into(), Mark::Offset(6))];
    let reading = tokio::spawn(async move { view.read(&marks, |table| table.rows(&sight("ann", &[]))).await });
    tokio::task::yield_now().await;
    assert!(!reading.is_finished());
    shared.published(&[], 9);
    shared.reached(&"db".into(), &Mark::Offset(6));
    let (rows, offset) = reading.await.unwrap();
    assert_eq!((ids(rows), offset), (vec!["d2".to_owned()], 9));
    let everything = Sight { sees_all: true, ..Sight::default() };
    assert_eq!((seen(&shared, &everything), seen(&shared, &Sight::default())), ("d2".to_owned(), String::new()));
}

#[test]
fn when_grants_are_replaced_whoever_follows_the_records_starts_over() {
    let mut shared = loaded(json!({"d1": {}}), json!({"g1": {"document": "d1", "user": "ann"}}));
    let logged = take(&mut shared, ResourceEvent::reset("grants".into(), crate::event::Reason::Epoch));
    let resets: Vec<&str> = logged.iter().map(|(event, _)| &*event.resource).collect();
    assert_eq!(resets, ["grants", "documents"]);
    assert_eq!(
        told(&take(&mut shared, event("documents", "d1", json!({}), json!({"n": 1}), 1)), &["ann"]),
        ["d1 ann--"]
    );
    shared.load("grants", rows(json!({"g2": {"document": "d1", "user": "bob"}})), Mark::Offset(0));
    assert_eq!((seen(&shared, &sight("ann", &[])), seen(&shared, &sight("bob", &[]))), (String::new(), "d1".into()));
}
