//! What one frame of a client leads to: stores are asked and answers sent by the talk that heard it, so nobody else
//! waits for it.

use crate::cells::chat::attachment::Shown;
use crate::cells::chat::clerk::{self, Room};
use crate::cells::chat::permission::{Access, access};
use crate::cells::chat::row::RoomRow;
use crate::cells::chat::state::{Entered, Pinged};
use crate::cells::chat::{Ended, Shared};
use crate::cells::desk::Seat;
use crate::dialect::cells::chat::{
    Asked, Draft, Page, Post, RoomKey, RoomName, bare_message, may_have_more, room_update, sanitised,
};
use crate::error::{Error, Kind, Result};
use crate::event::Mark;
use crate::frame;
use crate::shard::{Shard, SocketId};
use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long the feed may take to tell of what was written, before it is told without it.
const FEED: Duration = Duration::from_secs(2);

/// What one frame leads to.
pub struct Errand {
    pub(super) shared: Arc<Shared>,
    pub(super) seat: Seat,
    pub(super) asked: Asked,
}

impl Errand {
    /// Does it, to the end; answers go to this socket.
    pub async fn run(self, shard: &Rc<Shard>, socket: SocketId) {
        let Errand { shared, seat, asked } = self;
        Doing { shared, seat, shard, socket }.all(asked).await;
    }
}

/// Whoever does it.
struct Doing<'a> {
    shared: Arc<Shared>,
    seat: Seat,
    shard: &'a Rc<Shard>,
    socket: SocketId,
}

impl Doing<'_> {
    async fn all(&self, asked: Asked) {
        match asked {
            Asked::Join { room, draft, with_history } => {
                let Some(key) = self.shared.state().key(&room) else { return };
                self.join(&key, Some(draft), with_history).await;
                self.open(&key);
            }
            Asked::Ping(room) => self.ping(&room).await,
            Asked::Leave(room) => self.leave(&room).await,
            Asked::History(room, page) => {
                let Some(key) = self.shared.state().key(&room) else { return };
                self.history(&key, page).await;
                self.open(&key);
            }
            Asked::Post(post) => self.post(post).await,
            Asked::Delete(uuid) => self.delete(uuid).await,
        }
    }

    async fn ping(&self, room: &RoomName) {
        let Some(key) = self.shared.state().key(room) else { return };
        let pinged = self.shared.state().ping(self.seat, &key, Instant::now());
        match pinged {
            Pinged::Nothing => {}
            Pinged::Returned(login) => {
                let returned = (key.clone(), login.clone());
                let settled = self.away(async move |shared| shared.settle(returned).await).await;
                if settled.is_none() {
                    // The next ping tries again.
                    self.shared.state().absent(&key, &login);
                }
            }
            Pinged::Outside => {
                self.join(&key, None, false).await;
                self.open(&key);
            }
        }
    }

    async fn leave(&self, room: &RoomName) {
        let left = {
            let mut state = self.shared.state();
            state.key(room).and_then(|key| state.leave(self.seat, &key))
        };
        if let Some(left) = left {
            self.away(async move |shared| shared.settle(left).await).await;
        }
    }

    /// Lets the socket into a room and tells it of the room. Without a draft there is no room that is not there.
    async fn join(&self, key: &RoomKey, draft: Option<Draft>, with_history: bool) {
        let was_in = self.shared.state().reserve(self.seat, key);
        if self.shared.state().must_find(key) {
            let path = self.path(key).await;
            self.shared.state().found(&key.object, path.as_deref());
        }
        let Some(entered) = self.shared.state().enter(self.seat, key, Instant::now()) else { return };
        let (about, login) = (key.clone(), entered.login.clone());
        let settled = self.away(async move |shared| {
            let has = |login: &str| shared.state().has(&about, login);
            shared.clerk.settle(&about, Some(&login), draft.as_ref(), &has).await
        });
        let Some(Room { row, mark, is_told }) = settled.await.flatten() else {
            let mut state = self.shared.state();
            if entered.comes {
                state.absent(key, &entered.login);
            }
            if !was_in {
                state.leave(self.seat, key);
            }
            return;
        };
        self.shared.state().name(self.seat, key, &row.room.uuid);
        if self.tell_joiner(key, entered, &row, mark, is_told).await && with_history {
            self.tell_page(key, &row, Shown::default(), Page::default()).await;
        }
    }

    /// The first thing that is told of a room, by the feed if that tells it; whether the socket is still in it.
    async fn tell_joiner(
        &self,
        key: &RoomKey,
        mut entered: Entered,
        row: &RoomRow,
        mark: Option<Mark>,
        is_told: bool,
    ) -> bool {
        let patience = if is_told { FEED } else { Duration::ZERO };
        match timeout(patience, &mut entered.first).await {
            Ok(Ok(frame)) => self.send(&frame).await,
            // It was taken out of the room meanwhile.
            Ok(Err(_)) => false,
            Err(_) => {
                let frame = frame::text(room_update(&row.room).as_bytes());
                self.shared.state().showed(self.seat, key, Shown::room(mark, frame.clone()), Instant::now());
                // The feed may have come first after all.
                self.send(&entered.first.try_recv().unwrap_or(frame)).await
            }
        }
    }

    async fn history(&self, key: &RoomKey, page: Page) {
        let path = if self.shared.state().must_find(key) { self.path(key).await } else { None };
        if !self.may_read(key, path.as_deref()) {
            return;
        }
        let about = key.clone();
        let room = self.away(async move |shared| shared.clerk.room(&about).await).await.flatten();
        let Some((row, mark)) = room else { return };
        let frame = frame::text(room_update(&row.room).as_bytes());
        if self.send(&frame).await {
            self.tell_page(key, &row, Shown::room(Some(mark), frame), page).await;
        }
    }

    fn may_read(&self, key: &RoomKey, path: Option<&str>) -> bool {
        let state = self.shared.state();
        let known = || state.access(self.seat, key);
        let found = |path| state.viewer(self.seat).map_or(Access::Nothing, |viewer| access(viewer, key, Some(path)));
        path.map_or_else(known, found) >= Access::Read
    }

    /// Tells a part of a room's history.
    async fn tell_page(&self, key: &RoomKey, row: &RoomRow, shown: Shown, page: Page) {
        let room = row.room.uuid.clone();
        let history = self.away(async move |shared| shared.clerk.history(&room, page).await).await;
        let Some(clerk::History { messages, mark }) = history else { return };
        let framed = messages.iter().map(|message| {
            let text = bare_message(&message.message);
            (message.message.uuid.clone(), frame::text(text.as_bytes()))
        });
        let frames: Vec<(Arc<str>, Bytes)> = framed.collect();
        let shown = shown.with_messages(mark, frames.iter().cloned());
        self.shared.state().showed(self.seat, key, shown, Instant::now());
        for (_, frame) in &frames {
            if !self.send(frame).await {
                return;
            }
        }
        if let Some(oldest) = messages.first().filter(|_| page.limit > 0 && messages.len() == page.limit) {
            let text = may_have_more(&row.room.uuid, oldest.message.timestamp, page);
            self.send(&frame::text(text.as_bytes())).await;
        }
    }

    async fn post(&self, post: Post) {
        let (room, key, login) = {
            let state = self.shared.state();
            let Some((key, room)) = state.own(self.seat, &post.room) else { return };
            let Some(viewer) = state.viewer(self.seat).filter(|_| state.access(self.seat, &key) == Access::Write)
            else {
                return;
            };
            (room, key, viewer.login.clone())
        };
        self.away(async move |shared| {
            // Not beside what other sockets wait for.
            let cleaning = tokio::task::spawn_blocking(move || sanitised(&post.text));
            let text = cleaning.await.map_err(|error| Error::because(Kind::Internal, "a text was not read", error))?;
            if text.trim().is_empty() {
                return Ok(());
            }
            match post.edits {
                Some(uuid) => shared.clerk.edit(&room, &uuid, &login, &text).await,
                None => {
                    shared.clerk.post(&room, &login, text, post.info).await?;
                    shared.clerk.count(&room, &key).await
                }
            }
        })
        .await;
    }

    async fn delete(&self, uuid: Arc<str>) {
        let (rooms, login) = {
            let state = self.shared.state();
            let Some(viewer) = state.viewer(self.seat) else { return };
            (state.writable(self.seat), viewer.login.clone())
        };
        self.away(async move |shared| match shared.clerk.delete(&uuid, &login, &rooms).await? {
            Some((room, key)) => shared.clerk.count(&room, &key).await,
            None => Ok(()),
        })
        .await;
    }

    /// Sends a frame, as fast as the client takes them; whether it still does.
    async fn send(&self, frame: &Bytes) -> bool {
        let is_open = self.shard.room(self.socket).await;
        if is_open {
            self.shard.send(self.socket, frame);
        }
        is_open
    }

    async fn path(&self, key: &RoomKey) -> Option<String> {
        let node = key.object.clone();
        self.away(async move |shared| shared.clerk.path(&node).await).await.flatten()
    }

    /// The answer about the room is over: what waited for it follows.
    fn open(&self, key: &RoomKey) {
        loop {
            let waiting = self.shared.state().take_waiting(self.seat, key);
            if waiting.is_empty() {
                return;
            }
            waiting.iter().for_each(|live| self.shard.push(self.socket, &live.frame));
        }
    }

    /// Works with the stores, away from the sockets; `None` when it failed, which is logged.
    async fn away<T: Send + 'static, W>(&self, work: impl FnOnce(Arc<Shared>) -> W) -> Option<T>
    where
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let done = self.shard.runtime.spawn(work(self.shared.clone())).await.ok()?;
        done.map_err(|error| self.shared.failed(&error)).ok()
    }
}

impl Shared {
    /// Writes down whether a login is in a room.
    pub(super) async fn settle(&self, (key, login): Ended) -> Result<()> {
        let has = |login: &str| self.state().has(&key, login);
        self.clerk.settle(&key, Some(&login), None, &has).await.map(drop)
    }
}
