//! A change of the tree, and what one workspace is told of it.

use crate::dialect::cells::node::{Node, Place, Policies};
use crate::dialect::cells::shape::{Object, Unreadable, word};
use serde_json::{Map, Value};
use std::sync::Arc;

const ACTIONS: [(&str, Option<Action>); 7] = [
    ("CREATE", Some(Action::Create)),
    ("READ", None),
    ("UPDATE_PATH", Some(Action::UpdatePath)),
    ("UPDATE_CONTENT", Some(Action::UpdateContent)),
    ("UPDATE_META", Some(Action::UpdateMeta)),
    ("DELETE", Some(Action::Delete)),
    ("UPDATE_USER_META", Some(Action::UpdateUserMeta)),
];

/// Under this name an event says who may read the metadata that changed.
const POLICIES: &str = "pydio:meta-policies";

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Create,
    UpdatePath,
    UpdateContent,
    UpdateMeta,
    Delete,
    UpdateUserMeta,
}

/// A change of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEvent {
    pub action: Action,
    /// As it was; known of a removal and of a move.
    pub source: Option<Arc<Node>>,
    /// As it is now; there is none after a removal.
    pub target: Option<Arc<Node>>,
    /// One of many, of which some may be left out.
    pub is_silent: bool,
    /// Of metadata of users that changed: who may read each.
    pub readers: Vec<Policies>,
    /// The target has only what changed, and not the whole node.
    pub is_partial: bool,
}

impl TreeEvent {
    /// A change with nothing more to say about it.
    pub fn new(action: Action, source: Option<Arc<Node>>, target: Option<Arc<Node>>) -> TreeEvent {
        TreeEvent { action, source, target, is_silent: false, readers: Vec::new(), is_partial: false }
    }

    /// Reads `{"Type":…,"Source":{…},"Target":{…},"Silent":…}`; `None`: nobody is told of it.
    ///
    /// # Errors
    /// When something in it is of another type than it should be.
    pub fn read(event: &Map<String, Value>) -> Result<Option<TreeEvent>, Unreadable> {
        let value = |key: &str| event.get(key).filter(|value| !value.is_null());
        let action = value("Type").map_or(Ok(0), |value| word(&ACTIONS.map(|(word, _)| word), value))?;
        let node = |key: &str| match value(key) {
            None => Ok(None),
            Some(node) => Node::read(node.as_object().ok_or(Unreadable)?).map(Arc::new).map(Some),
        };
        let (source, target) = (node("Source")?, node("Target")?);
        let is_silent = value("Silent").map_or(Ok(false), |silent| silent.as_bool().ok_or(Unreadable))?;
        let Some((_, Some(action))) = ACTIONS.get(action) else { return Ok(None) };
        let mut readers = Vec::new();
        if *action == Action::UpdateUserMeta {
            let policies = value("Source").and_then(|source| source.get("MetaStore")?.get(POLICIES)?.as_str());
            let Some(policies) = policies else { return Ok(None) };
            readers.push(Policies::read(&serde_json::from_str(policies).map_err(|_| Unreadable)?)?);
        }
        let is_told = match action {
            Action::Delete => source.is_some(),
            _ => target.is_some(),
        };
        let event = TreeEvent { action: *action, source, target, is_silent, readers, is_partial: true };
        Ok(Some(event).filter(|_| is_told))
    }

    /// What a workspace is told in which the source, the target or both are seen; `None`: nothing.
    pub fn write(
        &self,
        source: Option<&Place<'_>>,
        target: Option<&Place<'_>>,
        may_read: impl Fn(&Policies) -> bool,
    ) -> Option<String> {
        let seen = |node: &Option<Arc<Node>>, place: Option<&Place<'_>>| Some(node.as_ref()?.write(place?, &may_read));
        let (action, source, target) = match (self.action, seen(&self.source, source), seen(&self.target, target)) {
            (Action::UpdatePath, Some(source), Some(target)) => (Action::UpdatePath, Some(source), Some(target)),
            (Action::UpdatePath, None, Some(target)) => (Action::Create, None, Some(target)),
            (Action::UpdatePath | Action::Delete, Some(source), _) => (Action::Delete, Some(source), None),
            (Action::UpdatePath | Action::Delete, None, _) | (_, _, None) => return None,
            (action, _, target) => (action, None, target),
        };
        let mut object = Object::default();
        if action != Action::Create {
            object.text("Type", action.word());
        }
        source.into_iter().for_each(|node| object.object("Source", node));
        target.into_iter().for_each(|node| object.object("Target", node));
        Some(object.end())
    }
}

impl Action {
    fn word(self) -> &'static str {
        ACTIONS.iter().find(|(_, action)| *action == Some(self)).map(|(word, _)| *word).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: Value) -> Result<Option<TreeEvent>, Unreadable> {
        TreeEvent::read(event.as_object().expect("an object"))
    }

    fn told(event: &TreeEvent, source: Option<&str>, target: Option<&str>) -> Option<Value> {
        let place = |path: &str| Place { workspace: "w", path: path.to_owned(), is_root: false };
        let (source, target) = (source.map(place), target.map(place));
        event.write(source.as_ref(), target.as_ref(), |_| true).map(|text| serde_json::from_str(&text).expect("JSON"))
    }

    #[test]
    fn a_move_is_told_by_what_of_it_is_seen() {
        let node = |path: &str| json!({"Uuid": "n", "Path": path});
        let event =
            read(json!({"Type": "UPDATE_PATH", "Source": node("a/x"), "Target": node("b/x")})).unwrap().unwrap();
        let both = told(&event, Some("s/x"), Some("t/x")).unwrap();
        assert_eq!(
            (&both["Type"], &both["Source"]["Path"], &both["Target"]["Path"]),
            (&json!("UPDATE_PATH"), &json!("s/x"), &json!("t/x"))
        );
        let came = told(&event, None, Some("t/x")).unwrap();
        assert_eq!((came.get("Type"), came.get("Source"), &came["Target"]["Path"]), (None, None, &json!("t/x")));
        let went = told(&event, Some("s/x"), None).unwrap();
        assert_eq!(
            (&went["Type"], &went["Source"]["Path"], went.get("Target")),
            (&json!("DELETE"), &json!("s/x"), None)
        );
        assert_eq!(told(&event, None, None), None);
    }

    #[test]
    fn metadata_of_users_are_told_only_where_it_is_said_who_may_read_them() {
        let event =
            |store: Value| json!({"Type": 6, "Source": {"MetaStore": store}, "Target": {"Uuid": "n", "Path": "a"}});
        assert_eq!(read(event(json!({}))), Ok(None));
        assert_eq!(read(event(json!({"pydio:meta-policies": "{"}))), Err(Unreadable));
        let policies = r#"[{"Action":"READ","Subject":"*","Effect":"allow"}]"#;
        let event = read(event(json!({"pydio:meta-policies": policies}))).unwrap().unwrap();
        assert_eq!(event.readers.len(), 1);
        let text = told(&event, Some("s/a"), Some("s/a")).unwrap();
        assert_eq!((&text["Type"], text.get("Source")), (&json!("UPDATE_USER_META"), None));
    }

    #[test]
    fn what_nobody_is_told_of_and_what_cannot_be_read_are_different() {
        let node = json!({"Uuid": "n", "Path": "a"});
        for event in [json!({"Type": "READ", "Target": node}), json!({"Type": "DELETE", "Target": node}), json!({})] {
            assert_eq!(read(event.clone()), Ok(None), "{event}");
        }
        for event in [json!({"Type": "EAT"}), json!({"Target": "n"}), json!({"Silent": 1, "Target": node})] {
            assert_eq!(read(event.clone()), Err(Unreadable), "{event}");
        }
    }
}
