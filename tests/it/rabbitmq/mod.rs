//! RabbitMQ: the channel `mq`, logs and record events.

mod broken;
mod crowd;
mod exact;
mod lost;
mod rows;

use crate::broker::Broker;
use crate::server;
use crate::socket::{Heard, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(200);

const SERVER: &str = "[server]\nlisten = \"127.0.0.1:0\"\ndrain_seconds = 0\n";

/// A server whose clients may watch one exchange.
fn mq(broker: &Broker, exchange: &str, more: &str) -> String {
    format!("{SERVER}{}", broker.source()) + &channel(exchange, more)
}

/// The channel `mq` of one exchange.
fn channel(exchange: &str, more: &str) -> String {
    format!("[monorail.mq]\nexchanges = [\"{exchange}\"]\n{more}")
}

fn watch(exchange: &str, pattern: &str) -> String {
    json!({"handler": "watch", "params": {"exchange": exchange, "routingKey": pattern}}).to_string()
}

async fn open(address: SocketAddr, path: &str) -> Socket {
    Socket::open(&format!("ws://{address}{path}")).await.expect("an upgrade")
}

/// What a counter of `/metrics` says; 0 when it is not there.
async fn metric(address: SocketAddr, name: &str) -> u64 {
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("an answer");
    let text = answer.text().await.expect("a text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or(0)
}

/// The lines that a log holds.
async fn held(address: SocketAddr, resource: &str) -> String {
    let answer = reqwest::get(format!("http://{address}/api/{resource}")).await.expect("an answer");
    answer.text().await.expect("a text")
}

/// The next item: routing key and body.
async fn item(socket: &mut Socket) -> (String, Value) {
    let item = socket.json().await;
    assert_eq!(item["handler"], "item", "{item}");
    assert_eq!(item["resource"], "mq", "{item}");
    (item["id"].as_str().unwrap_or_default().to_owned(), item["data"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_pattern_tells_every_matching_message_whatever_its_body() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("events");
    broker.queue(&format!("mq:{exchange}"));
    let app = server::start(&mq(&broker, &exchange, "")).await;
    let mut socket = open(app.address(), "/mq").await;
    socket.say(watch(&exchange, "graph.#")).await;
    socket.settle().await;
    for body in [json!(5), json!({"graphId": "g1"}), json!(null), json!([1]), json!("text"), json!(false)] {
        broker.publish(&exchange, "node.found", &body).await;
        broker.publish(&exchange, "graph.started.g1", &body).await;
        assert_eq!(item(&mut socket).await, ("graph.started.g1".to_owned(), body));
    }
    for (body, content_type, told) in [
        (
            &b"hi"[..],
            "text/plain",
            json!({"data": {"type": "Buffer", "data": [104, 105]}, "contentType": "text/plain"}),
        ),
        (b"{\"a\":", "", json!({"data": {"type": "Buffer", "data": [123, 34, 97, 34, 58]}})),
        (b"", "", json!({"data": {"type": "Buffer", "data": []}})),
        (b"\xff", "", json!({"data": {"type": "Buffer", "data": [255]}})),
    ] {
        let mut properties = lapin::BasicProperties::default();
        if !content_type.is_empty() {
            properties = properties.with_content_type(content_type.into());
        }
        broker.publish_bytes(&exchange, "graph.x", body, properties).await;
        assert_eq!(item(&mut socket).await, ("graph.x".to_owned(), told));
    }
    assert_eq!(socket.hear_within(QUIET).await, Heard::Nothing);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_barrier_of_a_watch_no_message_is_lost() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("events");
    broker.queue(&format!("mq:{exchange}"));
    let app = server::start(&mq(&broker, &exchange, "")).await;
    let mut socket = open(app.address(), "/mq").await;
    for number in 0..100 {
        let key = format!("k{number}.x");
        socket.say(watch(&exchange, &format!("k{number}.*"))).await;
        socket.settle().await;
        broker.publish(&exchange, &key, &json!(number)).await;
        assert_eq!(item(&mut socket).await, (key, json!(number)));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_over_a_broker_is_held_filtered_and_listed() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("logging");
    let (logs, lines_held) = (broker.queue("logs"), broker.queue(&format!("mq:{exchange}")));
    let lines = format!(
        "[resources.logs]\nsource = \"broker\"\nexchange = \"{exchange}\"\nkeep = 3\n[monorail.mq]\nexchanges = \
         [\"{exchange}\"]\ntail = {{ \"{exchange}\" = 2 }}\n"
    );
    let app = server::start(&format!("{SERVER}{}{lines}", broker.source())).await;
    let mut socket = open(app.address(), "/logs").await;
    socket.say(r#"{"handler":"watch","params":{"level":"error"}}"#).await;
    socket.settle().await;
    for (level, body) in [("info", "one"), ("error", "two"), ("info", "three"), ("error", "four")] {
        broker.publish(&exchange, level, &json!({"id": body, "level": level, "message": body})).await;
    }
    for id in ["two", "four"] {
        let told = socket.json().await;
        let data = json!({"id": id, "level": "error", "message": id});
        assert_eq!(told, json!({"handler": "item", "resource": "logs", "id": ["created", id], "data": data}));
    }
    broker.publish_bytes(&exchange, "info", b"no json", lapin::BasicProperties::default()).await;
    // A list tells what has come; the broker confirms a message before it hands it over.
    for (resource, coming) in [("logs", "no json"), (&format!("mq:{exchange}"), "Buffer")] {
        while !held(app.address(), resource).await.contains(coming) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut mq = open(app.address(), "/mq").await;
    mq.say(
        json!({"handler": "watch", "params": {"exchange": exchange, "routingKey": "#"}, "initial": true}).to_string(),
    )
    .await;
    let list = mq.json().await;
    let bare = json!({"data": {"type": "Buffer", "data": b"no json"}});
    let four = json!({"id": "four", "level": "error", "message": "four"});
    let items = json!([{"id": "error", "data": four}, {"id": "info", "data": bare}]);
    assert_eq!(list["items"], items, "{list}");
    socket.say(r#"{"handler":"query","options":{"limit":2}}"#).await;
    let told = socket.json().await;
    assert_eq!(told["items"][0]["id"], "four", "{told}");
    assert_eq!(told["items"][1]["message"], "no json", "{told}");
    let put = reqwest::Client::new().post(format!("http://{}/api/logs", app.address())).body("1").send().await;
    assert!(put.expect("an answer").status().is_client_error(), "a broker's log takes no lines");
    app.stop().await;
    assert_eq!(broker.depth(&logs).await, Some((0, 0)));
    assert_eq!(broker.depth(&lines_held).await, Some((0, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_says_what_is_at_the_broker_and_what_is_wrong() {
    let Some(broker) = Broker::connect().await else { return };
    let (good, bad) = (broker.exchange("good"), broker.exchange("bad"));
    broker.declare(&good, lapin::ExchangeKind::Topic).await;
    broker.declare(&bad, lapin::ExchangeKind::Fanout).await;
    let check = async |exchange: &str| {
        let text = mq(&broker, exchange, "");
        let config = tidings::config::Config::from_text("test", &text, &Default::default());
        let mut told = Vec::new();
        let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let is_well = tidings::app::check(&config, &mut told).await.expect("it can be written");
        (is_well, String::from_utf8(told).expect("a text"))
    };
    let (is_well, told) = check(&good).await;
    assert!(is_well && told.contains("the broker answers") && told.contains("may bind queues"), "{told}");
    let (is_well, told) = check(&bad).await;
    assert!(!is_well && told.contains("no topic exchange"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_a_client_writes_goes_over_the_broker() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("logging");
    let (_logs, _held) = (broker.queue("logs"), broker.queue(&format!("mq:{exchange}")));
    let resources = format!(
        "[resources.logs]\nsource = \"broker\"\nexchange = \"{exchange}\"\nwritable = true\n[monorail.mq]\nexchanges = \
         [\"{exchange}\"]\ntail = {{ \"{exchange}\" = 2 }}\n"
    );
    let app = server::start(&format!("{SERVER}{}{resources}", broker.source())).await;
    let mut mq = open(app.address(), "/mq").await;
    mq.say(json!({"handler": "watch", "params": {"exchange": exchange, "routingKey": "#"}}).to_string()).await;
    mq.settle().await;
    for (query, key) in [("", "warning"), ("?id=a.b", "a.b")] {
        let url = format!("http://{}/api/logs{query}", app.address());
        let line = json!({"level": "warning", "message": "hot"});
        let answer = reqwest::Client::new().post(url).json(&line).send().await.expect("an answer");
        assert_eq!(answer.status(), 202);
        assert_eq!(mq.json().await, json!({"handler": "item", "resource": "mq", "id": key, "data": line}));
    }
    app.stop().await;
}
