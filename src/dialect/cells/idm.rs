//! A change of identities and rights: users, roles, workspaces, access rules.

use crate::dialect::cells::shape::{Field, Object, Shape, Unreadable, add};
use serde_json::{Map, Value};
use std::sync::Arc;

const TYPES: &[&str] = &["CREATE", "READ", "UPDATE", "DELETE", "BIND", "LOGOUT"];
const SCOPES: &[&str] = &["ANY", "ADMIN", "ROOM", "LINK"];

const USER: &Shape = &[
    ("Uuid", Field::Text),
    ("GroupPath", Field::Text),
    ("Login", Field::Text),
    ("IsGroup", Field::Flag),
    ("GroupLabel", Field::Text),
];

const ROLE: &Shape = &[
    ("Uuid", Field::Text),
    ("Label", Field::Text),
    ("IsTeam", Field::Flag),
    ("GroupRole", Field::Flag),
    ("UserRole", Field::Flag),
    ("LastUpdated", Field::Number),
];

const WORKSPACE: &Shape = &[
    ("UUID", Field::Text),
    ("Label", Field::Text),
    ("Description", Field::Text),
    ("Slug", Field::Text),
    ("Scope", Field::Word(SCOPES)),
    ("LastUpdated", Field::Number),
];

const ACTION: &Shape = &[("Name", Field::Text), ("Value", Field::Text)];

const ACL: &Shape = &[
    ("ID", Field::Text),
    ("Action", Field::Message(ACTION)),
    ("RoleID", Field::Text),
    ("WorkspaceID", Field::Text),
    ("NodeID", Field::Text),
];

const SHAPE: &Shape = &[
    ("Type", Field::Word(TYPES)),
    ("User", Field::Message(USER)),
    ("Role", Field::Message(ROLE)),
    ("Workspace", Field::Message(WORKSPACE)),
    ("Acl", Field::Message(ACL)),
    ("Attributes", Field::Any),
];

/// A change of identities, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idm {
    pub concerns: Concerns,
    pub text: String,
}

/// Who is told of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerns {
    /// Whoever has this role.
    Role(Arc<str>),
    /// The user with this uuid or, without one, this login.
    User {
        uuid: Arc<str>,
        login: Arc<str>,
    },
    /// Whoever has this workspace.
    Workspace(Arc<str>),
    Nobody,
}

impl Idm {
    /// Reads `{"Type":…,"Acl":{…}}`.
    ///
    /// # Errors
    /// When something in it is of another type than it should be.
    pub fn read(event: &Map<String, Value>) -> Result<Idm, Unreadable> {
        let mut object = Object::default();
        object.text("@type", "idm");
        add(&mut object, SHAPE, event)?;
        Ok(Idm { concerns: Concerns::of(event), text: object.end() })
    }
}

impl Concerns {
    fn of(event: &Map<String, Value>) -> Concerns {
        let part = |name: &str| event.get(name).and_then(Value::as_object);
        let text = |part: &Map<String, Value>, key: &str| -> Arc<str> {
            part.get(key).and_then(Value::as_str).unwrap_or_default().into()
        };
        if let Some(acl) = part("Acl") {
            let action = acl.get("Action").and_then(|action| action.get("Name")).and_then(Value::as_str);
            let action = action.unwrap_or_default();
            let role = text(acl, "RoleID");
            if !role.is_empty() && !action.starts_with("parameter:") && !action.starts_with("action:") {
                return Concerns::Role(role);
            }
        }
        if let Some(role) = part("Role") {
            return Concerns::Role(text(role, "Uuid"));
        }
        if let Some(user) = part("User") {
            return match user.get("IsGroup").and_then(Value::as_bool) {
                Some(true) => Concerns::Nobody,
                _ => Concerns::User { uuid: text(user, "Uuid"), login: text(user, "Login") },
            };
        }
        part("Workspace").map_or(Concerns::Nobody, |workspace| Concerns::Workspace(text(workspace, "UUID")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: Value) -> Idm {
        Idm::read(event.as_object().expect("an object")).expect("a change of identities")
    }

    #[test]
    fn the_first_that_applies_says_who_is_told() {
        let acl = |role: &str, action: &str| json!({"ID": "a", "RoleID": role, "Action": {"Name": action}});
        for (event, concerns) in [
            (json!({"Acl": acl("r", "read")}), Concerns::Role("r".into())),
            (json!({"Acl": acl("", "read"), "Workspace": {"UUID": "w"}}), Concerns::Workspace("w".into())),
            (json!({"Acl": acl("r", "parameter:core:x")}), Concerns::Nobody),
            (json!({"Acl": acl("r", "action:x"), "Role": {"Uuid": "q"}}), Concerns::Role("q".into())),
            (json!({"User": {"Uuid": "u", "Login": "l"}}), Concerns::User { uuid: "u".into(), login: "l".into() }),
            (json!({"User": {"Login": "l"}}), Concerns::User { uuid: "".into(), login: "l".into() }),
            (json!({"User": {"Uuid": "u", "IsGroup": true}}), Concerns::Nobody),
            (json!({}), Concerns::Nobody),
        ] {
            assert_eq!(read(event.clone()).concerns, concerns, "{event}");
        }
    }

    #[test]
    fn only_what_everybody_may_know_is_told() {
        let event = json!({"@type": "other", "Type": 2, "JsonType": "idm", "User": {"Uuid": "u-alice", "GroupPath": "/",
            "Login": "alice", "Password": "secret", "Policies": [{}], "Attributes": {"email": "a@b"}}});
        let text = r#"{"@type":"idm","Type":"UPDATE","User":{"Uuid":"u-alice","GroupPath":"/","Login":"alice"}}"#;
        assert_eq!(read(event).text, text);
        let workspace = json!({"Type": "DELETE", "Workspace": {"UUID": "ws-1", "Label": "Common Files",
            "Slug": "common-files", "Scope": 1}});
        let text = r#"{"@type":"idm","Type":"DELETE","Workspace":{"UUID":"ws-1","Label":"Common Files","Slug":"common-files","Scope":"ADMIN"}}"#;
        assert_eq!(read(workspace).text, text);
    }
}
