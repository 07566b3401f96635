//! Several servers on one database share its rooms.

use super::chatter::Chatter;
use super::{ROOM, WORKSPACE};
use crate::cells::world::{CellsWorld, beginning};
use crate::cells::{OUTBOX, Setting};
use crate::server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_postgres_share_a_room() {
    let Some(Setting { configuration, writes, databases, .. }) = Setting::postgres(OUTBOX, "").await else { return };
    let apps = [server::start(&configuration).await, server::start(&configuration).await];
    let [first, second] = [apps[0].address(), apps[1].address()];
    let mut world = CellsWorld::of(first, writes).await;
    world.make(&beginning()).await;

    // Both make the room at once, and it is one.
    let mut alice = Chatter::come_to(first, "alice").await;
    let mut bob = loop {
        // The other server may not know the rows yet.
        let mut bob = Chatter::come_to(second, "bob").await;
        bob.ask_history(WORKSPACE, 0, 0).await;
        bob.join(("USER", "bob")).await;
        if bob.heard_within(std::time::Duration::from_secs(2)).await.is_some() {
            break bob;
        }
    };
    tokio::join!(alice.join(WORKSPACE), bob.join(WORKSPACE));
    for chatter in [&mut alice, &mut bob] {
        let mut users = Vec::new();
        while users != ["alice", "bob"] {
            let (room, now) = chatter.room().await;
            assert_eq!(room, ROOM);
            users = now;
        }
    }
    alice.post(ROOM, "hello").await;
    bob.message().await;
    bob.post(ROOM, "hello too").await;
    for (chatter, texts) in [(&mut alice, &["hello", "hello too"][..]), (&mut bob, &["hello too"])] {
        for text in texts {
            assert_eq!(chatter.message().await.1, *text);
        }
    }

    // A user at both stays while they are at one.
    let mut other = Chatter::come_to(second, "alice").await;
    other.join(WORKSPACE).await;
    assert_eq!(other.users().await, ["alice", "bob"]);
    alice.leave(WORKSPACE).await;
    bob.silence().await;
    other.leave(WORKSPACE).await;
    assert_eq!(bob.users().await, ["bob"]);
    drop(world);
    for app in apps {
        app.stop().await;
    }
    drop(databases);
}
