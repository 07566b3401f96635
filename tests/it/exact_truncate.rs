//! TRUNCATE tells of no single row: whoever has a list gets a new one and is told why.

use crate::load::transactions;
use crate::postgres::Database;
use crate::server;
use crate::socket::{Heard, Socket};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_truncate_a_list_is_replaced_and_a_plain_watch_hears_nothing() {
    after_a_truncate_a_list_is_replaced_and_a_plain_watch_hears_nothing_by("outbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_truncate_a_list_is_replaced_and_a_plain_watch_hears_nothing_by_slot() {
    after_a_truncate_a_list_is_replaced_and_a_plain_watch_hears_nothing_by("slot").await;
}

async fn after_a_truncate_a_list_is_replaced_and_a_plain_watch_hears_nothing_by(capture: &str) {
    let Some(database) = Database::create().await else { return };
    let client = database.client().await;
    transactions::prepare(&client).await;
    let server = "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n";
    let app = server::start(&(transactions::configuration(&database.url(), capture) + server)).await;
    let url = format!("ws://{}/rows", app.address());
    let mut plain = Socket::open(&url).await.expect("an upgrade");
    plain.say(r#"{"handler":"watch","ref":1}"#).await;
    plain.say(r#"{"handler":"barrier","ref":"stands"}"#).await;
    assert_eq!(plain.json().await["ref"], "stands");
    let mut listed = Socket::open(&url).await.expect("an upgrade");
    listed.say(r#"{"handler":"watch","initial":true,"positions":true}"#).await;
    let list = listed.json().await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(30), "{list}");
    let before = list["position"].clone();

    client.batch_execute("begin; truncate rows; select step('r1', 0.3); commit").await.expect("a truncate");
    let verdict = listed.json().await;
    assert_eq!(verdict["handler"], "resumed", "{verdict}");
    assert_eq!((&verdict["complete"], &verdict["reason"]), (&json!(false), &json!("epoch")), "{verdict}");
    let list = listed.json().await;
    assert_eq!((&list["items"][0]["id"], list["items"].as_array().map(Vec::len)), (&json!("r1"), Some(1)), "{list}");
    let item = plain.json().await;
    assert_eq!((&item["handler"], &item["id"]), (&json!("item"), &json!(["created", "r1"])), "{item}");

    // Both go on, and a position from before the truncate is no longer good.
    client.batch_execute("select step('r2', 0.3)").await.expect("a change");
    for socket in [&mut listed, &mut plain] {
        assert_eq!(socket.json().await["id"], json!(["created", "r2"]));
        assert_eq!(socket.hear_within(Duration::from_millis(50)).await, Heard::Nothing);
    }
    for (position, is_good) in [(&before, false), (&list["position"], true)] {
        let mut late = Socket::open(&url).await.expect("an upgrade");
        late.say(json!({"handler": "watch", "since": position}).to_string()).await;
        assert_eq!(late.json().await["complete"], json!(is_good));
    }
    app.stop().await;
}
