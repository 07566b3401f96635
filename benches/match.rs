//! What a change costs by how many watches there are, and each change concerns one of them: to find its filter
//! in the index, and to publish it through the hub, framed and handed to its shard. A flat curve means that
//! nobody pays for watches that do not match. And what joining and leaving costs among so many.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tidings::audience::Sight;
use tidings::dialect::monorail::Monorail;
use tidings::document::Document;
use tidings::event::{Audience, Entry, Operation, ResourceEvent, Stamp, Timestamp};
use tidings::filter::Filter;
use tidings::hub::form::Form;
use tidings::hub::{Hub, Wish};
use tidings::index::Index;
use tidings::message::Address;
use tidings::metrics::Metrics;

/// How many different changes are tried in turn, so that caches do not know the answer.
const CHANGES: u64 = 4_096;

fn equality(number: u64) -> (Value, Value) {
    (json!({"owner": format!("user-{number}")}), json!({"owner": format!("user-{number}"), "rank": 1}))
}

fn range(number: u64) -> (Value, Value) {
    (json!({"rank": {"$gte": number * 10, "$lt": number * 10 + 10}}), json!({"owner": "x", "rank": number * 10 + 5}))
}

fn prefix(number: u64) -> (Value, Value) {
    (json!({"name": {"startsWith": format!("rack-{number:07}-")}}), json!({"name": format!("rack-{number:07}-unit-1")}))
}

/// The watch of a number, and a document that it matches.
type Kind = fn(u64) -> (Value, Value);

const KINDS: [(&str, Kind); 3] = [("equality", equality), ("range", range), ("prefix", prefix)];

const COUNTS: [u64; 5] = [1, 100, 10_000, 100_000, 1_000_000];

/// Documents spread over all watches, in an order that no prefetcher follows.
fn documents(kind: Kind, count: u64) -> Vec<Value> {
    (0..CHANGES).map(|change| kind(change.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count).1).collect()
}

fn matching(criterion: &mut Criterion) {
    for (name, kind) in KINDS {
        let mut group = criterion.benchmark_group(format!("index/{name}"));
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
        for count in COUNTS {
            let filters: Vec<Filter> =
                (0..count).map(|number| Filter::parse(&kind(number).0).expect("a filter")).collect();
            let mut index = Index::new();
            for (number, filter) in filters.iter().enumerate() {
                index.insert(number as u32, filter);
            }
            let documents = documents(kind, count);
            let mut changes = documents.iter().cycle();
            let mut found = Vec::new();
            group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
                bencher.iter(|| {
                    let document = changes.next().expect("a cycle");
                    found.clear();
                    index.candidates("k", None, Some(document), &mut found);
                    found.retain(|number| filters[*number as usize].matches("k", black_box(document)));
                    assert_eq!(found.len(), 1);
                });
            });
        }
        group.finish();
    }
}

fn publishing(criterion: &mut Criterion) {
    for (name, kind) in KINDS {
        let mut publish = criterion.benchmark_group(format!("hub/{name}"));
        publish.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
        for count in COUNTS {
            let (hub, mut shards) = Hub::new("bench".into(), 0, 1, Arc::new(Metrics::default()));
            let mut handed = shards.pop().expect("one shard");
            for number in 0..count {
                hub.join(0, &wish(kind, number));
            }
            let entries: Vec<Arc<Entry>> = documents(kind, count).into_iter().map(update).collect();
            let mut changes = entries.iter().cycle();
            publish.bench_function(BenchmarkId::new("publish", count), |bencher| {
                bencher.iter(|| {
                    hub.publish(std::slice::from_ref(changes.next().expect("a cycle")), None);
                    let publication = handed.try_recv().expect("it was just handed out");
                    assert_eq!(publication.deliveries.len(), 1);
                });
            });
            // Somebody comes and goes who watches what nobody else does.
            let guest = wish(kind, count + 1);
            publish.bench_function(BenchmarkId::new("join and leave", count), |bencher| {
                bencher.iter(|| {
                    let (group, _) = hub.join(0, black_box(&guest));
                    hub.leave(0, group);
                });
            });
        }
        publish.finish();
    }
}

fn wish(kind: Kind, number: u64) -> Wish {
    let form = Form {
        dialect: Arc::new(Monorail::new()),
        address: Address { channel: "nodes".into(), reference: None },
        positions: false,
        patch: false,
    };
    let filter = Arc::new(Filter::parse(&kind(number).0).expect("a filter"));
    Wish { resource: "nodes".into(), filter, sight: Sight::default(), form }
}

/// A change that keeps what its watch looks at.
fn update(document: Value) -> Arc<Entry> {
    let event = ResourceEvent {
        resource: "nodes".into(),
        id: "k".into(),
        operation: Operation::Updated,
        before: Some(Document::new(document.clone())),
        after: Some(Document::new(document)),
        time: Timestamp(0),
        stamp: Stamp::None,
    };
    Arc::new(Entry { offset: 1, audience: Audience::Everyone, event })
}

criterion_group!(benches, matching, publishing);
criterion_main!(benches);
