//! What the log on the disk stands on: `fjall` (a log-structured tree) beside `redb` (a copy-on-write tree), on
//! the two things that a log does all day. Appends count only what survives `kill -9`: the operating system has
//! the bytes when the append returns, the disk need not.
//!
//! `redb` offers nothing between "lost with the process" (`Durability::None`) and an fsync (`Immediate`), so the
//! latter is what it needs here; `fjall` with an fsync stands beside it.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, TableDefinition};
use std::hint::black_box;
use std::path::Path;
use tidings::document::Document;
use tidings::event::{Audience, Operation, ResourceEvent, Stamp, Timestamp};
use tidings::log::disk::{DiskLog, Sync};
use tidings::log::{Log, Retention};

const ENTRIES: TableDefinition<u64, &[u8]> = TableDefinition::new("entries");
const BATCH: u64 = 4;
const VALUE: [u8; 256] = [b'x'; 256];
const HELD: u64 = 100_000;
const READ: u64 = 1_000;

fn append_fjall(database: &Database, entries: &Keyspace, from: u64, durability: PersistMode) {
    let mut batch = database.batch().durability(Some(durability));
    for offset in from..from + BATCH {
        batch.insert(entries, offset.to_be_bytes(), VALUE);
    }
    batch.commit().expect("fjall appends");
}

fn append_redb(database: &redb::Database, from: u64, count: u64) {
    let transaction = database.begin_write().expect("redb begins");
    {
        let mut entries = transaction.open_table(ENTRIES).expect("redb opens the table");
        for offset in from..from + count {
            entries.insert(offset, &VALUE[..]).expect("redb inserts");
        }
    }
    transaction.commit().expect("redb commits");
}

fn fjall(dir: &Path) -> (Database, Keyspace) {
    let database = Database::builder(dir).worker_threads(1).open().expect("fjall opens");
    let entries = database.keyspace("entries", KeyspaceCreateOptions::default).expect("fjall opens the keyspace");
    (database, entries)
}

fn change(number: u64) -> (ResourceEvent, Audience) {
    let event = ResourceEvent {
        resource: "nodes".into(),
        id: "n".into(),
        operation: Operation::Updated,
        before: None,
        after: Some(Document::new(serde_json::json!({"id": "n", "number": number, "text": "x".repeat(170)}))),
        time: Timestamp(0),
        stamp: Stamp::Offset(number),
    };
    (event, Audience::Everyone)
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append 4 entries of 256 bytes");
    for (name, durability) in [("fjall", PersistMode::Buffer), ("fjall, fsync", PersistMode::SyncData)] {
        let dir = tempfile::tempdir().expect("a directory");
        let (database, entries) = fjall(dir.path());
        let mut offset = 1;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                append_fjall(&database, &entries, offset, durability);
                offset += BATCH;
            });
        });
    }
    let dir = tempfile::tempdir().expect("a directory");
    let database = redb::Database::create(dir.path().join("redb")).expect("redb opens");
    let mut offset = 1;
    group.bench_function("redb, fsync", |bencher| {
        bencher.iter(|| {
            append_redb(&database, offset, BATCH);
            offset += BATCH;
        });
    });
    let dir = tempfile::tempdir().expect("a directory");
    let unlimited = Retention { entries: None, bytes: None, age: None };
    let log = DiskLog::open(dir.path(), unlimited, Sync::Os).expect("the log opens");
    group.bench_function("the log itself", |bencher| {
        let events = || (0..BATCH).map(change).collect::<Vec<_>>();
        bencher.iter_batched(
            events,
            |events| log.append(events, None).expect("the log appends"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn tail(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read the newest 1,000 of 100,000 entries");
    let dir = tempfile::tempdir().expect("a directory");
    let (database, entries) = fjall(dir.path());
    (1..HELD).step_by(BATCH as usize).for_each(|from| append_fjall(&database, &entries, from, PersistMode::Buffer));
    group.bench_function("fjall", |bencher| {
        bencher.iter(|| {
            for pair in entries.range((HELD - READ).to_be_bytes()..) {
                black_box(pair.value().expect("fjall reads"));
            }
        });
    });
    let dir = tempfile::tempdir().expect("a directory");
    let database = redb::Database::create(dir.path().join("redb")).expect("redb opens");
    append_redb(&database, 1, HELD);
    group.bench_function("redb", |bencher| {
        bencher.iter(|| {
            let transaction = database.begin_read().expect("redb begins");
            let entries = transaction.open_table(ENTRIES).expect("redb opens the table");
            for pair in entries.range(HELD - READ..).expect("redb reads") {
                black_box(pair.expect("redb reads").1.value());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, append, tail);
criterion_main!(benches);
