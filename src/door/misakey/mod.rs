//! The way in for a member of boxes: the path names an identity, and a token that it is one's own. What is committed
//! after the handshake was answered is told, for the watch begins before it is.

mod pattern;
mod refusal;
#[cfg(test)]
mod tests;
mod token;

pub use pattern::Pattern;

use crate::audience::Sight;
use crate::auth::{Denied, Gate, Pass};
use crate::dialect::misakey::{MAX_BYTES, address, uuid};
use crate::door::{Admission, Asking, Door};
use crate::event::Position;
use crate::filter::Filter;
use crate::handshake;
use crate::hub::Hub;
use crate::message::{Since, Watch};
use crate::misakey::{Acks, Member};
use crate::session::{OnBreak, Opening, Terms};
use crate::shard::Manners;
use crate::talk::Watching;
use async_trait::async_trait;
use axum::http::HeaderMap;
use axum::response::Response;
use pattern::Query;
use refusal::Refusal;
use std::sync::Arc;
use token::Shown;
use tokio::sync::watch;

/// The door of one path.
pub struct MisakeyDoor {
    pub pattern: Pattern,
    pub gate: Arc<Gate>,
    /// Where browsers may come from besides the server's own pages; `*` is anywhere.
    pub origins: Vec<String>,
    pub terms: Arc<Terms>,
    pub hub: Arc<Hub>,
    /// The resource of what is told.
    pub messages: Arc<str>,
    pub acks: Arc<Acks>,
    pub manners: Manners,
    /// Turns true when the program goes down.
    pub stopped: watch::Receiver<bool>,
}

#[async_trait]
impl Door for MisakeyDoor {
    fn takes(&self, path: &str) -> bool {
        self.pattern.id(path).is_some()
    }

    fn chooses_protocol(&self) -> bool {
        false
    }

    async fn admit(&self, asking: Asking<'_>) -> Result<Admission, Response> {
        let (identity, pass) = self.judge(&asking).await?;
        handshake::check(asking.headers).map_err(|_| Refusal::NoUpgrade)?;
        if !self.may_come_from(asking.headers) {
            return Err(Refusal::Origin.into());
        }
        Ok(self.admission(identity, pass, &Query::parse(asking.query)))
    }
}

impl MisakeyDoor {
    /// The answer to a request that does not ask for a WebSocket.
    pub async fn turn_away(&self, asking: Asking<'_>) -> Response {
        match self.judge(&asking).await {
            Ok(_) => Refusal::NoUpgrade.into(),
            Err(refusal) => refusal.into(),
        }
    }

    /// Who asks, if it may come in.
    async fn judge(&self, asking: &Asking<'_>) -> Result<(Arc<str>, Pass), Refusal> {
        let token = match token::of(asking) {
            Shown::Token(token) => token,
            Shown::Nothing => return Err(Refusal::Cookie("accesstoken", "invalid")),
            Shown::EmptyCookie => return Err(Refusal::Cookie("accesstoken", "required")),
            Shown::WrongType => return Err(Refusal::Cookie("tokentype", "invalid")),
        };
        let pass = self.gate.present(&token, asking.peer).await.map_err(|denied| match denied {
            Denied::Client => Refusal::Client,
            Denied::Unavailable => Refusal::Unavailable,
            _ => Refusal::Inactive,
        })?;
        if *self.stopped.borrow() {
            return Err(Refusal::Unavailable);
        }
        let identity = self.pattern.id(asking.path).and_then(|id| uuid(&id)).ok_or(Refusal::Path)?;
        let is_own = pass.viewer.subject.as_ref().is_some_and(|subject| subject.eq_ignore_ascii_case(&identity));
        if is_own { Ok((identity.into(), pass)) } else { Err(Refusal::Foreign) }
    }

    fn may_come_from(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(axum::http::header::ORIGIN) else { return true };
        let host = headers.get(axum::http::header::HOST).map(|host| host.as_bytes()).unwrap_or_default();
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let is_own = authority.is_some_and(|(_, authority)| authority.as_bytes().eq_ignore_ascii_case(host));
        is_own || self.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }

    fn admission(&self, identity: Arc<str>, pass: Pass, query: &Query) -> Admission {
        // From here on nothing is missed: the log has it, and the watch goes on from this position.
        let now = self.hub.now();
        let positions = query.positions || query.since.is_some();
        let since = match &query.since {
            Some(since) => Since::Asked(since.parse::<Position>().ok()),
            None if positions => Since::Asked(Some(now)),
            None => Since::Entry(now),
        };
        let watch = Watch::going_on(since, Filter::All, positions);
        let opening = Opening {
            address: address(),
            resource: self.messages.clone(),
            watch,
            sight: Some(Sight { subject: Some(identity.clone()), ..Sight::default() }),
            on_break: OnBreak::End,
        };
        let watching = Watching::start(pass, self.terms.clone(), "".into(), Some(opening));
        let start = Member::start(identity, watching, self.acks.clone());
        Admission { start, manners: self.manners.clone(), max_message: MAX_BYTES }
    }
}
