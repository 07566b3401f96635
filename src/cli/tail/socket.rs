//! The WebSocket of `tidings tail`: opens it, and tells an end that is worth coming back from from one that
//! is not.

use crate::cli::tail::End;
use crate::error::{Error, Kind, Result};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header::AUTHORIZATION};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Connecting takes no longer than this.
const CONNECT: Duration = Duration::from_secs(15);
/// The server tells of its progress four times as often; a connection this quiet is dead.
const QUIET: Duration = Duration::from_secs(60);
/// A list is one message, and may be long.
const LONGEST: usize = 1 << 30;

/// An open WebSocket.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Why a WebSocket is no more.
pub(super) struct Lost {
    reason: String,
    code: Option<u16>,
}

/// The request that opens the connection, from what the user wrote.
///
/// # Errors
/// `Configuration` when it is no URL, or the token cannot stand in a header.
pub(super) fn target(url: &str, token: Option<&str>) -> Result<Request> {
    let url = match url.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(_) => url.to_owned(),
        None => format!("ws://{url}"),
    };
    let wrong = |error: tungstenite::Error| Error::because(Kind::Configuration, "the server's URL is wrong", error);
    if !url.starts_with("ws://") && !url.starts_with("wss://") {
        return Err(Error::new(Kind::Configuration, "the server's URL begins with ws://, wss://, http:// or https://"));
    }
    let mut request = url.into_client_request().map_err(wrong)?;
    if let Some(token) = token {
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::new(Kind::Configuration, "the token has characters that no token has"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

impl Socket {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable` when trying again may help, `Refused` when not.
    pub(super) async fn open(request: Request) -> Result<Socket> {
        let limits = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let place = request.uri().authority().map_or_else(String::new, ToString::to_string);
        let opening = tokio_tungstenite::connect_async_with_config(request, Some(limits), true);
        match tokio::time::timeout(CONNECT, opening).await {
            Ok(Ok((stream, _))) => Ok(Socket(stream)),
            Ok(Err(tungstenite::Error::Http(answer))) if !answer.status().is_server_error() => {
                let hint = match answer.status() {
                    StatusCode::UNAUTHORIZED => "; show a valid --token",
                    _ => "",
                };
                Err(Error::new(Kind::Refused, format!("{place} answered {}{hint}", answer.status())))
            }
            // The library's own sentence repeats its cause.
            Ok(Err(tungstenite::Error::Io(error))) => {
                Err(Error::because(Kind::Unreachable, format!("cannot connect to {place}"), error))
            }
            Ok(Err(error)) => Err(Error::because(Kind::Unreachable, format!("cannot connect to {place}"), error)),
            Err(_) => Err(Error::new(Kind::Unreachable, format!("{place} does not answer"))),
        }
    }

    /// Sends one message.
    pub(super) async fn send(&mut self, text: String) -> std::result::Result<(), Lost> {
        self.0.send(Message::text(text)).await.map_err(Lost::because)
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> std::result::Result<String, Lost> {
        loop {
            match tokio::time::timeout(QUIET, self.0.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => return Ok(text.as_str().to_owned()),
                Ok(Some(Ok(Message::Close(frame)))) => return Err(Lost::closed(frame)),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(Lost::because(error)),
                Ok(None) => return Err(Lost::closed(None)),
                Err(_) => return Err(Lost { reason: "nothing was heard for a minute".to_owned(), code: None }),
            }
        }
    }
}

impl Lost {
    fn because(error: tungstenite::Error) -> Lost {
        Lost { reason: error.to_string(), code: None }
    }

    fn closed(frame: Option<CloseFrame>) -> Lost {
        match frame {
            Some(frame) => {
                let code = u16::from(frame.code);
                Lost { reason: format!("closed with {code}: {}", frame.reason.as_str()), code: Some(code) }
            }
            None => Lost { reason: "closed".to_owned(), code: None },
        }
    }

    /// Whether coming back helps.
    pub(super) fn into_end(self) -> Result<End> {
        match self.code {
            Some(4401) => Err(Error::new(Kind::Refused, "the token has expired")),
            Some(1008 | 1009) => Err(Error::new(Kind::Refused, format!("the server refuses: {}", self.reason))),
            Some(1013) => Ok(End::Lost { reason: self.reason, at_least: Duration::from_secs(1) }),
            _ => Ok(End::Lost { reason: self.reason, at_least: Duration::ZERO }),
        }
    }
}
