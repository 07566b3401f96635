//! Clients that do not read. They cost themselves only: bounded memory, no delay for others, and either
//! everything in order once they read again, or a close that says to come back.

use crate::server::{self, Process};
use crate::socket::{Heard, Socket};
use crate::writer::Writer;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidings::app::App;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Lines that are told and not kept, and records, both written over HTTP.
const RESOURCES: &str = r#"
[resources.lines]
source = "embedded"
append_only = true
keep = 0
writable = true
[resources.nodes]
source = "embedded"
writable = true
"#;

/// The padding of a line, in bytes.
const PAD: usize = 32 * 1024;

/// So many lines are more than the system buffers for a socket that is not read.
const MANY: usize = 320;

fn url(address: SocketAddr, path: &str) -> String {
    format!("ws://{address}{path}")
}

/// A server in this process, with these further lines of configuration.
async fn start(more: &str) -> App {
    server::start(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{RESOURCES}{more}")).await
}

/// Appends lines with these numbers.
async fn append(writer: &Writer, numbers: Range<usize>) {
    for number in numbers {
        writer.append("lines", &format!("l{number}"), json!({"pad": "x".repeat(PAD)})).await;
    }
}

/// The number of the line that a message tells.
fn number_of(message: &Value) -> usize {
    assert_eq!((&message["handler"], &message["id"][0]), (&json!("item"), &json!("created")), "{message:.200}");
    let key = message["id"][1].as_str().expect("a key");
    key.trim_start_matches('l').parse().expect("a number")
}

/// Hears exactly these lines, in this order.
async fn hear_lines(socket: &mut Socket, numbers: Range<usize>) {
    for number in numbers {
        assert_eq!(number_of(&socket.json().await), number);
    }
}

/// Hears lines from the first on, without a gap, until something else comes: how many, the last position, and
/// what came.
async fn hear_until_other(socket: &mut Socket) -> (usize, Value, Heard) {
    let (mut next, mut position) = (0, Value::Null);
    loop {
        match socket.hear().await {
            Heard::Json(message) if message["handler"] == "item" => {
                assert_eq!(number_of(&message), next);
                next += 1;
                position = message["position"].clone();
            }
            other => return (next, position, other),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_a_stalled_reader_among_500_costs_bounded_memory_delays_nobody_and_misses_nothing() {
    // Many watches of one client: tens of megabytes are pushed at it while log and store take hardly any.
    const WATCHES: usize = 100;
    const LINES: usize = 140;
    const WARM_UP: usize = 20;
    let server = Process::start(&format!("{RESOURCES}[monorail]\nwrite_timeout = \"5m\"\n")).await;
    let (address, writer) = (server.address(), Writer::to(server.address()));
    let write = async |numbers: Range<usize>| {
        for number in numbers {
            writer.append("lines", &format!("l{number}"), json!({"pad": "x".repeat(4096)})).await;
        }
    };
    let mut readers = JoinSet::new();
    for _ in 0..500 {
        let mut reader = Socket::open(&url(address, "/lines")).await.expect("an upgrade");
        reader.say(r#"{"handler":"watch"}"#).await;
        reader.settle().await;
        readers.spawn(async move { hear_lines(&mut reader, 0..LINES).await });
    }
    let mut stalled = Socket::open_narrow(&url(address, "/lines"), None).await;
    for reference in 0..WATCHES {
        stalled.say(json!({"handler": "watch", "ref": reference}).to_string()).await;
    }
    stalled.settle().await;
    let hear_all = async |stalled: &mut Socket, numbers: Range<usize>| {
        for number in numbers {
            for reference in 0..WATCHES {
                let message = stalled.json().await;
                assert_eq!((number_of(&message), &message["ref"]), (number, &json!(reference)));
            }
        }
    };
    tokio::join!(write(0..WARM_UP), hear_all(&mut stalled, 0..WARM_UP));

    let before = server.own_bytes();
    let mut most = before;
    for number in WARM_UP..LINES {
        write(number..number + 1).await;
        most = most.max(server.own_bytes());
    }
    readers.join_all().await;
    let (pushed, grown) = (((LINES - WARM_UP) * WATCHES * 4096) >> 20, (most.max(server.own_bytes()) - before) >> 20);
    println!("{pushed} MB were pushed past a reader that stalled, the server grew by {grown} MB");
    assert!(grown < 16, "{pushed} MB were pushed past it, and the server grew by {grown} MB");

    hear_all(&mut stalled, WARM_UP..LINES).await;
    // It is live again.
    write(LINES..LINES + 1).await;
    hear_all(&mut stalled, LINES..LINES + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_in_time_is_told_to_come_back_and_misses_nothing() {
    let app = start("[monorail]\nwrite_timeout = \"1s\"\n").await;
    let (address, writer) = (app.address(), Writer::to(app.address()));
    let mut stalled = Socket::open_narrow(&url(address, "/lines"), None).await;
    stalled.say(r#"{"handler":"watch","positions":true}"#).await;
    stalled.settle().await;
    append(&writer, 0..MANY).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (heard, position, end) = hear_until_other(&mut stalled).await;
    assert!(heard < MANY, "it was never slow");
    assert!(matches!(end, Heard::Close(1013, _)), "{end:?}");

    let mut back = Socket::open(&url(address, "/lines")).await.expect("an upgrade");
    back.say(json!({"handler": "watch", "since": position}).to_string()).await;
    assert_eq!(back.json().await["complete"], true);
    hear_lines(&mut back, heard..MANY).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_watch_whose_gap_is_no_longer_kept_is_closed_and_never_skips() {
    let app = start("[log]\nentries = 20\n").await;
    let mut stalled = Socket::open_narrow(&url(app.address(), "/lines"), None).await;
    stalled.say(r#"{"handler":"watch"}"#).await;
    stalled.settle().await;
    append(&Writer::to(app.address()), 0..MANY).await;
    let (heard, _, end) = hear_until_other(&mut stalled).await;
    assert!(heard < MANY, "it was never slow");
    assert!(matches!(end, Heard::Close(1013, _)), "{end:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_with_a_list_whose_gap_is_no_longer_kept_is_told_so_and_gets_a_fresh_list() {
    let app = start("[log]\nentries = 20\n").await;
    let writer = Writer::to(app.address());
    let mut stalled = Socket::open_narrow(&url(app.address(), "/nodes"), None).await;
    stalled.say(r#"{"handler":"watch","initial":true}"#).await;
    assert_eq!(stalled.json().await["items"], json!([]));
    stalled.settle().await;
    for version in 0..MANY {
        writer.put("nodes", "n1", json!({"version": version, "pad": "x".repeat(PAD)})).await;
    }
    let mut next = 0;
    let resumed = loop {
        let message = stalled.json().await;
        if message["handler"] != "item" {
            break message;
        }
        assert_eq!(message["data"]["version"], next);
        next += 1;
    };
    assert_eq!((&resumed["handler"], &resumed["complete"]), (&json!("resumed"), &json!(false)));
    assert_eq!(resumed["reason"], "retention");
    let list = stalled.json().await;
    assert_eq!((&list["handler"], &list["position"]), (&json!("list"), &resumed["position"]));
    assert_eq!(list["items"][0]["version"], MANY - 1);
    writer.put("nodes", "n1", json!({"version": MANY})).await;
    assert_eq!(stalled.json().await["data"]["version"], MANY);
    app.stop().await;
}

/// Files of a certificate for this machine, and a client that trusts it.
fn certificate(directory: &Path) -> (String, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("a written file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a written file");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    tidings::wire::tls::choose_provider();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (format!("tls_cert = {certificate:?}\ntls_key = {key:?}\n"), Arc::new(client))
}

/// Appends lines with these numbers, each by a connection of its own: the usual client speaks no TLS.
async fn append_over_tls(address: SocketAddr, client: Arc<ClientConfig>, numbers: Range<usize>) {
    let connector = TlsConnector::from(client);
    for number in numbers {
        let body = json!({"pad": "x".repeat(PAD)}).to_string();
        let length = body.len();
        let head = format!("POST /api/lines?id=l{number} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let name = ServerName::from(address.ip());
        let mut stream = connector.connect(name, stream).await.expect("a handshake");
        let request = format!("{head}content-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_over_tls_delays_nobody_and_misses_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, client) = certificate(directory.path());
    let app = server::start(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{files}{RESOURCES}")).await;
    let address = app.address();
    let url = format!("wss://{address}/lines");
    let watching = async || {
        let mut socket = Socket::open_narrow(&url, Some(client.clone())).await;
        socket.say(r#"{"handler":"watch"}"#).await;
        socket.settle().await;
        socket
    };
    let (mut reader, mut stalled) = (watching().await, watching().await);
    tokio::join!(append_over_tls(address, client.clone(), 0..MANY), hear_lines(&mut reader, 0..MANY));
    hear_lines(&mut stalled, 0..MANY).await;
    append_over_tls(address, client, MANY..MANY + 1).await;
    hear_lines(&mut stalled, MANY..MANY + 1).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_watches_of_a_slow_client_keep_the_order_of_the_log() {
    let app = start("").await;
    let writer = Writer::to(app.address());
    let mut stalled = Socket::open_narrow(&url(app.address(), "/lines"), None).await;
    stalled.say(r#"{"handler":"watch","ref":"lines"}"#).await;
    stalled.say(r#"{"handler":"watch","resource":"nodes","ref":"nodes"}"#).await;
    stalled.settle().await;
    for number in 0..MANY / 2 {
        append(&writer, number..number + 1).await;
        writer.put("nodes", &format!("l{number}"), json!({"pad": "x".repeat(PAD)})).await;
    }
    for number in 0..MANY / 2 {
        for reference in ["lines", "nodes"] {
            let message = stalled.json().await;
            assert_eq!((number_of(&message), &message["ref"]), (number, &json!(reference)));
        }
    }
    app.stop().await;
}
