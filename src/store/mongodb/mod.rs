//! The records of resources that are collections of a MongoDB database.
//!
//! A query is one read of a snapshot that the majority has; the snapshot's cluster time is the mark of the answer.
//! A write is one transaction.

mod bounds;
mod condition;
mod field;
mod operand;
mod pattern;
mod read;
mod value;
mod write;

use crate::error::{Error, Kind, Result};
use crate::event::Mark;
use crate::mongodb::collection::Binding;
use crate::mongodb::failure::{NO_REPLICA_SET, failure};
use crate::query::Query;
use crate::resource::Resource;
use crate::store::{Condition, Snapshot, Store, Write, Written};
use async_trait::async_trait;
use mongodb::Database;
use mongodb::bson::{Timestamp, doc};
use mongodb::options::{ReadPreference, SelectionCriteria};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What the store is told to do.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bindings: Vec<Binding>,
    /// How long the server may work on one statement.
    pub statement_timeout: Duration,
}

impl Settings {
    /// The defaults: thirty seconds.
    pub fn new(bindings: Vec<Binding>) -> Settings {
        Settings { bindings, statement_timeout: Duration::from_secs(30) }
    }
}

/// The collections of one database.
pub struct MongoStore {
    database: Database,
    bindings: HashMap<Arc<str>, Binding>,
    statement_timeout: Duration,
}

impl MongoStore {
    /// A store on a database, which connects when it is asked.
    pub fn new(database: Database, settings: Settings) -> MongoStore {
        let bindings = settings.bindings.into_iter().map(|binding| (binding.resource.clone(), binding)).collect();
        MongoStore { database, bindings, statement_timeout: settings.statement_timeout }
    }

    fn binding(&self, resource: &str) -> Result<&Binding> {
        self.bindings
            .get(resource)
            .ok_or_else(|| Error::new(Kind::Internal, format!("{resource} is not a resource of this database")))
    }

    /// A time that everything is at or before that the primary has now.
    async fn now(&self) -> Result<Timestamp> {
        let answer = self.database.run_command(doc! { "ping": 1 }).selection_criteria(primary()).await;
        let answer = answer.map_err(|error| failure("reading the cluster time", &error))?;
        answer.get_timestamp("operationTime").map_err(|_| Error::new(Kind::Refused, NO_REPLICA_SET))
    }
}

/// Why something was not read or written: by the driver's word, which tells whether to try again, or by ours.
enum Failed {
    Driver(mongodb::error::Error),
    Own(Error),
}

impl From<mongodb::error::Error> for Failed {
    fn from(error: mongodb::error::Error) -> Failed {
        Failed::Driver(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Own(error)
    }
}

/// Only the primary knows everything that was written.
fn primary() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::Primary)
}

/// A cluster time as marks and stamps carry it.
fn number(time: Timestamp) -> u64 {
    u64::from(time.time) << 32 | u64::from(time.increment)
}

#[async_trait]
impl Store for MongoStore {
    async fn query(&self, resource: &Resource, query: &Query) -> Result<Snapshot> {
        let binding = self.binding(&resource.name)?;
        self.read(binding, resource, query).await
    }

    async fn mark(&self) -> Result<Mark> {
        Ok(Mark::Time(number(self.now().await?)))
    }

    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        let binding = self.binding(&resource.name)?;
        self.change(binding, resource, id, &write, condition).await
    }
}
