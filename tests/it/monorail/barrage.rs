//! A client that sends nonsense, a lot of it: no panic, no growth, and others are told what they watch.

use super::EMBEDDED;
use crate::server::Process;
use crate::socket::{Heard, Socket};
use crate::writer::Writer;
use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidings::dialect::Dialect;
use tidings::dialect::monorail::Monorail;
use tokio_tungstenite::tungstenite::Message;

/// Valid messages, of every kind and with every field.
const VALID: &[&str] = &[
    r#"{"handler":"init"}"#,
    r#"{"handler":"init","ref":{"a":[1,"x",null]}}"#,
    r#"{"handler":"watch"}"#,
    r#"{"handler":"watch","resource":"nodes","params":{"type":"compute","rank":{">=":2}},"ref":7}"#,
    r#"{"handler":"watch","initial":true,"positions":true,"patch":true,"progress":5,"ref":"w"}"#,
    r#"{"handler":"watch","since":"0123456789abcdef:12","positions":true}"#,
    r##"{"handler":"watch","resource":"mq","params":{"exchange":"on.events","routingKey":"graph.#"}}"##,
    r#"{"handler":"stop","resource":null,"params":null}"#,
    r#"{"handler":"stop","params":{"rank":{">=":2.0},"type":"compute"},"ref":7}"#,
    r#"{"handler":"query","params":{"$or":[{"a.b.0":{"$in":[1,2.5e3,"x"]}},{"$not":{"c":{"$like":"%é%"}}}]},"ref":1}"#,
    r#"{"handler":"query","params":{"where":{"tags":"x"},"limit":5},"options":{"sort":"name desc","fields":["a.b"],"skip":1}}"#,
    r#"{"handler":"all","resource":"skus","options":{"sort":["type","name desc"],"limit":10}}"#,
    r#"{"handler":"get","params":"n1"}"#,
    r#"{"handler":"get","params":["n1",{"id":null}],"ref":[]}"#,
    r#"{"handler":"barrier","ref":"b"}"#,
    r#"{"handler":"error","params":{"error":"E_UNKNOWN","status":500}}"#,
];

/// Pieces that parsers stumble over.
const PIECES: &[&str] = &[
    "null",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    ",",
    ":",
    "1e999",
    "-0",
    "9007199254740993",
    "true",
    "-1",
    "1e300",
    "\"__proto__\"",
    "\"$where\"",
    "\"constructor\":",
    "{\"$not\":",
    "[[[[[[[[",
    "\u{0}",
    "\u{feff}",
    "é",
    "😀",
    "0x10",
];

/// Makes mutations of valid messages, the same ones for the same seed.
struct Mutator(StdRng);

impl Mutator {
    fn new(seed: u64) -> Mutator {
        Mutator(StdRng::seed_from_u64(seed))
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.0.random_range(0..of.len())]
    }

    /// A few changes of one message: bytes flipped, cut out, doubled, put in, another value, or the end of
    /// another message.
    fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.pick(VALID).as_bytes().to_vec();
        for _ in 0..self.0.random_range(1..5) {
            let at = self.0.random_range(0..=bytes.len());
            let end = (at + self.0.random_range(0..12)).min(bytes.len());
            match self.0.random_range(0..7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.0.random_range(0..8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let doubled = bytes[at..end].to_vec();
                    bytes.splice(at..at, doubled);
                }
                3 => {
                    let piece = self.pick(PIECES);
                    bytes.splice(at..end, piece.bytes());
                }
                4 => bytes.truncate(at),
                5 => {
                    let Some(from) = bytes[at..].iter().position(|byte| *byte == b':').map(|colon| at + colon + 1)
                    else {
                        continue;
                    };
                    let length = bytes[from..].iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(0);
                    let piece = self.pick(PIECES);
                    bytes.splice(from..from + length, piece.bytes());
                }
                _ => {
                    let other = self.pick(VALID).as_bytes();
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[at.min(other.len())..]);
                }
            }
        }
        bytes
    }
}

/// More where there is time for it.
fn many(usual: usize, long: usize) -> usize {
    if std::env::var_os("TIDINGS_TEST_LONG").is_some() { long } else { usual }
}

#[test]
fn no_mutation_of_a_message_makes_the_dialect_panic() {
    let (mut mutator, dialect) = (Mutator::new(1), Monorail::new());
    let channel: Arc<str> = "nodes".into();
    for _ in 0..many(200_000, 1_000_000) {
        let bytes = mutator.next();
        dialect.decode(&channel, &String::from_utf8_lossy(&bytes));
    }
}

/// Sends so many mutations, hearing whatever comes; the connection must not end.
async fn bombard(address: SocketAddr, seed: u64, count: usize) {
    let socket = Socket::open(&format!("ws://{address}/nodes")).await.expect("an upgrade");
    let (mut sink, mut answers) = socket.split();
    let mut mutator = Mutator::new(seed);
    let sending = async move {
        for _ in 0..count {
            let message = match String::from_utf8(mutator.next()) {
                Ok(text) => Message::text(text),
                Err(error) => Message::binary(error.into_bytes()),
            };
            crate::socket::send(&mut sink, message).await;
        }
        crate::socket::send(&mut sink, Message::text(r#"{"handler":"barrier","ref":"the end"}"#)).await;
        sink
    };
    let hearing = async move {
        while let Some(Ok(message)) = answers.next().await {
            if message.to_text().is_ok_and(|text| text.contains("\"the end\"")) {
                return;
            }
        }
        panic!("the connection ended");
    };
    let (_sink, ()) = tokio::join!(sending, hearing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_barrage_of_mutations_costs_nothing_and_others_notice_nothing() {
    let configuration = EMBEDDED.replace("[server]\nlisten = \"127.0.0.1:0\"", "");
    let server = Process::start(&configuration).await;
    let (address, writer) = (server.address(), Writer::to(server.address()));
    for number in 0..20 {
        writer.put("nodes", &format!("n{number}"), json!({"type": "compute", "rank": number})).await;
    }
    let mut witness = Socket::open(&format!("ws://{address}/skus")).await.expect("an upgrade");
    witness.say(r#"{"handler":"watch"}"#).await;
    witness.settle().await;
    bombard(address, 2, 5_000).await;
    let before = server.own_bytes();

    let barrage = tokio::spawn(bombard(address, 3, many(20_000, 1_000_000)));
    let mut number = 0;
    while !barrage.is_finished() || number < 10 {
        writer.put("skus", &format!("s{number}"), json!({"number": number})).await;
        assert_eq!(witness.json().await["data"]["number"], number);
        number += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    barrage.await.expect("the barrage is survived");
    let grown = server.own_bytes().saturating_sub(before) >> 20;
    println!("the server grew by {grown} MB");
    assert!(grown < 8, "it grew by {grown} MB");
    witness.settle_silently().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_again_and_again_costs_nothing() {
    let server = Process::start("[resources.nodes]\nsource = \"embedded\"\nwritable = true\n").await;
    let mut socket = Socket::open(&format!("ws://{}/nodes", server.address())).await.expect("an upgrade");
    let mut again = async |times: usize| {
        for time in 0..times {
            socket.say(r#"{"handler":"watch"}"#).await;
            socket.say(r#"{"handler":"watch","params":{"rank":1}}"#).await;
            socket.say(r#"{"handler":"stop","params":{"rank":1}}"#).await;
            if time % 100 == 0 {
                socket.settle().await;
            }
        }
        socket.settle().await;
        server.own_bytes()
    };
    let before = again(1000).await;
    let grown = (again(many(10_000, 100_000)).await.saturating_sub(before)) >> 10;
    println!("the server grew by {grown} kB");
    assert!(grown < 1024, "it grew by {grown} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_end_their_connection_and_nothing_else() {
    let server = Process::start("[resources.nodes]\nsource = \"embedded\"\nwritable = true\n").await;
    let url = format!("ws://{}/nodes", server.address());
    let mut witness = Socket::open(&url).await.expect("an upgrade");
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..200 {
        let mut rude = Socket::open(&url).await.expect("an upgrade");
        let bytes: Vec<u8> = (0..random.random_range(1..300)).map(|_| random.random()).collect();
        rude.send_bytes(&bytes).await;
        // It is closed, or waits for the rest of a frame.
        let heard = rude.hear_within(Duration::from_millis(20)).await;
        assert!(matches!(heard, Heard::Close(1002 | 1007 | 1009, _) | Heard::Torn | Heard::Nothing), "{heard:?}");
    }
    witness.settle().await;
}
