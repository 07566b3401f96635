//! The records of resources that are tables of a Postgres database.
//!
//! A query is one read-only transaction: its snapshot and the rows of that snapshot. Row level security applies
//! as it does to the user of the URL.

mod column;
mod condition;
mod order;
mod parameters;
mod read;
mod transaction;
mod write;

use crate::error::{Error, Kind, Result};
use crate::event::Mark;
use crate::postgres::address::Address;
use crate::postgres::failure::failure;
use crate::postgres::pool::Pool;
use crate::postgres::snapshot::mark;
use crate::postgres::table::{self, Binding, Table};
use crate::query::Query;
use crate::resource::Resource;
use crate::store::transaction::{Intent, Transaction};
use crate::store::{Condition, Snapshot, Store, Write, Written};
use async_trait::async_trait;
use deadpool_postgres::Object;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use transaction::PostgresTransaction;

/// What the store is told to do.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bindings: Vec<Binding>,
    /// At most so many connections; a request waits up to ten seconds for one.
    pub connections: usize,
    pub statement_timeout: Duration,
}

impl Settings {
    /// The defaults: eight connections, thirty seconds.
    pub fn new(bindings: Vec<Binding>) -> Settings {
        Settings { bindings, connections: 8, statement_timeout: Duration::from_secs(30) }
    }
}

/// The tables of one database.
pub struct PostgresStore {
    pool: Pool,
    bindings: HashMap<Arc<str>, Binding>,
    /// Tables as they were when they were last looked at, by resource.
    tables: Mutex<HashMap<Arc<str>, Arc<Table>>>,
}

impl PostgresStore {
    /// A store that connects when it is asked.
    ///
    /// # Errors
    /// `Configuration` when no pool can be made of the settings.
    pub fn new(address: &Address, wanted: Settings) -> Result<PostgresStore> {
        let pool = Pool::new(address, wanted.connections, wanted.statement_timeout)?;
        let bindings = wanted.bindings.into_iter().map(|binding| (binding.resource.clone(), binding)).collect();
        Ok(PostgresStore { pool, bindings, tables: Mutex::default() })
    }

    /// The table of a resource, looked up when it is not known.
    async fn table(&self, client: &Object, resource: &str) -> Result<Arc<Table>> {
        if let Some(table) = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(resource) {
            return Ok(table.clone());
        }
        let binding = self
            .bindings
            .get(resource)
            .ok_or_else(|| Error::new(Kind::Internal, format!("{resource} is not a resource of this database")))?;
        let table = table::load(client, std::slice::from_ref(binding)).await?.pop();
        let table = Arc::new(table.ok_or_else(|| Error::new(Kind::Internal, "a table was not looked up"))?);
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(binding.resource.clone(), table.clone());
        Ok(table)
    }

    fn forget(&self, resource: &str) {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).remove(resource);
    }
}

/// What came of an attempt with a table as it was known.
enum Attempt<T> {
    Done(T),
    /// The table has changed since; look at it again.
    Outdated,
}

/// A table may change between being looked up and being read, but hardly twice.
const ATTEMPTS: usize = 3;

#[async_trait]
impl Store for PostgresStore {
    async fn query(&self, resource: &Resource, query: &Query) -> Result<Snapshot> {
        for _ in 0..ATTEMPTS {
            let mut client = self.pool.get().await?;
            let table = self.table(&client, &resource.name).await?;
            match read::attempt(&mut client, &table, resource, query).await {
                Ok(Attempt::Done(snapshot)) => return Ok(snapshot),
                Ok(Attempt::Outdated) => self.forget(&resource.name),
                Err(error) => {
                    // What it is still sending, nobody will read.
                    drop(Object::take(client));
                    return Err(error);
                }
            }
        }
        Err(Error::new(Kind::Unreachable, format!("the table of {} keeps changing", resource.name)))
    }

    async fn mark(&self) -> Result<Mark> {
        let client = self.pool.get().await?;
        let row = client
            .query_one("select pg_current_snapshot()::text", &[])
            .await
            .map_err(|error| failure("reading the snapshot", error))?;
        mark(row.get(0))
    }

    async fn write(&self, resource: &Resource, id: &str, write: Write, condition: &Condition) -> Result<Written> {
        for _ in 0..ATTEMPTS {
            let mut client = self.pool.get().await?;
            let table = self.table(&client, &resource.name).await?;
            match write::attempt(&mut client, &table, resource, id, &write, condition).await? {
                Attempt::Done(written) => return Ok(written),
                Attempt::Outdated => self.forget(&resource.name),
            }
        }
        Err(Error::new(Kind::Unreachable, format!("the record {id} keeps changing")))
    }

    fn has_transactions(&self) -> bool {
        true
    }

    async fn begin<'a>(&'a self, intent: Intent) -> Result<Box<dyn Transaction + 'a>> {
        Ok(Box::new(PostgresTransaction::begin(self, intent).await?))
    }
}
