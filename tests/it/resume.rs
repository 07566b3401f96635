//! Resume is honest: clients that go and come at random, from a server that is killed and started again, get
//! exactly what they missed, or are told that they cannot and get a fresh list.

use crate::load::{Load, documents, random_millis, requests, transactions};
use crate::model::{History, Model, Part};
use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::server::Process;
use crate::socket::{Heard, PATIENCE, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const CLIENTS: usize = 12;
const KILLS: usize = 10;

/// Three watches that outlive their connections.
struct Client {
    address: SocketAddr,
    watches: Vec<(Value, Model)>,
}

impl Client {
    fn new(address: SocketAddr, model: impl Fn(Part) -> Model) -> Client {
        let watches = vec![
            (json!({"ref": 0, "positions": true}), model(Part::All)),
            (json!({"ref": 1, "positions": true, "params": {"state": "on"}}), model(Part::On)),
            (json!({"ref": 2, "positions": true, "patch": true}), model(Part::All)),
        ];
        Client { address, watches }
    }

    /// Goes and comes back at random until nothing more will be written, and then hears the rest.
    async fn live(mut self, over: watch::Receiver<bool>) -> Vec<Model> {
        while !*over.borrow() {
            let mut socket = self.come_back().await;
            let stay = random_millis(20..1500);
            let end = Instant::now() + stay;
            while Instant::now() < end {
                match socket.hear_within(end - Instant::now()).await {
                    Heard::Json(message) => self.take(&message),
                    Heard::Torn | Heard::Nothing => break,
                    other => panic!("expected a message, got {other:?}"),
                }
            }
            sleep(random_millis(0..400)).await;
        }
        let mut socket = self.come_back().await;
        socket.say(r#"{"handler":"barrier","ref":"end"}"#).await;
        loop {
            let message = socket.json().await;
            if message["ref"] == "end" {
                assert_eq!(message["handler"], "barrier", "{message}");
                return self.watches.into_iter().map(|(_, model)| model).collect();
            }
            self.take(&message);
        }
    }

    /// Connects, as soon as there is a server, and asks for what was missed.
    async fn come_back(&self) -> Socket {
        let end = Instant::now() + PATIENCE;
        let mut socket = loop {
            assert!(Instant::now() < end, "the server does not come back");
            if let Ok(stream) = TcpStream::connect(self.address).await
                && let Some(socket) = Socket::over(stream, "/rows").await
            {
                break socket;
            }
            sleep(Duration::from_millis(20)).await;
        };
        for (options, model) in &self.watches {
            let mut watch = options.as_object().expect("an object").clone();
            watch.insert("handler".to_owned(), json!("watch"));
            match &model.position {
                Some(position) => watch.insert("since".to_owned(), json!(position)),
                None => watch.insert("initial".to_owned(), json!(true)),
            };
            socket.say(Value::from(watch).to_string()).await;
        }
        socket
    }

    fn take(&mut self, message: &Value) {
        let index = message["ref"].as_u64().unwrap_or_else(|| panic!("whose is {message}")) as usize;
        let model = &mut self.watches[index].1;
        if message["handler"] == "resumed" {
            let epoch = |position: Option<&str>| position.and_then(|text| text.split(':').next()).map(str::to_owned);
            let is_same = epoch(message["position"].as_str()) == epoch(model.position.as_deref());
            assert_eq!(message["complete"], is_same, "{message} after {:?}", model.position);
            assert!(is_same || message["reason"] == "epoch", "{message}");
        }
        model.hear(message);
    }
}

/// Kills the server again and again under load while clients come and go; proves what they were told, and
/// returns the verdicts on their resumes.
async fn prove(mut server: Process, load: Load, history: impl AsyncFnOnce(History) -> History) -> Vec<Option<String>> {
    let (end, over) = watch::channel(false);
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(Client::new(server.address(), load.models()).live(over.clone()))).collect();
    for _ in 0..KILLS {
        sleep(random_millis(300..2500)).await;
        server.kill();
        sleep(random_millis(0..300)).await;
        server.restart().await;
    }
    let known = load.stop().await;
    end.send_replace(true);
    let mut finished = Vec::new();
    for client in clients {
        finished.push(client.await.expect("a client does not panic"));
    }
    let history = history(known).await;
    let mut verdicts = Vec::new();
    for (number, models) in finished.into_iter().enumerate() {
        for (watch, model) in models.into_iter().enumerate() {
            model.prove(&format!("client {number}, watch {watch}"), &history);
            verdicts.extend(model.verdicts);
        }
    }
    let changes: usize = history.values().map(Vec::len).sum();
    let complete = verdicts.iter().filter(|verdict| verdict.is_none()).count();
    println!("{changes} changes, {KILLS} kills, {} resumes, {complete} of them complete", verdicts.len());
    verdicts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_log_on_disk_no_kill_makes_a_resume_incomplete() {
    with_a_log_on_disk_no_kill_makes_a_resume_incomplete_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_log_on_disk_no_kill_makes_a_resume_incomplete_by_slot() {
    with_a_log_on_disk_no_kill_makes_a_resume_incomplete_by("slot").await;
}

async fn with_a_log_on_disk_no_kill_makes_a_resume_incomplete_by(capture: &str) {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let server = Process::start(&transactions::configuration(&database.url(), capture)).await;
    let load = transactions::start(&database.url());
    let verdicts = prove(server, load, async |_| transactions::history(&client).await).await;
    assert!(verdicts.iter().all(Option::is_none), "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_mongodb_no_kill_makes_a_resume_incomplete() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    documents::prepare(&database).await;
    let server = Process::start(&documents::configuration(&mongo.url())).await;
    let load = documents::start(&mongo.url()).with_repeats(!documents::is_exact(&database).await);
    let verdicts = prove(server, load, async |_| documents::history(&database).await).await;
    assert!(verdicts.iter().all(Option::is_none), "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_embedded_store_on_disk_no_kill_makes_a_resume_incomplete() {
    let server = Process::start(requests::CONFIGURATION).await;
    let load = requests::start(server.address());
    let verdicts = prove(server, load, async |known| known).await;
    assert!(verdicts.iter().all(Option::is_none), "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_log_in_memory_every_kill_is_owned_up_to() {
    with_a_log_in_memory_every_kill_is_owned_up_to_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_log_in_memory_every_kill_is_owned_up_to_by_slot() {
    with_a_log_in_memory_every_kill_is_owned_up_to_by("slot").await;
}

async fn with_a_log_in_memory_every_kill_is_owned_up_to_by(capture: &str) {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let server = Process::start_forgetful(&transactions::configuration(&database.url(), capture)).await;
    let load = transactions::start(&database.url());
    let verdicts = prove(server, load, async |_| transactions::history(&client).await).await;
    assert!(verdicts.contains(&None) && verdicts.contains(&Some("epoch".to_owned())), "{verdicts:?}");
}
