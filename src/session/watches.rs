//! Beginning and ending watches, and which of them are told together.

use crate::event::{Offset, Reason};
use crate::hub::form::Form;
use crate::message::{Address, Code, Goodbye, Initial, Stop, View, Watch};
use crate::session::prepare::Begin;
use crate::session::read::understood;
use crate::session::subscription::{Held, Joined, Number, Place, Stage, Subscription, Way};
use crate::session::{OnBreak, Session};
use crate::shard::{Extras, WatchId};
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

impl Session {
    /// Begins a watch; an equal one that is held is replaced.
    pub(super) fn watch(self: &Rc<Self>, address: Address, way: Way, watch: Watch) -> Result<(), (Code, String)> {
        let Way { served, bound, .. } = &way;
        let begin = match (watch.since, watch.initial) {
            (Some(since), _) => Some(Begin::Resume(since)),
            (None, Initial::Asked) if !served.resource.has_rows => {
                return Err((Code::Unsupported, "there are no rows to list, only changes".to_owned()));
            }
            (None, Initial::Unasked) if !served.resource.has_rows => None,
            (None, Initial::Asked) => Some(Begin::List { position: true, broken: None }),
            (None, Initial::Unasked) => Some(Begin::List { position: false, broken: None }),
            (None, Initial::None) => None,
        };
        let form = Form {
            dialect: self.terms.dialect.clone(),
            address: address.clone(),
            positions: watch.positions,
            // Lines have no versions.
            patch: watch.patch && !served.resource.append_only,
        };
        if begin.is_none() && self.renew(&form, &watch.params, watch.progress) {
            if watch.progress.is_some() {
                self.report_progress();
            }
            return Ok(());
        }
        self.end_equal(&address, &watch.params);
        let held = self.state.borrow().subscriptions.iter().map(|one| one.watches.len()).sum::<usize>();
        if held >= self.terms.limits.watches {
            let most = self.terms.limits.watches;
            return Err((Code::Limit, format!("a connection may have {most} watches")));
        }
        let asked = Arc::new(understood(served, watch.filter));
        let number = {
            let mut state = self.state.borrow_mut();
            state.next_number += 1;
            state.next_number
        };
        let held = Held {
            number,
            reference: address.reference,
            params: watch.params,
            _interest: served.interests.as_ref().map(|interests| interests.want(&asked)),
            filter: Arc::new(bound.limit(&asked)),
            asked,
            page: watch.page,
            can_restart: begin.is_some() && served.resource.has_rows,
            stage: match begin {
                Some(_) => Stage::Preparing,
                None => Stage::Following { from: self.shard.hub.published(), contained: None },
            },
        };
        let id = self.place(way, watch.view, form, held, watch.progress);
        match begin {
            None => self.follow(id, number),
            Some(begin) => self.prepare(id, number, begin),
        }
        if watch.progress.is_some() {
            self.report_progress();
        }
        Ok(())
    }

    /// Gives an equal watch that is followed already new options, without a gap; whether there is one.
    fn renew(&self, form: &Form, params: &Arc<str>, progress: Option<Duration>) -> bool {
        let mut state = self.state.borrow_mut();
        let is_equal = |one: &Subscription, held: &Held| {
            one.address().channel == form.address.channel
                && held.reference == form.address.reference
                && held.params == *params
                && matches!(held.stage, Stage::Following { .. })
        };
        let Some(one) = state.subscriptions.iter_mut().find(|one| one.watches.iter().any(|held| is_equal(one, held)))
        else {
            return false;
        };
        one.extras = Extras::new(form.patch, progress.is_some());
        one.form = form.clone();
        one.progress = progress;
        match one.place {
            Place::Live => self.shard.regroup(self.socket.get(), one.id, &one.wish(), one.extras.clone()),
            Place::Behind(_) => one.joined = one.joined.stale(),
            Place::Nowhere => {}
        }
        true
    }

    /// Puts a watch into its unit: one of its own, or the view of its channel.
    fn place(&self, way: Way, view: View, form: Form, held: Held, progress: Option<Duration>) -> WatchId {
        let mut state = self.state.borrow_mut();
        let extras = Extras::new(form.patch, progress.is_some());
        let shared = state.subscriptions.iter_mut().find(|one| {
            view == View::Shared && one.view == View::Shared && one.address().channel == form.address.channel
        });
        if let Some(one) = shared {
            // The options of a view are those of its latest watch.
            one.form = form;
            one.extras = extras;
            one.progress = progress;
            one.watches.push(held);
            return one.id;
        }
        if state.subscriptions.is_empty() {
            // Most connections have one watch; a vector would begin with room for four.
            state.subscriptions.reserve_exact(1);
        }
        state.next_watch += 1;
        let id = state.next_watch;
        state.subscriptions.push(Subscription {
            id,
            served: way.served,
            name: way.name,
            bound: way.bound,
            on_break: way.on_break,
            view,
            form,
            watches: vec![held],
            place: Place::Nowhere,
            live_from: 0,
            joined: Joined::No,
            retells: Vec::new(),
            set_back: HashSet::new(),
            extras,
            progress,
        });
        id
    }

    /// Takes a watch without list or replay into what is told.
    fn follow(&self, id: WatchId, number: Number) {
        let mut state = self.state.borrow_mut();
        let Some(one) = state.subscriptions.iter_mut().find(|one| one.id == id) else { return };
        let socket = self.socket.get();
        match one.place {
            Place::Nowhere => {
                let from = self.shard.join(socket, id, &one.wish(), one.extras.clone());
                self.shard.go_live(socket, id, from);
                one.place = Place::Live;
                one.joined = Joined::Yes(from);
                one.live_from = from;
                one.start_following(number, from);
            }
            Place::Live => {
                self.shard.regroup(socket, id, &one.wish(), one.extras.clone());
            }
            Place::Behind(_) => one.joined = one.joined.stale(),
        }
    }

    /// Ends watches: all of the channel with these params, or the referenced one.
    pub(super) fn stop(&self, address: &Address, stop: &Stop) {
        self.end(|one, held| {
            one.address().channel == address.channel
                && match stop {
                    Stop::Params(params) => held.params == *params,
                    Stop::One => held.reference == address.reference,
                }
        });
    }

    /// Ends the watch that a new one replaces.
    fn end_equal(&self, address: &Address, params: &Arc<str>) {
        self.end(|one, held| {
            one.address().channel == address.channel && held.reference == address.reference && held.params == *params
        });
    }

    pub(super) fn end(&self, is_meant: impl Fn(&Subscription, &Held) -> bool) {
        let mut state = self.state.borrow_mut();
        let socket = self.socket.get();
        let shard = &self.shard;
        state.subscriptions.retain_mut(|one| {
            let meant: Vec<Number> =
                one.watches.iter().filter(|held| is_meant(one, held)).map(|held| held.number).collect();
            if meant.is_empty() {
                return true;
            }
            one.watches.retain(|held| !meant.contains(&held.number));
            one.retells.retain(|retell| !meant.contains(&retell.number));
            if one.watches.is_empty() {
                shard.leave(socket, one.id);
                return false;
            }
            match one.place {
                Place::Live if one.is_following() => shard.regroup(socket, one.id, &one.wish(), one.extras.clone()),
                Place::Live => {
                    shard.leave(socket, one.id);
                    one.place = Place::Nowhere;
                    one.joined = Joined::No;
                }
                Place::Behind(_) if !one.is_following() => {
                    shard.leave(socket, one.id);
                    one.place = Place::Nowhere;
                    one.joined = Joined::No;
                }
                Place::Behind(_) => one.joined = one.joined.stale(),
                Place::Nowhere => {}
            }
            true
        });
    }

    /// From this offset on, those of these units that are live are told from the log.
    pub(super) fn put_behind(&self, is_meant: impl Fn(&Subscription) -> bool, after: Offset) {
        let Some(me) = self.me.upgrade() else { return };
        {
            let mut state = self.state.borrow_mut();
            for one in state.subscriptions.iter_mut().filter(|one| one.place == Place::Live && is_meant(one)) {
                self.shard.hold(self.socket.get(), one.id);
                one.place = Place::Behind(after.max(one.live_from));
            }
        }
        me.catch_up();
    }

    /// The history of what a unit follows is broken: those of its watches that have a list get a new one.
    /// One that cannot be told so is left alone when rows were replaced, and closed when it missed changes.
    pub(super) fn start_over(&self, id: WatchId, reason: Reason) {
        let Some(me) = self.me.upgrade() else { return };
        let mut restarts = Vec::new();
        {
            let mut state = self.state.borrow_mut();
            let Some(one) = state.subscriptions.iter_mut().find(|one| one.id == id) else { return };
            if one.on_break == OnBreak::End {
                let is_slow = reason == Reason::Retention;
                return self.close(if is_slow { Goodbye::Slow } else { Goodbye::Internal });
            }
            if reason == Reason::Retention && one.watches.iter().any(|held| !held.can_restart) {
                return self.close(Goodbye::Slow);
            }
            if let Some(extras) = &one.extras {
                extras.forget_rows();
            }
            for held in one.watches.iter_mut().filter(|held| held.can_restart) {
                if matches!(held.stage, Stage::Following { .. }) {
                    held.stage = Stage::Preparing;
                    restarts.push(held.number);
                }
            }
            one.retells.retain(|retell| !restarts.contains(&retell.number));
            if !one.is_following() {
                self.shard.leave(self.socket.get(), id);
                one.place = Place::Nowhere;
                one.joined = Joined::No;
            } else {
                one.joined = one.joined.stale();
            }
        }
        for number in restarts {
            me.prepare(id, number, Begin::List { position: true, broken: Some(reason) });
        }
    }
}

impl Joined {
    /// The filters have changed.
    pub fn stale(self) -> Joined {
        match self {
            Joined::No => Joined::No,
            Joined::Stale | Joined::Yes(_) => Joined::Stale,
        }
    }
}

impl Subscription {
    fn start_following(&mut self, number: Number, from: Offset) {
        if let Some(held) = self.watches.iter_mut().find(|held| held.number == number) {
            held.stage = Stage::Following { from, contained: None };
        }
    }
}
