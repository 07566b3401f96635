//! What a connection does with what it hears. Here a wire format and the state of a client meet, and nowhere else.

use crate::auth::Pass;
use crate::dialect::Heard;
use crate::event::{Offset, Reason, Timestamp};
use crate::frame;
use crate::message::{Address, Farewell, Goodbye, Notice};
use crate::session::{Opening, Session, Terms};
use crate::shard::{Owner, Shard, SocketId, Visitor, WatchId};
use async_trait::async_trait;
use bytes::Bytes;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Makes the talk of a client on the thread of its shard.
pub type Start = Box<dyn FnOnce(&Rc<Shard>) -> Rc<dyn Talk> + Send>;

/// One message of a client, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// What a connection talks with, for as long as it lives. Lives on its shard's thread.
#[async_trait(?Send)]
pub trait Talk: Owner {
    /// It speaks through this socket from now on; called before anything is heard. What is said here is what the
    /// client is told first.
    fn begin(self: Rc<Self>, socket: SocketId);

    /// Acts on one message. The client is not read further until this is done.
    async fn hear(self: Rc<Self>, message: Message<'_>);

    /// The client says nothing more; what was sent to it may still be on its way.
    fn end(&self) {}
}

/// Requests of a dialect, acted on by a session.
pub struct Watching {
    session: Rc<Session>,
    shard: Rc<Shard>,
    /// What the client's messages belong to when they do not say.
    channel: Arc<str>,
    terms: Arc<Terms>,
    /// What its coming in asks for by itself, until that is done.
    opening: RefCell<Option<Opening>>,
    opened: Timestamp,
}

impl Watching {
    /// How such a talk begins.
    pub fn start(pass: Pass, terms: Arc<Terms>, channel: Arc<str>, opening: Option<Opening>) -> Start {
        Box::new(move |shard| {
            let session = Session::new(pass, terms.clone(), shard.clone());
            let opening = RefCell::new(opening);
            let (shard, opened) = (shard.clone(), Timestamp::now());
            Rc::new(Watching { session, shard, channel, terms, opening, opened })
        })
    }
}

#[async_trait(?Send)]
impl Talk for Watching {
    fn begin(self: Rc<Self>, socket: SocketId) {
        self.session.attach(socket);
        if let Some(opening) = self.opening.take() {
            self.session.open(opening);
        }
    }

    async fn hear(self: Rc<Self>, message: Message<'_>) {
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        };
        let heard = self.terms.dialect.decode(&self.channel, text);
        let name = match &heard {
            Heard::Request(request) => request.action.name(),
            Heard::Refused(..) => "refused",
            Heard::Nothing => "ignored",
        };
        self.shard.metrics.messages(name).inc();
        match heard {
            Heard::Request(request) => self.session.handle(request).await,
            Heard::Refused(address, refusal) => self.session.refuse(&address, &refusal),
            Heard::Nothing => {}
        }
    }
}

impl Owner for Watching {
    fn held_back(&self, after: Offset) {
        self.session.held_back(after);
    }

    fn reset(&self, watch: WatchId, offset: Offset, reason: Reason) {
        self.session.reset(watch, offset, reason);
    }

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        self.session.goodbye(goodbye)
    }

    fn visitor(&self) -> Option<Visitor> {
        Some(self.session.visitor(&self.channel, self.opened))
    }

    fn announcement(&self, data: &str) -> Option<Bytes> {
        let address = Address { channel: self.channel.clone(), reference: None };
        let text = self.terms.dialect.encode(&address, &Notice::Announced { data })?;
        Some(frame::text(text.as_bytes()))
    }
}
