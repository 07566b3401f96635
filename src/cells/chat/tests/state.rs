use super::*;
use crate::cells::chat::Told;
use crate::cells::chat::attachment::{About, Live};
use crate::cells::chat::state::{Pinged, State};
use crate::cells::desk::Seat;
use crate::cells::rights::{self, Known, Record, Rights, Viewer};
use crate::dialect::cells::chat::{Room, RoomName};
use crate::document::Document;
use crate::event::Stamp;
use bytes::Bytes;
use serde_json::json;
use std::time::Instant;

pub(super) const A: Seat = Seat(1);
const B: Seat = Seat(2);

/// A viewer who has the workspace `ws-1` while `has_workspace`.
pub(super) fn viewer(login: &str, has_workspace: bool) -> Arc<Viewer> {
    let names = Names::default();
    let mut rights = Rights::new(rights::Settings::default());
    let mut rows = vec![
        (Part::Users, json!({"uuid": format!("u-{login}"), "login": login, "profile": "shared", "roles": ["r"]})),
        (Part::Roles, json!({"uuid": "r"})),
        (Part::Workspaces, json!({"uuid": "ws-1", "slug": "files"})),
    ];
    if has_workspace {
        let acl =
            json!({"id": "a", "action_name": "read", "role_id": "r", "workspace_id": "ws-1", "node_id": "n-root"});
        rows.push((Part::Acls, acl));
    }
    for (part, row) in rows {
        let row = Document::new(row);
        let fields = names.fields(part, "", &row).expect("an object");
        rights.put(fields.key(), Record::read(part, &fields).expect("a record"));
    }
    rights.track(&"n-root".into());
    rights.place("n-root", Some(Known { path: "ds".into(), name: "ds".into(), read_at: None }));
    Arc::new(rights.viewer(&format!("u-{login}")).expect("a user"))
}

pub(super) fn workspace() -> RoomKey {
    key(Kind::Workspace, "ws-1")
}

/// Lets a socket into a room and opens the gate.
pub(super) fn join(state: &mut State, seat: Seat, now: Instant) {
    state.reserve(seat, &workspace());
    assert!(state.enter(seat, &workspace(), now).is_some());
    state.name(seat, &workspace(), &"r".into());
    state.attachment_open(seat, &workspace());
}

impl State {
    /// The answer to a JOIN is over.
    fn attachment_open(&mut self, seat: Seat, key: &RoomKey) {
        let shown = crate::cells::chat::attachment::Shown::default();
        self.showed(seat, key, shown, Instant::now());
        assert!(self.take_waiting(seat, key).is_empty());
    }
}

/// Who is told of a message.
fn told(state: &mut State) -> Vec<Seat> {
    let live = Live { about: About::Message("m".into()), stamp: Stamp::None, frame: Bytes::from_static(b"m") };
    let mut told = Told::default();
    state.tell("r", &workspace(), &live, &mut told);
    let mut seats: Vec<Seat> = told.frames.into_iter().map(|(seat, _)| seat).collect();
    seats.sort();
    seats
}

fn ended(login: &str) -> Vec<(RoomKey, Arc<str>)> {
    vec![(workspace(), login.into())]
}

#[test]
fn r6_without_a_viewer_or_the_right_a_socket_is_in_no_room_and_its_login_is_absent() {
    let mut state = State::new(settings());
    let alice = viewer("alice", true);
    for after in [None, Some(viewer("alice", false)), Some(viewer("bob", true))] {
        state.sit(A, Some(&alice));
        join(&mut state, A, Instant::now());
        assert_eq!(told(&mut state), [A]);
        assert_eq!(state.sit(A, after.as_ref()), ended("alice"));
        assert_eq!(told(&mut state), []);
        assert!(!state.has(&workspace(), "alice"));
    }
    state.sit(A, Some(&alice));
    join(&mut state, A, Instant::now());
    assert_eq!(state.sit(A, Some(&viewer("alice", true))), [], "who subscribes again stays");
    assert_eq!(told(&mut state), [A]);
}

#[test]
fn r4_who_may_not_is_not_let_in() {
    let mut state = State::new(settings());
    state.sit(A, Some(&viewer("alice", false)));
    for (kind, object) in
        [(Kind::Workspace, "ws-1"), (Kind::User, "bob"), (Kind::Global, ""), (Kind::Node, "n-1"), (Kind::Workspace, "")]
    {
        let about = key(kind, object);
        state.reserve(A, &about);
        state.found("n-1", Some("ds/a"));
        assert!(state.enter(A, &about, Instant::now()).is_none(), "{about:?}");
        assert!(!state.is_followed(&about));
    }
    for object in ["alice", "u-alice"] {
        state.reserve(A, &key(Kind::User, object));
        assert!(state.enter(A, &key(Kind::User, object), Instant::now()).is_some());
    }
}

#[test]
fn a_node_that_leaves_the_workspace_takes_its_room_along() {
    let mut state = State::new(settings());
    let about = key(Kind::Node, "n-1");
    state.sit(A, Some(&viewer("alice", true)));
    for path in [Some("elsewhere/a"), Some("ds/.a"), None] {
        state.reserve(A, &about);
        assert!(state.must_find(&about));
        state.found("n-1", Some("ds/a"));
        assert!(state.enter(A, &about, Instant::now()).is_some());
        assert_eq!(state.node("n-1", Some("ds/b")), []);
        assert_eq!(state.node("n-1", path), [(about.clone(), "alice".into())]);
        assert!(!state.is_followed(&about));
    }
}

#[test]
fn what_the_log_says_of_a_node_counts_more_than_what_was_read_beside_it() {
    let mut state = State::new(settings());
    let about = key(Kind::Node, "n-1");
    state.sit(A, Some(&viewer("alice", true)));
    state.reserve(A, &about);
    state.node("n-1", Some("elsewhere/a"));
    state.found("n-1", Some("ds/a"));
    assert!(state.enter(A, &about, Instant::now()).is_none());
}

#[test]
fn r8_one_tab_that_leaves_does_not_make_the_user_absent() {
    let mut state = State::new(settings());
    let alice = viewer("alice", true);
    for seat in [A, B] {
        state.sit(seat, Some(&alice));
        join(&mut state, seat, Instant::now());
    }
    assert_eq!(state.leave(A, &workspace()), None);
    assert_eq!(told(&mut state), [B]);
    state.gone(A, Instant::now());
    assert!(state.has(&workspace(), "alice"));
    assert_eq!(state.sit(B, None), ended("alice"));
    assert_eq!(state.leave(B, &workspace()), None, "nobody is there");
}

#[test]
fn r8_presence_is_kept_by_any_tab_in_the_same_room_and_by_none_in_another() {
    let mut now = Instant::now();
    let mut state = State::new(settings());
    let alice = viewer("alice", true);
    let other = key(Kind::User, "alice");
    for seat in [A, B] {
        state.sit(seat, Some(&alice));
        join(&mut state, seat, now);
    }
    state.reserve(B, &other);
    assert!(state.enter(B, &other, now).is_some());
    now += Duration::from_secs(15);
    assert!(matches!(state.ping(A, &workspace(), now), Pinged::Nothing));
    now += Duration::from_secs(10);
    assert_eq!(state.tick(now), [(other.clone(), "alice".into())]);
    now += Duration::from_secs(10);
    assert_eq!(state.tick(now), ended("alice"));
    assert_eq!(told(&mut state), [A, B], "who is absent still hears");
    assert!(matches!(state.ping(B, &workspace(), now), Pinged::Returned(login) if &*login == "alice"));
    assert!(matches!(state.ping(B, &key(Kind::Global, ""), now), Pinged::Outside));
}

#[test]
fn a_closed_socket_changes_nothing_and_a_login_that_comes_back_in_time_was_never_absent() {
    let mut now = Instant::now();
    let mut state = State::new(settings());
    let alice = viewer("alice", true);
    state.sit(A, Some(&alice));
    join(&mut state, A, now);
    state.gone(A, now);
    now += Duration::from_secs(19);
    assert_eq!(state.tick(now), []);
    state.sit(B, Some(&alice));
    join(&mut state, B, now);
    now += Duration::from_secs(19);
    assert_eq!(state.tick(now), []);
}

#[test]
fn clients_that_never_ping_are_present_while_they_are_connected_where_that_is_asked_for() {
    let mut now = Instant::now();
    let mut state = State::new(Settings { silent: Silent::Present, ..settings() });
    let alice = viewer("alice", true);
    state.sit(A, Some(&alice));
    join(&mut state, A, now);
    now += Duration::from_secs(100);
    assert_eq!(state.tick(now), []);
    state.gone(A, now);
    now += Duration::from_secs(20);
    assert_eq!(state.tick(now), ended("alice"));

    state.sit(A, Some(&alice));
    join(&mut state, A, now);
    state.ping(A, &workspace(), now);
    now += Duration::from_secs(20);
    assert_eq!(state.tick(now), ended("alice"), "one that pings once has to go on");
}

#[test]
fn a_room_that_is_removed_has_nobody_in_it() {
    let mut state = State::new(settings());
    state.sit(A, Some(&viewer("alice", true)));
    join(&mut state, A, Instant::now());
    assert_eq!(state.dissolve("another", &workspace()), []);
    assert_eq!(state.dissolve("r", &workspace()), [A]);
    assert_eq!(told(&mut state), []);
    assert!(!state.has(&workspace(), "alice"));
}

#[test]
fn a_socket_for_which_too_much_waits_is_named() {
    let mut state = State::new(settings());
    state.sit(A, Some(&viewer("alice", true)));
    join(&mut state, A, Instant::now());
    state.shut(A, &workspace());
    let mut all = Told::default();
    for number in 0..5 {
        let about = About::Message(number.to_string().into());
        let live = Live { about, stamp: Stamp::None, frame: Bytes::from_static(b"m") };
        state.tell("r", &workspace(), &live, &mut all);
    }
    assert_eq!((all.frames.len(), all.slow), (0, vec![A]));
}

#[test]
fn a_room_of_ones_own_is_named_by_what_it_is_about_or_its_uuid() {
    let mut state = State::new(settings());
    state.sit(A, Some(&viewer("alice", true)));
    assert_eq!(state.own(A, &RoomName::Key(workspace())), None);
    join(&mut state, A, Instant::now());
    for name in [RoomName::Key(workspace()), RoomName::Uuid("r".into())] {
        assert_eq!(state.own(A, &name), Some((workspace(), "r".into())));
        assert_eq!(state.key(&name), Some(workspace()));
    }
    assert_eq!(state.key(&RoomName::Uuid("unknown".into())), None);
    assert_eq!(state.writable(A).into_values().collect::<Vec<_>>(), [workspace()]);
    let room = Room { uuid: "r".into(), key: workspace(), label: String::new(), users: Vec::new(), last_updated: 0 };
    assert_eq!(state.key_of(&room.uuid), Some(workspace()));
}
