//! Between the answer to a handshake and the first message that is sent.

use super::world::{ANN, token};
use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;
use tidings::access::{Access, Read};
use tidings::audience::{Audience, Rights, Role};
use tidings::auth::{Denied, Gate, Mode, OnExpiry, Throttle, ThrottleSettings, Verify};
use tidings::catalog::{Catalog, Served};
use tidings::connection::{self, Client};
use tidings::dialect::misakey::{CloseStyle, Message, Misakey};
use tidings::door::misakey::{MisakeyDoor, Pattern};
use tidings::door::{Asking, Door};
use tidings::event::{Operation, ResourceEvent, Stamp, Timestamp};
use tidings::hub::Hub;
use tidings::log::memory::MemoryLog;
use tidings::log::{Log, Retention};
use tidings::metrics::Metrics;
use tidings::misakey::{Acks, Tables};
use tidings::resource::Resource;
use tidings::session::{Limits, Terms};
use tidings::shard::{self, Manners};
use tidings::source::Health;
use tidings::store::tail::Tail;
use tidings::viewer::Viewer;
use tidings::wire;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::watch;

/// Everybody who shows any token is Ann.
struct Trusting;

#[async_trait]
impl Verify for Trusting {
    async fn verify(&self, _token: &str) -> Result<Viewer, Denied> {
        Ok(Viewer { subject: Some(ANN.into()), ..Viewer::default() })
    }
}

fn message(file: &str) -> (ResourceEvent, Audience) {
    let event = ResourceEvent {
        resource: "messages".into(),
        id: "1".into(),
        operation: Operation::Appended,
        before: None,
        after: Some(Message::FileSaved { file: file.to_owned(), is_saved: true }.document()),
        time: Timestamp(0),
        stamp: Stamp::None,
    };
    (event, Audience::limited(Rights::of([ANN.into()], Role::Reader)))
}

fn headers() -> HeaderMap {
    let fields = [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    fields.into_iter().map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
}

/// The next message of the server, below its frame, which is a short one.
async fn heard(stream: &mut UnixStream) -> String {
    let reading = async {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.expect("a frame");
        let mut body = vec![0; usize::from(head[1])];
        stream.read_exact(&mut body).await.expect("a payload");
        String::from_utf8(body).expect("text")
    };
    tokio::time::timeout(crate::socket::PATIENCE, reading).await.expect("a message comes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_what_is_committed_between_the_answer_and_the_first_message_is_not_lost() {
    let metrics: Arc<Metrics> = Arc::default();
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new(Retention { entries: None, bytes: None, age: None }));
    let tail = Arc::new(Tail::new(0, None));
    let resource = Resource { append_only: true, private: true, ..Resource::named("messages") };
    let access = Access::of(Read::Authenticated);
    let health = Arc::new(Health::default());
    let served = Served { resource, access, store: tail, health, sharing: None, interests: None };
    let catalog = Arc::new(Catalog::new([served], []));
    let (hub, mut publications) = Hub::new(log.epoch(), 0, 1, metrics.clone());
    let hub = Arc::new(hub);
    let settings = shard::Settings {
        gather: Duration::ZERO,
        ping: None,
        write_timeout: Duration::from_secs(30),
        push_bytes: 1 << 20,
        reply_bytes: 1 << 20,
    };
    let start = shard::Start {
        id: 0,
        hub: hub.clone(),
        log: log.clone(),
        metrics: metrics.clone(),
        runtime: tokio::runtime::Handle::current(),
        settings,
        publications: publications.remove(0),
    };
    let (shard, _thread) = shard::start(start).expect("a shard");
    let gate = Gate {
        mode: Mode::Required,
        carriers: Vec::new(),
        origins: Vec::new(),
        on_expiry: OnExpiry::Close,
        verifier: Some(Arc::new(Trusting)),
        throttle: Arc::new(Throttle::new(ThrottleSettings::default())),
        metrics: metrics.clone(),
    };
    let tables = Arc::new(Tables::new(catalog.clone(), Vec::new()));
    let limits = Limits { watches: 1, items: 1, barrier: Duration::ZERO };
    let dialect = Arc::new(Misakey { close_style: CloseStyle::Drop });
    let (_going_down, stopped) = watch::channel(false);
    let door = MisakeyDoor {
        pattern: Pattern::parse("/box-users/{id}/ws").expect("a pattern"),
        gate: Arc::new(gate),
        origins: Vec::new(),
        terms: Arc::new(Terms { catalog, dialect, limits }),
        hub: hub.clone(),
        messages: "messages".into(),
        acks: Arc::new(Acks { tables, members_only: false, notes_newest: false, metrics }),
        manners: Manners::default(),
        stopped,
    };
    let publish = async |file: &str| {
        let entries = log.append(vec![message(file)], None).expect("it is logged");
        let hub = hub.clone();
        tokio::task::spawn_blocking(move || hub.publish(&entries, None)).await.expect("it is published");
    };
    publish("before").await;
    let (path, query, headers) = (format!("/box-users/{ANN}/ws"), format!("access_token={}", token(ANN)), headers());
    let asking = Asking { path: &path, query: Some(&query), headers: &headers, peer: None };
    let admission = door.admit(asking).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    // Here the answer goes out, and whoever saw it commits at once; the socket is not served yet.
    publish("between").await;
    let (wire, mut stream) = wire::pair().expect("a wire");
    shard.run(move |shard| connection::serve(shard, Client { wire, early: bytes::Bytes::new(), admission }));
    let told =
        |file: &str| format!(r#"{{"type":"file.saved","object":{{"encrypted_file_id":"{file}","is_saved":true}}}}"#);
    assert_eq!(heard(&mut stream).await, told("between"));
    publish("after").await;
    assert_eq!(heard(&mut stream).await, told("after"));
}
