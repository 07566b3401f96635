//! Pushes between users, channels and clients, put together from the resources that the configuration names.

use crate::app::parts::Opened;
use crate::app::service::{Ground, Service};
use crate::catalog::Catalog;
use crate::config::{self, Config};
use crate::door::Door;
use crate::error::Result;
use crate::metrics::Metrics;
use crate::replica::Replica;
use std::sync::Arc;

/// Pushes whose parts are open.
pub struct Jac {
    config: config::Jac,
}

impl Jac {
    /// Opens its parts.
    ///
    /// # Errors
    /// Whatever cannot be opened, in one sentence that says what to do.
    pub async fn open(config: &config::Jac, _all: &Config, _opened: &mut Opened) -> Result<Jac> {
        Ok(Jac { config: config.clone() })
    }
}

impl Service for Jac {
    fn replicas(&self, _catalog: &Arc<Catalog>, _metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        Vec::new()
    }

    fn doors(&self, _ground: &Ground) -> Vec<Box<dyn Door>> {
        Vec::new()
    }
}
