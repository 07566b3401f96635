//! The connection to Postgres is cut: watchers notice nothing but a pause.

use crate::cluster::Cluster;
use crate::load::transactions;
use crate::model::{Model, Part};
use crate::server;
use crate::socket::{Heard, PATIENCE, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, watch};
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n";

/// Follows all rows until nothing more is to come; nothing but changes may be told after the list.
async fn follow(address: SocketAddr, options: Value, listed: Arc<Barrier>, mut over: watch::Receiver<bool>) -> Model {
    let mut socket = Socket::open(&format!("ws://{address}/rows")).await.expect("an upgrade");
    let mut watch = json!({"handler": "watch", "initial": true});
    watch.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
    socket.say(watch.to_string()).await;
    let mut model = Model::new(Part::All);
    while model.lists == 0 {
        model.hear(&socket.json().await);
    }
    listed.wait().await;
    while !*over.borrow_and_update() {
        tokio::select! {
            heard = socket.hear() => match heard {
                Heard::Json(message) => model.hear(&message),
                Heard::Nothing => {}
                other => panic!("expected a message, got {other:?}"),
            },
            changed = over.changed() => changed.expect("somebody ends the load"),
        }
    }
    socket.say(r#"{"handler":"barrier","ref":"end"}"#).await;
    loop {
        let message = socket.json().await;
        if message["ref"] == "end" {
            assert_eq!(message["handler"], "barrier", "{message}");
            break;
        }
        model.hear(&message);
    }
    assert_eq!((model.lists, model.verdicts.len()), (1, 0), "more than a pause was noticed");
    model
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("Postgres can be reached");
    tokio::spawn(connection);
    client
}

/// What `/readyz` says once it says it is ready, or is not.
async fn readiness(address: SocketAddr, is_ready: bool) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = reqwest::get(format!("http://{address}/readyz")).await.expect("an answer");
        if answer.status().is_success() == is_ready {
            return answer.text().await.expect("a text");
        }
        assert!(Instant::now() < end, "it stays {}", answer.status());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_and_a_restarted_database_are_but_a_pause() {
    a_cut_connection_and_a_restarted_database_are_but_a_pause_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_and_a_restarted_database_are_but_a_pause_by_slot() {
    a_cut_connection_and_a_restarted_database_are_but_a_pause_by("slot").await;
}

async fn a_cut_connection_and_a_restarted_database_are_but_a_pause_by(capture: &str) {
    let Some(cluster) = Cluster::start() else { return };
    transactions::prepare(&connect(&cluster.url()).await).await;
    let named = cluster.url() + "?application_name=tidings_under_test";
    let app = server::start(&(transactions::configuration(&named, capture) + SERVER)).await;
    let load = transactions::start(&cluster.url());
    let (end, over) = watch::channel(false);
    let watches = [json!({}), json!({"patch": true}), json!({"positions": true}), json!({"ref": 1})];
    let listed = Arc::new(Barrier::new(watches.len() + 1));
    let follower = |options| tokio::spawn(follow(app.address(), options, listed.clone(), over.clone()));
    let followers: Vec<_> = watches.into_iter().map(follower).collect();
    let operator = connect(&cluster.url()).await;
    // A list that is cut while it is read is refused, which is another story.
    listed.wait().await;
    for _ in 0..8 {
        sleep(Duration::from_millis(400)).await;
        let cut =
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tidings_under_test'";
        while operator.query(cut, &[]).await.expect("backends can be ended").is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        readiness(app.address(), true).await;
    }
    cluster.stop();
    let reason = readiness(app.address(), false).await;
    assert!(reason.starts_with("source pg: down for"), "{reason}");
    sleep(Duration::from_secs(1)).await;
    cluster.go_on();
    readiness(app.address(), true).await;
    sleep(Duration::from_secs(1)).await;
    load.stop().await;
    end.send_replace(true);
    let mut models = Vec::new();
    for follower in followers {
        models.push(follower.await.expect("a follower does not panic"));
    }
    let history = transactions::history(&connect(&cluster.url()).await).await;
    for (number, model) in models.iter().enumerate() {
        model.prove(&format!("follower {number}"), &history);
    }
    app.stop().await;
}
