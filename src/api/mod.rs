//! Resources over plain HTTP: read, and where the configuration says so, written.

mod answer;
mod asked;
mod change;
mod conditions;
pub mod cors;
mod key;
mod problem;
mod reached;
pub mod resources;
#[cfg(test)]
mod tests;

use crate::auth::Denied;
use crate::catalog::Catalog;
use crate::viewer::Viewer;
use axum::http::HeaderMap;
use std::sync::Arc;

/// What the handlers share.
pub struct ApiState {
    pub catalog: Arc<Catalog>,
    pub admit: Admit,
    /// More rows than this in one answer are refused, never cut.
    pub max_items: usize,
}

/// Makes the viewer out of a request's headers and its query string; without a credential the anonymous one,
/// unless one is required.
pub type Admit = Arc<dyn Fn(&HeaderMap, Option<&str>) -> Result<Viewer, Denied> + Send + Sync>;
