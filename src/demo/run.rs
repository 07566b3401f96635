//! The simulation at work: its writes, at a pace that a reader can follow.

use crate::catalog::Catalog;
use crate::demo::{DemoWrite, RESOURCES, Simulation};
use crate::error::{Error, Kind, Result};
use crate::event::Timestamp;
use crate::filter::Filter;
use crate::query::Query;
use crate::store::{Condition, Write};
use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Every demo is the same data centre.
const SEED: u64 = 9100;

/// What happens to rows that are there before the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They are somebody's: the demo does not begin.
    Kept,
    /// They are an earlier demo's, and go.
    Removed,
}

/// Fills the resources of the demo. Log lines of an earlier demo stay.
///
/// # Errors
/// When a store fails, a resource of the demo is not served, or there are rows that are to be kept.
pub async fn furnish(catalog: &Catalog, existing: Existing) -> Result<Simulation> {
    let mut simulation = Simulation::new(SEED);
    let seeds = simulation.seed(Timestamp::now());
    clear(catalog, &seeds, existing).await?;
    write(catalog, seeds).await?;
    Ok(simulation)
}

/// Lets something happen at every `pace`, as `step` says, until `stop` completes.
///
/// # Errors
/// When the store fails.
pub async fn run(
    mut step: impl FnMut(Timestamp) -> Vec<DemoWrite>,
    catalog: Arc<Catalog>,
    pace: Duration,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(pace) => {}
        }
        write(&catalog, step(Timestamp::now())).await?;
    }
}

/// Removes every record that is not among those to come.
async fn clear(catalog: &Catalog, seeds: &[DemoWrite], existing: Existing) -> Result<()> {
    let kept: HashSet<(&str, &str)> = seeds.iter().map(|seed| (seed.resource, seed.id.as_str())).collect();
    // What refers to others goes before them.
    for name in RESOURCES.into_iter().rev().filter(|name| *name != "logs") {
        let served = catalog.resource(name).ok_or_else(|| missing(name))?;
        let all = Query::all(Arc::new(Filter::All));
        for row in served.store.query(&served.resource, &all).await?.rows {
            if !kept.contains(&(name, &*row.id)) {
                if existing == Existing::Kept {
                    let sentence =
                        format!("{name} has rows already, and the demo needs them to go: --wipe removes them");
                    return Err(Error::new(Kind::Refused, sentence));
                }
                served.store.write(&served.resource, &row.id, Write::Delete, &Condition::None).await?;
            }
        }
    }
    Ok(())
}

/// Makes the writes, in order.
///
/// # Errors
/// When the store fails.
pub async fn write(catalog: &Catalog, writes: Vec<DemoWrite>) -> Result<()> {
    for DemoWrite { resource, id, write } in writes {
        let served = catalog.resource(resource).ok_or_else(|| missing(resource))?;
        match served.store.write(&served.resource, &id, write, &Condition::None).await {
            Ok(_) => {}
            // The reader may remove or change what they see; the simulation goes on without it.
            Err(error) if matches!(error.kind(), Kind::Missing | Kind::Malformed) => {
                tracing::debug!(error = error.chain(), resource, "a write of the demo had nothing to change");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn missing(resource: &str) -> Error {
    Error::new(Kind::Configuration, format!("the demo needs the resource {resource}"))
}
