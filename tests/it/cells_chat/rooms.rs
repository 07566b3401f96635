//! Rooms: who may be in them, how they come and go.

use super::chatter::{Chatter, rows};
use super::{ROOM, WORKSPACE, each};
use crate::transcript::Word;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_of_a_user_are_theirs_and_administrators_and_that_of_all_is_everybodys() {
    each("", async |world| {
        let admin = json!({"uuid": "u-root", "login": "root", "profile": "admin", "roles": []});
        world.write("users", "u-root", Word::Created, admin).await;
        world.barrier().await;
        let (mut alice, mut root) = (Chatter::come(world, "alice").await, Chatter::come(world, "root").await);
        alice.join(("USER", "bob")).await;
        for own in [("USER", "alice"), ("USER", "u-alice"), ("GLOBAL", "")] {
            alice.join(own).await;
            assert_eq!(alice.users().await, ["alice"], "{own:?}");
            root.join(own).await;
            assert_eq!(root.users().await, ["alice", "root"]);
            assert_eq!(alice.users().await, ["alice", "root"]);
        }
        let mut eve = Chatter::come(world, "eve").await;
        eve.join(("GLOBAL", "")).await;
        eve.join(("USER", "eve")).await;
        assert_eq!(eve.users().await, ["eve"], "a shared profile has no room of all");
        assert_eq!(rows(world, "chat_rooms").await.len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_makes_no_room_and_lets_a_socket_into_one_that_is_there() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        alice.ping(WORKSPACE).await;
        alice.silence().await;
        assert!(rows(world, "chat_rooms").await.is_empty());
        world
            .write("chat_rooms", "r1", Word::Created, json!({"uuid": "r1", "type": "WORKSPACE", "object": "ws-1"}))
            .await;
        alice.ping(WORKSPACE).await;
        assert_eq!(alice.room().await, ("r1".to_owned(), vec!["alice".to_owned()]));
        alice.ping(WORKSPACE).await;
        alice.silence().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_in_the_form_of_the_text_takes_its_uuid_and_brings_the_history_once() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        let room = json!({"Uuid": "ours", "Type": "WORKSPACE", "RoomTypeObject": "ws-1", "RoomLabel": "Ours"});
        alice.say(json!({"@type": "JOIN", "Room": room})).await;
        let heard = alice.heard().await;
        assert_eq!((&heard["Room"]["Uuid"], &heard["Room"]["RoomLabel"]), (&json!("ours"), &json!("Ours")));
        for text in ["one", "two"] {
            alice.post("ours", text).await;
            assert_eq!(alice.message().await.1, text);
        }
        let mut bob = Chatter::come(world, "bob").await;
        world.barrier().await;
        bob.say(json!({"@type": "JOIN", "Room": {"Uuid": "unknown"}})).await;
        bob.say(json!({"@type": "JOIN", "Room": {"Uuid": "ours"}})).await;
        assert_eq!(bob.room().await, ("ours".to_owned(), vec!["alice".to_owned(), "bob".to_owned()]));
        assert_eq!((bob.message().await.1, bob.message().await.1), ("one".to_owned(), "two".to_owned()));
        bob.silence().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_while_others_post_hears_every_message_once_and_in_order() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        alice.join(WORKSPACE).await;
        alice.room().await;
        let posting = tokio::spawn(async move {
            for number in 0..60 {
                alice.post(ROOM, &number.to_string()).await;
                let mut heard = alice.heard().await;
                while heard["@type"] == "ROOM_UPDATE" {
                    heard = alice.heard().await;
                }
                assert_eq!(heard["Message"], number.to_string());
            }
        });
        let mut joining = Vec::new();
        for number in 0..4 {
            let mut bob = Chatter::come(world, "bob").await;
            joining.push(tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(30 * number)).await;
                bob.say(json!({"@type": "JOIN", "Room": {"Uuid": "", "Type": "WORKSPACE", "RoomTypeObject": "ws-1"}}))
                    .await;
                bob.room().await;
                let mut next = 0;
                while next < 60 {
                    let heard = bob.heard().await;
                    if heard["@type"].is_null() {
                        assert_eq!(heard["Message"], next.to_string());
                        next += 1;
                    }
                }
            }));
        }
        posting.await.expect("all are posted");
        for join in joining {
            join.await.expect("all are heard");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_removed_is_told_once_more_and_has_nobody_in_it() {
    each("", async |world| {
        let row = json!({"uuid": "r1", "type": "WORKSPACE", "object": "ws-1"});
        world.write("chat_rooms", "r1", Word::Created, row.clone()).await;
        let mut alice = Chatter::come(world, "alice").await;
        alice.join(WORKSPACE).await;
        assert_eq!(alice.users().await, ["alice"]);
        world.write("chat_rooms", "r1", Word::Removed, row).await;
        assert_eq!(alice.room().await, ("r1".to_owned(), vec![]));
        alice.post("r1", "nobody is here").await;
        let message =
            json!({"uuid": "m1", "room_uuid": "r1", "seq": 1, "author": "bob", "timestamp": 1, "message": "x"});
        world.write("chat_messages", "m1", Word::Created, message).await;
        alice.silence().await;
        assert_eq!(rows(world, "chat_messages").await.len(), 1);
        alice.join(WORKSPACE).await;
        assert_eq!(alice.room().await, (ROOM.to_owned(), vec!["alice".to_owned()]), "the next one is new");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_programs_change_in_a_room_is_told_but_not_when_it_only_has_another_date() {
    each("", async |world| {
        let row = json!({"uuid": "r1", "type": "WORKSPACE", "object": "ws-1", "users": ["carol"], "presence": {}});
        world.write("chat_rooms", "r1", Word::Created, row.clone()).await;
        let mut alice = Chatter::come(world, "alice").await;
        alice.ask_history(WORKSPACE, 0, 0).await;
        assert_eq!(alice.users().await, ["carol"]);
        alice.join(WORKSPACE).await;
        assert_eq!(alice.users().await, ["alice", "carol"]);
        for (label, date) in [("Ours", 5), ("Ours", 6), ("Theirs", 6)] {
            let mut row = rows(world, "chat_rooms").await.remove(0);
            row.as_object_mut().expect("a row").remove("id");
            row["label"] = json!(label);
            row["last_updated"] = json!(date);
            world.write("chat_rooms", "r1", Word::Updated, row).await;
        }
        for (label, date) in [("Ours", 5), ("Theirs", 6)] {
            let heard = alice.heard().await;
            assert_eq!((&heard["Room"]["RoomLabel"], &heard["Room"]["LastUpdated"]), (&json!(label), &json!(date)));
        }
        alice.silence().await;
    })
    .await;
}
