//! Transactions of a database: its own.

use super::PostgresStore;
use super::read;
use super::write::{Absent, Change, Failed, Writing, columns_of, is_outdated};
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::event::Stamp;
use crate::postgres::failure::failure;
use crate::postgres::table::Table;
use crate::query::{Query, Row};
use crate::resource::Resource;
use crate::store::transaction::{Committed, Intent, Lock, Transaction};
use async_trait::async_trait;
use deadpool_postgres::Object;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_postgres::Client;

/// A transaction under way on a connection of its own.
///
/// To read it is one snapshot. To change it is read committed, so that after waiting for a lock it sees what the
/// one before it left.
pub(super) struct PostgresTransaction<'a> {
    store: &'a PostgresStore,
    /// `None` once it is over.
    client: Option<Object>,
    /// Tables that were looked at since it began.
    tables: HashMap<Arc<str>, Arc<Table>>,
    stamp: Stamp,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) async fn begin(store: &'a PostgresStore, intent: Intent) -> Result<PostgresTransaction<'a>> {
        let begin = match intent {
            Intent::Read => "begin isolation level repeatable read read only",
            Intent::Change => "begin isolation level read committed",
        };
        let client = store.pool.get().await?;
        let begun = PostgresTransaction { store, client: Some(client), tables: HashMap::new(), stamp: Stamp::None };
        begun.client()?.batch_execute(begin).await.map_err(|error| failure("beginning a transaction", error))?;
        Ok(begun)
    }

    fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or_else(|| Error::new(Kind::Internal, "the transaction is over"))
    }

    async fn table(&mut self, resource: &Resource) -> Result<Arc<Table>> {
        if let Some(table) = self.tables.get(&resource.name) {
            return Ok(table.clone());
        }
        let client = self.client()?;
        let table = self.store.table(client, &resource.name).await?;
        if is_outdated(client, &table).await? {
            self.store.forget(&resource.name);
            return Err(Error::new(Kind::Conflict, "the table has changed meanwhile"));
        }
        self.tables.insert(resource.name.clone(), table.clone());
        Ok(table)
    }

    fn wrote(&mut self, change: std::result::Result<Option<Change>, Failed>) -> Result<()> {
        if let Some(Change { xid, .. }) = change.map_err(settled)? {
            self.stamp = Stamp::Transaction(xid);
        }
        Ok(())
    }
}

#[async_trait]
impl Transaction for PostgresTransaction<'_> {
    async fn get(&mut self, resource: &Resource, id: &str, lock: Lock) -> Result<Option<Document>> {
        let (resource, table) = (resource.bare(), self.table(resource).await?);
        let writing = Writing { client: self.client()?, table: &table, resource: &resource, id };
        let record = writing.get(lock).await.map_err(settled)?;
        Ok(record.map(|record| Document::new(record.value)))
    }

    async fn find(&mut self, resource: &Resource, query: &Query) -> Result<Vec<Row>> {
        let (resource, table) = (resource.bare(), self.table(resource).await?);
        let rows = read::rows(self.client()?, &table, &resource, query).await;
        if rows.is_err() {
            // What it is still sending, nobody will read.
            self.client.take().map(Object::take);
        }
        rows
    }

    async fn insert(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()> {
        let (resource, table) = (resource.bare(), self.table(resource).await?);
        let writing = Writing { client: self.client()?, table: &table, resource: &resource, id };
        let change = writing.insert(columns_of(&document)?).await;
        self.wrote(change.map(Some))
    }

    async fn update(&mut self, resource: &Resource, id: &str, document: Value) -> Result<()> {
        let (resource, table) = (resource.bare(), self.table(resource).await?);
        let writing = Writing { client: self.client()?, table: &table, resource: &resource, id };
        let record = writing.get(Lock::Change).await.map_err(settled)?.ok_or_else(missing)?;
        let change = writing.update(&record, columns_of(&document)?, Absent::Null).await;
        self.wrote(change)
    }

    async fn delete(&mut self, resource: &Resource, id: &str) -> Result<()> {
        let (resource, table) = (resource.bare(), self.table(resource).await?);
        let writing = Writing { client: self.client()?, table: &table, resource: &resource, id };
        writing.get(Lock::Change).await.map_err(settled)?.ok_or_else(missing)?;
        let change = writing.delete().await;
        self.wrote(change.map(Some))
    }

    async fn commit(mut self: Box<Self>) -> Result<Committed> {
        // Alone, a commit of what failed would be answered as if all were well.
        self.client()?.batch_execute("select; commit").await.map_err(|error| settled(Failed::from(error)))?;
        self.client = None;
        Ok(Committed { stamp: self.stamp })
    }
}

impl Drop for PostgresTransaction<'_> {
    /// The connection goes back once the database has undone what was not committed.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            drop(Object::take(client));
            return;
        };
        runtime.spawn(async move {
            if roll_back(&client).await.is_err() {
                drop(Object::take(client));
            }
        });
    }
}

async fn roll_back(client: &Client) -> std::result::Result<(), tokio_postgres::Error> {
    client.batch_execute("rollback").await
}

/// What to do about it: again, where others came between.
fn settled(failed: Failed) -> Error {
    match failed {
        Failed::Taken(error) | Failed::Undone(error) => {
            Error::because(Kind::Conflict, "others are changing the same records", error)
        }
        Failed::Other(error) => error,
    }
}

fn missing() -> Error {
    Error::new(Kind::Missing, "there is no such record")
}
