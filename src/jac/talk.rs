//! The talk of one socket: what it asks is done, one message after another.
//!
//! Promises: nothing precedes the message that says who it is, and whatever is pushed after the client has read that
//! message arrives. A push is in the mailboxes of this node before the sender's next message is acted on.

mod standing;

use crate::dialect::jac::decode::{Fault, Reference, Request, Walker, decode};
use crate::dialect::jac::encode;
use crate::event::{Offset, Reason, Timestamp};
use crate::frame;
use crate::jac::identity::{Identity, Passport};
use crate::jac::operations::{Caller, Method, Operations, Refusal, Uncalled};
use crate::jac::push::{MayPush, Switchboard};
use crate::jac::topics::Seat;
use crate::jac::walker::{Call, Failure};
use crate::message::{Farewell, Goodbye};
use crate::pace::Pace;
use crate::relay::{Kind, Push};
use crate::shard::{Owner, Peer, Shard, SocketId, Visitor, WatchId};
use crate::talk::{Message, Start, Talk};
use crate::viewer::Token;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinHandle;

/// Messages a second that are acted on without delay, on average and at once.
const PER_SECOND: u32 = 200;
const BURST: u32 = 1000;

/// What is the same for every socket.
pub struct Exchange {
    pub switchboard: Arc<Switchboard>,
    pub operations: Operations,
    pub passport: Passport,
    pub may_push: MayPush,
    pub max_targets: usize,
}

/// Whoever comes in.
pub struct Guest {
    /// What the socket alone is reached by.
    pub client: Arc<str>,
    pub channel: Arc<str>,
    pub identity: Identity,
    /// What it showed when it came, where that counts again for a `change_user` without a token.
    pub shown: Option<Token>,
}

/// The talk of one socket.
pub struct JacTalk {
    exchange: Arc<Exchange>,
    shard: Rc<Shard>,
    socket: Cell<SocketId>,
    client: Arc<str>,
    channel: Arc<str>,
    shown: Option<Token>,
    identity: RefCell<Identity>,
    /// Where it can be reached: as a client, in its channel, as its user.
    seats: Cell<Option<(Seat, Seat, Seat)>>,
    pace: RefCell<Pace>,
    /// Sees to the end of the token.
    looking: RefCell<Option<JoinHandle<()>>>,
    opened: Timestamp,
}

impl JacTalk {
    /// How such a talk begins.
    pub fn start(guest: Guest, exchange: Arc<Exchange>) -> Start {
        Box::new(move |shard| {
            Rc::new(JacTalk {
                exchange,
                shard: shard.clone(),
                socket: Cell::default(),
                client: guest.client,
                channel: guest.channel,
                shown: guest.shown,
                identity: RefCell::new(guest.identity),
                seats: Cell::default(),
                pace: RefCell::new(Pace::new(PER_SECOND, BURST, Instant::now())),
                looking: RefCell::default(),
                opened: Timestamp::now(),
            })
        })
    }

    fn say(&self, text: &str) {
        self.shard.send(self.socket.get(), &frame::text(text.as_bytes()));
    }

    fn say_who(&self) {
        let text = encode::connection(&self.client, &self.identity.borrow().root, &self.channel);
        self.say(&text);
    }

    fn peer(&self) -> Peer {
        self.shard.peer(self.socket.get())
    }

    /// Is somebody else from now on, and says so. Whatever is pushed to the new user behind this comes behind it,
    /// because others push on this thread, too.
    fn become_user(self: &Rc<Self>, identity: Identity) {
        let topics = &self.exchange.switchboard.topics;
        if let Some((client, channel, user)) = self.seats.get() {
            let before = self.identity.borrow().root.to_string();
            topics.leave(Kind::User, &before, user);
            let user = topics.join(Kind::User, &identity.root.to_string(), &self.peer());
            self.seats.set(Some((client, channel, user)));
        }
        self.identity.replace(identity);
        self.look_after();
        self.say_who();
    }

    async fn act(self: &Rc<Self>, request: Request) {
        match request {
            Request::Connection => self.say_who(),
            Request::Push(push) => self.push(push).await,
            Request::ChangeUser(token) => self.change_user(token).await,
            Request::Walker(walker) => {
                let outcome = self.call(&walker).await;
                self.answer(&walker, outcome);
            }
        }
    }

    async fn push(&self, push: Push) {
        let checked = self.exchange.may_push.check(&push, &self.identity.borrow().root, &self.channel);
        match checked {
            Ok(()) => self.exchange.switchboard.push(&push).await,
            Err(sentence) => self.say(&encode::denied(push.kind.name(), &sentence, None)),
        }
    }

    /// Runs an operation on the main runtime. It goes on there if the client goes.
    async fn call(&self, walker: &Walker) -> Result<Vec<Box<RawValue>>, Unanswered> {
        let operation = self.exchange.operations.find(&walker.name, Method::Websocket).ok_or(Unanswered::Unknown)?;
        let call: Call = {
            let identity = self.identity.borrow();
            let socket = Some((&self.client, &self.channel));
            let caller = Caller { root: &identity.root, claims: &identity.claims, socket };
            let call = operation.call(&caller, &walker.context, None, walker.node.as_deref());
            call.map_err(Unanswered::Uncalled)?
        };
        let (operation, switchboard) = (operation.clone(), self.exchange.switchboard.clone());
        let running = self.shard.runtime.spawn(async move { operation.run(&call, &switchboard).await });
        running.await.unwrap_or(Err(Failure::Failed)).map_err(Unanswered::Failed)
    }

    fn answer(&self, walker: &Walker, outcome: Result<Vec<Box<RawValue>>, Unanswered>) {
        let (name, reference) = (walker.name.as_str(), walker.reference.as_ref());
        match outcome {
            Ok(_) if !walker.is_answered => {}
            Ok(reports) => self.say(&encode::answer(&reports, reference)),
            Err(why) => self.say(&why.text(name, reference)),
        }
    }
}

/// Why an operation has no answer but an error.
enum Unanswered {
    Unknown,
    Uncalled(Uncalled),
    Failed(Failure),
}

impl Unanswered {
    fn text(&self, name: &str, reference: Option<&Reference>) -> String {
        let denied = |sentence: &str| encode::denied("walker", sentence, reference);
        match self {
            Unanswered::Unknown => denied("Invalid request! Please use valid walker event!"),
            Unanswered::Uncalled(Uncalled::Context(findings)) => encode::malformed(findings, reference),
            Unanswered::Uncalled(Uncalled::Refused(refusal @ Refusal::NoReference(_))) => {
                encode::failed(&refusal.sentence(name), reference)
            }
            Unanswered::Uncalled(Uncalled::Refused(refusal)) => denied(&refusal.sentence(name)),
            Unanswered::Failed(failure @ Failure::TimedOut) => denied(&failure.sentence(name)),
            Unanswered::Failed(failure) => encode::failed(&failure.sentence(name), reference),
        }
    }
}

#[async_trait(?Send)]
impl Talk for JacTalk {
    fn begin(self: Rc<Self>, socket: SocketId) {
        self.socket.set(socket);
        let topics = &self.exchange.switchboard.topics;
        let peer = self.peer();
        // Others push on this thread, so nothing comes between.
        let client = topics.join(Kind::Client, &self.client, &peer);
        let channel = topics.join(Kind::Channel, &self.channel, &peer);
        let user = topics.join(Kind::User, &self.identity.borrow().root.to_string(), &peer);
        self.seats.set(Some((client, channel, user)));
        self.look_after();
        self.say_who();
    }

    async fn hear(self: Rc<Self>, message: Message<'_>) {
        let wait = self.pace.borrow_mut().take(Instant::now());
        if !self.shard.wait(self.socket.get(), wait).await {
            return;
        }
        let heard = match message {
            Message::Text(text) => decode(text, self.exchange.max_targets),
            Message::Binary(_) => Err(Fault::binary()),
        };
        let name = match &heard {
            Ok(Request::Connection) => "connection",
            Ok(Request::Walker(_)) => "walker",
            Ok(Request::Push(push)) => push.kind.name(),
            Ok(Request::ChangeUser(_)) => "change_user",
            Err(_) => "refused",
        };
        self.shard.metrics.messages(name).inc();
        match heard {
            Ok(request) => self.act(request).await,
            Err(fault) => self.say(&encode::fault(&fault)),
        }
    }

    fn end(&self) {
        if let Some(looking) = self.looking.take() {
            looking.abort();
        }
        let Some((client, channel, user)) = self.seats.take() else { return };
        let topics = &self.exchange.switchboard.topics;
        topics.leave(Kind::Client, &self.client, client);
        topics.leave(Kind::Channel, &self.channel, channel);
        topics.leave(Kind::User, &self.identity.borrow().root.to_string(), user);
    }
}

impl Owner for JacTalk {
    fn held_back(&self, _after: Offset) {}

    fn reset(&self, _watch: WatchId, _offset: Offset, _reason: Reason) {}

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        match goodbye {
            Goodbye::GoingDown => Farewell::Close(1012, "going down".into()),
            Goodbye::Slow => Farewell::Close(1013, "slow".into()),
            Goodbye::Silent => Farewell::Close(1011, "keepalive ping timeout".into()),
            Goodbye::Expired | Goodbye::Rights => Farewell::Close(1008, "token expired".into()),
            other => other.into(),
        }
    }

    fn visitor(&self) -> Option<Visitor> {
        let identity = self.identity.borrow();
        Some(Visitor {
            id: self.client.clone(),
            dialect: "jac",
            channel: self.channel.clone(),
            watching: Vec::new(),
            subject: identity.is_authenticated().then(|| identity.root.to_string().into()),
            roles: Vec::new(),
            opened: self.opened,
        })
    }

    fn announcement(&self, data: &str) -> Option<Bytes> {
        Some(frame::text(data.as_bytes()))
    }
}
