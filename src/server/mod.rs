//! The listener: accepts connections, bounded in number, and serves HTTP on them until it is told to stop.
//!
//! A connection that becomes a WebSocket leaves here by its handshake, keeping its place among the connections.

pub mod certificate;

use crate::wire::Wire;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::{debug, warn};

/// How a listener encrypts.
pub type Encryption = Arc<ServerConfig>;

/// What one listener takes on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections may be open at a time, WebSockets included.
    pub max_connections: usize,
    /// How long a client may take for the head of a request, the TLS handshake included.
    pub header_timeout: Duration,
    /// How long responses under way may take after the stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_connections: 100_000, header_timeout: Duration::from_secs(10), drain: Duration::from_secs(5) }
    }
}

/// The most that a request's head may take.
const MAX_HEAD: usize = 64 * 1024;

/// What a client hears when every place is taken.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Serves the router on every connection until `stop` says true or its sender is gone. Then nothing more is
/// accepted, and the responses under way are finished as long as `drain` allows.
///
/// Requests carry `ConnectInfo<SocketAddr>`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Encryption>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut troubles = Troubles::default();
    let mut stopping = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            () = told_to_stop(&mut stopping) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                troubles.pause(&error).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            debug!(%peer, "every place is taken");
            turn_away(stream, tls.is_some());
            continue;
        };
        match open(stream, tls.clone()) {
            Ok(wire) => {
                connections.spawn(serve_one(wire.keeping(place), peer, router.clone(), limits, stop.clone()));
            }
            Err(error) => debug!(%peer, %error, "the connection could not be opened"),
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, finished).await.is_err() {
        warn!(connections = connections.len(), "responses under way were cut off");
    }
    connections.shutdown().await;
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn open(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Wire> {
    stream.set_nodelay(true)?;
    match tls {
        None => Ok(Wire::plain(stream)),
        Some(config) => Wire::tls(stream, config),
    }
}

/// Best effort: a client that is not told in time sees the connection end, too.
fn turn_away(stream: TcpStream, is_encrypted: bool) {
    if !is_encrypted {
        let _ = stream.try_write(FULL);
    }
}

async fn serve_one(wire: Wire, peer: SocketAddr, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(MAX_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(wire), service).with_upgrades());
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = told_to_stop(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(%peer, %error, "the connection broke");
    }
}

/// Errors of accepting, which may come thousands of times a second: out of files, out of memory.
#[derive(Default)]
struct Troubles {
    logged: Option<Instant>,
}

impl Troubles {
    /// Says what is wrong at most once a second, and gives it time to pass unless only one client is concerned.
    async fn pause(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        if self.logged.is_none_or(|logged| logged.elapsed() >= Duration::from_secs(1)) {
            warn!(%error, "connections cannot be accepted");
            self.logged = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests;
