//! Two servers: what is pushed at one of them reaches the sockets of both, each once.

use super::{ask, call, configuration, is_silent, open, post, prepared, read, start};
use crate::broker::Broker;
use crate::postgres::Database;
use crate::socket::Socket;
use serde_json::{Value, json};
use tidings::app::App;
use tokio_postgres::Client;

/// Two servers, and names for a test of its own: others may use the same broker.
struct Two {
    apps: [App; 2],
    client: Client,
    room: String,
    _database: Database,
}

impl Two {
    async fn over_postgres() -> Option<Two> {
        Two::start("relay = \"postgres:app\"", "").await
    }

    async fn over_rabbitmq() -> Option<Two> {
        let broker = Broker::connect().await?;
        let source = format!("[sources.broker]\nurl = \"{}\"\n", broker.url());
        Two::start("relay = \"rabbitmq:broker\"", &source).await
    }

    async fn start(relay: &str, beside: &str) -> Option<Two> {
        let (database, client) = prepared().await?;
        let more = format!("{relay}\nservice_tokens_env = \"SERVICE\"");
        let configuration = configuration(&database, &more, beside);
        let apps = [start(&configuration).await, start(&configuration).await];
        for app in &apps {
            while notify(app, json!({"channel_ids": ["nobody"], "data": {}})).await.0 != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        Some(Two { apps, client, room: uuid::Uuid::new_v4().to_string(), _database: database })
    }

    async fn stop(self) {
        for app in self.apps {
            app.stop().await;
        }
    }
}

async fn notify(app: &App, body: Value) -> (u16, Value) {
    read(ask(app, "/notify", &body.to_string(), "backend").await).await
}

async fn push(socket: &mut Socket, kind: &str, ids: &[&str], data: Value) {
    let list = if kind == "user" { "root_ids".to_owned() } else { format!("{kind}_ids") };
    socket.say(json!({"type": kind, list: ids, "data": data}).to_string()).await;
}

/// Everything that can be pushed, at one node, is heard at both; each once.
async fn each_reaches_both(two: Two) {
    let room = two.room.as_str();
    let (mut near, near_id) = open(&two.apps[0], room).await;
    let (mut far, far_id) = open(&two.apps[1], room).await;
    for n in 0..50 {
        push(&mut near, "channel", &[room], json!({"n": n})).await;
        assert_eq!(near.json().await, json!({"n": n}));
    }
    for n in 0..50 {
        assert_eq!(far.json().await, json!({"n": n}));
    }
    push(&mut near, "client", &[&far_id, &near_id, &far_id], json!({"twice": 1})).await;
    assert_eq!(near.json().await, json!({"twice": 1}));
    assert_eq!([far.json().await, far.json().await], [json!({"twice": 1}), json!({"twice": 1})]);
    push(&mut far, "client", &[&near_id], json!({"back": 1})).await;
    assert_eq!(near.json().await, json!({"back": 1}));

    let context = json!({"room": room, "n": 7});
    call(&mut near, "raise", context.clone()).await;
    assert_eq!(near.json().await["error"][0], format!("no {room} today\n"));
    let told = json!({"n": 7, "at": "2026-01-02"});
    call(&mut near, "tell", context.clone()).await;
    assert_eq!(near.json().await, json!({"to": "self"}));
    for socket in [&mut near, &mut far] {
        assert_eq!(socket.json().await, told);
        assert_eq!(socket.json().await, json!({"to": "user"}));
    }
    assert_eq!(near.json().await["status"], 200);
    assert_eq!(post(&two.apps[1], "tell", &context.to_string()).await.0, 200);
    for socket in [&mut near, &mut far] {
        assert_eq!(socket.json().await, told);
        assert_eq!(socket.json().await, json!({"to": "user"}));
    }

    let sql = "select tidings.notify_channels(array[$1::text], '{\"from\": \"sql\"}')";
    two.client.execute(sql, &[&room]).await.expect("it is queued");
    for socket in [&mut near, &mut far] {
        assert_eq!(socket.json().await, json!({"from": "sql"}));
    }
    let body = json!({"channel_ids": [room], "data": {"from": "a backend"}});
    assert_eq!(notify(&two.apps[0], body).await, (200, json!({"status": 200})));
    for socket in [&mut near, &mut far] {
        assert_eq!(socket.json().await, json!({"from": "a backend"}));
    }
    // What is behind everything else shows that nothing came twice.
    push(&mut near, "channel", &[room], json!({"end": 1})).await;
    for socket in [&mut near, &mut far] {
        assert_eq!(socket.json().await, json!({"end": 1}));
        is_silent(socket).await;
    }
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_postgres_each_push_reaches_both_nodes_once() {
    let Some(two) = Two::over_postgres().await else { return };
    each_reaches_both(two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_rabbitmq_each_push_reaches_both_nodes_once() {
    let Some(two) = Two::over_rabbitmq().await else { return };
    each_reaches_both(two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_socket_pushes_is_heard_in_order_on_the_other_node_whatever_pushes_it() {
    let Some(two) = Two::over_postgres().await else { return };
    let (mut near, _) = open(&two.apps[0], "elsewhere").await;
    let (mut far, _) = open(&two.apps[1], &two.room).await;
    for n in 0..40 {
        push(&mut near, "channel", &[&two.room], json!({"before": n})).await;
        let tell = json!({"type": "walker", "walker": "tell", "context": {"room": two.room, "n": n}});
        near.say(tell.to_string()).await;
        push(&mut near, "channel", &[&two.room], json!({"after": n})).await;
    }
    for n in 0..40 {
        assert_eq!(far.json().await, json!({"before": n}));
        assert_eq!(far.json().await, json!({"n": n, "at": "2026-01-02"}));
        assert_eq!(far.json().await, json!({"to": "user"}));
        assert_eq!(far.json().await, json!({"after": n}));
    }
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_relay_sql_code_still_pushes_on_every_node() {
    let Some(two) = Two::start("", "").await else { return };
    let (mut near, _) = open(&two.apps[0], &two.room).await;
    let (mut far, _) = open(&two.apps[1], &two.room).await;
    push(&mut near, "channel", &[&two.room], json!({"only": "here"})).await;
    assert_eq!(near.json().await, json!({"only": "here"}));
    call(&mut near, "tell", json!({"room": two.room, "n": 1})).await;
    assert_eq!(far.json().await, json!({"n": 1, "at": "2026-01-02"}));
    two.stop().await;
}
