use super::*;
use crate::audience::{Role, Who};
use serde_json::json;

fn flat(part: Part) -> Mapping {
    Mapping::new(part, Shape::Flat, &[])
}

fn columns(part: Part) -> Mapping {
    Mapping::new(part, Shape::Columns, &[])
}

fn file(mapping: &Mapping, id: &str, row: Value) -> Option<File> {
    mapping.members(id, &row).and_then(File::read)
}

#[test]
fn a_file_reads_the_same_from_columns_and_from_a_flat_document() {
    let of_columns = json!({
        "id": "S1", "key": "S1", "kind": "Core#Space", "owner": "u1", "parents": ["S0"], "info": {"name": "s1"},
        "body": {"labels": ["a"], "iconColor": null}, "last_modified": {"user": "u1", "time": 5}, "deleted": false,
        "deleted_info": null, "change": {"n": "c1"},
    });
    let of_document = json!({
        "id": "S1", "kind": "Core#Space", "owner": "u1", "parents": ["S0"], "info": {"name": "s1"}, "labels": ["a"],
        "iconColor": null, "lastModified": {"user": "u1", "time": 5}, "_change": {"n": "c1"},
    });
    let one = file(&columns(Part::Files), "S1", of_columns).unwrap();
    assert_eq!(Some(&one), file(&flat(Part::Files), "S1", of_document).as_ref());
    assert_eq!(
        (&*one.key, &*one.kind, &*one.owner, one.parent().map(|key| &**key)),
        ("S1", "Core#Space", "u1", Some("S0"))
    );
    for mapping in [columns(Part::Files), flat(Part::Files)] {
        let row = mapping.row(one.members());
        assert_eq!(file(&mapping, "S1", row), Some(one.clone()), "what is written reads back");
    }
}

#[test]
fn every_column_of_a_row_is_written() {
    let one =
        file(&columns(Part::Files), "S1", json!({"kind": "Core#Space", "owner": "u1", "body": {"x": 1}})).unwrap();
    let row = columns(Part::Files).row(one.members());
    let expected = json!({
        "key": "S1", "kind": "Core#Space", "owner": "u1", "parents": [], "info": {}, "body": {"x": 1},
        "last_modified": null, "deleted": false, "deleted_info": null, "change": null,
    });
    assert_eq!(row, expected);
}

#[test]
fn a_file_as_clients_see_it_has_its_defaults_and_live_permissions() {
    let one = file(
        &flat(Part::Files),
        "S1",
        json!({"id": "S1", "kind": "K", "owner": "u1", "capabilities": 1, "deleted": true}),
    );
    let given = json!({"file": "S1", "seq": 1, "type": "user", "owner": "u2", "role": "reader", "addingUser": "u1"});
    let given = flat(Part::Permissions).members("R1", &given).and_then(Permission::read).unwrap();
    let expected = json!({
        "key": "S1", "kind": "K", "owner": "u1", "parents": [], "info": {}, "lastModified": {"user": "u1", "time": 0},
        "permissionIds": ["R1"],
        "permissions": [{"kind": "Core#Permission", "key": "R1", "type": "user", "owner": "u2", "role": "reader", "addingUser": "u1"}],
    });
    assert_eq!(one.unwrap().document([&given]), expected);
}

#[test]
fn a_row_that_cannot_be_read_is_none_and_no_failure() {
    for row in [
        json!(null),
        json!([]),
        json!({"kind": "K"}),
        json!({"owner": "u1"}),
        json!({"kind": "K", "owner": 7}),
        json!({"kind": "K", "owner": "u1", "parents": "S0"}),
        json!({"kind": "K", "owner": "u1", "parents": [1]}),
        json!({"kind": "K", "owner": "u1", "deleted": "yes"}),
        json!({"kind": "K", "owner": "u1", "info": []}),
        json!({"kind": "K", "owner": "u1", "lastModified": 5}),
    ] {
        assert_eq!(file(&flat(Part::Files), "S1", row.clone()), None, "{row}");
    }
    let permission = |row: &Value| columns(Part::Permissions).members("R1", row).and_then(Permission::read);
    let good = json!({"file": "S1", "type": "user", "owner": "u2", "role": "reader", "adding_user": "u1"});
    assert!(permission(&good).is_some());
    for (name, value) in [
        ("file", json!(null)),
        ("type", json!("other")),
        ("owner", json!(null)),
        ("role", json!("king")),
        ("adding_user", json!(1)),
        ("expiration_time", json!("soon")),
    ] {
        let mut row = good.clone();
        row[name] = value;
        assert_eq!(permission(&row), None, "{row}");
    }
}

#[test]
fn permissions_media_revisions_and_users_are_written_as_they_read() {
    for mapping in [flat as fn(Part) -> Mapping, columns] {
        let permission = Permission {
            key: "R1".into(),
            file: "S1".into(),
            order: Order::Unknown,
            who: Who::Group("ops".into()),
            role: Role::Commenter,
            adding_user: "u1".into(),
            display_name: Some("Ops".into()),
            expiration_time: Some(7),
            deleted: true,
            deleted_time: Some(6),
            deleting_user: Some("u1".into()),
            n: Some("c1".into()),
        };
        let of = mapping(Part::Permissions);
        assert_eq!(of.members("R1", &of.row(permission.members())).and_then(Permission::read), Some(permission));
        let change = json!({"n": "c1"});
        let media = Media {
            key: "P1".into(),
            mime: "a/b".into(),
            value: json!("x"),
            revised: 3,
            deleted: false,
            change: Some(change),
        };
        let of = mapping(Part::Media);
        assert_eq!(of.members("P1", &of.row(media.members())).and_then(Media::read), Some(media));
        let revision = Revision {
            id: "r".into(),
            key: "P1".into(),
            kind: "K".into(),
            created: 5,
            deleted: false,
            patch: json!([]),
            modification: json!({"user": "u1"}),
            n: None,
        };
        let of = mapping(Part::Revisions);
        assert_eq!(of.members("r", &of.row(revision.members())).and_then(Revision::read), Some(revision));
        let rest = Members::from_iter([("locale".to_owned(), json!("en"))]);
        let user = User { key: "u1".into(), name: "One".into(), rest };
        let of = mapping(Part::Users);
        assert_eq!(of.members("u1", &of.row(user.members())).and_then(User::read), Some(user));
    }
}

#[test]
fn a_database_names_columns_as_it_likes_and_draws_seq_itself() {
    let fields = [("addingUser".to_owned(), "given_by".to_owned()), ("change".to_owned(), "c".to_owned())];
    let mapping = Mapping::new(Part::Permissions, Shape::Columns, &fields);
    let row = json!({"file": "S1", "seq": 9, "type": "anyone", "role": "reader", "given_by": "u1", "c": "c1"});
    let permission = mapping.members("R1", &row).and_then(Permission::read).unwrap();
    assert_eq!((permission.n.as_deref(), permission.order.clone()), (Some("c1"), Order::Number(9)));
    let written = mapping.row(permission.members());
    assert_eq!((&written["given_by"], written.get("seq"), &written["owner"]), (&json!("u1"), None, &Value::Null));
}

#[test]
fn a_change_record_is_what_is_told_or_the_id_alone() {
    let record = json!({
        "n": "c1", "id": 7, "app": "x", "appVersion": "1", "patch": [], "revert": [], "user": "u1"
    });
    let change = Change::read(&record).unwrap();
    assert_eq!(change.to_value(), record);
    assert_eq!(Change::read(&json!({"n": "c1"})).map(|change| change.told), Some(None));
    assert_eq!(Change::read(&json!({"id": "c1"})), None);
    assert_eq!(n_of(&json!("c2")).as_deref(), Some("c2"));
}
