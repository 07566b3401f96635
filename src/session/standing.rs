//! Who the client is, for as long as it is connected: a credential ends, is looked at again, or is replaced by
//! another.

use crate::auth::{Denied, OnExpiry, Pass};
use crate::event::Timestamp;
use crate::message::{Code, Goodbye};
use crate::session::Session;
use crate::viewer::{Token, Viewer};
use std::rc::Rc;
use std::time::Duration;

/// Clocks are set now and then, so none is trusted for longer than this at a time.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

/// What comes next for a credential.
enum Step {
    /// It ends now.
    Expire,
    /// Look again whether it holds.
    Recheck,
    /// It neither ends nor can be looked at.
    Nothing,
}

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
        let is_lasting = matches!(self.next(), (Step::Nothing, _));
        let looking = (!is_lasting).then(|| tokio::task::spawn_local(async move { session.looking_after().await }));
        if let Some(before) = self.looking.replace(looking) {
            before.abort();
        }
    }

    async fn looking_after(self: Rc<Self>) {
        loop {
            let (step, rest) = self.next();
            if matches!(step, Step::Nothing) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(rest.min(LONGEST_SLEEP)) => {}
                () = self.shard.ended(self.socket.get()) => return,
            }
            match step {
                _ if rest > LONGEST_SLEEP => {}
                Step::Expire => return self.expire(),
                Step::Recheck => self.recheck().await,
                Step::Nothing => return,
            }
        }
    }

    /// What is to be done next, and in what time.
    fn next(&self) -> (Step, Duration) {
        let lease = self.lease.borrow();
        let rest = self.viewer.borrow().expires.map(|at| {
            let millis = at.saturating_add(1).saturating_mul(1000).saturating_sub(Timestamp::now().0);
            Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        });
        let recheck = lease.recheck_after();
        if lease.on_expiry() == OnExpiry::Keep {
            // What was taken back before its end counts, what has ended does not.
            return match recheck.filter(|recheck| rest.is_none_or(|rest| *recheck < rest)) {
                Some(recheck) => (Step::Recheck, spread(recheck)),
                None => (Step::Nothing, Duration::ZERO),
            };
        }
        match (rest, recheck) {
            (Some(rest), Some(recheck)) if recheck < rest => (Step::Recheck, spread(recheck)),
            (Some(rest), _) => (Step::Expire, rest),
            (None, Some(recheck)) => (Step::Recheck, spread(recheck)),
            (None, None) => (Step::Nothing, Duration::ZERO),
        }
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

/// Whether two viewers can see the same: only when their credentials were made and end may differ.
fn is_same(one: &Viewer, other: &Viewer) -> bool {
    let lasting = |viewer: &Viewer| {
        let mut viewer = Viewer { expires: None, ..viewer.clone() };
        viewer.claims.retain(|name, _| !matches!(name.as_str(), "exp" | "iat" | "nbf"));
        viewer
    };
    lasting(one) == lasting(other)
}

/// So that many that came together do not ask together for ever.
fn spread(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.9..=1.0))
}

fn code_of(denied: Denied) -> Code {
    match denied {
        Denied::Unavailable => Code::Unavailable,
        Denied::TooMany { .. } => Code::Limit,
        _ => Code::Credential,
    }
}
