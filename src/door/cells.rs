//! The way in to the channels of Pydio Cells: everybody comes in, and says on the socket who it is.

use crate::cells::desk::Channel;
use crate::cells::talk::{CellsTalk, Terms};
use crate::door::{Admission, Asking, Door};
use crate::shard::{Keepalive, Manners, Waiting};
use async_trait::async_trait;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;

/// Where the channels are.
pub const PATHS: [(&str, Channel); 4] =
    [("/ws/event", Channel::Event), ("/ws", Channel::Event), ("/ws/chat", Channel::Chat), ("/chat", Channel::Chat)];

/// Between two pings.
const PING: Duration = Duration::from_secs(54);

/// A client that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// A client that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that may wait for one client.
const WAITING_BYTES: usize = 16 << 20;

/// The door of both channels.
pub struct CellsDoor {
    pub terms: Arc<Terms>,
    /// The largest message that a client may send, in bytes.
    pub max_message: usize,
    /// Frames that may wait for one client.
    pub queue: usize,
}

#[async_trait]
impl Door for CellsDoor {
    fn takes(&self, path: &str) -> bool {
        channel(path).is_some()
    }

    fn chooses_protocol(&self) -> bool {
        false
    }

    async fn admit(&self, asking: Asking<'_>) -> Result<Admission, Response> {
        let channel = channel(asking.path).unwrap_or(Channel::Event);
        let manners = Manners {
            keepalive: Some(Keepalive { ping: Some(PING), silence: Some(SILENCE) }),
            write_timeout: Some(WRITE_TIMEOUT),
            waiting: Waiting { frames: self.queue, bytes: WAITING_BYTES },
            ..Manners::default()
        };
        let start = CellsTalk::start(self.terms.clone(), channel, asking.peer);
        Ok(Admission { start, manners, max_message: self.max_message })
    }
}

fn channel(path: &str) -> Option<Channel> {
    PATHS.iter().find(|(own, _)| *own == path).map(|(_, channel)| *channel)
}
