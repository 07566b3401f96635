//! What an entry of the log means: from the rows before and after, or from an event that somebody published.

use crate::cells::rights::Record;
use crate::cells::rows::{Fields, Names, Part};
use crate::dialect::cells::activity::Activity;
use crate::dialect::cells::idm::Idm;
use crate::dialect::cells::node::{INTERNAL, Kind, Namespace, Node, Policies, name_of};
use crate::dialect::cells::shape::Unreadable;
use crate::dialect::cells::task::Task;
use crate::dialect::cells::tree::{Action, TreeEvent};
use crate::event::{Operation, ResourceEvent};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Tree(TreeEvent),
    /// A node is somewhere else because a folder above it moved, which is told by that.
    Followed(Arc<Node>),
    Task(Task),
    Idm(Idm),
    Activity(Activity),
}

/// The row of a node.
struct NodeRow {
    node: Arc<Node>,
    /// `None`: the rows do not say.
    parent: Option<Arc<str>>,
    is_silent: bool,
}

/// What the change of a row means; of users, roles, workspaces and access rules nothing, for what was known of them
/// decides ([`idm`]).
///
/// # Errors
/// When the row cannot be read.
pub fn of_rows(part: Part, names: &Names, event: &ResourceEvent) -> Result<Option<Change>, Unreadable> {
    let fields = |document| names.fields(part, &event.id, document).ok_or(Unreadable);
    let before = event.before.as_ref().map(fields).transpose()?;
    let after = event.after.as_ref().filter(|_| event.operation != Operation::Removed).map(fields).transpose()?;
    match (part, after) {
        (Part::TreeNodes, after) => {
            let before = before.as_ref().map(NodeRow::read).transpose()?;
            let after = after.as_ref().map(NodeRow::read).transpose()?;
            Ok(of_nodes(before, after, event.operation))
        }
        (Part::Tasks, Some(after)) => Ok(Task::read(&task(&after))?.map(Change::Task)),
        (Part::Activities, Some(after)) if event.operation != Operation::Updated => {
            Ok(Some(Change::Activity(Activity::read(&activity(&after))?)))
        }
        _ => Ok(None),
    }
}

/// What an event means that somebody published.
///
/// # Errors
/// When it cannot be read.
pub fn of_event(part: Part, event: &Map<String, Value>) -> Result<Option<Change>, Unreadable> {
    match part {
        Part::TreeNodes => Ok(TreeEvent::read(event)?.map(Change::Tree)),
        Part::Tasks => Ok(Task::read(event)?.map(Change::Task)),
        Part::IdmChanges => Ok(Some(Change::Idm(Idm::read(event)?))),
        Part::Activities => Ok(Some(Change::Activity(Activity::read(event)?))),
        _ => Ok(None),
    }
}

/// An event of a node that does not say where it is, as far as its row does; `None`: nobody knows.
///
/// # Errors
/// When the row cannot be read.
pub fn completed(change: Change, row: Option<&Fields<'_>>) -> Result<Option<Change>, Unreadable> {
    let Change::Tree(event) = change else { return Ok(Some(change)) };
    let target = match &event.target {
        Some(target) if target.path.is_empty() => target,
        _ => return Ok(Some(Change::Tree(event))),
    };
    let Some(row) = row else { return Ok(None) };
    let mut node = node(row)?;
    node.meta.extend(target.meta.clone());
    Ok(Some(Change::Tree(TreeEvent { target: Some(Arc::new(node)), ..event })))
}

/// The node of a row.
///
/// # Errors
/// When it cannot be read.
pub fn node(fields: &Fields<'_>) -> Result<Node, Unreadable> {
    let meta = fields.object("meta").into_iter().filter(|(name, _)| !name.starts_with(INTERNAL));
    let meta: BTreeMap<_, _> = meta.map(|(name, value)| (name, value.to_string())).collect();
    let namespace = |(name, value): (String, Value)| {
        let policies = value.get("policies").and_then(|policies| Policies::read(policies).ok());
        let value = value.get("value").unwrap_or(&Value::Null).to_string();
        (name, Namespace { value, policies: policies.unwrap_or_default() })
    };
    Ok(Node {
        uuid: fields.key(),
        path: fields.text("path").trim_matches('/').into(),
        kind: fields.value("type").map_or(Ok(Kind::default()), Kind::read)?,
        size: fields.number("size"),
        mtime: fields.number("mtime"),
        mode: i32::try_from(fields.number("mode")).map_err(|_| Unreadable)?,
        etag: fields.text("etag").into(),
        meta,
        user_meta: fields.object("user_meta").into_iter().map(namespace).collect(),
    })
}

impl NodeRow {
    fn read(fields: &Fields<'_>) -> Result<NodeRow, Unreadable> {
        let parent = fields.value("parent_uuid").and_then(Value::as_str).map(Arc::from);
        Ok(NodeRow { node: Arc::new(node(fields)?), parent, is_silent: fields.flag("silent") })
    }

    /// Whether it was moved or renamed itself, and not only a folder above it.
    fn moved(&self, after: &NodeRow) -> bool {
        let is_renamed = name_of(&self.node.path) != name_of(&after.node.path);
        match (&self.parent, &after.parent) {
            (None, None) => self.node.path != after.node.path,
            (before, after) => before != after || is_renamed,
        }
    }
}

fn of_nodes(before: Option<NodeRow>, after: Option<NodeRow>, operation: Operation) -> Option<Change> {
    let (before, after) = match (before, after, operation) {
        (Some(before), None, _) => {
            let event = TreeEvent::new(Action::Delete, Some(before.node), None);
            return Some(Change::Tree(TreeEvent { is_silent: before.is_silent, ..event }));
        }
        (Some(before), Some(after), Operation::Updated) => (before, after),
        (_, Some(after), operation) => {
            let action = if operation == Operation::Updated { Action::UpdateMeta } else { Action::Create };
            let event = TreeEvent::new(action, None, Some(after.node));
            return Some(Change::Tree(TreeEvent { is_silent: after.is_silent, ..event }));
        }
        (None, None, _) => return None,
    };
    let (old, new) = (&before.node, &after.node);
    let mut readers = Vec::new();
    let action = if before.moved(&after) {
        Action::UpdatePath
    } else if old.path != new.path {
        return Some(Change::Followed(after.node));
    } else if old.etag != new.etag || old.size != new.size {
        Action::UpdateContent
    } else if old.kind != new.kind || old.mtime != new.mtime || old.mode != new.mode || old.meta != new.meta {
        Action::UpdateMeta
    } else if old.user_meta != new.user_meta {
        readers = changed(&old.user_meta, &new.user_meta);
        Action::UpdateUserMeta
    } else {
        return None;
    };
    let source = Some(before.node).filter(|_| action == Action::UpdatePath);
    let event = TreeEvent::new(action, source, Some(after.node));
    Some(Change::Tree(TreeEvent { is_silent: after.is_silent, readers, ..event }))
}

/// Who may read what changed: of what is gone, whoever could.
fn changed(before: &BTreeMap<String, Namespace>, after: &BTreeMap<String, Namespace>) -> Vec<Policies> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let new = after.iter().filter(|(name, namespace)| before.get(*name) != Some(namespace));
    gone.chain(new).map(|(_, namespace)| namespace.policies.clone()).collect()
}

fn task(fields: &Fields<'_>) -> Map<String, Value> {
    let mut job = fields.object("job");
    job.insert("ID".to_owned(), fields.text("job_id").into());
    let columns = [
        ("ID", "id"),
        ("JobID", "job_id"),
        ("Status", "status"),
        ("StatusMessage", "status_message"),
        ("TriggerOwner", "trigger_owner"),
        ("StartTime", "start_time"),
        ("EndTime", "end_time"),
        ("CanStop", "can_stop"),
        ("CanPause", "can_pause"),
        ("HasProgress", "has_progress"),
        ("Progress", "progress"),
    ];
    let mut task = renamed(fields, &columns);
    task.insert("ID".to_owned(), Value::from(&*fields.key()));
    [("TaskUpdated".to_owned(), Value::Object(task)), ("Job".to_owned(), Value::Object(job))].into_iter().collect()
}

fn activity(fields: &Fields<'_>) -> Map<String, Value> {
    let columns = [("OwnerType", "owner_type"), ("OwnerId", "owner_id"), ("BoxName", "box_name")];
    let mut activity = renamed(fields, &columns);
    activity.insert("Activity".to_owned(), Value::Object(fields.object("activity")));
    activity
}

/// Columns under the names of an event.
fn renamed(fields: &Fields<'_>, columns: &[(&str, &str)]) -> Map<String, Value> {
    let values = columns.iter().filter_map(|(name, column)| Some((*name, fields.value(column)?)));
    values.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// What is told of a change of users, roles, workspaces or access rules.
///
/// # Errors
/// When the row says what no such event can say.
pub fn idm(operation: Operation, key: &str, record: &Record) -> Result<Idm, Unreadable> {
    let (name, value) = match record {
        Record::User(user) => (
            "User",
            json!({"Uuid": key, "GroupPath": *user.group_path, "Login": *user.login, "IsGroup": user.is_group,
                "GroupLabel": *user.group_label}),
        ),
        Record::Role(role) => (
            "Role",
            json!({"Uuid": key, "Label": *role.label, "IsTeam": role.is_team, "GroupRole": role.group_role,
                "UserRole": role.user_role, "LastUpdated": role.last_updated}),
        ),
        Record::Workspace(workspace) => {
            let scope = if workspace.scope.is_empty() { "ANY" } else { &*workspace.scope };
            let value = json!({"UUID": key, "Label": *workspace.label, "Description": *workspace.description,
                "Slug": *workspace.slug, "Scope": scope, "LastUpdated": workspace.last_updated});
            ("Workspace", value)
        }
        Record::Acl(acl) => (
            "Acl",
            json!({"ID": key, "Action": {"Name": *acl.action, "Value": *acl.value}, "RoleID": *acl.role,
                "WorkspaceID": *acl.workspace, "NodeID": *acl.node}),
        ),
    };
    let kind = match operation {
        Operation::Updated => "UPDATE",
        Operation::Removed => "DELETE",
        _ => "CREATE",
    };
    let event: Map<String, Value> = [("Type".to_owned(), kind.into()), (name.to_owned(), value)].into_iter().collect();
    Idm::read(&event)
}

#[cfg(test)]
mod tests;
