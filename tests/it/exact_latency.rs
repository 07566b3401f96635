//! How long it takes from a commit to a client when nothing else happens. Printed, and only held to what even
//! a busy machine keeps.

use crate::load::transactions;
use crate::postgres::Database;
use crate::server;
use crate::socket::Socket;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_reaches_a_client_at_once() {
    a_commit_reaches_a_client_at_once_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_reaches_a_client_at_once_by_slot() {
    a_commit_reaches_a_client_at_once_by("slot").await;
}

async fn a_commit_reaches_a_client_at_once_by(capture: &str) {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let server = "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n";
    let app = server::start(&(transactions::configuration(&database.url(), capture) + server)).await;
    let mut socket = Socket::open(&format!("ws://{}/rows", app.address())).await.expect("an upgrade");
    socket.say(r#"{"handler":"watch","initial":true}"#).await;
    socket.json().await;
    let mut times = Vec::new();
    for _ in 0..50 {
        sleep(Duration::from_millis(20)).await;
        client.batch_execute("begin; select step('r1', 0.3)").await.expect("a change");
        let begun = Instant::now();
        client.batch_execute("commit").await.expect("a commit");
        socket.json().await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("from commit to client: p50 {:?}, p90 {:?}, longest {:?}", times[25], times[45], times[49]);
    // Without the doorbell it would take half of the half second between two looks.
    assert!(times[25] < Duration::from_millis(100), "{times:?}");
    app.stop().await;
}
