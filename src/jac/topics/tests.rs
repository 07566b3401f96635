use super::*;
use crate::hub::Hub;
use crate::log::Retention;
use crate::log::memory::MemoryLog;
use crate::shard::{self, Settings};
use tokio::sync::oneshot;

/// Sockets that nobody has, of a shard that is gone at the end.
async fn peers(count: usize) -> Vec<Peer> {
    let (hub, publications) = Hub::new("e1".into(), 0, 1, Arc::default());
    let settings = Settings::of_a_test();
    let start = shard::Start {
        id: 0,
        hub: Arc::new(hub),
        log: Arc::new(MemoryLog::new(Retention { entries: None, bytes: None, age: None })),
        metrics: Arc::default(),
        runtime: tokio::runtime::Handle::current(),
        settings,
        publications: publications.into_iter().next().expect("one shard"),
    };
    let (handle, _) = shard::start(start).expect("a thread");
    let (sender, told) = oneshot::channel();
    handle.run(move |shard| _ = sender.send((0..count).map(|id| shard.peer(id)).collect()));
    told.await.expect("the shard is there")
}

fn ids(topics: &Topics, kind: Kind, id: &str) -> Vec<usize> {
    topics.members(kind, id).iter().map(|peer| peer.id).collect()
}

#[tokio::test]
async fn a_topic_has_who_joined_it_in_this_order_until_they_leave() {
    let (topics, peers) = (Topics::default(), peers(3).await);
    let seats: Vec<_> = peers.iter().map(|peer| topics.join(Kind::Channel, "room1", peer)).collect();
    assert_eq!(ids(&topics, Kind::Channel, "room1"), [0, 1, 2]);
    assert!(ids(&topics, Kind::Client, "room1").is_empty() && ids(&topics, Kind::Channel, "ROOM1").is_empty());
    topics.leave(Kind::Channel, "room1", seats[1]);
    topics.leave(Kind::Channel, "room1", seats[1]);
    assert_eq!(ids(&topics, Kind::Channel, "room1"), [0, 2]);
    topics.leave(Kind::Channel, "room1", seats[0]);
    topics.leave(Kind::Channel, "room1", seats[2]);
    assert_eq!(topics.count(), 0);
}

#[tokio::test]
async fn every_reference_to_a_user_is_the_same_topic_and_no_other_text_is() {
    let (topics, peers) = (Topics::default(), peers(1).await);
    topics.join(Kind::User, "n::672b35cec309e5ef8469c372", &peers[0]);
    assert_eq!(ids(&topics, Kind::User, "N:root:672B35CEC309E5EF8469C372"), [0]);
    for text in ["672b35cec309e5ef8469c372", "", "n::672b35cec309e5ef8469c373"] {
        assert!(ids(&topics, Kind::User, text).is_empty(), "{text}");
    }
}

#[tokio::test]
async fn r5_100_000_that_came_and_went_leave_no_memory_behind() {
    let (topics, peers) = (Topics::default(), peers(1).await);
    let name = |n: usize| format!("channel {n}");
    let staying = topics.join(Kind::Channel, "room1", &peers[0]);
    let seats: Vec<_> = (0..100_000).map(|n| topics.join(Kind::Channel, &name(n), &peers[0])).collect();
    assert_eq!(topics.count(), 100_001);
    for (n, seat) in seats.into_iter().enumerate() {
        topics.leave(Kind::Channel, &name(n), seat);
    }
    assert_eq!(topics.count(), 1);
    assert!(topics.table(Kind::Channel).capacity() < 1000, "the table itself becomes small again");
    topics.leave(Kind::Channel, "room1", staying);
    assert_eq!(topics.count(), 0);
}
