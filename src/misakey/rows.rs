//! A row of the events of boxes, and values as they are told: ids in lower case, times in one form.

use serde_json::{Map, Value};
use std::sync::Arc;

/// The beginning of a box, whose sender is its creator.
pub const CREATE: &str = "create";
/// Somebody came in; its sender.
pub const JOIN: &str = "member.join";
/// Somebody left, or was made to; refers to the join that it ends.
pub const LEAVE: &str = "member.leave";
pub const KICK: &str = "member.kick";
/// A row that stands for the end of a box; its sender ended it.
pub const DELETE: &str = "box.delete";

/// The types whose rows say who is in a box, and whether it is still there.
pub const OF_MEMBERS: [&str; 5] = [CREATE, JOIN, LEAVE, KICK, DELETE];

/// An event of a box.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxEvent {
    pub id: Arc<str>,
    pub box_id: Arc<str>,
    pub sender: Arc<str>,
    pub kind: String,
    pub referrer: Option<Arc<str>>,
    /// Null where it is empty.
    pub content: Value,
    pub created_at: Value,
    /// Who deletes the box, on the row of its beginning.
    pub deleter: Option<Arc<str>>,
    pub owner_org: Value,
}

impl BoxEvent {
    /// Reads a row; `None` without a box, a sender or a type.
    pub fn read(id: &str, row: &Value) -> Option<BoxEvent> {
        let row = row.as_object()?;
        Some(BoxEvent {
            id: id.to_ascii_lowercase().into(),
            box_id: id_in(row, "box_id")?,
            sender: id_in(row, "sender_id")?,
            kind: row.get("type")?.as_str().filter(|kind| !kind.is_empty())?.to_owned(),
            referrer: id_in(row, "referrer_id"),
            content: row.get("content").filter(|content| !is_empty(content)).cloned().unwrap_or_default(),
            created_at: time_in(row, "created_at"),
            deleter: id_in(row, "deleted_by"),
            owner_org: row.get("owner_org_id").cloned().unwrap_or_default(),
        })
    }

    /// The key by which the box is known to its members.
    pub fn public_key(&self) -> Option<&Value> {
        self.content.get("public_key").filter(|key| !key.is_null())
    }
}

/// An id in a row, in lower case.
pub fn id_in(row: &Map<String, Value>, name: &str) -> Option<Arc<str>> {
    row.get(name)?.as_str().filter(|id| !id.is_empty()).map(|id| id.to_ascii_lowercase().into())
}

/// A time in a row as it is told: RFC 3339 in UTC, without zeros at the end. What is no time stays as it is.
pub fn time_in(row: &Map<String, Value>, name: &str) -> Value {
    let value = row.get(name).cloned().unwrap_or_default();
    match value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
        Some(time) => Value::from(time.to_string()),
        None => value,
    }
}

fn is_empty(content: &Value) -> bool {
    content.is_null() || content.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_told_in_one_form() {
        for (stored, told) in [
            (json!("2021-01-19T08:14:51.120Z"), json!("2021-01-19T08:14:51.12Z")),
            (json!("2021-01-19T09:14:51.000+01:00"), json!("2021-01-19T08:14:51Z")),
            (json!("2021-01-19 08:14:51.123456+00"), json!("2021-01-19T08:14:51.123456Z")),
            (json!("2021-01-19T08:14:51.123456789Z"), json!("2021-01-19T08:14:51.123456789Z")),
            (json!("yesterday"), json!("yesterday")),
            (json!(null), json!(null)),
        ] {
            let row = json!({"at": stored});
            assert_eq!(time_in(row.as_object().expect("an object"), "at"), told);
        }
    }

    #[test]
    fn a_row_without_what_an_event_needs_is_none() {
        let row = json!({"box_id": "B", "sender_id": "S", "type": "create", "content": {}});
        let event = BoxEvent::read("E", &row).expect("an event");
        assert_eq!((&*event.id, &*event.box_id, &*event.sender, event.content), ("e", "b", "s", Value::Null));
        for name in ["box_id", "sender_id", "type"] {
            for bad in [json!(null), json!(""), json!(7)] {
                let mut row = row.clone();
                row[name] = bad;
                assert_eq!(BoxEvent::read("E", &row), None, "{row}");
            }
        }
        assert_eq!(BoxEvent::read("E", &json!([])), None);
    }
}
