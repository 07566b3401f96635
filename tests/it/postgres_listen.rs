//! Channels that others NOTIFY, as resources.

use crate::postgres::Database;
use crate::server;
use crate::socket::Socket;
use serde_json::{Value, json};

fn configuration(database: &Database) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n[sources.pg]\nurl = \"{}\"\n\
         [resources.alarms]\nsource = \"pg\"\nnotify = \"alarms\"\nkeep = 10\n\
         [resources.jobs]\nsource = \"pg\"\nnotify = \"jobs\"\nmapping.operation = \"body.what\"\n\
         mapping.record = \"body.job\"\nmapping.id = \"body.job.id\"\n",
        database.url()
    )
}

async fn watch(address: std::net::SocketAddr, channel: &str, options: Value) -> Socket {
    let mut socket = Socket::open(&format!("ws://{address}/{channel}")).await.expect("an upgrade");
    let mut watch = json!({"handler": "watch"});
    watch.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
    socket.say(watch.to_string()).await;
    socket
}

async fn barrier(socket: &mut Socket) {
    socket.say(r#"{"handler":"barrier","ref":"b"}"#).await;
    let answer = socket.json().await;
    assert_eq!((&answer["handler"], &answer["ref"]), (&json!("barrier"), &json!("b")), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_before_a_barrier_is_told_once_and_in_order() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let app = server::start(&configuration(&database)).await;
    let mut socket = watch(app.address(), "alarms", json!({"params": {"level": {"$gte": 3}}})).await;
    barrier(&mut socket).await;
    for number in 0..50 {
        let payload = json!({"level": number % 5, "number": number}).to_string();
        client.execute("select pg_notify('alarms', $1)", &[&payload]).await.expect("a notification");
        if number % 5 >= 3 {
            let line = socket.json().await;
            assert_eq!((&line["handler"], &line["data"]["number"]), (&json!("item"), &json!(number)), "{line}");
        }
        barrier(&mut socket).await;
    }
    client.execute("select pg_notify('alarms', 'no json')", &[]).await.expect("a notification");
    let mut reader = watch(app.address(), "alarms", json!({"initial": true, "options": {"limit": 1}})).await;
    let list = reader.json().await;
    assert_eq!(list["items"][0]["message"], "no json", "{list}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_makes_records_of_notifications_and_what_says_nothing_is_counted() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let app = server::start(&configuration(&database)).await;
    let mut socket = watch(app.address(), "jobs", json!({})).await;
    barrier(&mut socket).await;
    client
        .batch_execute(
            r#"notify jobs, '{"what": "created", "job": {"id": "j1", "state": "new"}}'; notify jobs, 'junk';
               notify jobs, '{"what": "removed", "job": {"id": "j1", "state": "old"}}'"#,
        )
        .await
        .expect("notifications");
    let (created, removed) = (socket.json().await, socket.json().await);
    assert_eq!((&created["id"], &created["data"]["state"]), (&json!(["created", "j1"]), &json!("new")), "{created}");
    assert_eq!((&removed["handler"], &removed["data"]["state"]), (&json!("remove"), &json!("old")), "{removed}");
    let metrics = reqwest::get(format!("http://{}/metrics", app.address())).await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    assert!(metrics.contains("tidings_source_dropped_total{source=\"pg.notify\",why=\"no_operation\"} 1"), "{metrics}");
    let api = reqwest::get(format!("http://{}/api", app.address())).await.expect("an answer");
    let api: Value = serde_json::from_str(&api.text().await.expect("a text")).expect("JSON");
    assert_eq!((&api[1]["name"], &api[1]["delivery"]), (&json!("jobs"), &json!("at most once")), "{api}");
    // There are no rows to list, and that is said.
    socket.say(r#"{"handler":"query","ref":"q"}"#).await;
    assert_eq!(socket.json().await["params"]["error"], "E_UNSUPPORTED");
    socket.say(r#"{"handler":"watch","initial":true,"ref":"w"}"#).await;
    assert_eq!(socket.json().await["params"]["error"], "E_UNSUPPORTED");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_lost_connection_who_has_a_list_is_told_that_something_may_be_missing() {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    let app = server::start(&configuration(&database)).await;
    let mut socket = watch(app.address(), "alarms", json!({"initial": true})).await;
    assert_eq!(socket.json().await["items"], json!([]));
    barrier(&mut socket).await;
    client.execute("select pg_notify('alarms', '1')", &[]).await.expect("a notification");
    assert_eq!(socket.json().await["data"]["message"], 1);
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
               where datname = current_database() and application_name like 'tidings%' and pid <> pg_backend_pid()";
    assert!(!client.query(cut, &[]).await.expect("an answer").is_empty(), "nobody listens");
    let resumed = socket.json().await;
    assert_eq!(
        (&resumed["handler"], &resumed["complete"], &resumed["reason"]),
        (&json!("resumed"), &json!(false), &json!("source")),
        "{resumed}"
    );
    assert_eq!(socket.json().await["items"][0]["message"], 1, "what is held is still there");
    client.execute("select pg_notify('alarms', '2')", &[]).await.expect("a notification");
    assert_eq!(socket.json().await["data"]["message"], 2);
    app.stop().await;
}
