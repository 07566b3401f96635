//! The promises that every log keeps, tested on each of them.

use crate::audience::{Rights, Role};
use crate::document::Document;
use crate::event::{Audience, Entry, Offset, Operation, ResourceEvent, Stamp, Timestamp};
use crate::log::disk::DiskLog;
use crate::log::memory::MemoryLog;
use crate::log::{Bookmark, Log, Retention, Stretch};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(super) const UNLIMITED: Retention = Retention { entries: None, bytes: None, age: None };

/// Every kind of log, with a name for messages and the directory that it may need.
fn logs(retention: Retention) -> Vec<(&'static str, Arc<dyn Log>, tempfile::TempDir)> {
    let dir = || tempfile::tempdir().unwrap();
    let (large, small) = (dir(), dir());
    vec![
        ("memory", Arc::new(MemoryLog::new(retention)), dir()),
        ("disk", Arc::new(DiskLog::open(large.path(), retention, crate::log::disk::Sync::Os).unwrap()), large),
        ("disk, little of it in memory", Arc::new(DiskLog::open_small(small.path(), retention)), small),
    ]
}

pub(super) fn change(number: u64) -> (ResourceEvent, Audience) {
    let id = format!("n{number}");
    let event = ResourceEvent {
        resource: "nodes".into(),
        id: id.as_str().into(),
        operation: Operation::Created,
        before: None,
        after: Some(Document::new(json!({"id": id, "number": number, "text": "some words more"}))),
        time: Timestamp(number as i64),
        stamp: Stamp::Transaction(number),
    };
    (event, Audience::limited(Rights::of([format!("s{number}").into()], Role::Reader)))
}

fn line(id: &str, body: Value) -> (ResourceEvent, Audience) {
    let (mut event, _) = change(0);
    event.operation = Operation::Appended;
    event.id = id.into();
    event.after = Some(Document::new(body));
    (event, Audience::Everyone)
}

/// Appends changes until the log has so many entries, in batches of three.
pub(super) fn fill(log: &dyn Log, last: Offset) {
    while log.last() < last {
        let from = log.last() + 1;
        log.append((from..=last.min(from + 2)).map(change).collect(), None).unwrap();
    }
}

/// All entries after an offset, in as many answers as it takes.
pub(super) fn read(log: &dyn Log, mut after: Offset, bytes: usize) -> Vec<Arc<Entry>> {
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    loop {
        match log.between(after, Offset::MAX, bytes).unwrap() {
            Stretch::Gone(floor) => panic!("gone up to {floor}, asked after {after}"),
            Stretch::Entries(more) if more.is_empty() => return entries,
            Stretch::Entries(more) => {
                after = more.last().unwrap().offset;
                entries.extend(more);
            }
        }
    }
}

pub(super) fn assert_whole(entries: &[Arc<Entry>], after: Offset, last: Offset) {
    let offsets: Vec<_> = entries.iter().map(|entry| entry.offset).collect();
    assert_eq!(offsets, (after + 1..=last).collect::<Vec<_>>());
    for entry in entries {
        let (event, audience) = change(entry.offset);
        assert_eq!((&entry.event, &entry.audience), (&event, &audience));
    }
}

#[test]
fn offsets_are_dense_and_begin_with_one() {
    for (name, log, _dir) in logs(UNLIMITED) {
        assert_eq!((log.last(), log.floor()), (0, 0), "{name}");
        assert!(read(&*log, 0, 1_000).is_empty());
        let entries = log.append((1..=3).map(change).collect(), None).unwrap();
        assert_whole(&entries, 0, 3);
        assert!(log.append(Vec::new(), None).unwrap().is_empty());
        assert_whole(&log.append(vec![change(4)], None).unwrap(), 3, 4);
        assert_eq!((log.last(), log.floor()), (4, 0), "{name}");
        assert!(log.epoch().len() == 8 && log.epoch().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }
}

#[test]
fn between_gives_every_entry_from_anywhere_in_answers_of_any_size() {
    for (name, log, _dir) in logs(UNLIMITED) {
        fill(&*log, 50);
        for bytes in [0, 1, 300, 1_000, usize::MAX] {
            for after in [0, 1, 20, 49, 50] {
                assert_whole(&read(&*log, after, bytes), after, 50);
            }
        }
        let Stretch::Entries(some) = log.between(7, 12, usize::MAX).unwrap() else { panic!("{name}") };
        assert_whole(&some, 7, 12);
        for (after, upto) in [(50, 50), (60, 70), (12, 7), (7, 7)] {
            let Stretch::Entries(none) = log.between(after, upto, 1_000).unwrap() else { panic!("{name}") };
            assert!(none.is_empty(), "{name}: {after} to {upto}");
        }
    }
}

#[test]
fn an_answer_is_about_as_large_as_asked_for_but_never_empty() {
    for (name, log, _dir) in logs(UNLIMITED) {
        fill(&*log, 50);
        for after in [0, 48] {
            let Stretch::Entries(one) = log.between(after, 50, 0).unwrap() else { panic!("{name}") };
            assert_whole(&one, after, after + 1);
        }
        let Stretch::Entries(some) = log.between(0, 50, 4_000).unwrap() else { panic!("{name}") };
        assert!((5..50).contains(&some.len()), "{name}: {}", some.len());
    }
}

#[test]
fn the_bookmark_of_each_source_is_the_newest_that_was_appended() {
    for (name, log, _dir) in logs(UNLIMITED) {
        let bookmark = |source: &str, place: &[u8]| Some(Bookmark { source: source.into(), place: place.to_vec() });
        assert_eq!(log.bookmark("one").unwrap(), None, "{name}");
        log.append(vec![change(1)], bookmark("one", b"a")).unwrap();
        log.append(Vec::new(), bookmark("other", b"")).unwrap();
        log.append(vec![change(2)], None).unwrap();
        log.append(Vec::new(), bookmark("one", b"b\0")).unwrap();
        assert_eq!(log.bookmark("one").unwrap().as_deref(), Some(&b"b\0"[..]), "{name}");
        assert_eq!(log.bookmark("other").unwrap().as_deref(), Some(&b""[..]), "{name}");
    }
}

#[test]
fn a_line_is_known_by_its_position_when_it_has_no_id() {
    for (name, log, _dir) in logs(UNLIMITED) {
        let lines = [
            line("", json!({"m": 1, "id": null})),
            line("", json!([1])),
            line("own", json!({})),
            line("", json!({"id": 5})),
        ];
        log.append(lines.into(), None).unwrap();
        fill(&*log, 30);
        let entries = read(&*log, 0, 1 << 20);
        let position = |offset| format!("{}:{offset}", log.epoch());
        let expected = [
            (position(1), json!({"m": 1, "id": position(1)})),
            (position(2), json!([1])),
            ("own".to_owned(), json!({})),
            (position(4), json!({"id": 5})),
        ];
        for (entry, (id, body)) in entries.iter().zip(expected) {
            assert_eq!((&*entry.event.id, entry.event.after.as_ref().unwrap().value()), (&*id, &body), "{name}");
            assert_eq!(entry.event.stamp, Stamp::Offset(entry.offset), "{name}");
        }
        assert_eq!(entries[4].event.stamp, Stamp::Transaction(5), "{name}: a change keeps its own stamp");
    }
}

#[test]
fn retention_by_entries_is_exact_and_older_positions_are_gone() {
    for (name, log, _dir) in logs(Retention { entries: Some(10), ..UNLIMITED }) {
        fill(&*log, 50);
        log.trim().unwrap();
        assert_eq!((log.floor(), log.last()), (40, 50), "{name}");
        assert_whole(&read(&*log, 40, 500), 40, 50);
        for after in [0, 39] {
            assert!(matches!(log.between(after, 50, 500).unwrap(), Stretch::Gone(40)), "{name}");
        }
        fill(&*log, 53);
        log.trim().unwrap();
        assert_eq!(log.floor(), 43, "{name}");
        assert_whole(&read(&*log, 43, 500), 43, 53);
    }
}

#[test]
fn retention_by_bytes_keeps_at_most_so_many() {
    for (name, log, _dir) in logs(Retention { bytes: Some(40_000), ..UNLIMITED }) {
        fill(&*log, 600);
        log.trim().unwrap();
        assert!(log.floor() > 100 && log.floor() < 600, "{name}: {}", log.floor());
        assert!(log.bytes() <= 40_000 && log.bytes() > 5_000, "{name}: {}", log.bytes());
        assert_whole(&read(&*log, log.floor(), 50_000), log.floor(), 600);
    }
}

#[test]
fn retention_by_age_reaches_every_entry_and_numbering_goes_on() {
    for (name, log, _dir) in logs(Retention { age: Some(Duration::ZERO), ..UNLIMITED }) {
        fill(&*log, 20);
        log.trim().unwrap();
        assert_eq!((log.floor(), log.last(), log.bytes()), (20, 20, 0), "{name}");
        assert!(read(&*log, 20, 100).is_empty(), "{name}");
        assert_eq!(log.append(vec![change(21)], None).unwrap()[0].offset, 21, "{name}");
    }
    for (name, log, _dir) in logs(Retention { age: Some(Duration::from_secs(3_600)), ..UNLIMITED }) {
        fill(&*log, 20);
        log.trim().unwrap();
        assert_eq!(log.floor(), 0, "{name}");
    }
}

#[test]
fn readers_see_no_gap_while_others_append_and_trim() {
    for (name, log, _dir) in logs(Retention { entries: Some(500), ..UNLIMITED }) {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut after = 0;
                    while !done.load(Ordering::Acquire) || after < log.last() {
                        match log.between(after, log.last(), 2_000).unwrap() {
                            Stretch::Gone(floor) => {
                                assert!(floor > after, "{name}: {floor} after {after}");
                                after = floor;
                            }
                            Stretch::Entries(entries) => {
                                assert_whole(&entries, after, after + entries.len() as Offset);
                                after += entries.len() as Offset;
                            }
                        }
                    }
                    assert_eq!(after, 600, "{name}");
                });
            }
            for last in (100..=600).step_by(100) {
                fill(&*log, last);
                log.trim().unwrap();
            }
            done.store(true, Ordering::Release);
        });
    }
}
