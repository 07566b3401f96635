//! A list, and then every change that it does not contain, once: while everybody writes and joins at random.

use crate::load::{Load, documents, random_millis, requests, transactions};
use crate::model::{History, Model, Part};
use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::server;
use crate::socket::{Heard, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

/// Sockets with five watches each.
const SOCKETS: usize = 40;

/// How long writers write.
const SPAN: Duration = Duration::from_secs(10);

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n";

/// A connection whose watches of every kind begin one after the other.
struct Watcher {
    socket: Socket,
    /// By `ref`; the last is the view, whose watches have none.
    models: Vec<Model>,
}

impl Watcher {
    /// Joins now and then, listens until told that nothing more will be written, and hears the rest.
    async fn watch(address: SocketAddr, model: impl Fn(Part) -> Model, mut over: watch::Receiver<bool>) -> Vec<Model> {
        let whole = SPAN.as_millis() as u64 * 3 / 4;
        sleep(random_millis(0..whole)).await;
        let socket = Socket::open(&format!("ws://{address}/rows")).await.expect("an upgrade");
        let models = vec![model(Part::All), model(Part::On), model(Part::All), model(Part::On), Model::view()];
        let mut watcher = Watcher { socket, models };
        let on = json!({"state": "on"});
        let watches = [
            json!({"ref": 0}),
            json!({"ref": 1, "params": on}),
            json!({"ref": 2, "patch": true, "positions": true}),
            json!({"ref": 3, "patch": true, "params": on}),
            json!({"params": on}),
            json!({"params": {"state": ["on", "off"]}}),
        ];
        for watch in watches {
            watcher.ask(watch).await;
            watcher.listen_for(random_millis(0..300)).await;
        }
        while !*over.borrow_and_update() {
            tokio::select! {
                heard = watcher.socket.hear() => watcher.take(heard),
                changed = over.changed() => changed.expect("somebody ends the load"),
            }
        }
        watcher.hear_the_rest().await;
        watcher.models
    }

    async fn ask(&mut self, options: Value) {
        let mut watch = json!({"handler": "watch", "initial": true});
        watch.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
        self.socket.say(watch.to_string()).await;
    }

    async fn listen_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let heard = self.socket.hear_within(end - Instant::now()).await;
            self.take(heard);
        }
    }

    async fn hear_the_rest(&mut self) {
        self.socket.say(r#"{"handler":"barrier","ref":"end"}"#).await;
        loop {
            match self.socket.hear().await {
                Heard::Json(message) if message["ref"] == "end" => {
                    assert_eq!(message["handler"], "barrier", "{message}");
                    return;
                }
                heard => self.take(heard),
            }
        }
    }

    fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Json(message) => {
                let view = self.models.len() - 1;
                let index = message["ref"].as_u64().map_or(view, |number| number as usize);
                self.models[index].hear(&message);
            }
            Heard::Nothing => {}
            other => panic!("expected a message, got {other:?}"),
        }
    }
}

/// Watches a server while there is load, and proves what every watch was told.
async fn prove(address: SocketAddr, load: Load, history: impl AsyncFnOnce(History) -> History) {
    let (end, over) = watch::channel(false);
    let watchers: Vec<_> =
        (0..SOCKETS).map(|_| tokio::spawn(Watcher::watch(address, load.models(), over.clone()))).collect();
    sleep(SPAN).await;
    let known = load.stop().await;
    end.send_replace(true);
    let mut finished = Vec::new();
    for watcher in watchers {
        finished.push(watcher.await.expect("a watcher does not panic"));
    }
    let history = history(known).await;
    let mut told = 0;
    for (number, models) in finished.iter().enumerate() {
        for (watch, model) in models.iter().enumerate() {
            model.prove(&format!("socket {number}, watch {watch}"), &history);
            told += model.count();
        }
    }
    let changes: usize = history.values().map(Vec::len).sum();
    println!("{changes} changes, {told} told to {} watches", SOCKETS * 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watch_is_exact_while_transactions_overlap_and_fail() {
    every_watch_is_exact_while_transactions_overlap_and_fail_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watch_is_exact_while_transactions_overlap_and_fail_by_slot() {
    every_watch_is_exact_while_transactions_overlap_and_fail_by("slot").await;
}

async fn every_watch_is_exact_while_transactions_overlap_and_fail_by(capture: &str) {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let app = server::start(&(transactions::configuration(&database.url(), capture) + SERVER)).await;
    let load = transactions::start(&database.url());
    prove(app.address(), load, async |_| transactions::history(&client).await).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watch_of_mongodb_is_exact() {
    let Some(mongo) = Mongo::create() else { return };
    let database = mongo.database().await;
    documents::prepare(&database).await;
    let app = server::start(&(documents::configuration(&mongo.url()) + SERVER)).await;
    let load = documents::start(&mongo.url()).with_repeats(!documents::is_exact(&database).await);
    prove(app.address(), load, async |_| documents::history(&database).await).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_watch_of_the_embedded_store_is_exact() {
    let app = server::start(&(requests::CONFIGURATION.to_owned() + SERVER)).await;
    let load = requests::start(app.address());
    prove(app.address(), load, async |known| known).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_never_hears_what_another_asked_before_it_went() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let app =
        server::start(&format!("{}{SERVER}shards = 1\n", transactions::configuration(&database.url(), "outbox"))).await;
    let url = format!("ws://{}/rows", app.address());
    client.batch_execute("begin; lock table rows").await.expect("lists have to wait");
    let mut gone = Socket::open(&url).await.expect("an upgrade");
    gone.say(r#"{"handler":"watch","initial":true,"ref":"gone"}"#).await;
    gone.say(r#"{"handler":"barrier","resource":"none","ref":"asked"}"#).await;
    assert_eq!(gone.json().await["ref"], "asked");
    gone.send(Message::Close(None)).await;
    while !matches!(gone.hear().await, Heard::Close(..) | Heard::Torn) {}
    drop(gone);
    let metrics = format!("http://{}/metrics", app.address());
    let is_gone = async || {
        let report = reqwest::get(&metrics).await.expect("an answer").text().await.expect("a text");
        report.lines().any(|line| line == "tidings_connections 0")
    };
    while !is_gone().await {}
    // The next one gets the place of the one that went.
    let mut next = Socket::open(&url).await.expect("an upgrade");
    next.say(r#"{"handler":"init","ref":"first"}"#).await;
    assert_eq!(next.json().await["ref"], "first");
    client.batch_execute("commit").await.expect("lists go on");
    client.execute("select step('r1', 0.3)", &[]).await.expect("a change");
    assert_eq!(next.hear_within(Duration::from_millis(500)).await, Heard::Nothing);
    app.stop().await;
}

/// The list is held up by a lock between its snapshot and its rows, while changes are logged and published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_pass_while_a_list_is_read_are_told_once_behind_it() {
    changes_that_pass_while_a_list_is_read_are_told_once_behind_it_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_pass_while_a_list_is_read_are_told_once_behind_it_by_slot() {
    changes_that_pass_while_a_list_is_read_are_told_once_behind_it_by("slot").await;
}

async fn changes_that_pass_while_a_list_is_read_are_told_once_behind_it_by(capture: &str) {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let app = server::start(&(transactions::configuration(&database.url(), capture) + SERVER)).await;
    let mut socket = Socket::open(&format!("ws://{}/rows", app.address())).await.expect("an upgrade");
    let mut models = Vec::new();
    for (before, after) in [(0, 1), (1, 0), (1, 1), (3, 3)] {
        let step = format!("select step('r{}', 0.3);", models.len() + 1);
        client.batch_execute(&format!("{} begin; lock table rows; {step}", step.repeat(before))).await.expect("a lock");
        let watch = json!({"handler": "watch", "initial": true, "ref": models.len()});
        socket.say(watch.to_string()).await;
        models.push(Model::new(Part::All));
        transactions::until_somebody_waits(&client).await;
        client.batch_execute(&format!("commit; {}", step.repeat(after))).await.expect("a commit");
    }
    let mut watcher = Watcher { socket, models };
    watcher.hear_the_rest().await;
    let history = transactions::history(&client).await;
    for (number, model) in watcher.models.iter().enumerate() {
        model.prove(&format!("watch {number}"), &history);
    }
    app.stop().await;
}
