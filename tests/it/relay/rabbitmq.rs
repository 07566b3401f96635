//! The exchange of all nodes. Others may use it at the same time, so each test has a room of its own.

use super::{Member, number, push};
use crate::broker::{Broker, Node, Proxy};
use lapin::BasicProperties;
use std::time::Duration;
use tidings::relay::Relay;
use tidings::relay::rabbitmq::{EXCHANGE, RabbitMqRelay};

impl Member {
    /// A node at the broker behind this URL, once it is connected.
    async fn by(url: &str, room: &str) -> Member {
        let mut member = Member::of(room);
        let (waiting, ears) = (member.waiting.clone(), member.ears.clone());
        let relay = RabbitMqRelay::new(url, member.name.clone(), waiting, ears, member.metrics.clone());
        member.keep("relay", relay);
        while member.waiting.send(push("nobody", "{}")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        member
    }
}

fn room() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test]
async fn nodes_tell_each_other_once_and_in_order_and_themselves_not() {
    let Some(broker) = Broker::connect().await else { return };
    let room = room();
    let mut nodes = [Member::by(broker.url(), &room).await, Member::by(broker.url(), &room).await];
    for node in &nodes {
        (0..1200).for_each(|next| node.waiting.hand_over(push(&room, &number(next))));
    }
    for node in &mut nodes {
        for next in 0..1200 {
            assert_eq!(node.data().await, number(next));
        }
        node.flush().await;
    }
    let end = serde_json::json!({"kind": "channel", "ids": [room], "data": {"end": 1}});
    broker.publish(EXCHANGE, "", &end).await;
    for mut node in nodes {
        assert_eq!(node.data().await, "{\"end\":1}", "nothing came twice");
        node.stop().await;
    }
}

#[tokio::test]
async fn r7_a_message_that_cannot_be_read_stops_nothing() {
    let Some(broker) = Broker::connect().await else { return };
    let room = room();
    let mut node = Member::by(broker.url(), &room).await;
    for body in ["", "nonsense", "[]", "{\"kind\":\"channel\"}", "{\"kind\":\"x\",\"ids\":[],\"data\":{}}", "\u{0}"] {
        broker.publish_bytes(EXCHANGE, "any.key", body.as_bytes(), BasicProperties::default()).await;
    }
    broker.publish_bytes(EXCHANGE, "", b"\xff\xfe", BasicProperties::default()).await;
    let last = serde_json::json!({"origin": "x", "kind": "channel", "ids": [room], "data": {"last": 1}});
    broker.publish(EXCHANGE, "", &last).await;
    assert_eq!(node.data().await, "{\"last\":1}");
    assert!(node.metrics.relay_dropped("unreadable").get() >= 7);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_over_while_connections_end_arrives_once_and_in_order() {
    let Some(broker) = Broker::connect().await else { return };
    let (proxy, room) = (Proxy::to(broker.url()).await, room());
    let (here, mut there) = (Member::by(proxy.url(), &room).await, Member::by(broker.url(), &room).await);
    let handing_over = async {
        for next in 0..3000 {
            here.waiting.hand_over(push(&room, &number(next)));
            if next % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if next % 1000 == 500 {
                proxy.cut();
            }
        }
    };
    let hearing = async {
        for next in 0..3000 {
            assert_eq!(there.data().await, number(next));
        }
    };
    tokio::join!(handing_over, hearing);
    here.waiting.hand_over(push(&room, "{\"end\": 1}"));
    assert_eq!(there.data().await, "{\"end\": 1}", "nothing came twice");
    here.stop().await;
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_while_the_broker_is_away_arrives_when_it_is_back() {
    let Some(node) = Node::start().await else { return };
    let room = room();
    let (here, mut there) = (Member::by(node.url(), &room).await, Member::by(node.url(), &room).await);
    node.stop().await;
    while here.waiting.send(push("nobody", "{}")).await.is_ok() {}
    (0..500).for_each(|next| here.waiting.hand_over(push(&room, &number(next))));
    assert!(here.waiting.flushed().await.is_err());
    node.restart().await;
    for next in 0..500 {
        assert_eq!(there.data().await, number(next));
    }
    here.flush().await;
    here.stop().await;
    there.stop().await;
}
