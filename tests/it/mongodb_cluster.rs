//! A MongoDB-protocol server of a test's own, which is killed, started again, and given little memory of its past.

use crate::mongodb_follower::{Follower, identified, words};
use crate::mongodb_source::{with_images, write_until};
use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidings::error::Kind;
use tidings::event::{Mark, Operation};
use tidings::mongodb::collection::Binding;
use tidings::source::mongodb::Settings;

/// The variable with the program of the server: SecantusDB's `secantusd-py`.
const VARIABLE: &str = "TIDINGS_TEST_SECANTUS";

/// A running server, killed at the end.
struct Server {
    program: String,
    port: u16,
    storage: TempDir,
    child: Child,
}

impl Server {
    /// Starts one with these options; without the program it says that the test was skipped.
    async fn start(options: &[&str]) -> Option<Server> {
        let Ok(program) = std::env::var(VARIABLE) else {
            println!("skipped: {VARIABLE} names no program");
            return None;
        };
        let storage = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(&program, port, &storage, options);
        let server = Server { program, port, storage, child };
        server.until_it_answers().await;
        Some(server)
    }

    /// Ends it at once, as a crash does, and starts it again on what it left.
    async fn crash(&mut self, options: &[&str]) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.program, self.port, &self.storage, options);
        self.until_it_answers().await;
    }

    async fn until_it_answers(&self) {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/inventory", self.port)
    }

    async fn database(&self) -> Database {
        Client::with_uri_str(self.url()).await.unwrap().database("inventory")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(program: &str, port: u16, storage: &TempDir, options: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--storage-path"]).arg(storage.path()).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn nodes() -> Settings {
    Settings::new(vec![Binding::new("nodes", "nodes")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_known_to_be_passed_well_within_a_second() {
    let Some(server) = Server::start(&[]).await else { return };
    let database = server.database().await;
    with_images(&database, "nodes").await;
    let follower = Follower::resume(&server.url(), nodes(), Arc::default());
    follower.until_live().await;
    let mut slowest = Duration::ZERO;
    for number in 0..20i32 {
        let reply = database.run_command(doc! { "insert": "nodes", "documents": [{ "_id": number }] }).await.unwrap();
        let time = reply.get_timestamp("operationTime").unwrap();
        let mark = Mark::Time(u64::from(time.time) << 32 | u64::from(time.increment));
        let begun = Instant::now();
        follower.ring();
        follower.until_reached(&mark).await;
        slowest = slowest.max(begun.elapsed());
        assert_eq!(identified(&follower.kept.lock().unwrap().events, Operation::Created).len() as i32, number + 1);
    }
    println!("the slowest of twenty took {slowest:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_of_a_load_loses_and_repeats_nothing() {
    // What was told must survive the crash, as it does where a majority has it.
    let durable = ["--sync-on-commit"];
    let Some(mut server) = Server::start(&durable).await else { return };
    with_images(&server.database().await, "nodes").await;
    let mut follower = Follower::resume(&server.url(), nodes(), Arc::default());
    follower.until_live().await;
    let enough = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..4 {
        writers.push(tokio::spawn(write_until(server.database().await, writer, enough.clone())));
    }
    for _ in 0..2 {
        let seen = follower.kept.lock().unwrap().events.len();
        follower.until("some changes", |events| events.len() > seen + 200).await;
        server.crash(&durable).await;
        let (end, kept) = follower.ended().await;
        follower = Follower::resume(&server.url(), nodes(), kept);
        assert!(end.as_ref().map_or_else(|error| error.kind() == Kind::Unreachable, |_| true), "{end:?}");
    }
    enough.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let database = server.database().await;
    follower.ends_with_what_is_there(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_oplog_no_longer_knows_starts_watchers_over() {
    let Some(server) = Server::start(&["--oplog-max-entries", "50"]).await else { return };
    let database = server.database().await;
    let records = database.collection::<Document>("nodes");
    records.insert_one(doc! { "_id": "first" }).await.unwrap();
    let follower = Follower::resume(&server.url(), nodes(), Arc::default());
    follower.until_live().await;
    let kept = follower.kill().await;
    for part in 0..30 {
        records.insert_many((0..100).map(|number| doc! { "_id": part * 100 + number })).await.unwrap();
    }
    let follower = Follower::resume(&server.url(), nodes(), kept);
    follower.until("the reset", |events| !events.is_empty()).await;
    follower.until_live().await;
    records.insert_one(doc! { "_id": "later" }).await.unwrap();
    follower.until("what comes after", |events| events.len() == 2).await;
    assert_eq!(words(&follower.take()), ["reset Epoch nodes", "created later"]);
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_alone_is_refused_with_what_to_do() {
    let Some(server) = Server::start(&["--standalone"]).await else { return };
    let follower = Follower::resume(&server.url(), nodes(), Arc::default());
    let (end, _) = follower.ended().await;
    let error = end.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.chain().contains("rs.initiate()"), "{}", error.chain());
}
