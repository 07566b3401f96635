//! What a dialect with parts of its own adds to the program: state in the pump, work beside it, doors, and routes.

use crate::auth::Gate;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::door::Door;
use crate::hub::Hub;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::replica::Replica;
use crate::shard::Handle;
use axum::Router;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;

/// What the program stands on, for whoever adds to it.
pub struct Ground {
    pub config: Config,
    pub catalog: Arc<Catalog>,
    pub log: Arc<dyn Log>,
    pub hub: Arc<Hub>,
    pub shards: Vec<Handle>,
    pub metrics: Arc<Metrics>,
    /// What is asked of whoever comes in; a door that asks otherwise has another one, with the same count of failures.
    pub gate: Arc<Gate>,
    /// Turns true when the program goes down.
    pub stopped: watch::Receiver<bool>,
}

/// A dialect with parts of its own, put together from the resources that its configuration names. Each method but
/// `gauge` is called once, in this order.
pub trait Service: Send + Sync {
    /// What it has in the pump, behind what others have there.
    fn replicas(&self, catalog: &Arc<Catalog>, metrics: &Arc<Metrics>) -> Vec<Box<dyn Replica>>;

    /// What it does beside serving, before the first change is followed and until the program goes down.
    fn tasks(&self, _ground: &Ground) -> Vec<BoxFuture<'static, ()>> {
        Vec::new()
    }

    /// The ways in to it.
    fn doors(&self, ground: &Ground) -> Vec<Box<dyn Door>>;

    /// Brings the numbers of its own that nobody counts up to date.
    fn gauge(&self, _metrics: &Metrics) {}

    /// What it answers by HTTP.
    fn routes(&self, _ground: &Ground) -> Router {
        Router::new()
    }
}
