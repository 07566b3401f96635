//! Who is seen in a room: by any of their tabs, for a while after each sign of life.

use super::chatter::Chatter;
use super::{ROOM, WORKSPACE, each};
use std::time::{Duration, Instant};

/// A sign of life lasts two seconds.
const TWO_SECONDS: &str = "presence_ttl_ms = 2000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r8_two_tabs_and_a_reconnect_are_one_user_who_never_left() {
    each("", async |world| {
        let mut bob = Chatter::come(world, "bob").await;
        bob.join(WORKSPACE).await;
        assert_eq!(bob.users().await, ["bob"]);
        let mut tabs = [Chatter::come(world, "alice").await, Chatter::come(world, "alice").await];
        for tab in &mut tabs {
            tab.join(WORKSPACE).await;
            assert_eq!(tab.users().await, ["alice", "bob"]);
        }
        assert_eq!(bob.users().await, ["alice", "bob"], "told once");
        let [mut first, second] = tabs;
        first.leave(WORKSPACE).await;
        first.ask_history(WORKSPACE, 0, 0).await;
        assert_eq!(first.users().await, ["alice", "bob"], "what it said before was done");
        drop(second);
        let mut again = Chatter::come(world, "alice").await;
        again.join(WORKSPACE).await;
        assert_eq!(again.users().await, ["alice", "bob"]);
        bob.silence().await;
        again.post(ROOM, "still here").await;
        for present in [&mut bob, &mut again] {
            assert_eq!(present.message().await.1, "still here");
        }
        first.silence().await;
        again.leave(WORKSPACE).await;
        assert_eq!(bob.users().await, ["bob"]);
        again.silence().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_sign_of_life_is_absent_and_still_hears_and_a_ping_brings_them_back() {
    each(TWO_SECONDS, async |world| {
        let (mut alice, mut bob) = (Chatter::come(world, "alice").await, Chatter::come(world, "bob").await);
        alice.join(WORKSPACE).await;
        assert_eq!(alice.users().await, ["alice"]);
        let begun = Instant::now();
        bob.join(WORKSPACE).await;
        assert_eq!(bob.users().await, ["alice", "bob"]);
        assert_eq!(alice.users().await, ["alice", "bob"]);
        let told = loop {
            bob.ping(WORKSPACE).await;
            if let Some(told) = bob.heard_within(Duration::from_millis(500)).await {
                break told;
            }
        };
        assert_eq!(told["Room"]["Users"], serde_json::json!(["bob"]));
        assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
        assert_eq!(alice.users().await, ["bob"]);
        alice.ping(WORKSPACE).await;
        assert_eq!(alice.users().await, ["alice", "bob"]);
        assert_eq!(bob.users().await, ["alice", "bob"]);
        alice.post(ROOM, "back").await;
        assert_eq!(bob.message().await.1, "back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r8_a_tab_in_one_room_keeps_nobody_present_in_another() {
    each(TWO_SECONDS, async |world| {
        let mut tabs = [Chatter::come(world, "alice").await, Chatter::come(world, "alice").await];
        let rooms = [WORKSPACE, ("USER", "alice")];
        for (tab, room) in tabs.iter_mut().zip(rooms) {
            tab.join(room).await;
            assert_eq!(tab.users().await, ["alice"]);
        }
        let [mut silent, mut lively] = tabs;
        let gone = async { silent.users().await };
        let pinging = async {
            loop {
                lively.ping(rooms[1]).await;
                let heard = lively.heard_within(Duration::from_millis(500)).await;
                assert_eq!(heard, None, "who pings stays");
            }
        };
        tokio::select! {
            users = gone => assert!(users.is_empty(), "{users:?}"),
            () = pinging => {}
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_ping_stay_as_long_as_they_are_connected_where_that_is_wanted() {
    let options = "presence_ttl_ms = 1000\npresence_without_ping = \"connected\"";
    each(options, async |world| {
        let (mut alice, mut bob) = (Chatter::come(world, "alice").await, Chatter::come(world, "bob").await);
        for (number, chatter) in [&mut alice, &mut bob].into_iter().enumerate() {
            chatter.join(WORKSPACE).await;
            assert_eq!(chatter.users().await.len(), number + 1);
        }
        assert_eq!(alice.users().await, ["alice", "bob"]);
        assert_eq!(alice.heard_within(Duration::from_millis(2500)).await, None);
        drop(bob);
        assert_eq!(alice.users().await, ["alice"]);
    })
    .await;
}
