//! What one socket asks for that is different from what is the same for every socket of a shard.

use std::time::Duration;

/// How a socket is kept, and what may wait for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manners {
    /// Pings of its own, in place of the shard's.
    pub keepalive: Option<Keepalive>,
    /// How long it may take nothing while something waits for it; `None`: as everybody.
    pub write_timeout: Option<Duration>,
    /// When the server goes down, over how long sockets like it are told to go, evenly; `None`: as everybody.
    pub parting: Option<Duration>,
    /// What may wait for it of what is pushed by [`Shard::push`](crate::shard::Shard::push).
    pub waiting: Waiting,
}

/// When a socket is pinged, and when it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keepalive {
    /// Between two pings, counted from the beginning; `None`: never.
    pub ping: Option<Duration>,
    /// How long nothing may be heard of it, pongs included; `None`: for ever. Time in which it is not read does not
    /// count.
    pub silence: Option<Duration>,
}

/// What may wait for one socket of what is pushed to it and cannot be told later. Past it the socket is ended as slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub frames: usize,
    /// One frame always fits.
    pub bytes: usize,
}

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting { frames: 1024, bytes: 4 << 20 }
    }
}
