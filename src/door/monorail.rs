//! The way in of the monorail protocol: any path, whose last segment names a channel.

use crate::api::admit::refuse;
use crate::auth::Gate;
use crate::dialect::monorail::channel_of_path;
use crate::door::{Admission, Asking, Door};
use crate::session::Terms;
use crate::shard::Manners;
use crate::talk::Watching;
use async_trait::async_trait;
use axum::response::Response;
use std::sync::Arc;

/// Takes what no other door takes.
pub struct MonorailDoor {
    pub gate: Arc<Gate>,
    pub terms: Arc<Terms>,
    /// The largest message a client may send, in bytes.
    pub max_message: usize,
}

#[async_trait]
impl Door for MonorailDoor {
    fn takes(&self, _path: &str) -> bool {
        true
    }

    async fn admit(&self, asking: Asking<'_>) -> Result<Admission, Response> {
        let pass = self.gate.admit(&asking.shown()).await.map_err(refuse)?;
        let channel = channel_of_path(asking.path).into();
        let start = Watching::start(pass, self.terms.clone(), channel, None);
        Ok(Admission { start, manners: Manners::default(), max_message: self.max_message })
    }
}
