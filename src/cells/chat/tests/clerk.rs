use super::*;
use crate::cells::chat::clerk::History;
use crate::dialect::cells::chat::{Draft, Page};
use crate::event::{Operation, ResourceEvent};
use serde_json::{Map, json};
use std::collections::HashMap;

fn workspace() -> RoomKey {
    key(Kind::Workspace, "ws-1")
}

async fn joined(clerk: &Clerk, login: &str, draft: &Draft) -> String {
    let room = clerk.settle(&workspace(), Some(login), Some(draft), &|_| true).await.expect("a store");
    room.expect("a room").row.room.uuid.to_string()
}

async fn texts(clerk: &Clerk, offset: usize, limit: usize) -> Vec<String> {
    let History { messages, .. } = clerk.history("r", Page { offset, limit }).await.expect("a store");
    messages.into_iter().map(|row| row.message.text).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

async fn posted(clerk: &Clerk, count: usize) {
    for number in 0..count {
        clerk.post("r", "alice", number.to_string(), Map::new()).await.expect("posted");
    }
}

/// The changes of the messages so far.
fn changes(store: &Embedded) -> Vec<ResourceEvent> {
    let all = store.changes(0, usize::MAX).expect("a store");
    all.into_iter().filter(|event| *event.resource == *Part::ChatMessages.name()).collect()
}

#[tokio::test]
async fn of_35_messages_each_page_is_exact() {
    let store = Embedded::open(None).expect("a store");
    let mut clerk = clerk(&store, "n");
    posted(&clerk, 35).await;
    for (offset, limit, shown) in [
        (0, 10, 25..35),
        (10, 10, 15..25),
        (30, 10, 0..5),
        (35, 10, 0..0),
        (0, 0, 0..35),
        (0, 35, 0..35),
        (1, 0, 0..34),
    ] {
        assert_eq!(texts(&clerk, offset, limit).await, numbers(shown), "{offset} {limit}");
    }
    clerk.history_max = 3;
    assert_eq!(texts(&clerk, 0, 0).await, numbers(32..35));
    assert_eq!(texts(&clerk, 30, 10).await, numbers(2..5));
}

#[tokio::test]
async fn messages_of_one_moment_are_ordered_by_their_place_and_uuid() {
    let store = Embedded::open(None).expect("a store");
    for (uuid, seq) in [("c", 5), ("a", 6), ("b", 5)] {
        put(&store, Part::ChatMessages, uuid, json!({"uuid": uuid, "room_uuid": "r", "seq": seq, "message": uuid}))
            .await;
    }
    assert_eq!(texts(&clerk(&store, "n"), 0, 0).await, ["b", "c", "a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_place_of_a_message_grows_in_its_room_whoever_posts() {
    let store = Embedded::open(None).expect("a store");
    let far = 9_000_000_000_000_000_i64;
    put(&store, Part::ChatMessages, "m0", json!({"uuid": "m0", "room_uuid": "r", "seq": far, "message": ""})).await;
    let posting = ["n", "m"].map(|node| {
        let clerk = clerk(&store, node);
        tokio::spawn(async move { posted(&clerk, 50).await })
    });
    for posts in posting {
        posts.await.expect("all are posted");
    }
    let created = changes(&store).into_iter().filter(|event| event.operation == Operation::Created);
    let places: Vec<i64> = created.filter_map(|event| event.after?.value().get("seq")?.as_i64()).collect();
    assert_eq!(places, (far..=far + 100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_of_many_who_join_at_once_on_two_nodes_one_room_has_all() {
    let store = Embedded::open(None).expect("a store");
    let nodes = ["n", "m"].map(|node| Arc::new(clerk(&store, node)));
    let joining = (0..20).map(|number| {
        let clerk = nodes[number % 2].clone();
        tokio::spawn(async move { joined(&clerk, &format!("user{number:02}"), &Draft::default()).await })
    });
    let joining: Vec<_> = joining.collect();
    for join in joining {
        assert_eq!(join.await.expect("joined"), workspace().uuid());
    }
    let users: Vec<String> = (0..20).map(|number| format!("user{number:02}")).collect();
    let room = row(&nodes[0].rooms, &workspace().uuid()).await;
    assert_eq!((room["users"].clone(), room["last_updated"].clone()), (json!(users), json!(0)));
    let all = nodes[0].rooms.rows(&[], &[], Default::default()).await.expect("a store").0;
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_new_room_takes_the_uuid_that_the_client_gives_if_it_is_short_and_free() {
    for (own, taken, made) in [
        ("own", None, "own".to_owned()),
        ("own", Some("own"), workspace().uuid()),
        (&*"x".repeat(65), None, workspace().uuid()),
        (&*"x".repeat(64), None, "x".repeat(64)),
    ] {
        let store = Embedded::open(None).expect("a store");
        let clerk = clerk(&store, "n");
        if let Some(taken) = taken {
            put(&store, Part::ChatRooms, taken, json!({"uuid": taken, "type": "USER", "object": "bob"})).await;
        }
        let draft = Draft { uuid: Some(own.into()), label: "Ours".to_owned() };
        assert_eq!(joined(&clerk, "alice", &draft).await, made);
        assert_eq!(row(&clerk.rooms, &made).await["label"], "Ours");
    }
}

#[tokio::test]
async fn of_several_rooms_about_the_same_the_smallest_uuid_counts() {
    let store = Embedded::open(None).expect("a store");
    for uuid in ["r2", "r1", "r3"] {
        put(&store, Part::ChatRooms, uuid, json!({"uuid": uuid, "type": "WORKSPACE", "object": "ws-1"})).await;
    }
    assert_eq!(joined(&clerk(&store, "n"), "alice", &Draft::default()).await, "r1");
}

#[tokio::test]
async fn without_a_draft_or_somebody_who_is_there_no_room_is_made() {
    let store = Embedded::open(None).expect("a store");
    let clerk = clerk(&store, "n");
    assert!(clerk.settle(&workspace(), Some("alice"), None, &|_| true).await.expect("a store").is_none());
    let draft = Draft::default();
    assert!(clerk.settle(&workspace(), Some("alice"), Some(&draft), &|_| false).await.expect("a store").is_none());
    assert_eq!(store.last().expect("a store"), 0);
}

#[tokio::test]
async fn an_edit_keeps_the_last_20_texts_and_the_same_text_is_no_edit() {
    let store = Embedded::open(None).expect("a store");
    let clerk = clerk(&store, "n");
    put(&store, Part::ChatMessages, "m", json!({"uuid": "m", "room_uuid": "r", "author": "alice", "message": "0"}))
        .await;
    for number in 1..=25 {
        clerk.edit("r", "m", "alice", &number.to_string()).await.expect("edited");
    }
    let written = store.last().expect("a store");
    for (room, author, text) in [("r", "alice", "25"), ("r", "bob", "x"), ("other", "alice", "x")] {
        clerk.edit(room, "m", author, text).await.expect("nothing is done");
    }
    clerk.edit("r", "unknown", "alice", "x").await.expect("nothing is done");
    assert_eq!(store.last().expect("a store"), written);
    let message = row(&clerk.messages, "m").await;
    let items = message["activity"]["items"].as_array().expect("a list");
    let texts: Vec<_> = items.iter().map(|item| item["markdown"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!((message["message"].clone(), texts), (json!("25"), numbers(5..25)));
    let updated = items[0]["updated"].as_str().expect("a time");
    assert!(updated.len() == 20 && updated.ends_with('Z'), "{updated}");
}

#[tokio::test]
async fn r5_only_the_stored_author_deletes_and_only_in_rooms_where_they_are() {
    let store = Embedded::open(None).expect("a store");
    let clerk = clerk(&store, "n");
    put(&store, Part::ChatMessages, "m", json!({"uuid": "m", "room_uuid": "r", "author": "alice", "message": "x"}))
        .await;
    let here = HashMap::from([("r".into(), workspace())]);
    for (author, rooms) in [("bob", &here), ("alice", &HashMap::new())] {
        assert_eq!(clerk.delete("m", author, rooms).await.expect("a store"), None);
    }
    assert_eq!(clerk.delete("m", "alice", &here).await.expect("a store"), Some(("r".into(), workspace())));
    assert_eq!(row(&clerk.messages, "m").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_count_of_comments_is_right_whoever_posts_at_once() {
    let store = Embedded::open(None).expect("a store");
    let node = json!({"uuid": "n-1", "path": "a", "meta": {"name": "a"}});
    put(&store, Part::TreeNodes, "n-1", node).await;
    let about = key(Kind::Node, "n-1");
    let posting = ["n", "m"].map(|node| {
        let (clerk, about) = (clerk(&store, node), about.clone());
        tokio::spawn(async move {
            for _ in 0..2 {
                posted(&clerk, 1).await;
                clerk.count("r", &about).await.expect("counted");
            }
        })
    });
    for posts in posting {
        posts.await.expect("all are counted");
    }
    let clerk = clerk(&store, "n");
    assert_eq!(
        row(clerk.nodes.as_ref().expect("nodes"), "n-1").await["meta"],
        json!({"name": "a", "has_comments": "4"})
    );
    let rooms = HashMap::from([("r".into(), about.clone())]);
    for message in clerk.history("r", Page::default()).await.expect("a store").messages {
        clerk.delete(&message.message.uuid, "alice", &rooms).await.expect("deleted");
    }
    clerk.count("r", &about).await.expect("counted");
    assert_eq!(row(clerk.nodes.as_ref().expect("nodes"), "n-1").await["meta"]["has_comments"], "");
}
