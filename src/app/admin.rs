//! What an operator may do while the program runs, put together: routes, and a resource by which every server over
//! the same data says what one of them was told to say.

use crate::api::admin::{self, AdminState};
use crate::app::service::{Ground, Service};
use crate::broadcast::Broadcast;
use crate::catalog::Catalog;
use crate::config;
use crate::document::Document;
use crate::door::Door;
use crate::error::Result;
use crate::event::Operation;
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::replica::tap::{Shown, Tap};
use axum::Router;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// The operator's part of the program.
pub struct Admin {
    token: String,
    broadcasts: Option<Arc<str>>,
    /// What is logged of the broadcasts, until somebody says it.
    logged: Mutex<Option<mpsc::Receiver<Shown>>>,
}

impl Admin {
    /// Reads the token.
    ///
    /// # Errors
    /// `Configuration` when it cannot be read.
    pub fn open(config: &config::Admin) -> Result<Admin> {
        let broadcasts = config.broadcasts.as_deref().map(Into::into);
        Ok(Admin { token: config.token.read()?, broadcasts, logged: Mutex::default() })
    }
}

impl Service for Admin {
    fn replicas(&self, _catalog: &Arc<Catalog>, _metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>> {
        let Some(resource) = &self.broadcasts else { return Vec::new() };
        let (tap, logged) = Tap::new(vec![resource.clone()], Vec::new());
        *self.logged.lock().unwrap_or_else(PoisonError::into_inner) = Some(logged);
        vec![Box::new(tap)]
    }

    fn tasks(&self, ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        let logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut logged) = logged else { return Vec::new() };
        let shards = ground.shards.clone();
        vec![Box::pin(async move {
            while let Some(shown) = logged.recv().await {
                let Shown::Entry { entry, .. } = shown else { continue };
                let is_new = matches!(entry.event.operation, Operation::Created | Operation::Appended);
                let Some(row) = entry.event.after.as_ref().filter(|_| is_new).map(Document::value) else { continue };
                match Broadcast::parse(row) {
                    Ok(broadcast) => _ = broadcast.say(&shards).await,
                    Err(why) => tracing::warn!(id = %entry.event.id, why, "a broadcast cannot be read"),
                }
            }
        })]
    }

    fn doors(&self, _ground: &Ground) -> Vec<Box<dyn Door>> {
        Vec::new()
    }

    fn routes(&self, ground: &Ground) -> Router {
        let broadcasts = self.broadcasts.as_ref().and_then(|name| ground.catalog.resource(name));
        admin::router(AdminState { token: self.token.clone(), shards: ground.shards.clone(), broadcasts })
    }
}
