//! Pushes on their way: who may push what to whom, and that each reaches this node's sockets and the other nodes.

use crate::dialect::jac::root::Root;
use crate::error::Result;
use crate::jac::topics::Topics;
use crate::relay::{Deliver, Kind, Push, Relay};
use std::sync::Arc;

/// Whose pushes are accepted from sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayPush {
    Anyone,
    /// Who has shown a token.
    Authenticated,
    /// Who has shown a token, and to the own channel, the own user and any client.
    Own,
}

impl MayPush {
    /// Whether whoever is this user, in this channel, may push it.
    ///
    /// # Errors
    /// The sentence that says why not.
    pub fn check(self, push: &Push, root: &Root, channel: &str) -> std::result::Result<(), String> {
        if self != MayPush::Anyone && root.is_public() {
            return Err(format!("Event {} requires to be authenticated!", push.kind.name()));
        }
        let is_own = |id: &str| match push.kind {
            Kind::User => Root::named(id).as_ref() == Some(root),
            Kind::Channel => id == channel,
            Kind::Client => true,
        };
        match push.ids.iter().find(|id| self == MayPush::Own && !is_own(id)) {
            Some(id) => Err(format!("You don't have access on target {id}!")),
            None => Ok(()),
        }
    }
}

/// The way of pushes to whoever is meant, on every node.
pub struct Switchboard {
    pub topics: Arc<Topics>,
    /// The way to the other nodes, where there are any.
    pub relay: Option<Arc<dyn Relay>>,
}

impl Switchboard {
    /// Completes when each socket of this node has it in its mailbox. Other nodes get it later, in the same order.
    pub async fn push(&self, push: &Push) {
        if let Some(relay) = &self.relay {
            relay.hand_over(push.clone());
        }
        self.topics.deliver(push).await;
    }

    /// The same for pushes that somebody wants to know on their way to other nodes, before anybody gets them.
    ///
    /// # Errors
    /// `Unreachable` when the way to the other nodes is lost; nobody gets them then.
    pub async fn push_surely(&self, pushes: &[Push]) -> Result<()> {
        if let Some(relay) = &self.relay {
            relay.flushed().await?;
            for push in pushes {
                relay.send(push.clone()).await?;
            }
        }
        self.push_here(pushes).await;
        Ok(())
    }

    /// Pushes that other nodes get in another way.
    pub async fn push_here(&self, pushes: &[Push]) {
        for push in pushes {
            self.topics.deliver(push).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "n::672b35cec309e5ef8469c372";
    const BOB: &str = "n::672b35cec309e5ef8469c373";

    fn push(kind: Kind, ids: &[&str]) -> Push {
        Push { kind, ids: ids.iter().map(|id| (*id).into()).collect(), data: "{}".into() }
    }

    #[test]
    fn who_may_push_what() {
        let (public, ann) = (Root::public(), Root::of(ANN));
        let allowed = |rule: MayPush, root: &Root, push: &Push| rule.check(push, root, "room1").is_ok();
        let channel = push(Kind::Channel, &["room1", "room2"]);
        assert!(allowed(MayPush::Anyone, &public, &channel));
        assert!(!allowed(MayPush::Authenticated, &public, &channel) && allowed(MayPush::Authenticated, &ann, &channel));
        assert!(!allowed(MayPush::Own, &public, &push(Kind::Client, &["c"])));
        for (kind, ids, is_allowed) in [
            (Kind::Channel, &["room1", "room1"][..], true),
            (Kind::Channel, &["room1", "room2"], false),
            (Kind::User, &["N:x:672B35CEC309E5EF8469C372"], true),
            (Kind::User, &[ANN, BOB], false),
            (Kind::Client, &["whoever"], true),
        ] {
            assert_eq!(allowed(MayPush::Own, &ann, &push(kind, ids)), is_allowed, "{ids:?}");
        }
        let why = MayPush::Own.check(&push(Kind::User, &[ANN, BOB]), &ann, "room1");
        assert_eq!(why, Err(format!("You don't have access on target {BOB}!")));
        let why = MayPush::Authenticated.check(&push(Kind::Client, &["c"]), &public, "room1");
        assert_eq!(why, Err("Event client requires to be authenticated!".to_owned()));
    }
}
