//! The events and the chat of Pydio Cells, put together from the resources that the configuration names.

use crate::app::parts::Opened;
use crate::app::service::{Ground, Service};
use crate::catalog::Catalog;
use crate::config::{self, Config};
use crate::door::Door;
use crate::error::Result;
use crate::metrics::Metrics;
use crate::replica::Replica;
use std::sync::Arc;

/// The event and chat channels whose parts are open.
pub struct Cells {
    config: config::Cells,
}

impl Cells {
    /// Opens its parts.
    ///
    /// # Errors
    /// Whatever cannot be opened, in one sentence that says what to do.
    pub async fn open(config: &config::Cells, _all: &Config, _opened: &mut Opened) -> Result<Cells> {
        Ok(Cells { config: config.clone() })
    }
}

impl Service for Cells {
    fn replicas(&self, _catalog: &Arc<Catalog>, _metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        Vec::new()
    }

    fn doors(&self, _ground: &Ground) -> Vec<Box<dyn Door>> {
        Vec::new()
    }
}
