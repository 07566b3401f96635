use super::*;
use crate::document::Document;
use crate::event::{Audience, ResourceEvent, Stamp, Timestamp};
use crate::filter::{Filter, Path, Test};
use crate::query::{Direction, Sort};
use crate::store::embedded::Embedded;
use serde_json::json;

fn logs() -> Resource {
    Resource { append_only: true, keep: 4, ..Resource::named("logs") }
}

fn entry(offset: Offset, operation: Operation) -> Arc<Entry> {
    let event = ResourceEvent {
        resource: "logs".into(),
        id: format!("l{offset}").into(),
        operation,
        before: None,
        after: Some(Document::new(json!({"even": offset.is_multiple_of(2)}))),
        time: Timestamp(0),
        stamp: Stamp::Offset(offset),
    };
    Arc::new(Entry { offset, audience: Audience::Everyone, event })
}

fn tail(lines: Offset) -> Tail {
    let tail = Tail::new(4, None);
    (1..=lines).for_each(|offset| tail.push(&entry(offset, Operation::Appended)));
    tail
}

fn query(filter: Filter, skip: usize, limit: Option<usize>) -> Query {
    Query { filter: Arc::new(filter), sort: Vec::new(), skip, limit, max_items: 100 }
}

async fn ids(tail: &Tail, query: &Query) -> Vec<String> {
    tail.query(&logs(), query).await.unwrap().rows.iter().map(|row| row.id.to_string()).collect()
}

#[tokio::test]
async fn the_newest_lines_that_match_come_oldest_first() {
    let tail = tail(7);
    let even = || Filter::Field { path: Path(["even".into()].into()), test: Test::Equal(json!(true)) };
    for (query, expected) in [
        (query(Filter::All, 0, None), &["l4", "l5", "l6", "l7"][..]),
        (query(Filter::All, 0, Some(2)), &["l6", "l7"]),
        (query(Filter::All, 1, Some(2)), &["l5", "l6"]),
        (query(Filter::All, 3, Some(9)), &["l4"]),
        (query(Filter::All, 4, None), &[]),
        (query(even(), 0, Some(1)), &["l6"]),
        (query(even(), 1, None), &["l4"]),
    ] {
        assert_eq!(ids(&tail, &query).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn a_sort_that_is_asked_for_sorts() {
    let sort = vec![Sort { path: Path(["id".into()].into()), direction: Direction::Descending }];
    let query = Query { sort, ..query(Filter::All, 0, Some(2)) };
    assert_eq!(tail(7).query(&logs(), &query).await.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn more_than_an_answer_may_carry_is_never_cut() {
    let tail = tail(7);
    let most = |max_items| Query { max_items, ..query(Filter::All, 0, None) };
    assert_eq!(tail.query(&logs(), &most(3)).await.unwrap_err().kind(), Kind::TooMany);
    assert_eq!(ids(&tail, &most(4)).await.len(), 4);
}

#[tokio::test]
async fn its_mark_follows_the_log() {
    let tail = tail(7);
    assert_eq!(tail.mark().await.unwrap(), Mark::Offset(7));
    tail.advance(9);
    tail.advance(8);
    assert_eq!(tail.query(&logs(), &query(Filter::All, 0, None)).await.unwrap().mark, Mark::Offset(9));
}

#[tokio::test]
async fn lines_of_another_store_are_let_go() {
    let tail = tail(7);
    tail.push(&entry(8, Operation::Reset(Reason::Source)));
    assert_eq!(ids(&tail, &query(Filter::All, 0, None)).await.len(), 4);
    tail.push(&entry(9, Operation::Reset(Reason::Epoch)));
    assert!(ids(&tail, &query(Filter::All, 0, None)).await.is_empty());
    assert_eq!(tail.mark().await.unwrap(), Mark::Offset(9));
}

#[tokio::test]
async fn lines_go_to_the_store_and_nothing_else_is_written() {
    let store = Embedded::open(None).unwrap();
    let (written, read) = (Tail::new(4, Some(store.clone())), Tail::new(4, None));
    let line = || Write::Append(json!({"m": 1}));
    written.write(&logs(), "", line(), &Condition::None).await.unwrap();
    assert_eq!(store.last().unwrap(), 1);
    for (tail, write) in [(&written, Write::Put(json!({}))), (&written, Write::Delete), (&read, line())] {
        assert_eq!(tail.write(&logs(), "x", write, &Condition::None).await.unwrap_err().kind(), Kind::Refused);
    }
}
