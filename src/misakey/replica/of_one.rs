//! What is told of the rows that belong to one identity.

use crate::dialect::misakey::{Ack, Message};
use crate::event::{Operation, ResourceEvent};
use crate::misakey::Role;
use crate::misakey::replica::Told;
use crate::misakey::rows::{id_in, time_in};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What must be known of a row when it changes.
const KEPT: [&str; 3] = ["identity_id", "encrypted_file_id", "ack_id"];

/// What is told of a change; `None`: the row cannot be read.
pub(super) fn told(role: Role, event: &ResourceEvent, before: Option<&Value>) -> Option<Vec<Told>> {
    let before = before.and_then(Value::as_object);
    let after = event.after.as_ref().filter(|_| event.operation != Operation::Removed);
    let after = after.and_then(|row| row.value().as_object());
    let is_new = matches!(event.operation, Operation::Created | Operation::Appended);
    match (role, after) {
        (Role::SavedFiles, _) => Some(saved(before, after)),
        (Role::BoxSettings, Some(row)) => one(row, box_settings(row)?),
        (Role::IdentityNotifications, Some(row)) if is_new => one(row, notification(row)),
        (Role::EventCounts, Some(row)) if is_acked(before, row, is_new) => one(row, ack(row)?),
        _ => Some(Vec::new()),
    }
}

/// Of a row, what must be known of it later.
pub(super) fn kept(row: &Value) -> Value {
    KEPT.iter().filter_map(|name| Some((*name, row.get(*name)?.clone()))).collect()
}

fn one(row: &Map<String, Value>, message: Message) -> Option<Vec<Told>> {
    Some(vec![(message, [id_in(row, "identity_id")?].into())])
}

/// Somebody's file, by the row before or after a change.
fn file(row: Option<&Map<String, Value>>) -> Option<(Arc<str>, Arc<str>)> {
    Some((id_in(row?, "identity_id")?, id_in(row?, "encrypted_file_id")?))
}

fn saved(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> Vec<Told> {
    let (before, after) = (file(before), file(after));
    if before == after {
        return Vec::new();
    }
    let told = |(identity, file): (Arc<str>, Arc<str>), is_saved| {
        (Message::FileSaved { file: file.to_string(), is_saved }, [identity].into())
    };
    let lost = before.map(|before| told(before, false));
    lost.into_iter().chain(after.map(|after| told(after, true))).collect()
}

fn box_settings(row: &Map<String, Value>) -> Option<Message> {
    let mut object = json!({
        "identity_id": &*id_in(row, "identity_id")?,
        "box_id": &*id_in(row, "box_id")?,
        "muted": row.get("muted") == Some(&Value::Bool(true)),
    });
    if let Some(owner) = row.get("owner_org_id").filter(|owner| !owner.is_null()) {
        object["owner_org_id"] = owner.clone();
    }
    Some(Message::BoxSettings { object })
}

fn notification(row: &Map<String, Value>) -> Message {
    let value = |name: &str| row.get(name).cloned().unwrap_or_default();
    let object = json!({
        "id": value("id"),
        "type": value("type"),
        "details": value("details"),
        "created_at": time_in(row, "created_at"),
        "acknowledged_at": time_in(row, "acknowledged_at"),
    });
    Message::Notification { object }
}

/// Whether a box was acknowledged, and not only counted.
fn is_acked(before: Option<&Map<String, Value>>, row: &Map<String, Value>, is_new: bool) -> bool {
    let Some(ack) = id_in(row, "ack_id") else { return false };
    is_new || before.is_some_and(|before| id_in(before, "ack_id") != Some(ack))
}

fn ack(row: &Map<String, Value>) -> Option<Message> {
    let (identity, box_id) = (id_in(row, "identity_id")?.to_string(), id_in(row, "box_id")?.to_string());
    let ack = Ack { identity, box_id };
    let text = row.get("ack_text").and_then(Value::as_str).filter(|text| ack.is_said_by(text)).map(str::to_owned);
    Some(Message::Ack { identity: ack.identity, box_id: ack.box_id, text })
}
