//! Who sends a request: whoever its token names. The query parameter `token` comes before the header.

use super::failure::Failure;
use super::{Api, FilesApi};
use crate::api::admit;
use crate::audience::Sight;
use crate::viewer::Viewer;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// Somebody with a valid token.
pub(super) struct Asker {
    pub(super) subject: Arc<str>,
    pub(super) sight: Sight,
    viewer: Viewer,
}

impl Asker {
    /// The name that the token says.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.claim("name").and_then(Value::as_str).map(Arc::from)
    }

    /// What the token says of somebody.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.viewer.claims.get(name).filter(|value| !value.is_null())
    }
}

impl FromRequestParts<Api> for Asker {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Asker, Failure> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let shown = admit::shown(&parts.headers, parts.uri.query(), peer);
        let viewer = api.gate.admit(&shown).await.map_err(Failure::denied)?.viewer;
        let subject = viewer.subject.clone().ok_or_else(Failure::unauthorized)?;
        let sight = Sight { subject: Some(subject.clone()), groups: groups(api, &viewer), ..Sight::default() };
        Ok(Asker { subject, sight, viewer })
    }
}

/// The groups that a token names: a list, or a text with spaces.
fn groups(api: &FilesApi, viewer: &Viewer) -> Arc<[Arc<str>]> {
    match viewer.claims.get(&api.settings.group_claim) {
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(Arc::from).collect(),
        Some(Value::String(groups)) => groups.split_whitespace().map(Arc::from).collect(),
        _ => Arc::default(),
    }
}
