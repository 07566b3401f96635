//! Messages: pages of the history, posts, edits, deletes, and the number of comments that follows.

use super::chatter::{Chatter, rows};
use super::{ROOM, WORKSPACE, each};
use crate::cells::world::CellsWorld;
use crate::transcript::Word;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The texts of a page, and what stands behind it.
async fn page(alice: &mut Chatter, offset: usize, limit: usize, count: usize) -> (Vec<String>, Option<Value>) {
    alice.ask_history(WORKSPACE, offset, limit).await;
    alice.room().await;
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(alice.message().await.1);
    }
    let more = if limit > 0 && count == limit { Some(alice.heard().await) } else { None };
    (texts, more)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_35_messages_each_page_is_exact() {
    each("history_max = 30", async |world| {
        world
            .write("chat_rooms", "r1", Word::Created, json!({"uuid": "r1", "type": "WORKSPACE", "object": "ws-1"}))
            .await;
        for number in 0..35 {
            let (uuid, text) = (format!("m{number}"), number.to_string());
            let row = json!({"uuid": uuid, "room_uuid": "r1", "seq": number + 1, "author": "bob",
                             "timestamp": 1_700_000_000 + number, "message": text});
            world.write("chat_messages", &uuid, Word::Created, row).await;
        }
        let mut alice = Chatter::come(world, "alice").await;
        for (offset, limit, shown) in
            [(0, 10, 25..35), (10, 10, 15..25), (30, 10, 0..5), (35, 10, 0..0), (0, 0, 5..35), (0, 40, 5..35)]
        {
            let (texts, more) = page(&mut alice, offset, limit, shown.len()).await;
            let expected: Vec<String> = shown.clone().map(|number| number.to_string()).collect();
            assert_eq!(texts, expected, "{offset} {limit}");
            let next = json!({"@type": "MAY_HAVE_MORE", "RoomUuid": "r1", "Timestamp": 1_700_000_000 + shown.start,
                              "Offset": offset + limit, "Limit": limit});
            assert_eq!(more, (shown.len() == limit).then_some(next), "{offset} {limit}");
        }
        alice.silence().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_stored_as_the_server_knows_it_whatever_the_client_says() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        alice.post(ROOM, "before the join").await;
        alice.join(WORKSPACE).await;
        alice.room().await;
        for empty in ["", "  ", "<script>x</script> "] {
            alice.post(ROOM, empty).await;
        }
        let message = json!({"Author": "bob", "Timestamp": "1", "Message": "<b onclick=x>hi</b>", "Info": {"b": "1", "a": "2"},
                             "Activity": {"items": []}});
        alice.say(json!({"@type": 2, "Room": {"Type": 1, "RoomTypeObject": "ws-1"}, "Message": message})).await;
        let heard = alice.heard().await;
        let told = json!({"Uuid": heard["Uuid"], "RoomUuid": ROOM, "Message": "<b>hi</b>", "Author": "alice",
                          "Timestamp": heard["Timestamp"], "Info": {"a": "2", "b": "1"}});
        assert_eq!(heard, told);
        let stored = rows(world, "chat_messages").await;
        assert_eq!(stored.len(), 1);
        assert_ne!(stored[0]["timestamp"], 1);
        let uuid = heard["Uuid"].as_str().expect("a uuid");
        alice.edit(ROOM, uuid, " ").await;
        alice.edit(ROOM, uuid, "<b>hi</b>").await;
        alice.edit("another", uuid, "there").await;
        alice.silence().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_message_that_was_edited_often_keeps_20_texts_and_can_be_deleted() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        alice.join(WORKSPACE).await;
        alice.room().await;
        let text = |number: usize| format!("{number}{}", "x".repeat(200));
        alice.post(ROOM, &text(0)).await;
        let uuid = alice.message().await.0;
        let mut heard = Value::Null;
        for number in 1..=25 {
            alice.edit(ROOM, &uuid, &text(number)).await;
            heard = alice.heard().await;
        }
        let items = heard["Activity"]["items"].as_array().expect("a list").clone();
        assert_eq!(
            (items.len(), &items[0]["markdown"], &items[19]["markdown"]),
            (20, &json!(text(5)), &json!(text(24)))
        );
        // Clients send back all they know of it.
        alice.say(json!({"@type": "DELETE_MSG", "Message": heard})).await;
        assert_eq!(alice.heard().await, json!({"@type": "DELETE_MSG", "Message": heard}));
        assert!(rows(world, "chat_messages").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_to_what_it_was_is_not_told() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        alice.join(WORKSPACE).await;
        alice.room().await;
        let row = |text: &str, seq: i64| {
            json!({"uuid": "m1", "room_uuid": ROOM, "seq": seq, "author": "bob", "timestamp": 1, "message": text})
        };
        world.write("chat_messages", "m1", Word::Created, row("one", 1)).await;
        world.write("chat_messages", "m1", Word::Updated, row("one", 2)).await;
        world.write("chat_messages", "m1", Word::Updated, row("two", 2)).await;
        world.write("chat_messages", "m1", Word::Removed, row("two", 2)).await;
        assert_eq!((alice.message().await.1, alice.message().await.1), ("one".to_owned(), "two".to_owned()));
        let heard = alice.heard().await;
        assert_eq!((&heard["@type"], &heard["Message"]["Message"]), (&json!("DELETE_MSG"), &json!("two")));
        alice.silence().await;
    })
    .await;
}

/// Waits until the node says that it has so many comments.
async fn comments(world: &CellsWorld, count: &str) {
    let late = Instant::now() + Duration::from_secs(10);
    loop {
        let nodes = rows(world, "tree_nodes").await;
        let node = nodes.iter().find(|node| node["uuid"] == "n-1").expect("the node");
        if node["meta"]["has_comments"] == count {
            return;
        }
        assert!(Instant::now() < late, "{node} and not {count}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_says_how_many_comments_it_has() {
    each("", async |world| {
        let mut alice = Chatter::come(world, "alice").await;
        alice.join(("NODE", "n-1")).await;
        let (room, _) = alice.room().await;
        alice.post(&room, "one").await;
        let (uuid, _) = alice.message().await;
        alice.post(&room, "two").await;
        let (other, _) = alice.message().await;
        comments(world, "2").await;
        alice.edit(&room, &uuid, "three").await;
        alice.message().await;
        alice.delete(&uuid).await;
        alice.heard().await;
        comments(world, "1").await;
        alice.delete(&other).await;
        alice.heard().await;
        comments(world, "").await;
    })
    .await;
}
