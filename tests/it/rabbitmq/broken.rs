//! Bodies that cannot be read never stop a feed: they are counted and kept, and what comes after them is told.

use super::{SERVER, metric, open};
use crate::broker::Broker;
use crate::server;
use lapin::BasicProperties;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_what_cannot_be_read_is_counted_and_kept_and_nothing_after_it_is_lost() {
    let Some(broker) = Broker::connect().await else { return };
    let exchange = broker.exchange("waterline");
    let (queue, dead) = (broker.queue("nodes"), broker.queue("dead"));
    let nodes = format!("[resources.nodes]\nsource = \"broker\"\nexchange = \"{exchange}\"\nreading = \"waterline\"\n");
    let app = server::start(&format!("{SERVER}{}{nodes}", broker.source())).await;
    let mut socket = open(app.address(), "/nodes").await;
    socket.say(r#"{"handler":"watch"}"#).await;
    socket.settle().await;
    let huge = format!("{{\"record\":{{\"id\":\"big\",\"text\":\"{}\"}}}}", "x".repeat(17 << 20));
    let bodies: [(&str, &[u8], &str); 9] = [
        ("nodes.created.n1", b"5", "no_record"),
        ("nodes.created.n1", b"", "not_json"),
        ("nodes.created.n1", b"{\"record\":{\"id\":", "not_json"),
        ("nodes.created.n1", b"\xff\xfe\x00", "not_json"),
        ("nodes.created.n1", b"null", "no_record"),
        ("nodes.created.n1", b"{\"record\":{}}", "no_record"),
        ("nodes.created.undefined", b"{\"record\":{\"name\":\"x\"}}", "no_id"),
        ("nodes.exploded.n1", b"{\"record\":{\"id\":\"n1\"}}", "no_operation"),
        ("nodes.created.big", huge.as_bytes(), "too_long"),
    ];
    for (number, (key, body, _)) in bodies.iter().enumerate() {
        broker.publish_bytes(&exchange, key, body, BasicProperties::default()).await;
        let id = format!("n{number}");
        broker.publish(&exchange, &format!("nodes.created.{id}"), &json!({"record": {"id": id}})).await;
        let told = socket.json().await;
        assert_eq!(told["id"], json!(["created", id]), "{told}");
    }
    for (key, body, why) in bodies {
        let kept = broker.take(&dead).await.expect("it is kept");
        assert_eq!(kept.data, body, "{why}");
        let headers = kept.properties.headers().clone().unwrap_or_default();
        let header =
            |name: &str| headers.inner().get(name).and_then(|value| value.as_long_string()).map(ToString::to_string);
        assert_eq!(header("x-tidings-reason").as_deref(), Some(why));
        assert_eq!(header("x-tidings-routing-key").as_deref(), Some(key));
    }
    for (why, count) in [("not_json", 3), ("no_record", 3), ("no_id", 1), ("no_operation", 1), ("too_long", 1)] {
        let name = format!("tidings_source_dropped_total{{source=\"broker\",why=\"{why}\"}}");
        assert_eq!(metric(app.address(), &name).await, count, "{why}");
    }
    let mut answers: Vec<Value> = Vec::new();
    socket.say(r#"{"handler":"query","ref":1}"#).await;
    answers.push(socket.json().await);
    assert_eq!(answers[0]["params"]["error"], "E_UNSUPPORTED", "there are no rows to read: {answers:?}");
    app.stop().await;
    assert_eq!(broker.depth(&queue).await, Some((0, 0)), "something was not acknowledged");
}
