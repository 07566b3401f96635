use super::*;
use crate::frame::{self, Decoder, Received};
use crate::handshake;
use crate::wire::testing::Trust;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

/// A server at a free port, and how to end it.
struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

async fn start(router: Router, tls: Option<Arc<ServerConfig>>, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    let ended = tokio::spawn(serve(listener, router, tls, limits, stopped));
    Running { address, stop, ended }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn stop(self) {
        self.stop.send(true).expect("it runs");
        self.ended.await.expect("it ends");
    }
}

/// A socket that sends every text back.
async fn echo(mut request: Request) -> Response {
    let (response, upgrading) = match handshake::accept(&mut request) {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.into_response(),
    };
    tokio::spawn(async move {
        let (detached, early) = upgrading.finish().await.expect("upgraded");
        let mut wire = detached.attach().expect("attached");
        let mut decoder = Decoder::new(1024 * 1024);
        decoder.push(&early);
        let mut buffer = [0; 4096];
        loop {
            while let Some(received) = decoder.take().expect("a client that keeps to the rules") {
                let mut answer = Vec::new();
                match received {
                    Received::Text(text) => frame::push_text(&mut answer, text.as_bytes()),
                    Received::Ping(payload) => frame::push_pong(&mut answer, &payload),
                    Received::Close(_) => frame::push_close(&mut answer, 1000, "bye"),
                    Received::Binary(_) | Received::Pong => {}
                }
                wire.write_all(&answer).await.expect("written");
                wire.flush().await.expect("flushed");
            }
            match wire.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => decoder.push(&buffer[..read]),
            }
        }
    });
    response
}

fn router() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route("/echo", get(echo))
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (mut socket, _) = tokio_tungstenite::client_async("ws://localhost/echo", stream).await.expect("a handshake");
    for text in ["one".to_owned(), "x".repeat(70_000), "grün".to_owned()] {
        socket.send(Message::text(text.clone())).await.expect("sent");
        assert_eq!(socket.next().await.expect("an answer").expect("a frame"), Message::text(text));
    }
    socket.send(Message::Ping("still there?".into())).await.expect("sent");
    assert_eq!(socket.next().await.expect("an answer").expect("a frame"), Message::Pong("still there?".into()));
    socket.close(None).await.expect("closed");
    let Message::Close(Some(close)) = socket.next().await.expect("an answer").expect("a frame") else {
        panic!("a close was expected");
    };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "bye"));
}

#[tokio::test]
async fn a_websocket_works_over_tcp() {
    let server = start(router(), None, Limits::default()).await;
    converse(server.connect().await).await;
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_works_over_tls() {
    let trust = Trust::fresh();
    let server = start(router(), Some(trust.server.clone()), Limits::default()).await;
    converse(trust.connect(server.connect().await).await).await;
    server.stop().await;
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn http_works_over_tcp_and_tls() {
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let server = start(router(), None, Limits::default()).await;
    assert!(ask(&mut server.connect().await, request).await.ends_with("hello"));
    let trust = Trust::fresh();
    let server = start(router(), Some(trust.server.clone()), Limits::default()).await;
    assert!(ask(&mut trust.connect(server.connect().await).await, request).await.ends_with("hello"));
}

#[tokio::test]
async fn past_the_limit_a_client_is_turned_away_and_a_socket_keeps_its_place() {
    let server = start(router(), None, Limits { max_connections: 1, ..Limits::default() }).await;
    let (mut socket, _) =
        tokio_tungstenite::client_async("ws://localhost/echo", server.connect().await).await.expect("a handshake");
    for _ in 0..3 {
        assert!(ask(&mut server.connect().await, "").await.starts_with("HTTP/1.1 503 "));
    }
    socket.send(Message::text("still here")).await.expect("sent");
    assert_eq!(socket.next().await.expect("an answer").expect("a frame"), Message::text("still here"));
    drop(socket);
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // The place is free once the server has seen the end of the socket.
    while !ask_unless_reset(server.connect().await, request).await.ends_with("hello") {
        tokio::task::yield_now().await;
    }
}

/// Like `ask`, but a connection that is cut gives what came before.
async fn ask_unless_reset(mut stream: TcpStream, request: &str) -> String {
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let trust = Trust::fresh();
    for tls in [None, Some(trust.server)] {
        let server = start(router(), tls, limits).await;
        let mut silent = server.connect().await;
        let mut answer = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(10), silent.read_to_end(&mut answer)).await;
        end.expect("it was let go").expect("the end");
    }
}

#[tokio::test]
async fn a_stop_finishes_the_response_under_way_and_takes_no_more() {
    let (asked, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, may_finish) = (asked.clone(), finish.clone());
    let slow = Router::new().route(
        "/",
        get(async move || {
            told.notify_one();
            may_finish.notified().await;
            "finished"
        }),
    );
    let minute = Duration::from_secs(60);
    let server = start(slow, None, Limits { drain: minute, header_timeout: minute, ..Limits::default() }).await;
    let mut client = server.connect().await;
    let answer = tokio::spawn(async move { ask(&mut client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await });
    asked.notified().await;
    server.stop.send(true).expect("it runs");
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    finish.notify_one();
    let ended = async {
        assert!(answer.await.expect("asked").ends_with("finished"));
        server.ended.await.expect("it ends");
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it does not wait for the client to leave");
}

#[tokio::test]
async fn a_response_that_never_ends_does_not_hold_up_the_stop() {
    let asked = Arc::new(Notify::new());
    let told = asked.clone();
    let endless = Router::new().route(
        "/",
        get(async move || {
            told.notify_one();
            std::future::pending::<()>().await;
        }),
    );
    let server = start(endless, None, Limits { drain: Duration::from_millis(50), ..Limits::default() }).await;
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("written");
    asked.notified().await;
    server.stop().await;
}
