//! Resources whose records are shared out by the rows of others, put together.

use crate::catalog::{Served, Sharing};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::filter::Path;
use crate::log::Log;
use crate::replica::Replica;
use crate::replica::shared::{Feed, Settings, Shared};
use std::time::Duration;

/// Lets the grants of some resources say who may see the records of others.
///
/// # Errors
/// `Configuration` when one of them was not found.
pub fn replicas(config: &Config, served: &mut [Served], log: &dyn Log) -> Result<Vec<Box<dyn Replica>>> {
    let mut replicas: Vec<Box<dyn Replica>> = Vec::new();
    for resource in &config.resources {
        let Some(shared_by) = &resource.shared_by else { continue };
        let find = |name: &str| served.iter().position(|one| *one.resource.name == *name);
        let (Some(records), Some(grants)) = (find(&resource.name), find(&shared_by.resource)) else {
            let sentence =
                format!("resource {:?} is shared by {:?}: one was not found", resource.name, shared_by.resource);
            return Err(Error::new(Kind::Configuration, sentence));
        };
        let feed = |one: &Served| Feed { resource: one.resource.name.clone(), source: one.resource.source.clone() };
        let path = |field: &Option<String>| field.as_ref().map(|field| Path::parse(field));
        let settings = Settings {
            records: feed(&served[records]),
            grants: feed(&served[grants]),
            record: Path::parse(&shared_by.record),
            subject: path(&shared_by.subject),
            group: path(&shared_by.group),
            until: path(&shared_by.until),
            owner: path(&shared_by.owner),
            remembers: match config.server.data {
                // A log in memory is not resumed after a start.
                None => Duration::ZERO,
                Some(_) => config.log.retention.age.unwrap_or(Duration::MAX),
            },
        };
        let shared = Shared::new(settings, log.last());
        let grants = served[grants].feeds().remove(0);
        served[records].sharing = Some(Sharing { view: shared.view(), grants });
        replicas.push(Box::new(shared));
    }
    Ok(replicas)
}
