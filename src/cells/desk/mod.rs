//! The one who knows who is there and what they may see, and hands out frames: a task that takes what happens in the
//! order of the log, and what clients ask in between.
//!
//! Promise: a change of rights holds for the very next entry. Frames of one step are in the mailboxes of everybody
//! before the next step, and nobody waits for anybody else to read them.

mod chatting;
mod command;
mod people;
mod replay;
mod rows;
mod tell;

pub use chatting::Chatting;
pub use command::{Channel, Claims, Command, Handle, Replay, Replayed, Resume, Seat, Subscribe, Welcome};

use crate::cells::change::{self, Change};
use crate::cells::chat::Chat;
use crate::cells::feed::{Holds, Logged, Places, Told};
use crate::cells::flow::{self, Flow};
use crate::cells::rights::{self, Refused, Rights, Viewer};
use crate::cells::rows::{Names, Part};
use crate::dialect::cells::refusal::refusal;
use crate::dialect::cells::resume;
use crate::dialect::cells::shape::Unreadable;
use crate::event::{Offset, Operation, Position};
use crate::frame;
use crate::message::Farewell;
use crate::metrics::Metrics;
use crate::shard::{Peer, hand_out};
use bytes::Bytes;
use people::People;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Frames for sockets, in the order in which each is to have them.
pub type Frames = Vec<(Seat, Bytes)>;

/// The parts whose rows rights are made of.
const RIGHTS: [Part; 4] = [Part::Users, Part::Roles, Part::Workspaces, Part::Acls];

/// Between two looks at what time alone has changed.
const TICK: Duration = Duration::from_secs(1);

/// How a desk works.
pub struct Settings {
    pub places: Places,
    pub names: Arc<Names>,
    pub rights: rights::Settings,
    pub flow: flow::Settings,
    /// Whether changes of users are told those who administrate.
    pub tells_admins: bool,
    /// The name of the log.
    pub epoch: Arc<str>,
    pub metrics: Arc<Metrics>,
}

/// The desk.
pub struct Desk {
    settings: Settings,
    rights: Rights,
    people: People,
    flow: Flow,
    /// The parts that rights are made of whose rows are here.
    loaded: HashSet<Part>,
    chat: Chat,
    /// Who came before they were.
    early: Vec<Subscribe>,
    /// What is on its way to sockets that are told from the log.
    replays: HashMap<Seat, Flow>,
    /// Who may not stay.
    leaving: Vec<(Arc<str>, Refused)>,
    /// Everything up to this entry was taken.
    upto: Offset,
}

impl Desk {
    /// A desk at which nobody sits; everything up to `upto` is as if it had happened before.
    pub fn new(settings: Settings, chat: Chat, upto: Offset) -> Desk {
        Desk {
            rights: Rights::new(settings.rights.clone()),
            people: People::default(),
            flow: Flow::new(settings.flow, Instant::now()),
            loaded: HashSet::new(),
            chat,
            early: Vec::new(),
            replays: HashMap::new(),
            leaving: Vec::new(),
            upto,
            settings,
        }
    }

    /// Works until the program goes down.
    pub async fn run(
        mut self,
        mut told: mpsc::Receiver<Told>,
        mut commands: mpsc::Receiver<Command>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut chat_tick = tokio::time::interval(self.chat.pace());
        chat_tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let due = self.flow.next().unwrap_or_else(|| Instant::now() + TICK);
            tokio::select! {
                told = told.recv() => match told {
                    Some(told) => self.take(told).await,
                    None => return,
                },
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                () = tokio::time::sleep_until(due.into()) => {}
                _ = tick.tick() => self.tick().await,
                _ = chat_tick.tick() => self.chat.tick(),
                () = is_over(&mut stopped) => return,
            }
            self.tell_due().await;
        }
    }

    async fn take(&mut self, told: Told) {
        match told {
            Told::Rows { resource, rows } => {
                if let Some((part, Holds::Rows)) = self.settings.places.at(&resource) {
                    self.load(part, &rows);
                    self.load_chat(part, &rows).await;
                }
            }
            Told::Nodes { asked, rows, mark } => {
                let affected = self.place(&asked, &rows, &mark);
                self.reconsider(affected);
                self.send_away();
            }
            Told::Entry(logged) => {
                self.upto = self.upto.max(logged.entry.offset);
                match logged.entry.event.operation {
                    Operation::Reset(_) => self.broken().await,
                    _ => self.entry(&logged).await,
                }
            }
            Told::Upto(offset) => self.upto = self.upto.max(offset),
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Subscribe(subscribe) if !self.is_ready() => {
                self.early.retain(|early| !early.answer.is_closed());
                self.early.push(subscribe);
            }
            Command::Subscribe(subscribe) => self.subscribe(subscribe),
            Command::Unsubscribe(seat) => self.leave(seat),
            Command::Gone(seat) => {
                self.chat.gone(seat);
                self.leave(seat);
            }
            Command::Chat(chatting) => self.chatting(chatting),
            Command::Replay(replay) => self.replay(replay).await,
        }
    }

    fn is_ready(&self) -> bool {
        RIGHTS.iter().all(|part| self.loaded.contains(part))
    }

    fn subscribe(&mut self, subscribe: Subscribe) {
        let Subscribe { seat, peer, channel, claims, resume, answer } = subscribe;
        let viewer = match self.find(&claims) {
            Ok(viewer) => viewer,
            Err(refused) => return drop(answer.send(Err(refused))),
        };
        let begin = match resume {
            Some(Resume::After(offset)) => offset,
            _ => self.settled(),
        };
        self.people.sit(seat, (peer, channel), viewer, resume.as_ref().map(|_| begin));
        self.sit_in_chat(seat);
        if let Some(Resume::After(_)) = resume {
            self.replays.insert(seat, Flow::new(self.settings.flow, Instant::now()));
            self.people.sitting(seat).into_iter().for_each(|sitting| sitting.is_live = false);
        }
        if answer.send(Ok(Welcome { position: self.position(begin) })).is_err() {
            // The client left before it was let in.
            self.leave(seat);
        }
    }

    /// Who these claims mean: by the subject or else the name, and if that finds nobody, by the address.
    fn find(&self, claims: &Claims) -> Result<Viewer, Refused> {
        let own = match (&claims.subject, &claims.name) {
            (Some(subject), _) => self.rights.user(subject),
            (None, Some(name)) => self.rights.user_named(name),
            (None, None) => None,
        };
        let by_email = || self.rights.user_named(claims.email.as_ref()?);
        let user = own.or_else(by_email).ok_or(Refused::Unknown)?;
        self.rights.viewer(&user.uuid)
    }

    /// Something happened.
    async fn entry(&mut self, logged: &Logged) {
        let event = &logged.entry.event;
        let Some((part, holds)) = self.settings.places.at(&event.resource) else { return };
        let mut frames = Frames::new();
        let outcome = match (part, holds) {
            (part, Holds::Rows) if RIGHTS.contains(&part) => self.identity(part, logged, &mut frames),
            (Part::TreeNodes, Holds::Rows) => self.node(logged, &mut frames),
            (Part::ChatRooms | Part::ChatMessages, holds) => self.chat_entry(part, holds, logged).await,
            _ => self.other(part, holds, logged, &mut frames),
        };
        if outcome == Err(Unreadable) {
            self.settings.metrics.dropped(&event.resource, "unreadable").inc();
        }
        self.hand_out(frames).await;
        self.send_away();
    }

    /// A task, an activity, an event.
    fn other(&mut self, part: Part, holds: Holds, logged: &Logged, frames: &mut Frames) -> Result<(), Unreadable> {
        if let Some(change) = self.change(part, holds, logged)? {
            self.flow_on(change, logged.entry.offset, frames);
        }
        Ok(())
    }

    /// What an entry means, where frames are made of it.
    fn change(&self, part: Part, holds: Holds, logged: &Logged) -> Result<Option<Change>, Unreadable> {
        let (event, names) = (&logged.entry.event, &self.settings.names);
        let Holds::Events { column } = holds else {
            let is_told = !self.settings.places.has_events(part);
            return if is_told { change::of_rows(part, names, event) } else { Ok(None) };
        };
        let is_new = matches!(event.operation, Operation::Created | Operation::Appended);
        let Some(document) = event.after.as_ref().filter(|_| is_new) else { return Ok(None) };
        let value = column.map_or(Some(document.value()), |column| document.value().get(names.of(part, column)));
        let change = change::of_event(part, value.and_then(Value::as_object).ok_or(Unreadable)?)?;
        let row = logged.node.as_ref().and_then(|row| names.fields(part, &row.id, &row.document));
        change.map_or(Ok(None), |change| change::completed(change, row.as_ref()))
    }

    /// Lets a change go its way; what is told of it now goes to `frames`.
    fn flow_on(&mut self, change: Change, offset: Offset, frames: &mut Frames) {
        let mut out = Vec::new();
        self.flow.take(change, offset, Instant::now(), &mut out);
        self.tell(&out, frames);
    }

    fn tell(&self, changes: &[Change], frames: &mut Frames) {
        for change in changes {
            tell::everybody(&self.people, change, self.settings.tells_admins, frames);
        }
    }

    async fn tell_due(&mut self) {
        let (mut out, mut frames) = (Vec::new(), Frames::new());
        self.flow.due(Instant::now(), &mut out);
        self.tell(&out, &mut frames);
        self.hand_out(frames).await;
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        self.flow.forget(now);
        let settled = self.settled();
        let text = resume::position(&self.position(settled));
        let text = frame::text(text.as_bytes());
        let mut frames = Frames::new();
        for (seat, sitting) in self.people.seats() {
            if sitting.is_live && sitting.told.is_some_and(|told| told < settled) {
                sitting.told = Some(settled);
                frames.push((seat, text.clone()));
            }
        }
        self.hand_out(frames).await;
    }

    /// The history of something is broken: who asked for positions is told to begin anew.
    async fn broken(&mut self) {
        let settled = self.settled();
        let text = resume::subscribed(&self.position(settled), false);
        let text = frame::text(text.as_bytes());
        let mut frames = Frames::new();
        for (seat, sitting) in self.people.seats() {
            if sitting.is_live && sitting.told.is_some() {
                sitting.told = Some(settled);
                frames.push((seat, text.clone()));
            }
        }
        self.hand_out(frames).await;
    }

    /// The entry up to which everything was told.
    fn settled(&self) -> Offset {
        self.flow.oldest().map_or(self.upto, |oldest| oldest.saturating_sub(1).min(self.upto))
    }

    fn position(&self, offset: Offset) -> Position {
        Position::new(self.settings.epoch.clone(), offset)
    }

    async fn hand_out(&mut self, frames: Frames) {
        if frames.is_empty() {
            return;
        }
        let addressed = |(seat, frame)| Some((self.people.sitting(seat)?.peer.clone(), frame));
        let frames: Vec<(Peer, Bytes)> = frames.into_iter().filter_map(addressed).collect();
        hand_out(frames).await;
    }
}

/// Completes when the program goes down.
async fn is_over(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// How somebody is told that they may not come in, or stay.
pub fn farewell(refused: Refused) -> Farewell {
    refusal(match refused {
        Refused::Unknown => "unknown user",
        Refused::Locked => "locked user",
    })
}
