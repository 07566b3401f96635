//! What a log on the disk promises beyond the others: to be there again.

use crate::event::{Offset, Timestamp};
use crate::log::disk::witness::{State, Testimony, Witness, boot};
use crate::log::disk::{DiskLog, Limits, Sync};
use crate::log::suite::{UNLIMITED, assert_whole, change, fill, read};
use crate::log::{Bookmark, Log, Retention, Stretch};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

impl DiskLog {
    /// A log that holds almost nothing in memory and begins segments often.
    pub(in crate::log) fn open_small(dir: &Path, retention: Retention) -> DiskLog {
        let limits = Limits { ring_entries: 4, ring_bytes: 1 << 20, segment_bytes: 10_000 };
        DiskLog::open_with(dir, retention, Sync::Os, limits).unwrap()
    }
}

fn open(dir: &Path) -> DiskLog {
    DiskLog::open(dir, UNLIMITED, Sync::Os).unwrap()
}

fn journal(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "jnl")).max().unwrap()
}

/// Changes what the witness says, as another past would have.
fn retell(dir: &Path, tell: impl FnOnce(&mut Testimony)) {
    let mut said = Witness::heard(dir).unwrap();
    tell(&mut said);
    Witness::call(dir, said).unwrap();
}

#[test]
fn everything_is_there_again_after_a_clean_end_and_without_one() {
    for close in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let log = DiskLog::open_small(dir.path(), UNLIMITED);
        let epoch = log.epoch();
        fill(&log, 40);
        log.append(vec![change(41)], Some(Bookmark { source: "s".into(), place: b"here".to_vec() })).unwrap();
        let bytes = log.bytes();
        if close {
            log.close().unwrap();
        }
        drop(log);
        let log = open(dir.path());
        assert_eq!((log.epoch(), log.last(), log.floor()), (epoch, 41, 0));
        assert_eq!(log.bookmark("s").unwrap().as_deref(), Some(&b"here"[..]));
        assert_eq!(log.bytes(), bytes);
        assert_whole(&read(&log, 0, 700), 0, 41);
        fill(&log, 60);
        assert_whole(&read(&log, 0, 700), 0, 60);
    }
}

#[test]
fn the_floor_survives_a_restart_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { entries: Some(17), ..UNLIMITED };
    let log = DiskLog::open_small(dir.path(), retention);
    fill(&log, 100);
    log.trim().unwrap();
    assert_eq!(log.floor(), 83);
    let bytes = log.bytes();
    drop(log);
    let log = DiskLog::open_small(dir.path(), retention);
    assert_eq!((log.floor(), log.last()), (83, 100));
    // Segments that are gone by now are no longer counted.
    assert!(log.bytes() <= bytes, "{} bytes of {bytes}", log.bytes());
    assert_whole(&read(&log, 83, 500), 83, 100);
    assert!(matches!(log.between(82, 100, 500).unwrap(), Stretch::Gone(83)));
}

#[test]
fn numbering_goes_on_when_nothing_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open_small(dir.path(), Retention { entries: Some(0), ..UNLIMITED });
    let epoch = log.epoch();
    fill(&log, 100);
    log.trim().unwrap();
    drop(log);
    let log = open(dir.path());
    assert_eq!((log.epoch(), log.floor(), log.last()), (epoch, 100, 100));
    fill(&log, 103);
    assert_whole(&read(&log, 100, 500), 100, 103);
}

#[test]
fn letting_go_frees_whole_segments() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open_small(dir.path(), Retention { entries: Some(30), ..UNLIMITED });
    for last in (100..=700).step_by(100) {
        fill(&log, last);
        log.trim().unwrap();
    }
    let kept = log.shown().segments.len();
    assert!(kept < 5, "{kept}");
    assert_eq!(log.database.list_keyspace_names().len(), kept + 2, "the others are gone from the disk");
}

#[test]
fn a_segment_is_filled_before_the_next_begins() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open_small(dir.path(), Retention { entries: Some(1), ..UNLIMITED });
    let mut begun = BTreeSet::new();
    for last in (5..=300).step_by(5) {
        fill(&log, last);
        log.trim().unwrap();
        begun.insert(log.shown().segments.last().unwrap().first);
    }
    assert!((3..8).contains(&begun.len()), "{begun:?}");
}

#[test]
fn a_second_process_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let _log = open(dir.path());
    let error = DiskLog::open(dir.path(), UNLIMITED, Sync::Os).err().unwrap();
    assert!(error.chain().contains("another process"), "{}", error.chain());
}

#[test]
fn a_closed_log_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.close().unwrap();
    log.close().unwrap();
    assert!(log.append(vec![change(1)], None).is_err());
    assert_eq!(log.last(), 0);
}

#[test]
fn a_torn_end_keeps_a_prefix_and_begins_a_new_epoch() {
    for cut in [1, 10, 100, 1_000, 3_000] {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let epoch = log.epoch();
        fill(&log, 30);
        drop(log);
        let journal = journal(dir.path());
        // Behind the last byte that is not zero is what was reserved and never written.
        let end = fs::read(&journal).unwrap().iter().rposition(|byte| *byte != 0).unwrap() as u64;
        fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(end - cut).unwrap();
        assert_prefix(dir.path(), &epoch, cut);
    }
}

#[test]
fn a_damaged_end_keeps_a_prefix_and_begins_a_new_epoch() {
    for text in ["\"n3\"", "\"n15\"", "\"n30\""] {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let epoch = log.epoch();
        fill(&log, 30);
        drop(log);
        let journal = journal(dir.path());
        let mut bytes = fs::read(&journal).unwrap();
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
        bytes[at + 1] ^= 1;
        fs::write(&journal, bytes).unwrap();
        assert_prefix(dir.path(), &epoch, text);
    }
}

fn assert_prefix(dir: &Path, epoch: &str, how: impl std::fmt::Debug) {
    let log = open(dir);
    let last = log.last();
    assert!(last < 30, "{how:?}");
    assert_whole(&read(&log, 0, 500), 0, last);
    assert_ne!(&*log.epoch(), epoch, "{how:?}: entries that were acknowledged are gone");
    let epoch = log.epoch();
    fill(&log, last + 5);
    drop(log);
    let log = open(dir);
    assert_eq!(log.epoch(), epoch, "{how:?}: one new epoch is enough");
    assert_whole(&read(&log, 0, 500), 0, last + 5);
}

#[test]
fn what_cannot_be_mended_is_set_aside() {
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("log");
    let log = open(&dir);
    let epoch = log.epoch();
    fill(&log, 30);
    drop(log);
    fs::write(dir.join("version"), b"nonsense").unwrap();
    let log = open(&dir);
    assert_ne!(log.epoch(), epoch);
    assert_eq!((log.floor(), log.last()), (0, 0));
    assert_eq!(fs::read_dir(above.path()).unwrap().count(), 2, "the damaged one is still beside it");
}

#[test]
fn a_machine_that_went_down_means_a_new_epoch_unless_every_append_was_on_the_disk() {
    let another = "another-boot";
    for (sync, state, same) in
        [(Sync::Os, State::Open, false), (Sync::Always, State::Synced, true), (Sync::Os, State::Closed, true)]
    {
        let dir = tempfile::tempdir().unwrap();
        let log = DiskLog::open(dir.path(), UNLIMITED, sync).unwrap();
        let epoch = log.epoch();
        fill(&log, 10);
        if state == State::Closed {
            log.close().unwrap();
        }
        drop(log);
        assert_eq!(Witness::heard(dir.path()).unwrap().state, state);
        assert_eq!(Witness::heard(dir.path()).unwrap().boot, boot());
        retell(dir.path(), |said| said.boot = another.to_owned());
        let log = open(dir.path());
        assert_eq!(log.epoch() == epoch, same, "{sync:?} {state:?}");
        assert_whole(&read(&log, 0, 500), 0, 10);
    }
}

fn set_state(dir: &Path, key: &str, value: &[u8]) {
    let database = crate::pairs::open(dir).unwrap();
    let state = database.keyspace("state", Default::default).unwrap();
    state.insert(key, value).unwrap();
}

#[test]
fn a_log_whose_state_is_damaged_begins_a_new_epoch() {
    let damages: [fn(&Path); 5] = [
        |dir| fs::remove_file(dir.join("witness")).unwrap(),
        |dir| fs::write(dir.join("witness"), "tidings-log 1 open").unwrap(),
        |dir| retell(dir, |said| said.epoch = "00000000".into()),
        |dir| set_state(dir, "epoch", b"\xff"),
        |dir| set_state(dir, "last", &9u64.to_be_bytes()),
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let epoch = log.epoch();
        fill(&log, 10);
        drop(log);
        damage(dir.path());
        let log = open(dir.path());
        assert_ne!(log.epoch(), epoch);
        assert_whole(&read(&log, 0, 500), 0, 10);
    }
}

#[test]
fn an_entry_that_cannot_be_read_moves_the_beginning_instead_of_failing_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let log = DiskLog::open_small(dir.path(), UNLIMITED);
    fill(&log, 30);
    let mut batch = log.database.batch();
    let segment = log.shown().segments.iter().rev().find(|segment| segment.first <= 10).unwrap().clone();
    segment.put(&mut batch, 10, b"torn".to_vec());
    batch.commit().unwrap();
    let Stretch::Entries(before) = log.between(5, 30, usize::MAX).unwrap() else { panic!() };
    assert_whole(&before, 5, 9);
    let Stretch::Gone(floor) = log.between(9, 30, usize::MAX).unwrap() else { panic!() };
    assert!(floor > 9 && floor == log.floor());
    assert_whole(&read(&log, floor, 500), floor, 30);
}

#[test]
fn a_log_opened_with_an_unreadable_entry_begins_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    fill(&log, 30);
    let mut batch = log.database.batch();
    log.shown().segments[0].put(&mut batch, 20, b"torn".to_vec());
    batch.commit().unwrap();
    drop(log);
    let log = open(dir.path());
    assert_eq!((log.floor(), log.last()), (20, 30));
    assert_whole(&read(&log, 20, 500), 20, 30);
    drop(log);
    // Now too little is held in memory to come upon it again.
    assert_eq!(DiskLog::open_small(dir.path(), UNLIMITED).floor(), 20);
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9_and_nothing_is_half_there() {
    let dir = tempfile::tempdir().unwrap();
    let epoch = open(dir.path()).epoch();
    let mut last = 0;
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log::disk::tests::appends_until_it_is_killed", "--nocapture"])
            .env("TIDINGS_TEST_LOG", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = |count: usize| {
            let told = lines.by_ref().map_while(Result::ok).filter_map(|line| line.parse::<Offset>().ok());
            told.take(count).last()
        };
        let early = acknowledged(40 + round * 37);
        child.kill().unwrap();
        child.wait().unwrap();
        let told = acknowledged(usize::MAX).or(early).expect("the child appended");
        assert!(told > last);

        let log = open(dir.path());
        last = log.last();
        assert!(last >= told, "{last} is all there is, but {told} was acknowledged");
        assert_eq!(log.epoch(), epoch, "nothing was lost, so positions stay valid");
        assert_whole(&read(&log, log.floor(), 20_000), log.floor(), last);
        let place = log.bookmark("source").unwrap().unwrap();
        assert_eq!(place, last.to_be_bytes(), "the bookmark belongs to the newest entries");
    }
}

/// Not a test of its own: the process that the test above kills.
#[test]
fn appends_until_it_is_killed() {
    let Ok(dir) = std::env::var("TIDINGS_TEST_LOG") else { return };
    let log = DiskLog::open_small(Path::new(&dir), Retention { entries: Some(300), ..UNLIMITED });
    let began = Timestamp::now().0;
    while Timestamp::now().0 < began + 60_000 {
        let last = log.last() + 3;
        let place = last.to_be_bytes().to_vec();
        log.append((last - 2..=last).map(change).collect(), Some(Bookmark { source: "source".into(), place })).unwrap();
        println!("{last}");
        if last.is_multiple_of(50) {
            log.trim().unwrap();
        }
    }
}
