//! A WebSocket client that waits for what it expects, never sleeps for it.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, StreamExt};
use rustls::ClientConfig;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async, client_async_tls_with_config, connect_async_with_config,
};

/// How long something that must come may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The receive buffer of a narrow socket, in bytes.
const NARROW: u32 = 16 * 1024;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One connection.
pub struct Socket(Stream);

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Json(Value),
    /// A message that is no JSON.
    Other(String),
    /// The server closed, with this code and reason.
    Close(u16, String),
    /// The connection ended without a close frame.
    Torn,
    /// Nothing came in time.
    Nothing,
}

impl Socket {
    /// Connects; `Err` is the status of a refused upgrade.
    pub async fn open(url: &str) -> Result<Socket, u16> {
        Socket::ask(url).await
    }

    /// Connects with headers of its own; `Err` is the status of a refused upgrade.
    pub async fn ask(request: impl IntoClientRequest) -> Result<Socket, u16> {
        let request = request.into_client_request().expect("a request");
        let url = request.uri().clone();
        let connecting = connect_async_with_config(request, Some(settings()), true);
        match timeout(PATIENCE, connecting).await.unwrap_or_else(|_| panic!("no answer from {url}")) {
            Ok((stream, _)) => Ok(Socket(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("cannot connect to {url}: {error}"),
        }
    }

    /// Connects with little room for what is not read yet, so that the server soon feels it; by TLS where a
    /// configuration for it is given.
    pub async fn open_narrow(url: &str, tls: Option<Arc<ClientConfig>>) -> Socket {
        let request = url.into_client_request().expect("a request");
        let address = request.uri().authority().expect("a host").as_str().parse().expect("an address");
        let tcp = TcpSocket::new_v4().expect("a socket");
        tcp.set_recv_buffer_size(NARROW).expect("a small buffer");
        let stream = tcp.connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let connecting = client_async_tls_with_config(request, stream, Some(settings()), tls.map(Connector::Rustls));
        let opened = timeout(PATIENCE, connecting).await.unwrap_or_else(|_| panic!("no answer from {url}"));
        Socket(opened.unwrap_or_else(|error| panic!("cannot connect to {url}: {error}")).0)
    }

    /// Shakes hands over a connection; `None` when it ends before that is done.
    pub async fn over(stream: TcpStream, path: &str) -> Option<Socket> {
        let address = stream.peer_addr().ok()?;
        let handshake = client_async(format!("ws://{address}{path}"), MaybeTlsStream::Plain(stream));
        let (stream, _) = timeout(PATIENCE, handshake).await.ok()?.ok()?;
        Some(Socket(stream))
    }

    /// Sends a text message; that the server has closed is found out by listening.
    pub async fn say(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into())).await;
    }

    /// Sends a message of any kind.
    pub async fn send(&mut self, message: Message) {
        send(&mut self.0, message).await;
    }

    /// Two ends, to speak and to hear at once.
    pub fn split(self) -> (SplitSink<Stream, Message>, SplitStream<Stream>) {
        self.0.split()
    }

    /// Sends bytes as they are, below the frames.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.0.get_mut().write_all(bytes)).await.expect("the server reads").expect("it is open");
    }

    /// The next bytes as they are, below the frames, so that nothing is answered; empty at the end.
    pub async fn hear_bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        let read = timeout(PATIENCE, self.0.get_mut().read(&mut bytes)).await.expect("something comes");
        bytes.truncate(read.unwrap_or(0));
        bytes
    }

    /// Waits until everything said before was done: what was watched is watched.
    pub async fn settle(&mut self) {
        self.say(r#"{"handler":"barrier","ref":"settled"}"#).await;
        loop {
            match self.json().await {
                answer if answer["handler"] == "barrier" && answer["ref"] == "settled" => return,
                _ => {}
            }
        }
    }

    /// The same, and nothing may be told before.
    pub async fn settle_silently(&mut self) {
        self.say(r#"{"handler":"barrier","ref":"settled"}"#).await;
        let answer = self.json().await;
        assert_eq!(answer["handler"], "barrier", "{answer}");
    }

    /// The next message.
    pub async fn hear(&mut self) -> Heard {
        self.hear_within(PATIENCE).await
    }

    /// The next message if it comes within this time.
    pub async fn hear_within(&mut self, time: Duration) -> Heard {
        timeout(time, self.next()).await.unwrap_or(Heard::Nothing)
    }

    /// The next message, which must be JSON.
    pub async fn json(&mut self) -> Value {
        match self.hear().await {
            Heard::Json(value) => value,
            other => panic!("expected a message, got {other:?}"),
        }
    }

    async fn next(&mut self) -> Heard {
        loop {
            let text = match self.0.next().await {
                Some(Ok(Message::Text(text))) => text.to_string(),
                Some(Ok(Message::Binary(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Close(frame.code.into(), frame.reason.to_string());
                }
                // 1005: closed without a code.
                Some(Ok(Message::Close(None))) => return Heard::Close(1005, String::new()),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Heard::Torn,
            };
            return serde_json::from_str(&text).map_or(Heard::Other(text), Heard::Json);
        }
    }
}

/// Sends a message; that the server has closed is found out by listening.
pub async fn send(sink: &mut (impl Sink<Message, Error = Error> + Unpin), message: Message) {
    match timeout(PATIENCE, sink.send(message)).await {
        Ok(Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Protocol(_))) => {}
        Ok(Err(error)) => panic!("cannot send: {error}"),
        Err(_) => panic!("the server does not read"),
    }
}

/// Small buffers: there may be thousands of sockets.
fn settings() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096)
}
