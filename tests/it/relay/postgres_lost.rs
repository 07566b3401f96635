//! What the table of pushes goes through: transactions that overlap, connections that end, nodes that go.

use super::postgres::prepared;
use super::{Member, number, push};
use crate::dice::Dice;
use crate::postgres::Database;
use std::collections::BTreeMap;
use std::time::Duration;
use tidings::relay::Relay;
use tidings::relay::postgres::Times;
use tokio_postgres::Client;

/// Ends every connection of the program.
async fn cut(client: &Client) {
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
        where datname = current_database() and application_name = 'tidings'";
    client.query(cut, &[]).await.expect("they are ended");
}

/// Twenty writers whose transactions overlap, some of which are rolled back; what each of them committed, in order.
async fn twenty_writers(database: &Database) -> BTreeMap<usize, Vec<String>> {
    let mut writers = Vec::new();
    for writer in 0..20 {
        let client = database.client().await;
        writers.push(tokio::spawn(async move { (writer, write(client, writer).await) }));
    }
    let mut committed = BTreeMap::new();
    for writing in writers {
        let (writer, pushes) = writing.await.expect("it does not panic");
        committed.insert(writer, pushes);
    }
    committed
}

async fn write(mut client: Client, writer: usize) -> Vec<String> {
    let mut dice = Dice(writer as u64 + 1);
    let mut committed = Vec::new();
    for turn in 0..25 {
        let transaction = client.transaction().await.expect("it begins");
        let mut queued = Vec::new();
        for part in 0..=dice.roll(2) {
            let data = format!("{{\"part\": {part}, \"turn\": {turn}, \"writer\": {writer}}}");
            let call = format!("select tidings.notify_channels('{{room}}', '{data}')");
            if dice.roll(4) == 0 {
                transaction.batch_execute(&format!("savepoint s; {call}; rollback to s")).await.expect("it is undone");
            } else {
                transaction.batch_execute(&format!("savepoint s; {call}; release s")).await.expect("it is queued");
                queued.push(data);
            }
            tokio::time::sleep(Duration::from_millis(dice.roll(12) as u64)).await;
        }
        if dice.roll(3) == 0 {
            transaction.rollback().await.expect("it is rolled back");
        } else {
            transaction.commit().await.expect("it is committed");
            committed.extend(queued);
        }
    }
    committed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_of_twenty_overlapping_writers_no_push_is_lost_or_repeated_though_connections_end() {
    let Some((database, client)) = prepared().await else { return };
    let mut nodes = [Member::at(&database, Times::default()).await, Member::at(&database, Times::default()).await];
    let mut open = database.client().await;
    let long = open.transaction().await.expect("it begins");
    long.batch_execute("select tidings.notify_channels('{room}', '{\"long\": 1}')").await.expect("it is queued");
    let writing = twenty_writers(&database);
    let mut writing = std::pin::pin!(writing);
    let committed = loop {
        tokio::select! {
            committed = &mut writing => break committed,
            () = tokio::time::sleep(Duration::from_millis(120)) => cut(&client).await,
        }
    };
    long.commit().await.expect("it is committed");
    let count: usize = committed.values().map(Vec::len).sum();
    for node in &mut nodes {
        let (mut heard, mut is_told) = (BTreeMap::<usize, Vec<String>>::new(), false);
        for _ in 0..=count {
            let data = node.data().await;
            let value: serde_json::Value = serde_json::from_str(&data).expect("JSON");
            match value["writer"].as_u64() {
                Some(writer) => heard.entry(writer as usize).or_default().push(data),
                None => assert!(!std::mem::replace(&mut is_told, true), "{data} twice"),
            }
        }
        let heard_of = |writer| heard.get(&writer).cloned().unwrap_or_default();
        for (writer, pushes) in &committed {
            assert_eq!(&heard_of(*writer), pushes, "of writer {writer}");
        }
    }
    client.batch_execute("select tidings.notify_channels('{room}', '{\"end\": 1}')").await.expect("it is queued");
    for mut node in nodes {
        assert_eq!(node.data().await, "{\"end\": 1}", "nothing came twice");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_over_while_connections_end_arrives_once_and_in_order() {
    let Some((database, client)) = prepared().await else { return };
    let (here, mut there) =
        (Member::at(&database, Times::default()).await, Member::at(&database, Times::default()).await);
    here.flush().await;
    let handing_over = async {
        for next in 0..3000 {
            here.waiting.hand_over(push("room", &number(next)));
            if next % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if next % 400 == 200 {
                cut(&client).await;
            }
        }
    };
    let hearing = async {
        for next in 0..3000 {
            assert_eq!(there.data().await, number(next));
        }
    };
    tokio::join!(handing_over, hearing);
    here.waiting.hand_over(push("room", "{\"end\": 1}"));
    assert_eq!(there.data().await, "{\"end\": 1}", "nothing came twice");
    here.stop().await;
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_ten_thousand_wait_and_what_is_sent_at_once_is_refused() {
    let Some((database, client)) = prepared().await else { return };
    let (here, mut there) =
        (Member::at(&database, Times::default()).await, Member::at(&database, Times::default()).await);
    here.waiting.hand_over(push("room", "{\"before\": 1}"));
    assert_eq!(there.data().await, "{\"before\": 1}");
    let name: String = client.query_one("select current_database()::text", &[]).await.expect("a name").get(0);
    let admin = database.admin().await;
    let open = async |may: bool| {
        let alter = format!("alter database {name} with allow_connections {may}");
        admin.batch_execute(&alter).await.expect("it is altered");
    };
    open(false).await;
    cut(&client).await;
    while here.waiting.flushed().await.is_ok() {
        here.waiting.hand_over(push("room", "{\"sounding\": 1}"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (0..10_020).for_each(|next| here.waiting.hand_over(push("room", &number(next))));
    here.waiting.send(push("room", "{\"refused\": 1}")).await.expect_err("nobody can be told");
    assert!(here.metrics.relay_dropped("waiting").get() >= 20);
    open(true).await;
    let mut next = there.data().await;
    while next.contains("sounding") {
        next = there.data().await;
    }
    for wanted in 20..10_020 {
        assert_eq!(next, number(wanted));
        next = if wanted < 10_019 { there.data().await } else { String::new() };
    }
    here.flush().await;
    here.waiting.send(push("room", "{\"end\": 1}")).await.expect("the way is back");
    assert_eq!(there.data().await, "{\"end\": 1}");
    here.stop().await;
    there.stop().await;
}

#[tokio::test]
async fn what_was_handed_over_goes_before_the_node_does() {
    let Some((database, _client)) = prepared().await else { return };
    let (here, mut there) =
        (Member::at(&database, Times::default()).await, Member::at(&database, Times::default()).await);
    here.flush().await;
    (0..2000).for_each(|next| here.waiting.hand_over(push("room", &number(next))));
    here.stop().await;
    for next in 0..2000 {
        assert_eq!(there.data().await, number(next));
    }
    there.stop().await;
}
