//! The way between two servers is lost: each goes on for itself, and what waited arrives later.

use super::{ask, configuration, is_silent, open, prepared, read, start};
use crate::broker::Node;
use crate::socket::{PATIENCE, Socket};
use serde_json::json;
use tidings::app::App;
use tokio::time::{Instant, sleep};

const DATA: &str = r#"{"channel_ids":["room"],"data":{"refused":1}}"#;

async fn push(socket: &mut Socket, n: usize) {
    socket.say(json!({"type": "channel", "channel_ids": ["room"], "data": {"n": n}}).to_string()).await;
    assert_eq!(socket.json().await, json!({"n": n}), "this node goes on");
}

/// Waits until a backend is answered with this status; what it pushes goes to nobody.
async fn answers(app: &App, status: u16) {
    let end = Instant::now() + PATIENCE * 3;
    let body = r#"{"channel_ids":["nobody"],"data":{}}"#;
    while ask(app, "/notify", body, "backend").await.status() != status {
        assert!(Instant::now() < end, "it does not become {status}");
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// `lose` and `mend` are what happens to the way.
async fn goes_on(apps: [App; 2], lose: impl AsyncFnOnce(), mend: impl AsyncFnOnce()) {
    for app in &apps {
        answers(app, 200).await;
    }
    let (mut near, _) = open(&apps[0], "room").await;
    let (mut far, _) = open(&apps[1], "room").await;
    push(&mut near, 0).await;
    assert_eq!(far.json().await, json!({"n": 0}));
    lose().await;
    answers(&apps[0], 503).await;
    for n in 1..200 {
        push(&mut near, n).await;
    }
    let refused = read(ask(&apps[0], "/notify", DATA, "backend").await).await;
    assert_eq!(refused, (503, json!({"detail": "Relay unavailable"})));
    is_silent(&mut near).await;
    mend().await;
    answers(&apps[0], 200).await;
    for n in 1..200 {
        assert_eq!(far.json().await, json!({"n": n}));
    }
    push(&mut near, 200).await;
    assert_eq!(far.json().await, json!({"n": 200}), "nobody is told later what was refused");
    for app in apps {
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_holds_up_nobody_here_and_what_waits_arrives_when_it_is_back() {
    let Some((database, client)) = prepared().await else { return };
    let relay = "relay = \"postgres:app\"\nservice_tokens_env = \"SERVICE\"";
    let configuration = configuration(&database, relay, "");
    let apps = [start(&configuration).await, start(&configuration).await];
    let admin = database.admin().await;
    let name: String = client.query_one("select current_database()::text", &[]).await.expect("a name").get(0);
    let allow = async |may: bool| {
        let alter = format!("alter database {name} with allow_connections {may}");
        admin.batch_execute(&alter).await.expect("it is altered");
    };
    let lose = async || {
        allow(false).await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
            where datname = current_database() and application_name = 'tidings'";
        client.query(cut, &[]).await.expect("they are ended");
    };
    goes_on(apps, lose, async || allow(true).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_holds_up_nobody_here_and_what_waits_arrives_when_it_is_back() {
    let Some(node) = Node::start().await else { return };
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[sources.broker]\nurl = \"{}\"\n[channels.\"/websocket\"]\n\
         dialect = \"jac\"\npush = \"anyone\"\nrelay = \"rabbitmq:broker\"\nservice_tokens_env = \"SERVICE\"\n",
        node.url()
    );
    let apps = [start(&configuration).await, start(&configuration).await];
    goes_on(apps, async || node.kill().await, async || node.restart().await).await;
}
