//! The resource that a request's path names, if this viewer may know of it.

use crate::access::Bound;
use crate::api::problem::Problem;
use crate::api::{ApiState, admit, cors};
use crate::auth::{Lease, Pass};
use crate::catalog::Served;
use crate::document::Document;
use crate::viewer::Viewer;
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who asks.
pub(super) struct Asker(pub Pass);

/// A resource that the asker may read, and the record that the path names; empty when it names none.
pub(super) struct Reached {
    pub served: Arc<Served>,
    /// What the resource is to the asker.
    pub bound: Bound,
    pub viewer: Viewer,
    pub lease: Lease,
    pub id: String,
}

impl Reached {
    /// The record with this key, if the asker may see it.
    pub async fn record(&self, id: &str) -> Result<Option<Document>, Problem> {
        let found = self.served.record(&self.bound, id).await;
        found.map_err(|error| Problem::of_store(&error, &self.served.resource.name))
    }

    /// Refuses a change of the record where records are not changed.
    pub fn must_be_changeable(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.served.resource.append_only {
            true => Err(Problem::not_allowed(self.allow())),
            false => self.must_be_writable(headers),
        }
    }

    /// Refuses a write to what is not writable, or from a page that has no business here.
    pub fn must_be_writable(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !self.served.resource.writable {
            return Err(Problem::not_allowed(self.allow()));
        }
        if !self.viewer.is_authenticated() && cors::is_foreign(headers) {
            return Err(Problem::foreign_origin());
        }
        Ok(())
    }

    /// The methods that the path takes.
    pub fn allow(&self) -> &'static str {
        let resource = &self.served.resource;
        match (resource.writable, self.id.is_empty()) {
            (true, true) => "GET, HEAD, POST, OPTIONS",
            (true, false) if !resource.append_only => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

impl FromRequestParts<Arc<ApiState>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Asker, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let shown = admit::shown(&parts.headers, parts.uri.query(), peer);
        let pass = state.gate.admit(&shown).await;
        pass.map(Asker).map_err(Problem::denied)
    }
}

impl FromRequestParts<Arc<ApiState>> for Reached {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Reached, Problem> {
        let Asker(Pass { viewer, lease }) = Asker::from_request_parts(parts, state).await?;
        let path = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::malformed("the path is not UTF-8."))?;
        let (mut name, mut id) = ("", "");
        for (parameter, value) in &path {
            match parameter {
                "resource" => name = value,
                _ => id = value,
            }
        }
        let known = state.catalog.resource(name).and_then(|served| Some((served.bind(&viewer)?, served)));
        let (bound, served) = known.ok_or_else(|| Problem::no_resource(name))?;
        Ok(Reached { served, bound, viewer, lease, id: id.to_owned() })
    }
}
