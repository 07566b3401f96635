//! What the desk has to do with the chat: it shows it the rows, and who is there.

use crate::cells::chat::{self, Errand};
use crate::cells::desk::{Channel, Desk, Seat};
use crate::cells::feed::{Holds, Logged};
use crate::cells::rows::Part;
use crate::dialect::cells::chat::Asked;
use crate::dialect::cells::shape::Unreadable;
use crate::event::Operation;
use crate::message::Goodbye;
use crate::query::Row;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A frame of the chat that a socket heard.
pub struct Chatting {
    pub seat: Seat,
    pub asked: Asked,
    /// What it leads to; nothing where nobody is at the socket.
    pub answer: oneshot::Sender<Option<Errand>>,
}

impl Desk {
    /// Somebody is at a socket by now.
    pub(super) fn sit_in_chat(&mut self, seat: Seat) {
        let is_chat = self.people.sitting(seat).is_some_and(|sitting| sitting.channel == Channel::Chat);
        if let Some(viewer) = self.people.viewer(seat).filter(|_| is_chat) {
            self.chat.sit(seat, Some(viewer));
        }
    }

    /// These users may have other rights by now.
    pub(super) fn review_chat(&mut self, users: &BTreeSet<Arc<str>>) {
        let seats: Vec<Seat> = users.iter().flat_map(|uuid| self.people.seats_of(uuid)).collect();
        seats.into_iter().for_each(|seat| self.sit_in_chat(seat));
    }

    /// A frame of a socket.
    pub(super) fn chatting(&mut self, chatting: Chatting) {
        let Chatting { seat, asked, answer } = chatting;
        // Without the talk nobody would do it.
        let _ = answer.send(self.chat.command(seat, asked));
    }

    /// All rows of a part.
    pub(super) async fn load_chat(&mut self, part: Part, rows: &[Row]) {
        let told = self.chat.rows(part, rows);
        self.tell_chat(told).await;
    }

    /// A row, or an event, of rooms and messages.
    pub(super) async fn chat_entry(&mut self, part: Part, holds: Holds, logged: &Logged) -> Result<(), Unreadable> {
        let event = &logged.entry.event;
        let told = match holds {
            Holds::Rows => self.chat.entry(part, &logged.entry, logged.is_known),
            Holds::Events { column } => {
                let is_new = matches!(event.operation, Operation::Created | Operation::Appended);
                let Some(document) = event.after.as_ref().filter(|_| is_new) else { return Ok(()) };
                let named = |column| document.value().get(self.settings.names.of(part, column));
                let value = column.map_or(Some(document.value()), named).unwrap_or(&Value::Null);
                self.chat.event(value).ok_or(Unreadable)?
            }
        };
        self.tell_chat(told).await;
        Ok(())
    }

    async fn tell_chat(&mut self, told: chat::Told) {
        self.hand_out(told.frames).await;
        for seat in told.slow {
            if let Some(sitting) = self.people.sitting(seat) {
                sitting.peer.run(|shard, id| shard.close(id, Goodbye::Slow));
            }
            self.chat.gone(seat);
            self.leave(seat);
        }
    }
}
