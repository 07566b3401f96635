//! An activity: somebody did something that somebody else wants to know.

use crate::dialect::cells::shape::{Field, Object, Shape, Unreadable, add, word};
use serde_json::{Map, Value};
use std::sync::Arc;

const OWNERS: &[&str] = &["NODE", "USER"];

const SHAPE: &Shape =
    &[("OwnerType", Field::Word(OWNERS)), ("OwnerId", Field::Text), ("BoxName", Field::Text), ("Activity", Field::Any)];

/// An activity in a box, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The login that it is for; `None`: nobody is told.
    pub login: Option<Arc<str>>,
    pub text: String,
}

impl Activity {
    /// Reads `{"OwnerType":…,"OwnerId":…,"BoxName":…,"Activity":{…}}`.
    ///
    /// # Errors
    /// When something in it is of another type than it should be.
    pub fn read(event: &Map<String, Value>) -> Result<Activity, Unreadable> {
        let mut event = event.clone();
        let is_for_user = event.get("OwnerType").map(|owner| word(OWNERS, owner)).transpose()? == Some(1);
        let owner = event.get("OwnerId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut is_own = false;
        if let Some(activity) = event.get_mut("Activity").filter(|activity| !activity.is_null()) {
            let activity = activity.as_object_mut().ok_or(Unreadable)?;
            is_own = activity.get("actor").and_then(|actor| actor.get("id")).is_some_and(|id| *id == *owner);
            for place in ["object", "origin", "target"] {
                let name = activity.get_mut(place).and_then(|object| object.get_mut("name"));
                if let Some(Value::String(name)) = name {
                    *name = last_segment(name).to_owned();
                }
            }
        }
        let mut object = Object::default();
        object.text("@type", "activity");
        add(&mut object, SHAPE, &event)?;
        let login = (is_for_user && !is_own && !owner.is_empty()).then(|| owner.into());
        Ok(Activity { login, text: object.end() })
    }
}

/// What stands behind the last slash; slashes at the end do not count.
pub fn last_segment(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: Value) -> Result<Activity, Unreadable> {
        Activity::read(event.as_object().expect("an object"))
    }

    #[test]
    fn an_activity_is_for_its_owner_unless_that_is_who_acted() {
        let event = |owner: Value, actor: &str| {
            json!({"@type": "x", "OwnerType": owner, "OwnerId": "bob", "BoxName": "inbox",
                "Activity": {"type": "Update", "actor": {"id": actor}, "object": {"type": "Document", "name": "d/a.txt"}}})
        };
        let activity = read(event(json!("USER"), "alice")).unwrap();
        let text = r#"{"@type":"activity","OwnerType":"USER","OwnerId":"bob","BoxName":"inbox","Activity":{"actor":{"id":"alice"},"object":{"name":"a.txt","type":"Document"},"type":"Update"}}"#;
        assert_eq!((activity.login.as_deref(), activity.text.as_str()), (Some("bob"), text));
        assert_eq!(read(event(json!(1), "bob")).unwrap().login, None, "the actor");
        assert_eq!(read(event(json!("NODE"), "alice")).unwrap().login, None, "of a node");
        assert_eq!(read(event(json!("GROUP"), "alice")), Err(Unreadable));
    }
}
