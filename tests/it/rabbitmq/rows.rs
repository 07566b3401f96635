//! Record events, as RackHD sends them.

use super::{SERVER, open};
use crate::broker::Broker;
use crate::server;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_channels_of_rackhd_tell_what_waterline_told() {
    let Some(broker) = Broker::connect().await else { return };
    let (waterline, events) = (broker.exchange("waterline"), broker.exchange("events"));
    for resource in ["nodes", "catalogs", "skus", "graphObjs", &format!("mq:{events}")] {
        broker.queue(resource);
    }
    let resource = |name: &str, more: &str| {
        format!(
            "[resources.{name}]\nsource = \"broker\"\nexchange = \"{waterline}\"\nreading = \"waterline\"\n{more}\n"
        )
    };
    let configuration = [
        SERVER.to_owned(),
        broker.source(),
        resource("nodes", "required = [\"name\"]"),
        resource("catalogs", ""),
        resource("skus", "hide = [\"secret\"]"),
        resource("graphObjs", "collection = \"graphobjects\"\nid = \"instanceId\"\nrequired = [\"instanceId\"]"),
        super::channel(&events, ""),
    ];
    let app = server::start(&configuration.concat()).await;
    let mut socket = open(app.address(), "/").await;
    for channel in ["nodes", "catalogs", "skus", "graphObjs"] {
        socket.say(json!({"handler": "watch", "resource": channel}).to_string()).await;
    }
    let mq = json!({"handler": "watch", "resource": "mq", "params": {"exchange": events, "routingKey": "graph.#"}});
    socket.say(mq.to_string()).await;
    socket.settle().await;

    let item = |channel: &str, word: &str, id: &str, data: Value| json!({"handler": "item", "resource": channel, "id": [word, id], "data": data});
    let node = json!({"id": "n1", "name": "one", "type": "compute"});
    let tagged = json!({"id": "n1", "name": "one", "type": "compute", "tags": ["a"]});
    let graph = json!({"id": "6b01", "instanceId": "g1", "_status": "pending", "node": "n1"});
    let running = json!({"id": "6b01", "instanceId": "g1", "_status": "running", "node": "n1"});
    for (key, word, record, told) in [
        ("nodes.created.n1", "created", node.clone(), Some(item("nodes", "created", "n1", node.clone()))),
        (
            "nodes.tag-added.n1",
            "tag-added",
            json!({"id": "n1", "tags": ["a"]}),
            Some(item("nodes", "updated", "n1", tagged.clone())),
        ),
        ("nodes.updated.n9", "updated", json!({"id": "n9"}), None),
        (
            "catalogs.created.c1",
            "created",
            json!({"node": "n1", "source": "dmi", "data": {"a": 1}}),
            Some(item(
                "catalogs",
                "created",
                "c1",
                json!({"id": "c1", "node": "n1", "source": "dmi", "data": {"a": 1}}),
            )),
        ),
        (
            "skus.created.s1",
            "created",
            json!({"id": "s1", "name": "sku", "secret": "x"}),
            Some(item("skus", "created", "s1", json!({"id": "s1", "name": "sku"}))),
        ),
        ("skus.updated.s1", "updated", json!({"id": "s1", "name": "sku", "secret": "y"}), None),
        ("graphobjects.created.6b01", "created", graph.clone(), Some(item("graphObjs", "created", "g1", graph))),
        (
            "graphobjects.updated.g1",
            "updated",
            json!({"id": "6b01", "_status": "running"}),
            Some(item("graphObjs", "updated", "g1", running)),
        ),
        (
            "nodes.destroyed.n1",
            "destroyed",
            tagged.clone(),
            Some(json!({"handler": "remove", "resource": "nodes", "id": "n1", "params": {"id": "n1"}, "data": tagged})),
        ),
    ] {
        broker.publish(&waterline, key, &json!({"event": word, "record": record})).await;
        if let Some(told) = told {
            assert_eq!(socket.json().await, told, "{key}");
        }
    }
    broker.publish(&events, "graph.started.g1", &json!({"graphId": "g1"})).await;
    let told = json!({"handler": "item", "resource": "mq", "id": "graph.started.g1", "data": {"graphId": "g1"}});
    assert_eq!(socket.json().await, told);
    socket.settle_silently().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_is_entered_and_left_though_messages_say_only_what_is() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("waterline");
    broker.queue("nodes");
    let nodes = format!("[resources.nodes]\nsource = \"broker\"\nexchange = \"{exchange}\"\nreading = \"waterline\"\n");
    let mut server = server::Process::start(&(broker.source() + &nodes)).await;
    let publish = async |word: &str, state: &str| {
        let record = json!({"event": word, "record": {"id": "n1", "state": state}});
        broker.publish(&exchange, &format!("nodes.{word}.n1"), &record).await;
    };
    let filtered = r#"{"handler":"watch","params":{"state":"on"}}"#;
    let mut socket = open(server.address(), "/nodes").await;
    socket.say(filtered).await;
    socket.settle().await;
    publish("created", "off").await;
    publish("updated", "on").await;
    assert_eq!(socket.json().await["id"], json!(["updated", "n1"]));
    // What was told before is known from the log.
    server.restart().await;
    let mut socket = open(server.address(), "/nodes").await;
    socket.say(filtered).await;
    socket.settle().await;
    publish("updated", "off").await;
    let told = socket.json().await;
    assert_eq!((&told["handler"], &told["data"]), (&json!("remove"), &json!({"id": "n1", "state": "on"})), "{told}");
    publish("destroyed", "off").await;
    socket.settle_silently().await;
}
