//! Lists that set a view back.

use crate::access::{Access, Read};
use crate::catalog::Served;
use crate::dialect::monorail::Monorail;
use crate::document::Document;
use crate::event::{Audience, Entry, Mark, Offset, Operation, ResourceEvent, Stamp, Timestamp};
use crate::filter::Filter;
use crate::hub::form::Form;
use crate::message::{Address, Page, Transition, View};
use crate::resource::Resource;
use crate::session::OnBreak;
use crate::session::subscription::{Held, Joined, Place, Stage, Subscription};
use crate::source::Health;
use crate::store::embedded::Embedded;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

fn served() -> Arc<Served> {
    let resource = Resource::named("nodes");
    Arc::new(Served {
        resource,
        access: Access::of(Read::Anyone),
        store: Embedded::open(None).expect("a store"),
        health: Arc::new(Health::default()),
        sharing: None,
        interests: None,
    })
}

/// A view of two watches, of which the second has a list that contains everything up to `contained`.
fn view(contained: Option<Offset>) -> Subscription {
    let held = |number, state, contained| Held {
        number,
        reference: None,
        params: "".into(),
        asked: Arc::new(Filter::All),
        filter: Arc::new(Filter::parse(&json!({"state": state})).expect("a filter")),
        page: Page::default(),
        _interest: None,
        can_restart: true,
        stage: Stage::Following { from: 0, contained },
    };
    let address = Address { channel: "nodes".into(), reference: None };
    Subscription {
        id: 1,
        served: served(),
        name: Some("nodes".into()),
        bound: Access::of(Read::Anyone).everything(),
        on_break: OnBreak::StartOver,
        view: View::Shared,
        form: Form { dialect: Arc::new(Monorail::new()), address, positions: false, patch: false },
        watches: vec![held(1, "on", None), held(2, "off", contained.map(Mark::Offset))],
        place: Place::Behind(0),
        live_from: 0,
        joined: Joined::No,
        retells: Vec::new(),
        set_back: HashSet::new(),
        extras: None,
        progress: None,
    }
}

/// The row goes from `states[0]` through all the others, one entry each.
fn entries(states: &[&str]) -> Vec<Entry> {
    let pairs = states.windows(2).zip(1..);
    let entry = |(pair, offset): (&[&str], Offset)| {
        let document = |state: &str| Some(Document::new(json!({"id": "n1", "state": state})));
        let event = ResourceEvent {
            resource: "nodes".into(),
            id: "n1".into(),
            operation: Operation::Updated,
            before: document(pair[0]),
            after: document(pair[1]),
            time: Timestamp(0),
            stamp: Stamp::Offset(offset),
        };
        Entry { offset, audience: Audience::Everyone, event }
    };
    pairs.map(entry).collect()
}

/// The state that a client ends with which held `listed`.
fn last_state(listed: &str, told: impl Iterator<Item = (Option<Transition>, Entry)>) -> String {
    let mut state = listed.to_owned();
    for (transition, entry) in told {
        match transition {
            None => {}
            Some(Transition::Left) => state = "absent".to_owned(),
            Some(_) => {
                let after = entry.event.after.as_ref().expect("a document");
                after.value()["state"].as_str().expect("a state").clone_into(&mut state);
            }
        }
    }
    state
}

/// All ways of a row through three states, in five steps.
fn ways() -> impl Iterator<Item = [&'static str; 6]> {
    let state = |digit: usize| ["on", "off", "gone"][digit % 3];
    (0..3usize.pow(6)).map(move |way| std::array::from_fn(|step| state(way / 3usize.pow(step as u32))))
}

#[test]
fn what_a_view_is_told_again_behind_a_list_ends_with_the_last_state() {
    for way in ways().filter(|way| way[0] == "off") {
        let mut view = view(None);
        let told = entries(&way).into_iter().map(|entry| (view.judge_for(2, &entry), entry));
        let expected = if way[5] == "gone" { "absent" } else { way[5] };
        assert_eq!(last_state("off", told), expected, "{way:?}");
    }
}

/// The list has everything up to here.
const CONTAINED: Offset = 3;

#[test]
fn changes_that_one_list_of_a_view_contains_end_with_the_last_state() {
    end_with_the_last_state(|| view(Some(CONTAINED)));
}

/// The shard is not as far as the log was when the list was read.
#[test]
fn changes_that_one_list_of_a_view_is_ahead_of_end_with_the_last_state() {
    end_with_the_last_state(|| {
        let mut view = view(None);
        view.watches[1].stage = Stage::Following { from: CONTAINED, contained: None };
        view
    });
}

/// Whatever happens behind the list, and also if nothing does.
fn end_with_the_last_state(begin: impl Fn() -> Subscription) {
    for (way, steps) in ways().flat_map(|way| [(way, CONTAINED as usize), (way, way.len() - 1)]) {
        let mut view = begin();
        // The first watch had told of it, or the list has it, or nobody has.
        let listed = if way[CONTAINED as usize] == "off" {
            "off"
        } else if way[0] == "on" {
            "on"
        } else {
            "absent"
        };
        let told = entries(&way[..=steps]).into_iter().map(|entry| (view.judge(&entry), entry));
        let expected = if way[steps] == "gone" { "absent" } else { way[steps] };
        assert_eq!(last_state(listed, told), expected, "{way:?} in {steps} steps");
    }
}
