//! Thousands of clients cost the broker one queue.

use super::{channel, item, watch};
use crate::broker::Broker;
use crate::server::Process;
use crate::socket::Socket;
use futures_util::future::join_all;
use serde_json::json;
use tidings::bench::process::raise_file_limit;

const CLIENTS: usize = 3_000;
const AT_A_TIME: usize = 50;
const PATTERNS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_three_thousand_clients_get_every_matching_message_over_one_queue() {
    let Some(broker) = Broker::connect().await else { return };
    raise_file_limit(CLIENTS as u64 + 500).unwrap_or_else(|error| panic!("{}", error.chain()));
    let exchange = broker.exchange("events");
    let queue = broker.queue(&format!("mq:{exchange}"));
    let server = Process::start(&(broker.source() + &channel(&exchange, ""))).await;
    // Every second client watches all of them, by one of two patterns.
    let pattern = |client: usize| match client % 4 {
        0 => "graph.#".to_owned(),
        2 => "graph.*.*".to_owned(),
        _ => format!("graph.*.g{}", client % PATTERNS),
    };
    let address = server.address();
    let (exchange_name, pattern) = (&exchange, &pattern);
    let watching = async |client: usize| {
        let mut socket = super::open(address, "/mq").await;
        socket.say(watch(exchange_name, &pattern(client))).await;
        socket.settle().await;
        socket
    };
    let mut sockets: Vec<Socket> = Vec::new();
    while sockets.len() < CLIENTS {
        let first = sockets.len();
        sockets.extend(join_all((first..first + AT_A_TIME).map(watching)).await);
    }
    for number in 0..PATTERNS {
        broker.publish(&exchange, &format!("graph.started.g{number}"), &json!({"number": number})).await;
    }
    for (client, socket) in sockets.iter_mut().enumerate() {
        let expected: Vec<usize> = match client % 2 {
            0 => (0..PATTERNS).collect(),
            _ => vec![client % PATTERNS],
        };
        for number in expected {
            let told = (format!("graph.started.g{number}"), json!({"number": number}));
            assert_eq!(item(socket).await, told, "client {client}");
        }
        socket.settle_silently().await;
    }
    assert_eq!(broker.depth(&queue).await, Some((0, 1)), "one queue with one consumer has everything");
    let entries = super::metric(address, "tidings_entries_total{source=\"broker\",operation=\"appended\"}").await;
    assert_eq!(entries, PATTERNS as u64, "a message is taken from the broker once, however many patterns match");
}
