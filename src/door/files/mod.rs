//! The way in to a file store: the path says what is heard, and coming in is the subscription. Whoever may not come
//! in is told by a status without a body.

mod lookup;
mod place;
#[cfg(test)]
mod tests;

pub use lookup::Lookup;
pub use place::{Heard, Paths};

use crate::api::admit;
use crate::audience::Sight;
use crate::auth::{Denied, Gate};
use crate::door::{Admission, Asking, Door};
use crate::event::{Position, Timestamp};
use crate::hub::Hub;
use crate::message::{Address, Since, Watch};
use crate::session::{OnBreak, Opening, Terms};
use crate::shard::{Keepalive, Manners};
use crate::talk::Watching;
use crate::viewer::Viewer;
use async_trait::async_trait;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use place::{Query, is_uuid};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The longest message that a client may send, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// A client that is silent for so long is gone.
pub const SILENCE: Duration = Duration::from_secs(75);

/// The door of a file store.
pub struct FilesDoor {
    pub paths: Paths,
    pub gate: Arc<Gate>,
    /// The claim that holds the groups of a viewer.
    pub group_claim: Option<String>,
    pub lookup: Lookup,
    /// The resource of what is told.
    pub messages: Arc<str>,
    pub terms: Arc<Terms>,
    pub hub: Arc<Hub>,
    /// Between two pings; `None`: never, and then nobody is given up for being silent.
    pub ping: Option<Duration>,
}

#[async_trait]
impl Door for FilesDoor {
    fn takes(&self, path: &str) -> bool {
        self.paths.rest(path).is_some()
    }

    fn chooses_protocol(&self) -> bool {
        false
    }

    async fn admit(&self, asking: Asking<'_>) -> Result<Admission, Response> {
        let query = Query::parse(asking.query);
        let pass = self.gate.admit(&asking.shown()).await.map_err(denied)?;
        let heard = self.paths.heard(asking.path, &query).ok_or_else(|| refused(StatusCode::NOT_FOUND))?;
        let sight = Sight {
            subject: pass.viewer.subject.clone(),
            groups: self.groups(&pass.viewer).into(),
            is_named: heard == Heard::List,
            ..Sight::default()
        };
        if let Some(key) = heard.key() {
            self.check(key, &sight).await.map_err(refused)?;
        }
        let address = Address { channel: "/files".into(), reference: None };
        // From here on nothing is missed: the log has it, and the watch goes on from this position.
        let watch = watch(&heard, &query, self.hub.now());
        // A client without positions cannot be told that something is missing.
        let on_break = if watch.positions { OnBreak::StartOver } else { OnBreak::End };
        let resource = self.messages.clone();
        let opening = Opening { address, resource, watch, sight: Some(sight), on_break };
        let start = Watching::start(pass, self.terms.clone(), "".into(), Some(opening));
        let keepalive = self.ping.map(|ping| Keepalive { ping: Some(ping), silence: Some(SILENCE) });
        let manners = Manners { keepalive, ..Manners::default() };
        Ok(Admission { start, manners, max_message: MAX_MESSAGE })
    }
}

impl FilesDoor {
    fn groups(&self, viewer: &Viewer) -> Vec<Arc<str>> {
        match self.group_claim.as_ref().and_then(|claim| viewer.claims.get(claim)) {
            Some(Value::String(groups)) => groups.split_whitespace().map(Into::into).collect(),
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(Into::into).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether these eyes may follow one file.
    async fn check(&self, key: &str, sight: &Sight) -> Result<(), StatusCode> {
        let rights = self.lookup.rights(key).await.map_err(|error| {
            tracing::warn!(error = %error.chain(), "who may follow a file is not known");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        match rights {
            None if !is_uuid(key) => Err(StatusCode::NOT_FOUND),
            Some(rights) if rights.role(sight, Timestamp::now().0).is_some() => Ok(()),
            None | Some(_) => Err(StatusCode::FORBIDDEN),
        }
    }
}

/// What a socket on a path follows, which came in at a position.
fn watch(heard: &Heard, query: &Query, now: Position) -> Watch {
    let asked = query.since.as_ref().map(|text| text.parse::<Position>().ok());
    let positions = query.positions || asked.is_some();
    Watch::going_on(asked.map_or(Since::Entry(now), Since::Asked), heard.message().filter(), positions)
}

/// As everywhere, without the sentence.
fn denied(denied: Denied) -> Response {
    admit::refuse(denied).map(|_| Body::empty())
}

fn refused(status: StatusCode) -> Response {
    status.into_response()
}
