//! `GET /api/{resource}/events[?filter=…&since=POSITION]`: the list and then every change, as server-sent events.
//!
//! A stream is a client of the engine like any other: what it is told is matched once, encoded once, and written by
//! a shard, here to one end of a pair of sockets. This reads the other end and takes the frames off. A reader that is
//! slow fills its end, and is told from the log by what it holds.

use crate::api::ApiState;
use crate::api::answer::Parameters;
use crate::api::asked;
use crate::api::problem::Problem;
use crate::api::reached::Reached;
use crate::auth::Pass;
use crate::event::Position;
use crate::filter::Filter;
use crate::frame::unframe::{Piece, Unframer};
use crate::message::{Address, Initial, Page, Reference, Since, View, Watch};
use crate::session::{OnBreak, Opening};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

/// How long a stream may be silent: proxies close what says nothing for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes read in one go.
const READ_BYTES: usize = 64 * 1024;

/// A pong without payload, as a client writes it (with a mask of zeros).
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// Begins a stream.
pub(super) async fn follow(
    state: &ApiState,
    reached: Reached,
    parameters: Parameters,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    if reached.served.resource.private {
        return Err(Problem::no_resource(&reached.served.resource.name));
    }
    let opening = opening(state, &reached, &parameters, headers)?;
    let stream = (state.follow)(Pass { viewer: reached.viewer, lease: reached.lease }, opening).map_err(|error| {
        tracing::error!(%error, "an event stream cannot begin");
        Problem::unavailable()
    })?;
    let told = stream::unfold(Telling { stream, unframer: Unframer::default(), is_over: false }, Telling::next);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(told)).into_response())
}

/// The watch that the query string and `Last-Event-ID` ask for.
fn opening(
    state: &ApiState,
    reached: &Reached,
    Parameters(parameters): &Parameters,
    headers: &HeaderMap,
) -> Result<Opening, Problem> {
    let (mut filter, mut since) = (Filter::All, None);
    for (name, value) in parameters {
        match name.as_str() {
            "filter" => filter = asked::filter(value)?,
            "since" => since = Some(Since::Asked(value.parse::<Position>().ok())),
            name if state.gate.reads_parameter(name) => {}
            _ => {
                let sentence = format!("{name:?} is not a parameter; there are filter and since.");
                return Err(Problem::malformed(sentence));
            }
        }
    }
    // A browser that comes back says where it was, with the same URL.
    if let Some(last) = headers.get("last-event-id").filter(|last| !last.is_empty()) {
        since = Some(Since::Asked(last.to_str().ok().and_then(|last| last.parse().ok())));
    }
    let resource = &reached.served.resource;
    let watch = Watch {
        params: "".into(),
        filter,
        view: View::Own,
        initial: if resource.has_rows { Initial::Asked } else { Initial::None },
        since,
        positions: true,
        patch: false,
        progress: Some(KEEP_ALIVE),
        page: Page::default(),
    };
    // With a reference it is told of what is refused.
    let address = Address { channel: resource.name.clone(), reference: Some(Reference("0".into())) };
    Ok(Opening { address, resource: resource.name.clone(), watch, sight: None, on_break: OnBreak::StartOver })
}

/// The other end of a client's wire.
struct Telling {
    stream: UnixStream,
    unframer: Unframer,
    is_over: bool,
}

impl Telling {
    /// What comes next; `None` at the end.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Telling)> {
        let mut read = vec![0; READ_BYTES];
        while !self.is_over {
            match self.stream.read(&mut read).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => {
                    let told = self.take(&read[..count]);
                    if !told.is_empty() {
                        return Some((Ok(told.into()), self));
                    }
                }
            }
        }
        None
    }

    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut told, stream, is_over) = (Vec::with_capacity(bytes.len()), &self.stream, &mut self.is_over);
        self.unframer.take(bytes, |piece| match piece {
            Piece::Text(text) => told.extend_from_slice(text),
            Piece::Ping => {
                // Six bytes that do not fit are six pings later the end, which is then right.
                let _ = stream.try_write(&PONG);
            }
            Piece::Close(code, reason) => {
                let end = serde_json::json!({"code": code, "reason": reason});
                told.extend_from_slice(format!("event: end\ndata: {end}\n\n").as_bytes());
                *is_over = true;
            }
        });
        told
    }
}
