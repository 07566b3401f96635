//! What other servers of these messages got wrong, and must not be wrong here.

use super::sockets::open;
use super::{ANYONE, serve};
use crate::socket::{Heard, PATIENCE, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pushes that everybody who stays gets.
const PUSHES: usize = 150;

fn push(n: usize, padding: usize) -> String {
    json!({"type": "channel", "channel_ids": ["room1"], "data": {"n": n, "padding": "x".repeat(padding)}}).to_string()
}

/// Hears every push, in order.
async fn hear_all(mut socket: Socket) {
    for n in 0..PUSHES {
        assert_eq!(socket.json().await["n"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_targets_that_come_and_go_neither_end_nor_delay_the_sender_and_who_stays_gets_everything() {
    let app = serve(ANYONE).await;
    let address = app.address();
    let mut staying = Vec::new();
    for _ in 0..100 {
        staying.push(open(address, "/websocket?channel_id=room1").await.0);
    }
    let staying: Vec<_> = staying.into_iter().map(|socket| tokio::spawn(hear_all(socket))).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let churning: Vec<_> = (0..100).map(|n| tokio::spawn(churn(address, n, is_over.clone()))).collect();
    let (mut sender, _) = open(address, "/websocket").await;
    for n in 0..PUSHES {
        sender.say(push(n, 10)).await;
        if n % 10 == 9 {
            sender.say(r#"{"type":"connection"}"#).await;
            assert_eq!(sender.json().await["type"], "connection");
        }
    }
    for steady in staying {
        steady.await.expect("it gets every push");
    }
    is_over.store(true, Ordering::Relaxed);
    let mut comings = 0;
    for churner in churning {
        comings += churner.await.expect("it comes and goes");
    }
    assert!(comings >= 100, "{comings} came and went");
    app.stop().await;
}

/// Comes into the channel and goes again, every other time without a word; how often.
async fn churn(address: SocketAddr, n: usize, is_over: Arc<AtomicBool>) -> usize {
    let mut times = 0;
    while !is_over.load(Ordering::Relaxed) {
        let (mut socket, _) = open(address, "/websocket?channel_id=room1").await;
        times += 1;
        if (n + times).is_multiple_of(2) {
            socket.send(tokio_tungstenite::tungstenite::Message::Close(None)).await;
        }
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_who_does_not_read_delays_nobody_and_is_alone_closed() {
    let app = serve(ANYONE).await;
    let url = format!("ws://{}/websocket?channel_id=room1", app.address());
    let mut stalled = Socket::open_narrow(&url, None).await;
    assert_eq!(stalled.json().await["type"], "connection");
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(tokio::spawn(hear_all(open(app.address(), "/websocket?channel_id=room1").await.0)));
    }
    let stalled = tokio::spawn(end_of(stalled, app.address()));
    let (mut sender, _) = open(app.address(), "/websocket").await;
    for n in 0..PUSHES {
        sender.say(push(n, 300_000)).await;
    }
    for reader in readers {
        reader.await.expect("it gets every push");
    }
    sender.say(r#"{"type":"connection"}"#).await;
    assert_eq!(sender.json().await["type"], "connection");
    assert_eq!(stalled.await.expect("it ends"), Heard::Close(1013, "slow".to_owned()));
    app.stop().await;
}

/// How a socket ends that reads nothing until the server has given it up.
async fn end_of(mut socket: Socket, address: SocketAddr) -> Heard {
    while !report(address).await.contains("tidings_closes_total{code=\"1013\"} 1\n") {
        sleep(Duration::from_millis(50)).await;
    }
    loop {
        match socket.hear().await {
            Heard::Json(_) => {}
            other => return other,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_sockets_that_came_and_went_leave_no_memory_behind() {
    let count = if std::env::var_os("TIDINGS_TEST_LONG").is_some() { 100_000 } else { 3_000 };
    let app = serve(ANYONE).await;
    let address = app.address();
    let (_staying, _) = open(address, "/websocket?channel_id=room1").await;
    let coming: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                for n in 0..count / 20 {
                    let (mut socket, told) = open(address, "/websocket").await;
                    assert!(told["channel_id"].is_string());
                    if n % 2 == 0 {
                        socket.send(tokio_tungstenite::tungstenite::Message::Close(None)).await;
                    }
                }
            })
        })
        .collect();
    for one in coming {
        one.await.expect("they come and go");
    }
    let end = Instant::now() + PATIENCE;
    // Of the one that stayed: its client, its channel, and the public user.
    while topics(address).await != 3 {
        assert!(Instant::now() < end, "{} topics are left", topics(address).await);
        sleep(Duration::from_millis(20)).await;
    }
    app.stop().await;
}

/// How many users, channels and clients the server knows.
async fn topics(address: SocketAddr) -> Value {
    let report = report(address).await;
    let count = report.lines().find_map(|line| line.strip_prefix("tidings_topics ")).expect("they are counted");
    count.parse::<u64>().expect("a number").into()
}

/// What the server counts.
async fn report(address: SocketAddr) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
    answer.text().await.expect("a body")
}
