//! What a broker may lose: its connection, a queue, an exchange, itself.

use super::{SERVER, channel, item, open, watch};
use crate::broker::{Broker, Node, Proxy};
use crate::server;
use crate::socket::{PATIENCE, Socket};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Nodes by record events, and the channel `mq`, at the broker behind this URL.
fn configuration(url: &str, broker: &Broker, waterline: &str, events: &str) -> String {
    format!(
        "{SERVER}[sources.broker]\nurl = \"{url}\"\nqueue_prefix = \"{}\"\n[resources.nodes]\nsource = \"broker\"\nexchange = \
         \"{waterline}\"\nreading = \"waterline\"\n[resources.racks]\nsource = \"embedded\"\nwritable = true\n{}",
        broker.prefix(),
        channel(events, "")
    )
}

async fn ready(address: SocketAddr) {
    // A node takes its time, and so do the pauses between two tries.
    let end = Instant::now() + PATIENCE * 6;
    loop {
        let answer = reqwest::get(format!("http://{address}/readyz")).await.expect("an answer");
        if answer.status().is_success() {
            return;
        }
        let why = answer.text().await.expect("a text");
        assert!(Instant::now() < end, "it does not get ready: {why}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Publishes until one message is told, for at first nobody may be bound; returns its number.
async fn told_again(broker: &Broker, exchange: &str, socket: &mut Socket, from: u64) -> u64 {
    for number in from..from + 200 {
        broker.publish(exchange, "graph.x", &json!(number)).await;
        if let crate::socket::Heard::Json(message) = socket.hear_within(Duration::from_millis(100)).await
            && message["handler"] == "item"
        {
            return message["data"].as_u64().expect("a number");
        }
    }
    panic!("nothing is told any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_cut_connection_loses_and_repeats_nothing() {
    let Some(broker) = Broker::connect().await else { return };
    let (waterline, events) = (broker.exchange("waterline"), broker.exchange("events"));
    broker.queue("nodes");
    broker.queue(&format!("mq:{events}"));
    let proxy = Proxy::to(broker.url()).await;
    let app = server::start(&configuration(proxy.url(), &broker, &waterline, &events)).await;
    let mut socket = open(app.address(), "/mq").await;
    socket.say(watch(&events, "graph.*")).await;
    socket.settle().await;
    let publishing = async {
        for number in 0..600 {
            broker.publish_as(&events, "graph.x", &json!(number), &format!("m{number}")).await;
            if number % 150 == 75 {
                proxy.cut();
            }
        }
    };
    let hearing = async {
        for number in 0..600 {
            assert_eq!(item(&mut socket).await, ("graph.x".to_owned(), json!(number)));
        }
        socket.settle_silently().await;
    };
    tokio::join!(publishing, hearing);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_deleted_queue_or_exchange_is_made_anew_and_watchers_with_a_list_are_told() {
    let Some(broker) = Broker::connect().await else { return };
    let (waterline, events) = (broker.exchange("waterline"), broker.exchange("events"));
    broker.queue("nodes");
    let queue = broker.queue(&format!("mq:{events}"));
    let app = server::start(&configuration(broker.url(), &broker, &waterline, &events)).await;
    let mut plain = open(app.address(), "/mq").await;
    plain.say(watch(&events, "graph.*")).await;
    plain.settle().await;
    broker.publish(&events, "graph.x", &json!(0)).await;
    assert_eq!(item(&mut plain).await.1, json!(0));
    let mut listed = open(app.address(), "/mq").await;
    let mut watching: Value = serde_json::from_str(&watch(&events, "graph.*")).expect("a watch");
    watching["initial"] = json!(true);
    listed.say(watching.to_string()).await;
    assert_eq!(listed.json().await["handler"], "list");

    for (round, lost) in ["queue", "exchange"].into_iter().enumerate() {
        match lost {
            "queue" => broker.delete_queue(&queue).await,
            _ => broker.delete_exchange(&events).await,
        }
        let verdict = listed.json().await;
        let told = (&verdict["handler"], &verdict["complete"], &verdict["reason"]);
        assert_eq!(told, (&json!("resumed"), &json!(false), &json!("source")), "{lost}: {verdict}");
        assert_eq!(listed.json().await["handler"], "list");
        listed.settle().await;
        let number = told_again(&broker, &events, &mut plain, 1000 * (round as u64 + 1)).await;
        assert_eq!(number, 1000 * (round as u64 + 1), "{lost}: the barrier says that it is bound");
        assert_eq!(item(&mut listed).await.1, json!(number));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_broker_that_is_down_at_the_start_or_restarted_later_holds_up_nothing_else() {
    let Some(node) = Node::start().await else { return };
    node.kill().await;
    let port = node.url().rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port");
    let down = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let prefix = format!(
        "{SERVER}[sources.broker]\nurl = \"{down}\"\n[resources.racks]\nsource = \"embedded\"\nwritable = true\n{}",
        channel("on.events", "")
    );
    let app = server::start(&prefix).await;
    let mut rack = open(app.address(), "/racks").await;
    rack.say(r#"{"handler":"watch"}"#).await;
    rack.settle().await;
    let put = async |number: u32| {
        let url = format!("http://{}/api/racks/r{number}", app.address());
        let answer = reqwest::Client::new().put(url).json(&json!({"number": number})).send().await.expect("an answer");
        assert!(answer.status().is_success());
    };
    put(1).await;
    assert_eq!(rack.json().await["id"], json!(["created", "r1"]));
    let mut socket = open(app.address(), "/mq").await;
    socket.say(watch("on.events", "graph.*")).await;

    node.restart().await;
    ready(app.address()).await;
    socket.settle().await;
    let broker = Broker::at(node.url()).await;
    broker.publish("on.events", "graph.x", &json!(1)).await;
    assert_eq!(item(&mut socket).await.1, json!(1));
    for number in 2..100 {
        let properties = lapin::BasicProperties::default().with_delivery_mode(2);
        broker.publish_bytes("on.events", "graph.x", number.to_string().as_bytes(), properties).await;
        assert_eq!(item(&mut socket).await.1, json!(number));
    }
    drop(broker);
    node.stop().await;
    put(2).await;
    assert_eq!(rack.json().await["id"], json!(["created", "r2"]));
    node.restart().await;
    ready(app.address()).await;
    let broker = Broker::at(node.url()).await;
    broker.publish("on.events", "graph.x", &json!(100)).await;
    assert_eq!(item(&mut socket).await.1, json!(100));
    app.stop().await;
}
