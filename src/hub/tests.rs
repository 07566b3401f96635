//! The seam between history and live, with the pump held up where it hurts.

use super::*;
use crate::dialect::monorail::Monorail;
use crate::document::Document;
use crate::event::{Audience, ResourceEvent, Timestamp};
use crate::message::Address;
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

fn hub(shards: usize) -> (Arc<Hub>, Vec<mpsc::Receiver<Publication>>) {
    let (hub, publications) = Hub::new("e1".into(), 0, shards, Arc::default());
    (Arc::new(hub), publications)
}

fn wish() -> Wish {
    let address = Address { channel: "nodes".into(), reference: None };
    let form = Form { dialect: Arc::new(Monorail::new()), address, positions: false, patch: false };
    Wish { resource: "nodes".into(), filter: Arc::new(Filter::All), sight: Sight::default(), form }
}

fn entry(offset: Offset) -> Arc<Entry> {
    let event = ResourceEvent {
        resource: "nodes".into(),
        id: "n1".into(),
        operation: Operation::Created,
        before: None,
        after: Some(Document::new(json!({"id": "n1"}))),
        time: Timestamp(0),
        stamp: Stamp::Offset(offset),
    };
    Arc::new(Entry { offset, audience: Audience::Everyone, event })
}

/// The offsets that a shard was handed for a group.
fn handed(publications: &mut mpsc::Receiver<Publication>, group: GroupId) -> Vec<Offset> {
    let mut offsets = Vec::new();
    while let Ok(publication) = publications.try_recv() {
        let concerned = publication.deliveries.iter().filter(|delivery| delivery.group == group);
        offsets.extend(concerned.map(|delivery| delivery.offset));
    }
    offsets
}

#[test]
fn live_begins_where_joining_says_wherever_it_falls_between_two_publications() {
    for joined_after in 0..=5 {
        let (hub, mut publications) = hub(1);
        (1..=joined_after).for_each(|offset| hub.publish(&[entry(offset)], None));
        let (group, offset) = hub.join(0, &wish());
        (joined_after + 1..=5).for_each(|offset| hub.publish(&[entry(offset)], None));
        assert_eq!(offset, joined_after);
        assert_eq!(handed(&mut publications[0], group), (joined_after + 1..=5).collect::<Vec<_>>());
    }
}

/// The pump is stopped between matching an entry and handing it out: it was matched without the watcher, so
/// it must count as history.
#[test]
fn a_publication_that_is_on_its_way_is_history_for_who_joins() {
    let (hub, mut publications) = hub(1);
    let full = WAITING as Offset;
    (1..=full).for_each(|offset| hub.publish(&[entry(offset)], None));
    let pump = {
        let hub = hub.clone();
        thread::spawn(move || hub.publish(&[entry(full + 1)], None))
    };
    let begun = Instant::now();
    while hub.published() == full {
        assert!(begun.elapsed() < Duration::from_secs(10), "an entry that is on its way does not count as published");
        thread::yield_now();
    }
    let (group, offset) = hub.join(0, &wish());
    assert_eq!(offset, full + 1);
    assert!(handed(&mut publications[0], group).is_empty());
    pump.join().expect("the pump goes on");
    hub.publish(&[entry(full + 2)], None);
    assert_eq!(handed(&mut publications[0], group), [full + 2]);
}

#[test]
fn history_and_live_meet_without_a_gap_or_an_overlap_while_everybody_joins() {
    const LAST: Offset = 2_000;
    let (hub, publications) = hub(2);
    let pump = {
        let hub = hub.clone();
        thread::spawn(move || {
            for first in (1..=LAST).step_by(4) {
                let entries: Vec<_> = (first..first + 4).map(entry).collect();
                hub.publish(&entries, None);
            }
        })
    };
    let shards = publications.into_iter().enumerate().map(|(shard, mut publications)| {
        let hub = hub.clone();
        thread::spawn(move || {
            // Each watcher has a form of its own, so it is a group of its own.
            let (mut watchers, mut upto) = (Vec::new(), 0);
            while upto < LAST {
                let mut wish = wish();
                wish.form.address.channel = format!("nodes{shard}.{}", watchers.len()).into();
                if watchers.len() < 200 {
                    let (group, offset) = hub.join(shard, &wish);
                    watchers.push((group, offset, Vec::new()));
                }
                let publication = publications.blocking_recv().expect("the hub is there");
                upto = publication.upto;
                for delivery in publication.deliveries {
                    let watcher = watchers.iter_mut().find(|(group, _, _)| *group == delivery.group);
                    watcher.expect("a group that joined").2.push(delivery.offset);
                }
            }
            for (_, offset, told) in watchers {
                assert_eq!(told, (offset + 1..=LAST).collect::<Vec<_>>(), "live began after {offset}");
            }
        })
    });
    for shard in shards.collect::<Vec<_>>() {
        shard.join().expect("every watcher is told everything once");
    }
    pump.join().expect("the pump ends");
}
