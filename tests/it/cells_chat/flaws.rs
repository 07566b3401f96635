//! What the original got wrong, and must not come back.

use super::chatter::{Chatter, rows};
use super::{ROOM, WORKSPACE, each};
use crate::transcript::Word;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_who_may_not_read_a_room_hears_nothing_of_it_and_makes_none() {
    each("", async |world| {
        let room = json!({"uuid": "r1", "type": "WORKSPACE", "object": "ws-2"});
        world.write("chat_rooms", "r1", Word::Created, room).await;
        let message =
            json!({"uuid": "m1", "room_uuid": "r1", "seq": 1, "author": "alice", "timestamp": 1, "message": "secret"});
        world.write("chat_messages", "m1", Word::Created, message).await;
        world.barrier().await;
        let refused = [
            ("bob", "WORKSPACE", "ws-2"),
            ("bob", "WORKSPACE", "unknown"),
            ("bob", "USER", "alice"),
            ("bob", "NODE", "n-a"),
            ("bob", "NODE", "unknown"),
            ("eve", "GLOBAL", ""),
            ("eve", "WORKSPACE", "ws-1"),
            ("eve", "NODE", "n-1"),
        ];
        for (login, kind, object) in refused {
            let mut chatter = Chatter::come(world, login).await;
            chatter.join((kind, object)).await;
            chatter.ping((kind, object)).await;
            chatter.ask_history((kind, object), 0, 10).await;
            chatter.say(json!({"@type": "JOIN", "Room": {"Uuid": "r1"}})).await;
            chatter.say(json!({"@type": "HISTORY", "Room": {"Uuid": "r1"}})).await;
            chatter.post("r1", "me too").await;
            chatter.silence().await;
        }
        assert_eq!(rows(world, "chat_rooms").await.len(), 1);
        assert_eq!(rows(world, "chat_messages").await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_the_stored_author_decides_who_deletes_and_edits() {
    each("", async |world| {
        let (mut alice, mut bob) = (Chatter::come(world, "alice").await, Chatter::come(world, "bob").await);
        alice.join(WORKSPACE).await;
        alice.users().await;
        bob.join(WORKSPACE).await;
        bob.users().await;
        alice.users().await;
        alice.post(ROOM, "mine").await;
        let (uuid, _) = alice.message().await;
        bob.message().await;
        for author in ["bob", "alice"] {
            let message = json!({"Uuid": uuid, "RoomUuid": ROOM, "Author": author, "Message": "yours"});
            bob.say(json!({"@type": "DELETE_MSG", "Message": message})).await;
            bob.say(json!({"@type": "POST", "Message": message})).await;
        }
        bob.silence().await;
        assert_eq!(rows(world, "chat_messages").await[0]["message"], "mine");
        alice.delete(&uuid).await;
        assert_eq!(bob.heard().await["@type"], "DELETE_MSG");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_who_loses_the_right_or_unsubscribes_hears_nothing_more_and_is_not_seen() {
    each("", async |world| {
        let (mut alice, mut bob) = (Chatter::come(world, "alice").await, Chatter::come(world, "bob").await);
        alice.join(WORKSPACE).await;
        assert_eq!(alice.users().await, ["alice"]);
        bob.join(WORKSPACE).await;
        assert_eq!(bob.users().await, ["alice", "bob"]);
        assert_eq!(alice.users().await, ["alice", "bob"]);
        let acl = json!({"id": "a3", "action_name": "read", "action_value": "1", "role_id": "r-read",
                         "workspace_id": "ws-1", "node_id": "n-root"});
        world.write("acls", "a3", Word::Removed, acl.clone()).await;
        assert_eq!(alice.users().await, ["alice"]);
        alice.post(ROOM, "alone").await;
        alice.message().await;
        bob.silence().await;

        world.write("acls", "a3", Word::Created, acl).await;
        world.barrier().await;
        bob.join(WORKSPACE).await;
        assert_eq!(bob.users().await, ["alice", "bob"]);
        assert_eq!(alice.users().await, ["alice", "bob"]);
        bob.subscribe("bob").await;
        alice.post(ROOM, "together").await;
        assert_eq!(bob.message().await.1, "together", "who subscribes again stays");
        alice.message().await;
        bob.say(json!({"@type": "unsubscribe"})).await;
        assert_eq!(alice.users().await, ["alice"]);
        alice.post(ROOM, "alone again").await;
        bob.join(WORKSPACE).await;
        bob.silence().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_many_who_join_at_once_are_in_one_room_and_each_hears_first_that_they_are_in_it() {
    each("", async |world| {
        for number in 0..12 {
            let (uuid, login) = (format!("u-user{number:02}"), format!("user{number:02}"));
            let row = json!({"uuid": uuid, "login": login, "profile": "standard", "roles": ["r-read"]});
            world.write("users", &uuid, Word::Created, row).await;
        }
        world.barrier().await;
        let mut joining = Vec::new();
        for number in 0..12 {
            let login = format!("user{number:02}");
            let mut chatter = Chatter::come(world, &login).await;
            joining.push(tokio::spawn(async move {
                chatter.join(WORKSPACE).await;
                let (room, mut users) = chatter.room().await;
                assert!(room == ROOM && users.contains(&login), "{login} {users:?}");
                while users.len() < 12 {
                    assert!(users.is_sorted());
                    let now = chatter.users().await;
                    assert!(now.len() >= users.len(), "nobody left");
                    users = now;
                }
                chatter.silence().await;
            }));
        }
        for join in joining {
            join.await.expect("joined");
        }
        let rooms = rows(world, "chat_rooms").await;
        assert_eq!((rooms.len(), rooms[0]["users"].as_array().map(Vec::len)), (1, Some(12)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_what_is_wrong_is_ignored_and_large_frames_are_not() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        for frame in [
            json!({"@type": "SHOUT"}),
            json!({"@type": "JOIN", "Room": {"Type": "KITCHEN"}}),
            json!({"@type": "JOIN", "Room": {"Type": "ANY"}}),
            json!({"@type": "POST", "Message": {"RoomUuid": 1}}),
            json!({"@type": "DELETE_ROOM", "Room": {"Type": "WORKSPACE", "RoomTypeObject": "ws-1"}}),
            json!([1]),
            Value::Null,
        ] {
            alice.say(frame).await;
        }
        alice.join(WORKSPACE).await;
        alice.room().await;
        let long = "x".repeat(60_000);
        alice.post(ROOM, &long).await;
        assert_eq!(alice.message().await.1, long);
    })
    .await;
}
