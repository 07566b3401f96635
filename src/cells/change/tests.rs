use super::*;
use crate::document::Document;
use crate::event::{Stamp, Timestamp};

fn event(operation: Operation, before: Option<Value>, after: Option<Value>) -> ResourceEvent {
    ResourceEvent {
        resource: "r".into(),
        id: "k".into(),
        operation,
        before: before.map(Document::new),
        after: after.map(Document::new),
        time: Timestamp(0),
        stamp: Stamp::None,
    }
}

fn of(part: Part, operation: Operation, before: Option<Value>, after: Option<Value>) -> Option<Change> {
    of_rows(part, &Names::default(), &event(operation, before, after)).expect("a row that can be read")
}

/// A row of a file, with some columns changed.
fn row(change: Value) -> Value {
    let mut row = json!({"uuid": "n", "parent_uuid": "p", "path": "a/b/n.txt", "type": "LEAF", "size": 1, "mtime": 7,
        "mode": 0, "etag": "e", "meta": {"mime": "x", "pydio:i": 1}, "user_meta": {}, "silent": false});
    row.as_object_mut().expect("an object").extend(change.as_object().expect("columns").clone());
    row
}

#[test]
fn every_change_of_a_node_is_called_what_it_is() {
    let namespace = json!({"t": {"value": "v", "policies": []}});
    for (change, action) in [
        (json!({"parent_uuid": "q", "path": "a/c/n.txt"}), Some(Action::UpdatePath)),
        (json!({"path": "a/b/m.txt"}), Some(Action::UpdatePath)),
        (json!({"parent_uuid": "q"}), Some(Action::UpdatePath)),
        (json!({"etag": "f", "mtime": 8}), Some(Action::UpdateContent)),
        (json!({"size": 2}), Some(Action::UpdateContent)),
        (json!({"type": "COLLECTION"}), Some(Action::UpdateMeta)),
        (json!({"mtime": 8, "user_meta": namespace}), Some(Action::UpdateMeta)),
        (json!({"mode": 1}), Some(Action::UpdateMeta)),
        (json!({"meta": {"mime": "y", "pydio:i": 1}}), Some(Action::UpdateMeta)),
        (json!({"meta": {"mime": "x", "pydio:i": 2}}), None),
        (json!({"user_meta": namespace}), Some(Action::UpdateUserMeta)),
        (json!({"silent": true}), None),
    ] {
        let told = of(Part::TreeNodes, Operation::Updated, Some(row(json!({}))), Some(row(change.clone())));
        let told = told.map(|told| match told {
            Change::Tree(event) => (event.action, event.source.is_some(), event.target.is_some()),
            other => panic!("{change}: {other:?}"),
        });
        assert_eq!(told, action.map(|action| (action, action == Action::UpdatePath, true)), "{change}");
    }
}

#[test]
fn a_node_that_follows_its_folder_is_told_by_nothing_of_its_own() {
    let after = row(json!({"path": "z/b/n.txt"}));
    let told = of(Part::TreeNodes, Operation::Updated, Some(row(json!({}))), Some(after.clone()));
    assert!(matches!(told, Some(Change::Followed(node)) if &*node.path == "z/b/n.txt"));
    let orphan = |path: &str| row(json!({"parent_uuid": null, "path": path}));
    let told = of(Part::TreeNodes, Operation::Updated, Some(orphan("a/n")), Some(orphan("z/n")));
    assert!(matches!(told, Some(Change::Tree(event)) if event.action == Action::UpdatePath), "nobody says otherwise");
}

#[test]
fn a_node_that_comes_or_goes_is_told_whole() {
    let silent = row(json!({"silent": true, "path": "/a/b/n.txt"}));
    match of(Part::TreeNodes, Operation::Created, None, Some(silent.clone())) {
        Some(Change::Tree(event)) => {
            assert_eq!((event.action, event.is_silent, event.source), (Action::Create, true, None));
            assert_eq!(&*event.target.expect("a node").path, "a/b/n.txt");
        }
        other => panic!("{other:?}"),
    }
    match of(Part::TreeNodes, Operation::Removed, Some(silent), None) {
        Some(Change::Tree(event)) => assert_eq!((event.action, event.target), (Action::Delete, None)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn metadata_of_users_are_for_those_who_may_read_what_changed() {
    let open = json!([{"Action": "READ", "Subject": "*", "Effect": "allow"}]);
    let own = json!([{"Action": "READ", "Subject": "user:a", "Effect": "allow"}]);
    let before =
        row(json!({"user_meta": {"gone": {"value": 1, "policies": own}, "kept": {"value": 1, "policies": open}}}));
    let after = row(json!({"user_meta": {"kept": {"value": 1, "policies": open}}}));
    let Some(Change::Tree(event)) = of(Part::TreeNodes, Operation::Updated, Some(before), Some(after)) else {
        panic!("a change")
    };
    let readers: Vec<bool> = event.readers.iter().map(|one| one.let_read(|subject| subject == "user:a")).collect();
    assert_eq!(readers, [true], "what is gone, and not what stayed");
    assert!(!event.readers[0].let_read(|subject| subject == "*"));
}

#[test]
fn tasks_and_activities_are_told_as_their_events_are() {
    let task = json!({"id": "t-1", "job_id": "copy-1", "status": "Running", "trigger_owner": "alice", "progress": 0.5,
        "start_time": 1_700_000_000, "can_stop": true, "status_message": null, "job": {"Label": "Copy"}});
    for operation in [Operation::Created, Operation::Updated] {
        let Some(Change::Task(told)) = of(Part::Tasks, operation, Some(task.clone()), Some(task.clone())) else {
            panic!("a task")
        };
        let text = r#"{"TaskUpdated":{"ID":"t-1","JobID":"copy-1","Status":"Running","TriggerOwner":"alice","StartTime":1700000000,"CanStop":true,"Progress":0.5},"Job":{"ID":"copy-1","Label":"Copy"}}"#;
        assert_eq!(told.text, text);
    }
    assert_eq!(of(Part::Tasks, Operation::Removed, Some(task), None), None);
    let activity =
        json!({"id": "x", "owner_type": "USER", "owner_id": "bob", "box_name": "inbox", "activity": {"a": 1}});
    assert!(matches!(
        of(Part::Activities, Operation::Created, None, Some(activity.clone())),
        Some(Change::Activity(_))
    ));
    assert_eq!(of(Part::Activities, Operation::Updated, Some(activity.clone()), Some(activity)), None);
}

#[test]
fn identities_are_told_without_what_is_nobodys_business() {
    let names = Names::default();
    let idm_of = |part, operation, row: Value| {
        let row = Document::new(row);
        let fields = names.fields(part, "k", &row).expect("an object");
        idm(operation, &fields.key(), &Record::read(part, &fields).expect("a record")).expect("a change").text
    };
    let user = json!({"uuid": "u", "login": "alice", "password": "x", "roles": ["r"], "locks": []});
    assert_eq!(
        idm_of(Part::Users, Operation::Updated, user),
        r#"{"@type":"idm","Type":"UPDATE","User":{"Uuid":"u","GroupPath":"/","Login":"alice"}}"#
    );
    assert_eq!(
        idm_of(Part::Roles, Operation::Created, json!({"uuid": "r", "label": "L", "last_updated": 7})),
        r#"{"@type":"idm","Role":{"Uuid":"r","Label":"L","LastUpdated":7}}"#
    );
    assert_eq!(
        idm_of(Part::Workspaces, Operation::Removed, json!({"uuid": "w", "slug": "s", "scope": "LINK"})),
        r#"{"@type":"idm","Type":"DELETE","Workspace":{"UUID":"w","Slug":"s","Scope":"LINK"}}"#
    );
}

#[test]
fn an_event_that_does_not_say_where_its_node_is_is_completed_or_dropped() {
    let event = json!({"Type": 4, "Target": {"Uuid": "n", "MetaStore": {"count": "3"}}});
    let change = of_event(Part::TreeNodes, event.as_object().expect("an object")).expect("readable").expect("told");
    assert_eq!(completed(change.clone(), None), Ok(None));
    let (names, row) = (Names::default(), Document::new(row(json!({}))));
    let fields = names.fields(Part::TreeNodes, "n", &row);
    let Ok(Some(Change::Tree(event))) = completed(change, fields.as_ref()) else { panic!("it is completed") };
    let node = event.target.expect("a node");
    assert_eq!((&*node.path, node.meta.get("count").map(String::as_str), node.meta.len()), ("a/b/n.txt", Some("3"), 2));
}
