//! Who a socket is, for as long as it is connected: another token is shown, one ends, one holds no longer.

use crate::auth::{Denied, Due, OnExpiry};
use crate::jac::identity::{self, Identity};
use crate::jac::talk::JacTalk;
use crate::message::Goodbye;
use crate::session::standing::until_due;
use std::rc::Rc;
use std::time::Duration;

impl JacTalk {
    /// Becomes whoever a token says; with a bad one, or none, the public user.
    pub(super) async fn change_user(self: &Rc<Self>, given: Option<String>) {
        let token = match given.filter(|given| !given.is_empty()) {
            Some(given) => identity::bearer(&given),
            None => self.shown.clone(),
        };
        let lease = self.identity.borrow().lease.clone();
        let identity = match token {
            None => Identity::public(lease),
            Some(token) => {
                let (passport, own) = (self.exchange.passport.clone(), lease.clone());
                let judging = self.shard.runtime.spawn(async move { passport.judge(&token, &own).await });
                let judged = tokio::select! {
                    judged = judging => judged,
                    () = self.shard.ended(self.socket.get()) => return,
                };
                judged.unwrap_or(Err(Denied::Unavailable)).unwrap_or_else(|_| Identity::public(lease))
            }
        };
        self.become_user(identity);
    }

    /// Sees to it that the token is acted upon when it ends; whatever saw to the one before stops.
    pub(super) fn look_after(self: &Rc<Self>) {
        let talk = Rc::clone(self);
        let is_due = self.due().is_some();
        let looking = is_due.then(|| tokio::task::spawn_local(async move { talk.looking_after().await }));
        if let Some(before) = self.looking.replace(looking) {
            before.abort();
        }
    }

    fn due(&self) -> Option<(Due, Duration)> {
        let identity = self.identity.borrow();
        identity.lease.due(identity.expires)
    }

    async fn looking_after(self: Rc<Self>) {
        while let Some(due) = until_due(&self.shard, self.socket.get(), || self.due()).await {
            match due {
                Due::Ends => return self.expire(),
                Due::Recheck => self.recheck().await,
            }
        }
    }

    /// Asks whether the token still holds. Where nobody can say, it does until it expires.
    async fn recheck(self: &Rc<Self>) {
        let (passport, lease) = (self.exchange.passport.clone(), self.identity.borrow().lease.clone());
        let judging = self.shard.runtime.spawn(async move { passport.judge_again(&lease).await });
        match judging.await {
            Ok(Ok(identity)) if identity.root == self.identity.borrow().root => _ = self.identity.replace(identity),
            Ok(Ok(identity)) => self.become_user(identity),
            Ok(Err(Denied::Unavailable)) | Err(_) => {}
            Ok(Err(denied)) => {
                tracing::debug!(reason = %denied, "a credential no longer holds");
                self.expire();
            }
        }
    }

    fn expire(self: &Rc<Self>) {
        let lease = self.identity.borrow().lease.clone();
        match lease.on_expiry() {
            OnExpiry::Downgrade => self.become_user(Identity::public(lease)),
            OnExpiry::Close | OnExpiry::Keep => self.shard.close(self.socket.get(), Goodbye::Expired),
        }
    }
}
