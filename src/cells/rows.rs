//! The rows behind a Cells server: which resource holds what, and how a row is read whatever its columns are called.
//!
//! Reading is lenient: a column that is absent has the value that the reference schema gives it.

use crate::document::Document;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// What rows are about; each part is a resource of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Users,
    Roles,
    Workspaces,
    Acls,
    TreeNodes,
    Tasks,
    IdmChanges,
    Activities,
    ChatRooms,
    ChatMessages,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 10] = [
        Part::Users,
        Part::Roles,
        Part::Workspaces,
        Part::Acls,
        Part::TreeNodes,
        Part::Tasks,
        Part::IdmChanges,
        Part::Activities,
        Part::ChatRooms,
        Part::ChatMessages,
    ];

    /// Those that must have rows.
    pub const NEEDED: [Part; 6] =
        [Part::Users, Part::Roles, Part::Workspaces, Part::Acls, Part::ChatRooms, Part::ChatMessages];

    /// Those of which it must be known what a row was before a change.
    pub const WITH_BEFORE: [Part; 4] = [Part::TreeNodes, Part::Acls, Part::ChatRooms, Part::ChatMessages];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Part::Users => "users",
            Part::Roles => "roles",
            Part::Workspaces => "workspaces",
            Part::Acls => "acls",
            Part::TreeNodes => "tree_nodes",
            Part::Tasks => "tasks",
            Part::IdmChanges => "idm_changes",
            Part::Activities => "activities",
            Part::ChatRooms => "chat_rooms",
            Part::ChatMessages => "chat_messages",
        }
    }

    /// The column that a row is known by.
    pub fn key(self) -> &'static str {
        match self {
            Part::Acls | Part::Tasks | Part::IdmChanges | Part::Activities => "id",
            _ => "uuid",
        }
    }

    /// The columns, the key first.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Part::Users => &["uuid", "login", "group_path", "group_label", "is_group", "profile", "roles", "locks"],
            Part::Roles => &["uuid", "label", "is_team", "group_role", "user_role", "last_updated"],
            Part::Workspaces => &["uuid", "slug", "label", "description", "scope", "last_updated"],
            Part::Acls => &["id", "action_name", "action_value", "role_id", "workspace_id", "node_id"],
            Part::TreeNodes => {
                &["uuid", "parent_uuid", "path", "type", "size", "mtime", "mode", "etag", "meta", "user_meta", "silent"]
            }
            Part::Tasks => &[
                "id",
                "job_id",
                "status",
                "status_message",
                "trigger_owner",
                "start_time",
                "end_time",
                "can_stop",
                "can_pause",
                "has_progress",
                "progress",
                "job",
            ],
            Part::IdmChanges => &["id", "event"],
            Part::Activities => &["id", "owner_type", "owner_id", "box_name", "activity"],
            Part::ChatRooms => &["uuid", "type", "object", "label", "users", "presence", "last_updated"],
            Part::ChatMessages => &["uuid", "room_uuid", "seq", "author", "timestamp", "message", "activity", "info"],
        }
    }

    /// The part with this name.
    pub fn named(name: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// What the columns are called where they have other names than in the reference schema.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<(Part, String), String>);

impl Names {
    /// Part, column of the reference schema, name.
    pub fn new(renamed: impl IntoIterator<Item = (Part, String, String)>) -> Names {
        Names(renamed.into_iter().map(|(part, column, name)| ((part, column), name)).collect())
    }

    /// The name of a column.
    pub fn of<'a>(&'a self, part: Part, column: &'a str) -> &'a str {
        self.0.get(&(part, column.to_owned())).map_or(column, String::as_str)
    }

    /// A row as its columns; `None` when it is no object.
    pub fn fields<'a>(&'a self, part: Part, id: &'a str, row: &'a Document) -> Option<Fields<'a>> {
        Some(Fields { part, names: self, id, row: row.value().as_object()? })
    }
}

/// The columns of one row, by their names in the reference schema.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    part: Part,
    names: &'a Names,
    id: &'a str,
    row: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// A column; `None` when it is absent or null.
    pub fn value(&self, column: &str) -> Option<&'a Value> {
        self.row.get(self.names.of(self.part, column)).filter(|value| !value.is_null())
    }

    /// What the row is known by.
    pub fn key(&self) -> Arc<str> {
        match self.text(self.part.key()) {
            "" => self.id.into(),
            key => key.into(),
        }
    }

    /// A text; empty when there is none.
    pub fn text(&self, column: &str) -> &'a str {
        self.value(column).and_then(Value::as_str).unwrap_or_default()
    }

    /// A whole number; 0 when there is none.
    pub fn number(&self, column: &str) -> i64 {
        match self.value(column) {
            Some(Value::String(text)) => text.parse().unwrap_or_default(),
            Some(value) => value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).unwrap_or_default(),
            None => 0,
        }
    }

    /// Whether it says yes.
    pub fn flag(&self, column: &str) -> bool {
        self.value(column).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The texts of a list.
    pub fn texts(&self, column: &str) -> Vec<Arc<str>> {
        let values = self.value(column).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(Arc::from).collect()
    }

    /// The members of an object; none when it is absent. Text that is JSON counts as what it says.
    pub fn object(&self, column: &str) -> Map<String, Value> {
        match self.value(column) {
            Some(Value::Object(object)) => object.clone(),
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            _ => Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_read_whatever_its_columns_are_called_and_lack() {
        let names = Names::new([(Part::Users, "login".to_owned(), "account".to_owned())]);
        let row = Document::new(json!({"account": "alice", "roles": ["a", 7, "b"], "is_group": null, "n": "12"}));
        let fields = names.fields(Part::Users, "u-1", &row).expect("an object");
        assert_eq!((&*fields.key(), fields.text("login"), fields.text("profile")), ("u-1", "alice", ""));
        assert_eq!(fields.texts("roles"), ["a".into(), "b".into()]);
        assert_eq!((fields.flag("is_group"), fields.number("n"), fields.number("m")), (false, 12, 0));
        assert!(fields.object("meta").is_empty());
        assert!(names.fields(Part::Users, "u-1", &Document::new(json!([]))).is_none());
    }

    #[test]
    fn every_part_is_found_by_its_name() {
        for part in Part::ALL {
            assert_eq!(Part::named(part.name()), Some(part));
            assert_eq!(part.columns().first(), Some(&part.key()));
        }
    }
}
