//! What an entry costs that is for three of many viewers, beside one that is for everybody; and what a grant costs,
//! with the entry that follows from it. Each viewer watches the same resource without a filter, by its own eyes.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tidings::audience::{Rights, Role, Sight};
use tidings::dialect::monorail::Monorail;
use tidings::document::Document;
use tidings::event::{Audience, Entry, Mark, Operation, ResourceEvent, Stamp, Timestamp};
use tidings::filter::{Filter, Path};
use tidings::hub::form::Form;
use tidings::hub::{Hub, Publication, Wish};
use tidings::message::Address;
use tidings::metrics::Metrics;
use tidings::query::Row;
use tidings::replica::Replica;
use tidings::replica::shared::{Feed, Settings, Shared};
use tokio::sync::mpsc::Receiver;

const COUNTS: [usize; 4] = [100, 1_000, 10_000, 100_000];

fn viewer(number: usize) -> Arc<str> {
    format!("viewer-{number}").into()
}

/// A hub with so many viewers, and what its shard is handed.
fn crowd(count: usize, metrics: &Arc<Metrics>) -> (Hub, Receiver<Publication>) {
    let (hub, mut shards) = Hub::new("bench".into(), 0, 1, metrics.clone());
    for number in 0..count {
        let form = Form {
            dialect: Arc::new(Monorail::new()),
            address: Address { channel: "documents".into(), reference: None },
            positions: false,
            patch: false,
        };
        let sight = Sight { subject: Some(viewer(number)), ..Sight::default() };
        hub.join(0, &Wish { resource: "documents".into(), filter: Arc::new(Filter::All), sight, form });
    }
    (hub, shards.pop().expect("one shard"))
}

fn update(audience: Audience) -> Arc<Entry> {
    let event = ResourceEvent {
        resource: "documents".into(),
        id: "d".into(),
        operation: Operation::Updated,
        before: Some(Document::new(json!({"id": "d", "title": "a title", "n": 1}))),
        after: Some(Document::new(json!({"id": "d", "title": "a title", "n": 2}))),
        time: Timestamp(0),
        stamp: Stamp::None,
    };
    Arc::new(Entry { offset: 1, audience, event })
}

fn for_three(count: usize) -> Audience {
    Audience::limited(Rights::of([0, count / 2, count - 1].map(viewer), Role::Reader))
}

fn publish(hub: &Hub, handed: &mut Receiver<Publication>, entry: &Arc<Entry>) -> usize {
    hub.publish(std::slice::from_ref(entry), None);
    handed.try_recv().expect("it was just handed out").deliveries.len()
}

fn entries(criterion: &mut Criterion) {
    for (name, audience) in
        [("three viewers", for_three as fn(usize) -> Audience), ("everybody", |_| Audience::Everyone)]
    {
        let mut group = criterion.benchmark_group(format!("an entry for {name}"));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
        for count in COUNTS {
            let metrics = Arc::new(Metrics::default());
            let (hub, mut handed) = crowd(count, &metrics);
            let entry = update(audience(count));
            let deliveries = publish(&hub, &mut handed, &entry);
            let (asked, matched) = (metrics.candidates.get(), metrics.matches.get());
            println!("{name} of {count}: {asked} asked, {matched} matched, {deliveries} deliveries");
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                bencher.iter(|| assert_eq!(publish(&hub, &mut handed, black_box(&entry)), deliveries));
            });
        }
        group.finish();
    }
}

/// A replica of so many records, each shared with three.
fn shared(count: usize) -> Shared {
    let feed = |name: &str| Feed { resource: name.into(), source: "db".into() };
    let path = |name: &str| Some(Path::parse(name));
    let settings = Settings {
        records: feed("documents"),
        grants: feed("grants"),
        record: Path::parse("document"),
        subject: path("user"),
        group: None,
        until: None,
        owner: None,
        remembers: Duration::ZERO,
    };
    let mut shared = Shared::new(settings, 0);
    let document = |number: usize| json!({"id": format!("d{number}"), "title": "a title"});
    let grant = |number: usize, of: usize| json!({"document": format!("d{number}"), "user": viewer(number + of)});
    let documents = (0..count).map(|number| Row::new(format!("d{number}"), Document::new(document(number))));
    let grants = (0..count * 3).map(|one| Row::new(format!("g{one}"), Document::new(grant(one / 3, one % 3))));
    shared.load("documents", documents.collect(), Mark::Offset(0));
    shared.load("grants", grants.collect(), Mark::Offset(0));
    shared.reached(&"db".into(), &Mark::Offset(0));
    shared
}

fn grants(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a grant that comes and goes");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    for count in COUNTS {
        let (hub, mut handed) = crowd(count, &Arc::new(Metrics::default()));
        let mut shared = shared(count);
        let event = |operation, before, after| ResourceEvent {
            resource: "grants".into(),
            id: "new".into(),
            operation,
            before,
            after,
            time: Timestamp(0),
            stamp: Stamp::None,
        };
        let grant = Some(Document::new(json!({"document": "d1", "user": viewer(count - 1)})));
        let came = event(Operation::Created, None, grant.clone());
        let went = event(Operation::Removed, grant, None);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                for event in [&came, &went] {
                    let mut out = Vec::new();
                    shared.take(event.clone(), Audience::Everyone, &mut out);
                    let (event, audience) = out.pop().expect("who may see the record has changed");
                    let entry = Arc::new(Entry { offset: 1, audience, event });
                    assert_eq!(publish(&hub, &mut handed, &entry), 1);
                    shared.published(&[], 1);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, entries, grants);
criterion_main!(benches);
