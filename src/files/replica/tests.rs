use super::*;
use crate::audience::{Role, Sight};
use crate::document::Document;
use crate::event::{Stamp, Timestamp};
use crate::files::rows::Shape;
use serde_json::{Value, json};

/// A replica of flat documents, with the number of the newest change.
struct World {
    replica: FilesReplica,
    echo: Arc<Echo>,
    number: u64,
}

impl World {
    fn new(access_to: AccessTo) -> World {
        let place = |part: Part| Place {
            resource: part.name().into(),
            mapping: Mapping::new(part, Shape::Flat, &[]),
            is_public: part == Part::Media,
        };
        let places = Part::ALL.into_iter().map(place).collect();
        let settings = Settings { places, messages: "messages".into(), access_to };
        let echo = Arc::new(Echo::default());
        World { replica: FilesReplica::new(settings, echo.clone(), Arc::default()), echo, number: 0 }
    }

    /// A change of a row; what is told of it.
    fn change(&mut self, part: Part, id: &str, before: Option<Value>, after: Option<Value>) -> Vec<Logged> {
        self.number += 1;
        self.change_at(self.number, part, id, before, after)
    }

    fn change_at(
        &mut self,
        number: u64,
        part: Part,
        id: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Vec<Logged> {
        let event = event(part.name(), number, id, before, after);
        let mut out = Vec::new();
        self.replica.take(event, Audience::Everyone, &mut out);
        out
    }

    fn create(&mut self, part: Part, id: &str, row: Value) -> Vec<Logged> {
        self.change(part, id, None, Some(row))
    }
}

fn event(resource: &str, number: u64, id: &str, before: Option<Value>, after: Option<Value>) -> ResourceEvent {
    let operation = match (&before, &after) {
        (None, Some(_)) => Operation::Created,
        (_, None) => Operation::Removed,
        _ => Operation::Updated,
    };
    let (before, after) = (before.map(Document::new), after.map(Document::new));
    let stamp = Stamp::Offset(number);
    ResourceEvent { resource: resource.into(), id: id.into(), operation, before, after, time: Timestamp(0), stamp }
}

fn space(owner: &str, more: Value) -> Value {
    let mut row = json!({"kind": "Core#Space", "owner": owner});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

fn grant(file: &str, user: &str, more: Value) -> Value {
    let mut row = json!({"file": file, "seq": 1, "type": "user", "owner": user, "role": "reader", "addingUser": "u1"});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// The operations that were told, each with those of these subjects who hear it.
fn told(logged: &[Logged]) -> Vec<String> {
    let messages = logged.iter().filter(|(event, _)| *event.resource == *"messages");
    let line = |(event, audience): &Logged| {
        let document = event.after.as_ref().unwrap().value();
        let hears = |subject: &&str| {
            let sight = Sight { subject: Some((*subject).into()), is_named: true, ..Sight::default() };
            audience.shows_after(&sight, 0)
        };
        let hearers: Vec<&str> = ["u1", "u2", "u3", "u4"].into_iter().filter(hears).collect();
        format!("{} {}", document["message"]["operation"].as_str().unwrap(), hearers.join(" "))
    };
    messages.map(line).collect()
}

fn patch_of(logged: &Logged) -> &Value {
    &logged.0.after.as_ref().unwrap().value()["message"]["data"]
}

#[test]
fn each_change_of_a_file_reaches_who_has_a_role_on_it() {
    let mut world = World::new(AccessTo::Affected);
    assert_eq!(told(&world.create(Part::Files, "S1", space("u1", json!({})))), ["created u1"]);
    world.create(Part::Permissions, "R1", grant("S1", "u2", json!({})));
    assert_eq!(told(&world.create(Part::Files, "S2", space("u3", json!({"parents": ["S1"]})))), ["created u1 u2 u3"]);
    let (old, new) = (space("u1", json!({})), space("u1", json!({"labels": ["x"]})));
    assert_eq!(told(&world.change(Part::Files, "S1", Some(old.clone()), Some(new.clone()))), ["patch u1 u2"]);
    assert_eq!(told(&world.change(Part::Files, "S1", Some(new.clone()), Some(new.clone()))), Vec::<String>::new());
    let gone = world.change(Part::Files, "S1", Some(new), None);
    assert_eq!(told(&gone), ["deleted u1 u2", "deleted u1 u2"]);
    assert_eq!(told(&world.change(Part::Permissions, "R1", None, None)), Vec::<String>::new());
    let (child, moved) = (space("u3", json!({"parents": ["S1"]})), space("u3", json!({})));
    assert_eq!(told(&world.change(Part::Files, "S2", Some(child), Some(moved))), ["patch u3"]);
}

#[test]
fn each_change_of_a_permission_reaches_its_user_and_the_list_the_others() {
    let mut world = World::new(AccessTo::Affected);
    world.create(Part::Files, "S1", space("u1", json!({})));
    assert_eq!(
        told(&world.create(Part::Permissions, "R1", grant("S1", "u2", json!({})))),
        ["access-granted u2", "patch u1 u2"]
    );
    let other = world.change(Part::Permissions, "R1", None, Some(grant("S1", "u3", json!({}))));
    assert_eq!(told(&other), ["access-removed u2", "access-granted u3", "patch u1 u3"]);
    let same = world.change(Part::Permissions, "R1", None, Some(grant("S1", "u3", json!({}))));
    assert_eq!(told(&same), Vec::<String>::new());
    let own = world.change(Part::Permissions, "R1", None, Some(grant("S1", "u3", json!({"_change": "c1"}))));
    assert_eq!(told(&own), ["access-granted u3"], "its writer tells of the list");
    let deleted = grant("S1", "u3", json!({"_change": "c1", "deleted": true}));
    assert_eq!(told(&world.change(Part::Permissions, "R1", None, Some(deleted))), ["access-removed u3", "patch u1"]);
    assert_eq!(told(&world.change(Part::Permissions, "R1", None, None)), Vec::<String>::new(), "a tombstone");
    let marker = grant("S1", "u4", json!({"deleted": true}));
    assert_eq!(told(&world.create(Part::Permissions, "M1", marker)), ["access-removed u4"]);
    let anyone = json!({"file": "S1", "type": "anyone", "role": "reader", "addingUser": "u1"});
    assert_eq!(told(&world.create(Part::Permissions, "R2", anyone)), ["patch u1"]);
    assert_eq!(told(&world.create(Part::Permissions, "R3", grant("none", "u2", json!({})))), Vec::<String>::new());
}

#[test]
fn with_an_audience_of_everyone_all_hear_of_access() {
    let mut world = World::new(AccessTo::Everyone);
    world.create(Part::Files, "S1", space("u1", json!({})));
    assert_eq!(told(&world.create(Part::Permissions, "R1", grant("S1", "u2", json!({}))))[0], "access-granted u1 u2");
    assert_eq!(told(&world.change(Part::Permissions, "R1", None, None))[0], "access-removed u1 u2");
}

#[test]
fn a_writer_that_names_its_change_is_told_in_its_own_words_once() {
    let mut world = World::new(AccessTo::Affected);
    let change = json!({"n": "c1", "id": "7", "app": "x", "appVersion": "1", "patch": [{"op": "test"}], "revert": []});
    world.create(Part::Files, "S1", space("u1", json!({})));
    let written = space("u1", json!({"a": 1, "_change": change}));
    let own = world.change(Part::Files, "S1", Some(space("u1", json!({}))), Some(written.clone()));
    assert_eq!((&patch_of(&own[0])["app"], &patch_of(&own[0])["patch"]), (&json!("x"), &json!([{"op": "test"}])));
    let later = space("u1", json!({"a": 2, "_change": change}));
    let plain = world.change(Part::Files, "S1", Some(written), Some(later));
    assert_eq!(patch_of(&plain[0])["patch"], json!([{"op": "replace", "path": "/a", "value": 2}]));
    assert_eq!(patch_of(&plain[0])["app"], json!("tidings"));
}

#[test]
fn contents_are_told_while_their_file_is_live() {
    let mut world = World::new(AccessTo::Affected);
    world.create(Part::Files, "P1", json!({"kind": "Core#Project", "owner": "u1"}));
    let media = |value: Value| json!({"mime": "application/json", "value": value});
    assert_eq!(told(&world.create(Part::Media, "P1", media(json!({"kind": "H", "n": 1})))), Vec::<String>::new());
    let changed = world.change(
        Part::Media,
        "P1",
        Some(media(json!({"kind": "H", "n": 1}))),
        Some(media(json!({"kind": "H", "n": 2}))),
    );
    assert_eq!(told(&changed), ["patch u1"]);
    assert_eq!(changed[0].0.after.as_ref().unwrap().value()["message"]["kind"], "H");
    assert_eq!(&*changed[1].0.resource, "media", "what is served by itself is logged too");
    let revision = json!({"key": "P1", "kind": "Core#Project", "created": 1, "patch": [], "modification": {}});
    assert_eq!(told(&world.create(Part::Revisions, "r", revision.clone())), ["created u1"]);
    let gone = world.change(Part::Media, "P1", Some(media(json!(2))), None);
    assert_eq!(gone[0].0.after.as_ref().unwrap().value()["message"]["kind"], "Core#Project");
    world.change(Part::Files, "P1", None, None);
    assert_eq!(told(&world.create(Part::Revisions, "r2", revision)), Vec::<String>::new());
}

#[test]
fn without_the_version_before_every_member_is_set() {
    let mut world = World::new(AccessTo::Affected);
    world.create(Part::Files, "S1", space("u1", json!({})));
    let event = ResourceEvent {
        operation: Operation::Updated,
        ..event("files", 9, "S1", None, Some(space("u1", json!({"a/b": 1}))))
    };
    let mut out = Vec::new();
    world.replica.take(event, Audience::Everyone, &mut out);
    let data = patch_of(&out[0]);
    assert_eq!(data["patch"][0], json!({"op": "add", "path": "/a~1b", "value": 1}));
    assert_eq!((data["patch"].as_array().unwrap().len(), &data["revert"]), (4, &json!([])));
}

#[test]
fn a_generated_id_is_the_same_in_every_replay() {
    let id = |number| {
        let mut world = World::new(AccessTo::Affected);
        world.create(Part::Files, "S1", space("u1", json!({})));
        let logged = world.change_at(number, Part::Files, "S1", Some(json!({})), Some(space("u1", json!({"a": 1}))));
        patch_of(&logged[0])["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(id(5), id(5));
    assert_ne!(id(5), id(6));
    assert_eq!(id(5).len(), 16);
}

#[test]
fn what_comes_late_moves_nothing_and_is_told_to_those_who_have_the_right_by_now() {
    let mut world = World::new(AccessTo::Affected);
    let load = |world: &mut World, part: Part, id: &str, row: Value| {
        world.replica.load(part.name(), vec![Row::new(id, Document::new(row))], Mark::Offset(10));
    };
    load(&mut world, Part::Files, "S1", space("u2", json!({"a": 2})));
    load(&mut world, Part::Permissions, "R1", grant("S1", "u3", json!({})));
    let created = world.change_at(3, Part::Files, "S1", None, Some(space("u1", json!({}))));
    assert_eq!(told(&created), ["created u2 u3"]);
    let given = space("u2", json!({"a": 1}));
    let changed = world.change_at(4, Part::Files, "S1", Some(space("u1", json!({}))), Some(given.clone()));
    assert_eq!(told(&changed), ["patch u2 u3"]);
    let late = world.change_at(5, Part::Permissions, "R0", Some(grant("S1", "u4", json!({}))), None);
    assert_eq!(told(&late), ["access-removed u4", "patch u2 u3"]);
    let now = world.change_at(11, Part::Files, "S1", Some(given), Some(space("u2", json!({"a": 3}))));
    assert_eq!(told(&now), ["patch u2 u3"]);
}

#[test]
fn an_unreadable_row_is_silence_and_gives_nobody_a_role() {
    let mut world = World::new(AccessTo::Affected);
    world.create(Part::Files, "S1", space("u1", json!({})));
    let broken = world.change(Part::Files, "S1", Some(space("u1", json!({}))), Some(json!({"kind": "Core#Space"})));
    assert_eq!(told(&broken), Vec::<String>::new());
    assert_eq!(world.replica.known.rights("S1"), Rights::default());
    assert_eq!(told(&world.create(Part::Files, "S2", space("u1", json!({})))), ["created u1"]);
}

#[test]
fn a_broken_history_breaks_that_of_the_messages() {
    let mut world = World::new(AccessTo::Affected);
    let mut out = Vec::new();
    let reset = ResourceEvent::reset("permissions".into(), crate::event::Reason::Epoch);
    world.replica.take(reset, Audience::Everyone, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!((&*out[0].0.resource, out[0].0.operation), ("messages", Operation::Reset(crate::event::Reason::Epoch)));
}

#[tokio::test]
async fn a_writer_hears_when_its_rows_were_published() {
    let mut world = World::new(AccessTo::Affected);
    let mut pending = world.echo.register("c1".into(), 1);
    world.create(Part::Files, "S1", space("u1", json!({"_change": {"n": "c1"}})));
    world.replica.published(&[], 42);
    assert_eq!(pending.logged().await, Some(42));
}

#[test]
fn roles_go_by_the_nearest_grant_up_to_a_deleted_parent() {
    let mut world = World::new(AccessTo::Affected);
    world.create(Part::Files, "A", space("u1", json!({})));
    world.create(Part::Files, "B", space("u2", json!({"parents": ["A"]})));
    world.create(Part::Permissions, "R1", grant("A", "u3", json!({"role": "writer"})));
    world.create(Part::Permissions, "R2", grant("B", "u3", json!({"role": "reader"})));
    let role = |world: &World, subject: &str| {
        let sight = Sight { subject: Some(subject.into()), ..Sight::default() };
        world.replica.known.rights("B").role(&sight, 0)
    };
    assert_eq!((role(&world, "u2"), role(&world, "u1")), (Some(Role::Owner), Some(Role::Owner)));
    assert_eq!(role(&world, "u3"), Some(Role::Reader), "a nearer grant overrides a farther one, even downwards");
    world.change(Part::Files, "A", None, Some(space("u1", json!({"deleted": true}))));
    assert_eq!((role(&world, "u1"), role(&world, "u3")), (None, Some(Role::Reader)));
}
