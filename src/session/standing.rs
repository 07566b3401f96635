//! Who the client is, for as long as it is connected: a credential ends, is looked at again, or is replaced by
//! another.

use crate::auth::{Denied, Due, OnExpiry, Pass};
use crate::message::{Code, Goodbye};
use crate::session::Session;
use crate::shard::{Shard, SocketId};
use crate::viewer::{Token, Viewer};
use std::rc::Rc;
use std::time::Duration;

/// Clocks are set now and then, so none is trusted for longer than this at a time.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

impl Session {
    /// Lets another token take the place of the first. A bad one changes nothing.
    pub(super) async fn present(self: &Rc<Self>, token: Token) -> Result<(), (Code, String)> {
        let lease = self.lease.borrow().clone();
        let judging = self.shard.runtime.spawn(async move { lease.present(&token).await });
        let judged = tokio::select! {
            judged = judging => judged,
            () = self.shard.ended(self.socket.get()) => return Ok(()),
        };
        match judged {
            Ok(Ok(Pass { viewer, lease })) => {
                self.lease.replace(lease);
                self.become_viewer(viewer);
                self.look_after();
                Ok(())
            }
            Ok(Err(denied)) => Err((code_of(denied), denied.to_string())),
            Err(_) => Err((Code::Unavailable, Denied::Unavailable.to_string())),
        }
    }

    /// Sees to it that the credential is acted upon when it ends; whatever saw to the one before stops.
    pub(super) fn look_after(self: &Rc<Self>) {
        let session = Rc::clone(self);
        let looking =
            self.next().is_some().then(|| tokio::task::spawn_local(async move { session.looking_after().await }));
        if let Some(before) = self.looking.replace(looking) {
            before.abort();
        }
    }

    async fn looking_after(self: Rc<Self>) {
        while let Some(due) = until_due(&self.shard, self.socket.get(), || self.next()).await {
            match due {
                Due::Ends => return self.expire(),
                Due::Recheck => self.recheck().await,
            }
        }
    }

    /// What is to be done next, and in what time.
    fn next(&self) -> Option<(Due, Duration)> {
        self.lease.borrow().due(self.viewer.borrow().expires)
    }

    /// Asks whether the token still holds. Where nobody can say, it does until it expires.
    async fn recheck(&self) {
        let lease = self.lease.borrow().clone();
        let judging = self.shard.runtime.spawn(async move { lease.recheck().await });
        match judging.await {
            Ok(Ok(viewer)) if is_same(&viewer, &self.viewer.borrow()) => _ = self.viewer.replace(viewer),
            Ok(Ok(viewer)) => self.become_viewer(viewer),
            Ok(Err(Denied::Unavailable)) | Err(_) => {}
            Ok(Err(denied)) => {
                tracing::debug!(reason = %denied, "a credential no longer holds");
                self.expire();
            }
        }
    }

    fn expire(&self) {
        let on_expiry = self.lease.borrow().on_expiry();
        match on_expiry {
            OnExpiry::Downgrade => {
                self.lease.borrow_mut().forget();
                self.become_viewer(Viewer::anonymous());
            }
            OnExpiry::Close | OnExpiry::Keep => self.close(Goodbye::Expired),
        }
    }
}

/// Waits for what comes next for the credential of a socket; `None`: nothing does, or the socket has ended.
pub async fn until_due(shard: &Shard, socket: SocketId, next: impl Fn() -> Option<(Due, Duration)>) -> Option<Due> {
    loop {
        let (due, rest) = next()?;
        tokio::select! {
            () = tokio::time::sleep(rest.min(LONGEST_SLEEP)) => {}
            () = shard.ended(socket) => return None,
        }
        if rest <= LONGEST_SLEEP {
            return Some(due);
        }
    }
}

/// Whether two viewers can see the same: only when their credentials were made and end may differ.
fn is_same(one: &Viewer, other: &Viewer) -> bool {
    let lasting = |viewer: &Viewer| {
        let mut viewer = Viewer { expires: None, ..viewer.clone() };
        viewer.claims.retain(|name, _| !matches!(name.as_str(), "exp" | "iat" | "nbf"));
        viewer
    };
    lasting(one) == lasting(other)
}

fn code_of(denied: Denied) -> Code {
    match denied {
        Denied::Unavailable => Code::Unavailable,
        Denied::TooMany { .. } => Code::Limit,
        _ => Code::Credential,
    }
}
