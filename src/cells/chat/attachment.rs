//! One socket in one room: what is told of the room goes to it, in the order of the log, but never into the middle of
//! an answer.
//!
//! While something is answered about the room, what is told of it waits. Of that, what the answer showed already is
//! left out, also when the log comes to it only later.

use crate::dialect::cells::chat::Room;
use crate::event::{Mark, Stamp};
use bytes::Bytes;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long the log may be behind what was read beside it.
const BEHIND: Duration = Duration::from_secs(10);

/// What is told of a room.
#[derive(Debug, Clone)]
pub struct Live {
    pub about: About,
    /// Of the change that it tells.
    pub stamp: Stamp,
    pub frame: Bytes,
}

/// What it is about.
#[derive(Debug, Clone)]
pub enum About {
    Room(Arc<Room>),
    /// The message with this uuid.
    Message(Arc<str>),
}

/// What an answer showed, as it was read.
#[derive(Debug, Default)]
pub struct Shown {
    room: Option<(Option<Mark>, Bytes)>,
    mark: Option<Mark>,
    messages: HashMap<Arc<str>, u64>,
}

/// What becomes of something that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    Push,
    Nothing,
    /// Too much waits.
    Full,
}

/// One socket in one room.
#[derive(Debug)]
pub struct Attachment {
    /// The room, once it was found.
    pub uuid: Option<Arc<str>>,
    gate: Gate,
    shown: Shown,
    /// What was shown is of use until then.
    shown_until: Option<Instant>,
}

#[derive(Debug)]
enum Gate {
    Open,
    Shut {
        /// The first state of the room that has this login in it answers a JOIN.
        first: Option<(Arc<str>, oneshot::Sender<Bytes>)>,
        waiting: Vec<Live>,
    },
}

impl Attachment {
    /// A socket that waits to be told of its room for the first time.
    pub fn new() -> Attachment {
        Attachment { uuid: None, gate: Gate::Open, shown: Shown::default(), shown_until: None }
    }

    /// Something is being answered about the room from now on.
    pub fn shut(&mut self) {
        if matches!(self.gate, Gate::Open) {
            self.gate = Gate::Shut { first: None, waiting: Vec::new() };
        }
    }

    /// The answer begins with the first state of the room that has this login in it, as soon as it is told.
    pub fn expect(&mut self, login: Arc<str>) -> oneshot::Receiver<Bytes> {
        let (sender, receiver) = oneshot::channel();
        self.shut();
        if let Gate::Shut { first, .. } = &mut self.gate {
            *first = Some((login, sender));
        }
        receiver
    }

    /// The answer began without it.
    pub fn expect_no_more(&mut self) {
        if let Gate::Shut { first, .. } = &mut self.gate {
            *first = None;
        }
    }

    /// What is to be done with something that is told of the room; at most `most` of it can wait.
    pub fn offer(&mut self, live: &Live, most: usize) -> Offered {
        if self.shown.covers(live) {
            return Offered::Nothing;
        }
        let Gate::Shut { first, waiting } = &mut self.gate else { return Offered::Push };
        if let (About::Room(room), Some((login, _))) = (&live.about, &*first) {
            // Until the login is in it, this is what was before the answer.
            if room.users.iter().any(|user| **user == **login)
                && let Some((_, sender)) = first.take()
            {
                // Nobody waits for it any more where the answer is over.
                let _ = sender.send(live.frame.clone());
            }
            return Offered::Nothing;
        }
        if waiting.len() >= most {
            return Offered::Full;
        }
        waiting.push(live.clone());
        Offered::Nothing
    }

    /// This was shown in the answer.
    pub fn showed(&mut self, shown: Shown, now: Instant) {
        self.shown = shown;
        self.shown_until = Some(now + BEHIND);
    }

    /// What waited; with nothing left the answer is over, and everything goes to the socket again.
    pub fn take_waiting(&mut self) -> Vec<Live> {
        let Gate::Shut { waiting, .. } = &mut self.gate else { return Vec::new() };
        let mut waiting = std::mem::take(waiting);
        waiting.retain(|live| !self.shown.covers(live));
        if waiting.is_empty() {
            self.gate = Gate::Open;
        }
        waiting
    }

    /// Forgets what was shown long ago.
    pub fn forget(&mut self, now: Instant) {
        if self.shown_until.is_some_and(|until| until <= now) {
            self.shown = Shown::default();
            self.shown_until = None;
        }
    }
}

impl Shown {
    /// A room as it was in the state `mark`, which may not be known.
    pub fn room(mark: Option<Mark>, frame: Bytes) -> Shown {
        Shown { room: Some((mark, frame)), ..Shown::default() }
    }

    /// Messages of it as they were in the state `mark`.
    pub fn with_messages(self, mark: Mark, messages: impl IntoIterator<Item = (Arc<str>, Bytes)>) -> Shown {
        let messages = messages.into_iter().map(|(uuid, frame)| (uuid, fingerprint(&frame))).collect();
        Shown { mark: Some(mark), messages, ..self }
    }

    /// Whether what is told now was shown already, as it is or in a later version.
    fn covers(&mut self, live: &Live) -> bool {
        let contains = |mark: &Option<Mark>| mark.as_ref().is_some_and(|mark| mark.contains(live.stamp));
        match &live.about {
            About::Room(_) => {
                let Some((mark, frame)) = &self.room else { return false };
                if contains(mark) {
                    return true;
                }
                // What follows is news, and may well look the same again.
                let is_same = *frame == live.frame;
                self.room = None;
                is_same
            }
            About::Message(uuid) => {
                let Some(shown) = self.messages.get(uuid) else { return false };
                if contains(&self.mark) {
                    return true;
                }
                let is_same = *shown == fingerprint(&live.frame);
                self.messages.remove(uuid);
                is_same
            }
        }
    }
}

fn fingerprint(frame: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    frame.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::cells::chat::{Kind, RoomKey};

    const MOST: usize = 2;

    fn room(users: &[&str], number: u64) -> Live {
        let room = Room {
            uuid: "r".into(),
            key: RoomKey { kind: Kind::Global, object: "".into() },
            label: String::new(),
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            last_updated: 0,
        };
        let frame = Bytes::from(users.join(","));
        Live { about: About::Room(Arc::new(room)), stamp: Stamp::Offset(number), frame }
    }

    fn message(uuid: &str, text: &str, number: u64) -> Live {
        let frame = Bytes::from(format!("{uuid}:{text}"));
        Live { about: About::Message(uuid.into()), stamp: Stamp::Offset(number), frame }
    }

    fn page(number: u64, messages: &[(&str, &str)]) -> Shown {
        let shown = Shown::room(Some(Mark::Offset(number)), Bytes::from("alice"));
        let told = |(uuid, text): &(&str, &str)| (Arc::from(*uuid), Bytes::from(format!("{uuid}:{text}")));
        shown.with_messages(Mark::Offset(number), messages.iter().map(told))
    }

    fn texts(waiting: Vec<Live>) -> Vec<String> {
        waiting.iter().map(|live| String::from_utf8_lossy(&live.frame).into_owned()).collect()
    }

    #[test]
    fn a_join_is_answered_by_the_first_state_with_the_login_and_messages_wait_for_it() {
        let mut attachment = Attachment::new();
        let mut first = attachment.expect("bob".into());
        assert_eq!(attachment.offer(&room(&["alice"], 1), MOST), Offered::Nothing);
        assert_eq!(attachment.offer(&message("m", "hi", 2), MOST), Offered::Nothing);
        assert!(first.try_recv().is_err(), "bob is not in it yet");
        assert_eq!(attachment.offer(&room(&["alice", "bob"], 3), MOST), Offered::Nothing);
        assert_eq!(first.try_recv().as_deref(), Ok(&b"alice,bob"[..]));
        assert_eq!(attachment.offer(&room(&["bob"], 4), MOST), Offered::Nothing);
        assert_eq!(texts(attachment.take_waiting()), ["m:hi", "bob"]);
        assert_eq!(attachment.offer(&message("n", "later", 5), MOST), Offered::Nothing, "it is not open yet");
        assert_eq!(texts(attachment.take_waiting()), ["n:later"]);
        assert!(attachment.take_waiting().is_empty());
        assert_eq!(attachment.offer(&message("o", "now", 6), MOST), Offered::Push);
    }

    #[test]
    fn what_a_page_shows_is_not_told_again_neither_while_it_is_sent_nor_when_the_log_is_late() {
        let mut attachment = Attachment::new();
        attachment.shut();
        for live in [message("m", "old", 4), message("m", "new", 5)] {
            assert_eq!(attachment.offer(&live, MOST), Offered::Nothing);
        }
        attachment.showed(page(7, &[("m", "new"), ("n", "x")]), Instant::now());
        assert!(attachment.take_waiting().is_empty(), "an older version must not follow a newer one");
        assert_eq!(attachment.offer(&message("n", "x", 6), MOST), Offered::Nothing);
        assert_eq!(attachment.offer(&room(&["bob"], 7), MOST), Offered::Nothing);
        assert_eq!(attachment.offer(&message("o", "y", 6), MOST), Offered::Push, "the page did not reach so far back");
        assert_eq!(attachment.offer(&message("n", "z", 8), MOST), Offered::Push);
        assert_eq!(attachment.offer(&message("n", "x", 9), MOST), Offered::Push, "changed back is news");
    }

    #[test]
    fn what_comes_without_a_stamp_is_known_by_its_bytes_once() {
        let mut attachment = Attachment::new();
        let unstamped = |live: Live| Live { stamp: Stamp::None, ..live };
        attachment.showed(page(7, &[("m", "x")]), Instant::now());
        assert_eq!(attachment.offer(&unstamped(message("m", "x", 0)), MOST), Offered::Nothing);
        assert_eq!(attachment.offer(&unstamped(message("m", "x", 0)), MOST), Offered::Push);
        assert_eq!(attachment.offer(&unstamped(room(&["alice"], 0)), MOST), Offered::Nothing);
        assert_eq!(attachment.offer(&unstamped(room(&["alice"], 0)), MOST), Offered::Push);
    }

    #[test]
    fn what_waits_has_a_bound() {
        let mut attachment = Attachment::new();
        attachment.shut();
        for _ in 0..MOST {
            assert_eq!(attachment.offer(&message("m", "x", 1), MOST), Offered::Nothing);
        }
        assert_eq!(attachment.offer(&message("m", "x", 1), MOST), Offered::Full);
    }

    #[test]
    fn what_was_shown_is_forgotten_after_a_while() {
        let mut attachment = Attachment::new();
        attachment.showed(page(7, &[("m", "x")]), Instant::now());
        attachment.forget(Instant::now() + BEHIND);
        assert_eq!(attachment.offer(&message("m", "x", 7), MOST), Offered::Push);
    }
}
