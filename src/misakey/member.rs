//! A member's socket: it is told what its watch says, and acknowledges boxes.

use crate::dialect::misakey::Ack;
use crate::event::{Offset, Reason};
use crate::message::{Farewell, Goodbye};
use crate::misakey::Acks;
use crate::pace::Pace;
use crate::shard::{Owner, Shard, SocketId, Visitor, WatchId};
use crate::talk::{Message, Start, Talk};
use async_trait::async_trait;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// How many messages a second are heard on average, and how many at once.
const PER_SECOND: u32 = 50;
const AT_ONCE: u32 = 200;

/// What a member's socket talks with.
pub struct Member {
    identity: Arc<str>,
    watching: Rc<dyn Talk>,
    acks: Arc<Acks>,
    shard: Rc<Shard>,
    socket: Cell<SocketId>,
    pace: RefCell<Pace>,
}

impl Member {
    /// How such a talk begins; `watching` tells.
    pub fn start(identity: Arc<str>, watching: Start, acks: Arc<Acks>) -> Start {
        Box::new(move |shard| {
            Rc::new(Member {
                identity,
                watching: watching(shard),
                acks,
                shard: shard.clone(),
                socket: Cell::new(SocketId::MAX),
                pace: RefCell::new(Pace::new(PER_SECOND, AT_ONCE, Instant::now())),
            })
        })
    }
}

/// The acknowledgement in a message, if it is one in this name, and its text.
fn heard<'a>(message: Message<'a>, identity: &str) -> Option<(Ack, &'a str)> {
    let text = match message {
        Message::Text(text) => text,
        Message::Binary(bytes) => std::str::from_utf8(bytes).ok()?,
    };
    let ack = Ack::parse(text).filter(|ack| ack.identity == identity)?;
    Some((ack, text))
}

#[async_trait(?Send)]
impl Talk for Member {
    fn begin(self: Rc<Self>, socket: SocketId) {
        self.socket.set(socket);
        self.watching.clone().begin(socket);
    }

    async fn hear(self: Rc<Self>, message: Message<'_>) {
        let wait = self.pace.borrow_mut().take(Instant::now());
        if !self.shard.wait(self.socket.get(), wait).await {
            return;
        }
        let Some((ack, text)) = heard(message, &self.identity) else {
            self.shard.metrics.messages("ignored").inc();
            return;
        };
        self.shard.metrics.messages("ack").inc();
        let (acks, text) = (self.acks.clone(), text.to_owned());
        let writing = self.shard.runtime.spawn(async move { acks.write(&ack, &text).await });
        tokio::select! {
            _ = writing => {}
            () = self.shard.ended(self.socket.get()) => {}
        }
    }

    fn end(&self) {
        self.watching.end();
    }
}

impl Owner for Member {
    fn held_back(&self, after: Offset) {
        self.watching.held_back(after);
    }

    fn reset(&self, watch: WatchId, offset: Offset, reason: Reason) {
        self.watching.reset(watch, offset, reason);
    }

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        self.watching.goodbye(goodbye)
    }

    fn visitor(&self) -> Option<Visitor> {
        self.watching.visitor()
    }

    fn announcement(&self, data: &str) -> Option<Bytes> {
        self.watching.announcement(data)
    }
}
