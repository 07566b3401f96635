//! The events of a file store: JSON objects that tell a socket of created, patched and deleted files and of access
//! that was given or taken. Clients say nothing; whatever they say is dropped.
//!
//! The message of an entry is finished but for what its reader makes different: `byMe` and `capabilities` in what was
//! created. So one entry has eight texts at most: four roles, each by the reader itself or by somebody else.

#[cfg(test)]
mod tests;

use crate::audience::{Role, Sight};
use crate::dialect::{Dialect, Heard};
use crate::event::{Entry, Position, Reason, Timestamp};
use crate::files::capabilities::capabilities;
use crate::files::message::message_of;
use crate::message::{Address, Farewell, Goodbye, Notice, Variant};
use serde_json::{Value, json};
use std::sync::Arc;

/// The events of a file store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Dialect for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn decode(&self, _channel: &Arc<str>, _text: &str) -> Heard {
        Heard::Nothing
    }

    fn variant(&self, entry: &Entry, sight: &Sight, now: Timestamp) -> Variant {
        let message = entry.event.after.as_ref().and_then(message_of);
        let Some((_, by)) = message.and_then(created) else { return 0 };
        let is_mine = by.get("user").and_then(Value::as_str).is_some_and(|user| sight.subject.as_deref() == Some(user));
        let role = entry.audience.role(sight, now.max(entry.event.time).0).unwrap_or(Role::Reader);
        variant(role, is_mine)
    }

    fn encode(&self, _address: &Address, notice: &Notice<'_>) -> Option<String> {
        match notice {
            Notice::Change { entry, variant, position, .. } => {
                event(message_of(entry.event.after.as_ref()?)?.clone(), *variant, position.as_ref())
            }
            Notice::Resumed { position, broken } => Some(resumed(position, *broken)),
            Notice::Announced { data } => Some((*data).to_owned()),
            _ => None,
        }
    }

    fn goodbye(&self, goodbye: Goodbye) -> Farewell {
        match goodbye {
            Goodbye::Expired => Farewell::Close(1008, "token expired".into()),
            other => other.into(),
        }
    }
}

/// Of a message that tells of something created: whether that is a file, and who made it so.
fn created(message: &Value) -> Option<(bool, &Value)> {
    let data = message.get("data").filter(|_| message["operation"] == "created")?;
    match data.get("lastModified") {
        Some(by) => Some((true, by)),
        None => Some((false, data.get("modification")?)),
    }
}

fn variant(role: Role, is_mine: bool) -> Variant {
    let place = Role::ALL.iter().position(|one| *one == role).unwrap_or(0) as Variant;
    place * 2 + Variant::from(is_mine)
}

fn event(mut message: Value, variant: Variant, position: Option<&Position>) -> Option<String> {
    if let Some((is_file, by)) = created(&message) {
        let mut by = by.clone();
        by["byMe"] = json!(variant % 2 == 1);
        if is_file {
            let role = Role::ALL.get(usize::from(variant / 2)).copied().unwrap_or(Role::Reader);
            message["data"]["capabilities"] = capabilities(message["kind"].as_str().unwrap_or_default(), role);
            message["data"]["lastModified"] = by;
        } else {
            message["data"]["modification"] = by;
        }
    }
    if let Some(position) = position {
        message["position"] = json!(position.to_string());
    }
    Some(message.to_string())
}

/// `{"type":"resume","complete":…}`; what is not complete says why.
fn resumed(position: &Position, broken: Option<Reason>) -> String {
    let mut verdict = json!({"type": "resume", "complete": broken.is_none(), "position": position.to_string()});
    if let Some(reason) = broken {
        let word = if reason == Reason::Retention { "expired" } else { "epoch" };
        verdict["reason"] = json!(word);
    }
    verdict.to_string()
}
