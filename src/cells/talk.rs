//! The talk of a browser on either channel: it says who it is, and hears what concerns it.

use crate::auth::{Denied, Verify};
use crate::cells::desk::{Channel, Chatting, Claims, Command, Handle, Resume, Seat, Subscribe, Welcome, farewell};
use crate::cells::feed::{Nodes, Places};
use crate::cells::refusals::Refusals;
use crate::cells::replay;
use crate::dialect::cells::chat;
use crate::dialect::cells::hello::{self, Hello};
use crate::dialect::cells::refusal::refusal;
use crate::dialect::cells::resume;
use crate::event::{Offset, Position, Reason, Timestamp};
use crate::frame;
use crate::message::{Farewell, Goodbye};
use crate::shard::{Owner, Shard, SocketId, Visitor, WatchId};
use crate::talk::{Message, Start, Talk};
use crate::viewer::Viewer;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use uuid::Uuid;

/// How long a client waits for the rows that say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after its token's end a client is closed.
const GRACE: i64 = 60;

/// What is the same for every client.
pub struct Terms {
    pub desk: Handle,
    pub verifier: Arc<dyn Verify>,
    pub refusals: Refusals,
    /// How long somebody may be there who is nobody; `None`: for ever.
    pub subscribe_timeout: Option<Duration>,
    /// Whether a client is closed whose token has ended.
    pub ends_with_token: bool,
    /// What of the log is looked at for those who come back.
    pub places: Places,
    pub tree: Option<Nodes>,
}

/// One client.
pub struct CellsTalk {
    terms: Arc<Terms>,
    shard: Rc<Shard>,
    channel: Channel,
    address: Option<IpAddr>,
    seat: Seat,
    socket: Cell<SocketId>,
    /// Which of its subscribes was the last good one; 0: none yet.
    subscribed: Cell<u64>,
    /// By what an operator knows it, and who it has shown to be.
    id: Uuid,
    subject: RefCell<Option<Arc<str>>>,
    opened: Timestamp,
}

impl CellsTalk {
    /// How such a talk begins.
    pub fn start(terms: Arc<Terms>, channel: Channel, address: Option<IpAddr>) -> Start {
        Box::new(move |shard| {
            let seat = terms.desk.seat();
            Rc::new(CellsTalk {
                terms,
                shard: shard.clone(),
                channel,
                address,
                seat,
                socket: Cell::new(0),
                subscribed: Cell::new(0),
                id: Uuid::new_v4(),
                subject: RefCell::default(),
                opened: Timestamp::now(),
            })
        })
    }

    async fn subscribe(self: &Rc<Self>, token: &str, resume: Option<String>) {
        if token.is_empty() {
            return self.refuse(token, if self.channel == Channel::Event { "empty jwt" } else { "Empty JWT" });
        }
        let viewer = match self.terms.verifier.verify(token).await {
            Ok(viewer) => viewer,
            Err(denied) => {
                self.shard.metrics.refused(denied.name()).inc();
                return match denied {
                    Denied::Unavailable => self.close(not_ready()),
                    Denied::Expired => self.refuse(token, "expired jwt"),
                    _ => self.refuse(token, "invalid jwt"),
                };
            }
        };
        let resume = resume.filter(|_| self.channel == Channel::Event).map(|text| self.gone_on_from(&text));
        let (answer, answered) = oneshot::channel();
        let (seat, channel, claims) = (self.seat, self.channel, Claims::of(&viewer));
        let peer = self.shard.peer(self.socket.get());
        let subscribe = Subscribe { seat, peer, channel, claims, resume: resume.clone(), answer };
        self.terms.desk.send(Command::Subscribe(subscribe)).await;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(Ok(welcome))) => {
                self.terms.refusals.accept(self.address, token);
                self.subscribed.set(self.subscribed.get() + 1);
                self.subject.replace(viewer.subject.clone());
                self.end_with(&viewer);
                if let Some(resume) = resume {
                    self.go_on(welcome, &resume).await;
                }
            }
            Ok(Ok(Err(refused))) => self.refuse_as(token, farewell(refused)),
            Ok(Err(_)) | Err(_) => self.close(not_ready()),
        }
    }

    /// Does what a frame of the chat asks for, to the end.
    async fn chat(&self, frame: &Map<String, Value>) {
        let Some(asked) = chat::decode(frame) else { return };
        let (answer, answered) = oneshot::channel();
        self.terms.desk.send(Command::Chat(Chatting { seat: self.seat, asked, answer })).await;
        if let Ok(Some(errand)) = answered.await {
            errand.run(&self.shard, self.socket.get()).await;
        }
    }

    fn gone_on_from(&self, text: &str) -> Resume {
        let log = &self.shard.log;
        match text.parse::<Position>() {
            Ok(position)
                if position.beside.is_none()
                    && position.epoch == log.epoch()
                    && (log.floor()..=log.last()).contains(&position.offset) =>
            {
                Resume::After(position.offset)
            }
            _ => Resume::Anew,
        }
    }

    /// Tells what was missed.
    async fn go_on(&self, welcome: Welcome, resume: &Resume) {
        let position = welcome.position;
        let is_resumed = matches!(resume, Resume::After(_));
        self.say(&resume::subscribed(&position, is_resumed));
        if !is_resumed {
            return;
        }
        if let Err(reached) =
            replay::tell(&self.terms, &self.shard, (self.seat, self.socket.get()), position.offset).await
        {
            self.say(&resume::subscribed(&Position::new(position.epoch, reached), false));
        }
    }

    fn say(&self, text: &str) {
        self.shard.send(self.socket.get(), &frame::text(text.as_bytes()));
    }

    fn refuse(self: &Rc<Self>, token: &str, why: &str) {
        self.refuse_as(token, refusal(why));
    }

    /// Closes, later and later for the same token; a good one that is shown meanwhile is accepted.
    fn refuse_as(self: &Rc<Self>, token: &str, farewell: Farewell) {
        let delay = self.terms.refusals.refuse(self.address, token, Instant::now());
        match delay {
            Duration::ZERO => self.close(farewell),
            delay => self.close_after(delay, farewell),
        }
    }

    /// Closes after a while, unless a good token is shown before.
    fn close_after(self: &Rc<Self>, delay: Duration, farewell: Farewell) {
        let (talk, subscribed) = (Rc::clone(self), self.subscribed.get());
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = talk.shard.ended(talk.socket.get()) => return,
            }
            if talk.subscribed.get() == subscribed {
                talk.close(farewell);
            }
        });
    }

    fn close(&self, farewell: Farewell) {
        self.shard.close_as(self.socket.get(), farewell);
    }

    /// Where that is wanted, a client is closed some time after its token ends.
    fn end_with(self: &Rc<Self>, viewer: &Viewer) {
        let ends = viewer.claim("exp").and_then(Value::as_f64).filter(|_| self.terms.ends_with_token);
        if let Some(ends) = ends {
            let left = (ends as i64).saturating_add(GRACE).saturating_sub(Timestamp::now().0 / 1000);
            let left = Duration::from_secs(u64::try_from(left).unwrap_or(0).min(u64::from(u32::MAX)));
            self.close_after(left, refusal("expired jwt"));
        }
    }
}

#[async_trait(?Send)]
impl Talk for CellsTalk {
    fn begin(self: Rc<Self>, socket: SocketId) {
        self.socket.set(socket);
        if let Some(timeout) = self.terms.subscribe_timeout {
            self.close_after(timeout, refusal("no subscription"));
        }
    }

    async fn hear(self: Rc<Self>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        let heard = hello::read(text);
        let name = match &heard {
            Hello::Subscribe { .. } => "subscribe",
            Hello::Unsubscribe => "unsubscribe",
            Hello::Other(_) | Hello::Unreadable => "ignored",
        };
        self.shard.metrics.messages(name).inc();
        match heard {
            Hello::Subscribe { token, resume } => self.subscribe(&token, resume).await,
            Hello::Unsubscribe => {
                self.subject.replace(None);
                self.terms.desk.send(Command::Unsubscribe(self.seat)).await;
            }
            Hello::Unreadable if self.channel == Channel::Event => self.close(refusal("invalid json")),
            Hello::Other(frame) if self.channel == Channel::Chat => self.chat(&frame).await,
            Hello::Other(_) | Hello::Unreadable => {}
        }
    }

    fn end(&self) {
        let (desk, seat) = (self.terms.desk.clone(), self.seat);
        tokio::task::spawn_local(async move { desk.send(Command::Gone(seat)).await });
    }
}

impl Owner for CellsTalk {
    fn held_back(&self, _after: Offset) {}

    fn reset(&self, _watch: WatchId, _offset: Offset, _reason: Reason) {}

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        match goodbye {
            Goodbye::Slow => Farewell::Close(1013, "slow reader".into()),
            other => other.into(),
        }
    }

    fn visitor(&self) -> Option<Visitor> {
        let channel = if self.channel == Channel::Event { "/ws/event" } else { "/ws/chat" };
        Some(Visitor {
            id: self.id.to_string().into(),
            dialect: "cells",
            channel: channel.into(),
            watching: Vec::new(),
            subject: self.subject.borrow().clone(),
            roles: Vec::new(),
            opened: self.opened,
        })
    }

    fn announcement(&self, data: &str) -> Option<Bytes> {
        Some(frame::text(data.as_bytes()))
    }
}

fn not_ready() -> Farewell {
    Farewell::Close(1013, "not ready".into())
}
