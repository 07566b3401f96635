//! What is told of an event of a box, and of a box that ends.

use crate::dialect::misakey::Message;
use crate::event::{Operation, ResourceEvent};
use crate::misakey::COUNTED;
use crate::misakey::boxes::Closing;
use crate::misakey::replica::{BoxesReplica, Told};
use crate::misakey::rows::{BoxEvent, CREATE, DELETE, KICK};
use serde_json::{Value, json};

impl BoxesReplica {
    /// What is told; `None`: the row cannot be read.
    pub(super) fn box_event(&mut self, event: &ResourceEvent, is_late: bool) -> Option<Vec<Told>> {
        let read = |row: &crate::document::Document| BoxEvent::read(&event.id, row.value());
        let after = || event.after.as_ref().and_then(read);
        match event.operation {
            Operation::Created | Operation::Appended => {
                let row = after()?;
                if !is_late {
                    self.boxes.add(&row);
                }
                Some(self.added(row))
            }
            Operation::Updated => {
                let row = after()?;
                if !is_late {
                    self.boxes.put(&row);
                }
                Some(Vec::new())
            }
            Operation::Removed => {
                let closing = match is_late {
                    false => self.boxes.remove(&event.id.to_ascii_lowercase()),
                    true => event.before.as_ref().and_then(read).and_then(|row| self.boxes.remove_late(&row)),
                };
                Some(closing.map(deleted).into_iter().collect())
            }
            Operation::Reset(_) => Some(Vec::new()),
        }
    }

    fn added(&mut self, row: BoxEvent) -> Vec<Told> {
        if row.kind == DELETE {
            return self.boxes.close(&row).map(deleted).into_iter().collect();
        }
        if let Some(outdated) = self.settings.outdated.as_ref().filter(|_| COUNTED.contains(&row.kind.as_str())) {
            outdated.add(row.box_id.clone());
        }
        if !self.settings.push_types.contains(&row.kind) {
            return Vec::new();
        }
        let mut members = self.boxes.members(&row.box_id);
        members.insert(row.sender.clone());
        let creator = match row.kind == CREATE {
            true => Some(row.sender.clone()),
            false => self.boxes.creator(&row.box_id).cloned(),
        };
        let content = if row.kind == KICK { self.kick(&row) } else { row.content };
        let mut object = json!({
            "type": row.kind,
            "content": content,
            "box_id": &*row.box_id,
            "id": &*row.id,
            "server_event_created_at": row.created_at,
            "referrer_id": row.referrer.as_deref(),
            "sender": self.identities.told(&row.sender),
        });
        if !row.owner_org.is_null() {
            object["owner_org_id"] = row.owner_org;
        }
        vec![(Message::Event { object, creator: creator.map(|id| id.to_string()) }, members)]
    }

    /// The content of a kick: who kicked, and nothing of what is stored.
    fn kick(&mut self, row: &BoxEvent) -> Value {
        match row.content.get("kicker_id").and_then(Value::as_str) {
            Some(kicker) => json!({"kicker": self.identities.told(&kicker.to_ascii_lowercase().into())}),
            None => Value::Null,
        }
    }
}

fn deleted(closing: Closing) -> Told {
    let Closing { box_id, deleter, public_key, members } = closing;
    let sender = deleter.map(|id| id.to_string());
    (Message::BoxDelete { id: box_id.to_string(), sender, public_key }, members)
}
