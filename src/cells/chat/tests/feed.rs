use super::*;
use crate::cells::chat::Chat;
use crate::cells::chat::tests::state::{A, join, viewer, workspace};
use crate::document::Document;
use crate::event::{Audience, Entry, Operation, ResourceEvent, Stamp, Timestamp};
use crate::frame;
use crate::metrics::Metrics;
use crate::query::Row;
use serde_json::json;
use std::time::Instant;

/// A chat in which alice is in the room `r`.
fn chat(store: &Arc<Embedded>, told_by: ToldBy) -> Chat {
    let mut chat = Chat::new(Settings { told_by, ..settings() }, clerk(store, "n"), Arc::new(Metrics::default()));
    chat.sit(A, Some(&viewer("alice", true)));
    join(&mut chat.shared.state(), A, Instant::now());
    chat
}

fn entry(part: Part, operation: Operation, before: Option<Value>, after: Option<Value>) -> Entry {
    let event = ResourceEvent {
        resource: part.name().into(),
        id: "r".into(),
        operation,
        before: before.map(Document::new),
        after: after.map(Document::new),
        time: Timestamp::now(),
        stamp: Stamp::None,
    };
    Entry { offset: 1, audience: Audience::Everyone, event }
}

fn room(users: &[&str]) -> Value {
    json!({"uuid": "r", "type": "WORKSPACE", "object": "ws-1", "users": users})
}

/// What alice is told of an entry.
fn told(chat: &mut Chat, entry: &Entry) -> usize {
    let part = Part::named(&entry.event.resource).expect("a part");
    chat.entry(part, entry, false).frames.len()
}

#[tokio::test]
async fn where_another_service_tells_of_the_chat_rows_tell_nothing() {
    let store = Embedded::open(None).expect("a store");
    let mut chat = chat(&store, ToldBy::Events);
    let message = json!({"uuid": "m", "room_uuid": "r", "author": "bob", "message": "hi", "timestamp": 7});
    assert_eq!(told(&mut chat, &entry(Part::ChatRooms, Operation::Created, None, Some(room(&["bob"])))), 0);
    assert_eq!(told(&mut chat, &entry(Part::ChatMessages, Operation::Created, None, Some(message))), 0);
    let message = json!({"Uuid": "m", "RoomUuid": "r", "Author": "bob", "Message": "hi", "Timestamp": 7});
    let text = r#"{"Uuid":"m","RoomUuid":"r","Message":"hi","Author":"bob","Timestamp":"7"}"#;
    let frames = chat.event(&json!({"Message": message})).expect("an event").frames;
    assert_eq!(frames, [(A, frame::text(text.as_bytes()))]);
    let room = json!({"Uuid": "r", "Type": "WORKSPACE", "RoomTypeObject": "ws-1"});
    assert_eq!(chat.event(&json!({"Room": room})).expect("an event").frames.len(), 1);
    assert!(chat.event(&json!({"Message": 7})).is_none());
    assert_eq!(told(&mut chat, &entry(Part::ChatRooms, Operation::Removed, Some(json!({})), None)), 0);
    assert!(!chat.shared.state().is_followed(&workspace()), "but nobody is in a room without a row");
}

#[tokio::test]
async fn rows_tell_what_differs_and_others_than_before_after_a_break() {
    let store = Embedded::open(None).expect("a store");
    let mut chat = chat(&store, ToldBy::Rows);
    let changes = [
        (Operation::Created, None, Some(room(&["bob"])), 1),
        (Operation::Updated, Some(room(&["bob"])), Some(room(&["bob"])), 0),
        (Operation::Updated, None, Some(room(&["bob"])), 0),
        (Operation::Updated, None, Some(room(&["alice", "bob"])), 1),
    ];
    for (operation, before, after, count) in changes {
        assert_eq!(told(&mut chat, &entry(Part::ChatRooms, operation, before, after)), count);
    }
    for (rows, count) in [(vec![room(&["alice", "bob"])], 0), (vec![room(&["alice"])], 1), (vec![], 1), (vec![], 0)] {
        let rows: Vec<Row> = rows.into_iter().map(|row| Row::new("r", Document::new(row))).collect();
        assert_eq!(chat.rows(Part::ChatRooms, &rows).frames.len(), count);
    }
    assert!(!chat.shared.state().is_followed(&workspace()));
}

#[tokio::test]
async fn a_node_that_starts_takes_back_who_was_present_by_it_before() {
    let store = Embedded::open(None).expect("a store");
    let now = Timestamp::now().0 / 1000;
    let presence = json!({"bob": {"n": now}, "carol": {"n": now, "m": now}});
    let users = json!(["bob", "carol", "dave"]);
    let row = json!({"uuid": "r", "type": "WORKSPACE", "object": "ws-1", "users": users, "presence": presence});
    put(&store, Part::ChatRooms, "r", row.clone()).await;
    let clerk = clerk(&store, "n");
    let mut chat = Chat::new(settings(), super::clerk(&store, "n"), Arc::new(Metrics::default()));
    chat.rows(Part::ChatRooms, &[Row::new("r", Document::new(row))]);
    while chat.writing.join_next().await.is_some() {}
    let after = super::row(&clerk.rooms, "r").await;
    assert_eq!(after["users"], json!(["carol", "dave"]));
    assert_eq!(after["presence"], json!({"carol": {"m": now}}));
}
