//! The resource that a request's path names, if this viewer may know of it.

use crate::access;
use crate::api::problem::Problem;
use crate::api::{ApiState, cors};
use crate::catalog::Served;
use crate::viewer::Viewer;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::sync::Arc;

/// Who asks.
pub(super) struct Asker(pub Viewer);

/// A resource that the asker may read, and the record that the path names; empty when it names none.
pub(super) struct Reached {
    pub served: Arc<Served>,
    pub viewer: Viewer,
    pub id: String,
}

impl Reached {
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
        let viewer = (state.admit)(&parts.headers, parts.uri.query());
        viewer.map(Asker).map_err(|denied| Problem::unauthorized(format!("{denied}.")))
    }
}

impl FromRequestParts<Arc<ApiState>> for Reached {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Reached, Problem> {
        let Asker(viewer) = Asker::from_request_parts(parts, state).await?;
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
        let served = state
            .catalog
            .resource(name)
            .filter(|served| access::may_read(&served.resource.read, &viewer))
            .ok_or_else(|| Problem::no_resource(name))?;
        Ok(Reached { served: served.clone(), viewer, id: id.to_owned() })
    }
}
