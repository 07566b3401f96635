use super::*;
use crate::audience::{Sight, Who};
use crate::dialect::misakey::anonymous;
use crate::document::Document;
use crate::event::{Stamp, Timestamp};
use crate::misakey::PUSHED;

/// A replica with the number of the newest change.
struct World {
    replica: BoxesReplica,
    outdated: Arc<Outdated>,
    number: u64,
}

impl World {
    fn new() -> World {
        let place = |role: Role| Place {
            role,
            resource: role.name().into(),
            is_public: role == Role::Identities,
            is_held: matches!(role, Role::SavedFiles | Role::EventCounts),
        };
        let outdated = Arc::new(Outdated::default());
        let settings = Settings {
            places: Role::ALL.into_iter().map(place).collect(),
            messages: "messages".into(),
            push_types: PUSHED.iter().map(|kind| (*kind).to_owned()).collect(),
            outdated: Some(outdated.clone()),
        };
        let replica = BoxesReplica::new(settings, Identities::new(Box::new(|_| Ok(None))), Arc::default());
        World { replica, outdated, number: 0 }
    }

    /// A change of a row; what is told of it: the message's object and who gets it.
    fn change(
        &mut self,
        role: Role,
        id: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Vec<(Value, Vec<String>)> {
        self.number += 1;
        let operation = match (&before, &after) {
            (None, Some(_)) => Operation::Created,
            (_, None) => Operation::Removed,
            _ => Operation::Updated,
        };
        self.take(role, id, operation, before, after)
    }

    fn take(
        &mut self,
        role: Role,
        id: &str,
        operation: Operation,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Vec<(Value, Vec<String>)> {
        let event = ResourceEvent {
            resource: role.name().into(),
            id: id.into(),
            operation,
            before: before.map(Document::new),
            after: after.map(Document::new),
            time: Timestamp(0),
            stamp: Stamp::Offset(self.number),
        };
        let mut out = Vec::new();
        self.replica.take(event, Audience::Everyone, &mut out);
        out.iter().filter(|(event, _)| &*event.resource == "messages").map(told).collect()
    }

    fn add(&mut self, id: &str, sender: &str, kind: &str, more: Value) -> Vec<(Value, Vec<String>)> {
        self.change(Role::BoxEvents, id, None, Some(row(sender, kind, more)))
    }
}

fn told((event, audience): &Logged) -> (Value, Vec<String>) {
    let message = event.after.as_ref().expect("a message").value();
    let Audience::Limited { after, .. } = audience else { panic!("a message is never for everyone") };
    let name = |who: &Who| match who {
        Who::Subject(name) => name.to_string(),
        other => panic!("{other:?} is no identity"),
    };
    (message["object"].clone(), after.named().into_iter().map(name).collect())
}

fn row(sender: &str, kind: &str, more: Value) -> Value {
    let mut row = json!({"box_id": "x", "sender_id": sender, "type": kind, "created_at": "2021-01-19T08:00:00Z"});
    row.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    row
}

/// Who gets the only message.
fn readers(told: Vec<(Value, Vec<String>)>) -> Vec<String> {
    match <[_; 1]>::try_from(told) {
        Ok([(_, readers)]) => readers,
        Err(told) => panic!("one message is expected, not {told:?}"),
    }
}

#[test]
fn an_event_is_for_the_members_after_it_and_its_sender() {
    let mut world = World::new();
    assert_eq!(readers(world.add("1", "ann", "create", json!({}))), ["ann"]);
    assert_eq!(readers(world.add("2", "bob", "member.join", json!({}))), ["ann", "bob"]);
    assert_eq!(readers(world.add("3", "cat", "member.join", json!({}))), ["ann", "bob", "cat"]);
    assert_eq!(readers(world.add("4", "bob", "member.leave", json!({"referrer_id": "2"}))), ["ann", "bob", "cat"]);
    assert_eq!(readers(world.add("5", "ann", "msg.text", json!({}))), ["ann", "cat"]);
    let kick = json!({"referrer_id": "3", "content": {"kicker_id": "ANN"}});
    assert_eq!(readers(world.add("6", "cat", "member.kick", kick)), ["ann", "cat"]);
    assert_eq!(readers(world.add("7", "eve", "msg.text", json!({}))), ["ann", "eve"]);
    for kind in ["state.key_share", "access.add", "access.rm", "other"] {
        assert_eq!(world.add("8", "ann", kind, json!({})), [], "{kind} is not told");
    }
}

#[test]
fn what_is_stored_of_a_kick_stays_here() {
    let mut world = World::new();
    world.change(Role::Identities, "ann", None, Some(json!({"display_name": "Ann"})));
    let told = world.add("6", "cat", "member.kick", json!({"content": {"kicker_id": "ann", "secret": 1}}));
    assert_eq!(told[0].0["content"]["kicker"]["display_name"], "Ann");
    assert_eq!(told[0].0["content"].as_object().map(|content| content.len()), Some(1));
    assert_eq!(told[0].0["sender"], anonymous());
}

#[test]
fn the_owner_of_a_row_is_told_where_there_is_one() {
    let mut world = World::new();
    let object = world.add("1", "ann", "create", json!({"owner_org_id": "o"})).remove(0).0;
    assert_eq!(object["owner_org_id"], "o");
    let object = world.add("2", "ann", "msg.text", json!({"owner_org_id": null})).remove(0).0;
    assert_eq!(object.get("owner_org_id"), None);
}

#[test]
fn a_row_that_cannot_be_read_is_counted_and_told_to_nobody() {
    let mut world = World::new();
    for (role, row) in [
        (Role::BoxEvents, json!({"box_id": "x", "type": "msg.text"})),
        (Role::BoxSettings, json!({"box_id": "x"})),
        (Role::IdentityNotifications, json!({"id": 7})),
    ] {
        assert_eq!(world.change(role, "1", None, Some(row)), [], "{role:?}");
        assert_eq!(world.replica.metrics.dropped(role.name(), "unreadable").get(), 1);
    }
}

#[test]
fn an_acknowledgement_is_told_by_its_id_and_a_count_is_not() {
    let mut world = World::new();
    let row = |ack: Value, count: u32| {
        Some(json!({"identity_id": "ann", "box_id": "x", "ack_id": ack, "count": count, "ack_text": null}))
    };
    let mut change = |after| world.change(Role::EventCounts, "ann:x", None, after).len();
    assert_eq!(change(row(Value::Null, 1)), 0, "a new count");
    let mut update = |before: bool, after: Option<Value>| {
        let before = before.then(|| json!({"ack_id": "1"}));
        world.number += 1;
        world.take(Role::EventCounts, "ann:x", Operation::Updated, before, after).len()
    };
    assert_eq!(update(false, row(json!("1"), 0)), 1, "acknowledged, without a before image");
    assert_eq!(update(false, row(json!("1"), 1)), 0, "counted");
    assert_eq!(update(true, row(json!("1"), 2)), 0, "counted");
    assert_eq!(update(true, row(json!("2"), 0)), 1, "acknowledged again");
    assert_eq!(world.change(Role::EventCounts, "ann:x", None, None), []);
    assert_eq!(readers(world.change(Role::EventCounts, "ann:x", None, row(json!("3"), 0))), ["ann"]);
}

#[test]
fn a_saved_file_is_known_by_its_row_where_a_change_does_not_tell() {
    let mut world = World::new();
    let file = |who: &str, file: &str| Some(json!({"identity_id": who, "encrypted_file_id": file}));
    world.change(Role::SavedFiles, "1", None, file("ann", "f"));
    world.number += 1;
    let same = world.take(Role::SavedFiles, "1", Operation::Updated, None, file("ann", "f"));
    assert_eq!(same, [], "nothing is different");
    let gone = world.change(Role::SavedFiles, "1", None, None);
    assert_eq!(gone, [(json!({"encrypted_file_id": "f", "is_saved": false}), vec!["ann".to_owned()])]);
}

#[test]
fn what_was_loaded_already_moves_nothing_and_is_told_to_who_may_know_by_now() {
    let mut world = World::new();
    let rows = [("1", row("ann", "create", json!({}))), ("3", row("cat", "member.join", json!({})))];
    let rows = rows.into_iter().map(|(id, row)| Row::new(id, Document::new(row))).collect();
    world.replica.load("box_events", rows, Mark::Offset(9));
    assert_eq!(readers(world.add("2", "bob", "member.join", json!({}))), ["ann", "bob", "cat"]);
    assert_eq!(readers(world.add("4", "ann", "msg.text", json!({}))), ["ann", "cat"], "Bob had left by then");
    world.number = 9;
    assert_eq!(readers(world.add("5", "bob", "member.join", json!({}))), ["ann", "bob", "cat"]);
    assert_eq!(readers(world.add("6", "ann", "msg.text", json!({}))), ["ann", "bob", "cat"]);
}

#[test]
fn a_broken_history_is_told_as_such_and_deletes_no_box() {
    let mut world = World::new();
    world.add("1", "ann", "create", json!({}));
    let mut out = Vec::new();
    let reset = ResourceEvent::reset("box_events".into(), crate::event::Reason::Epoch);
    world.replica.take(reset, Audience::Everyone, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!((&*out[0].0.resource, out[0].1.shows_after(&Sight::default(), 0)), ("messages", true));
    world.replica.load("box_events", Vec::new(), Mark::Offset(9));
    world.number = 9;
    assert_eq!(world.change(Role::BoxEvents, "1", None, None), []);
}

#[tokio::test]
async fn what_members_have_to_look_at_is_counted_and_so_is_every_box_at_the_start() {
    let mut world = World::new();
    let rows = vec![Row::new("1", Document::new(row("ann", "create", json!({}))))];
    world.replica.load("box_events", rows, Mark::Offset(0));
    assert_eq!(&*world.outdated.next().await, "x");
    world.add("2", "ann", "msg.edit", json!({"box_id": "y"}));
    world.add("3", "ann", "msg.text", json!({"box_id": "z"}));
    assert_eq!(&*world.outdated.next().await, "z", "an edit is not counted");
}

#[test]
fn rows_that_are_served_by_themselves_are_logged_too() {
    let mut world = World::new();
    let mut out = Vec::new();
    for role in [Role::Identities, Role::BoxSettings] {
        let mut event = ResourceEvent::reset(role.name().into(), crate::event::Reason::Epoch);
        (event.operation, event.after) = (Operation::Created, Some(Document::new(json!({"id": "1"}))));
        world.replica.take(event, Audience::Everyone, &mut out);
    }
    let logged: Vec<_> = out.iter().map(|(event, _)| &*event.resource).collect();
    assert_eq!(logged, ["identities"]);
}
