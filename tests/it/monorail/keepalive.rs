//! How connections live and end: pings, silence, and the server going down.

use super::EMBEDDED;
use crate::server;
use crate::socket::{Heard, Socket};
use std::time::{Duration, Instant};
use tidings::app::App;

const PING_EVERY_SECOND: &str = "[monorail]\nping_seconds = 1\n";

/// A ping without a payload, as the server writes it.
const PING: [u8; 2] = [0x89, 0];

async fn open(app: &App) -> Socket {
    Socket::open(&format!("ws://{}/nodes", app.address())).await.expect("an upgrade")
}

#[tokio::test]
async fn a_silent_client_that_answers_pings_is_never_closed() {
    let app = server::start(&format!("{EMBEDDED}{PING_EVERY_SECOND}")).await;
    let mut silent = open(&app).await;
    // Listening answers the pings.
    assert_eq!(silent.hear_within(Duration::from_secs(6)).await, Heard::Nothing);
    silent.say(r#"{"handler":"init"}"#).await;
    assert_eq!(silent.json().await["handler"], "session");
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_for_three_intervals_is_dropped() {
    let app = server::start(&format!("{EMBEDDED}{PING_EVERY_SECOND}")).await;
    let mut dead = open(&app).await;
    let mut heard = Vec::new();
    loop {
        match dead.hear_bytes().await {
            bytes if bytes.is_empty() => break,
            bytes => heard.extend(bytes),
        }
    }
    assert_eq!(heard, [PING, PING, PING].concat());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_down_says_so_to_everybody_spread_over_time() {
    let drain = "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 1";
    let app = server::start(&EMBEDDED.replace("[server]\nlisten = \"127.0.0.1:0\"", drain)).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = open(&app).await;
        clients.push(tokio::spawn(async move { (client.hear().await, Instant::now()) }));
    }
    app.stop().await;
    let mut times = Vec::new();
    for client in clients {
        let (heard, time) = client.await.expect("the client ends");
        assert!(matches!(heard, Heard::Close(1001, _)), "{heard:?}");
        times.push(time);
    }
    let spread = *times.iter().max().expect("some") - *times.iter().min().expect("some");
    assert!(spread > Duration::from_millis(100), "all were sent away within {spread:?}");
}
