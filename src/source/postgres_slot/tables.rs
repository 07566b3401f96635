//! Which resources are fed by which table of the stream: a resource's own, and the partitions of it.

use crate::error::Result;
use crate::postgres::failure::failure;
use crate::postgres::table::{self, Binding, Table};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::Client;

/// The tables of all resources, as they were when they were loaded.
pub(super) struct Tables {
    served: Vec<(Arc<str>, Table)>,
    /// By the oid in the stream, the indexes into `served`.
    owners: HashMap<u32, Vec<usize>>,
}

impl Tables {
    /// Looks the tables and their partitions up.
    ///
    /// # Errors
    /// As [`table::load`].
    pub(super) async fn load(client: &Client, bindings: &[Binding]) -> Result<Tables> {
        let tables = table::load(client, bindings).await?;
        let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        let rows = client.query(PARTS, &[&oids]).await.map_err(|error| failure("looking at the partitions", error))?;
        let mut owners: HashMap<u32, Vec<usize>> = HashMap::new();
        for row in &rows {
            let (whole, part): (u32, u32) = (row.get(0), row.get(1));
            let of_whole = oids.iter().enumerate().filter(|(_, oid)| **oid == whole);
            owners.entry(part).or_default().extend(of_whole.map(|(index, _)| index));
        }
        let resources = bindings.iter().map(|binding| binding.resource.clone());
        Ok(Tables { served: resources.zip(tables).collect(), owners })
    }

    /// Whether the stream may mean a table of ours by this oid.
    pub(super) fn knows(&self, oid: u32) -> bool {
        self.owners.contains_key(&oid)
    }

    /// The resources that a table of the stream feeds, each with the whole table.
    pub(super) fn fed_by(&self, oid: u32) -> impl Iterator<Item = &(Arc<str>, Table)> {
        let owners = self.owners.get(&oid).map(Vec::as_slice).unwrap_or_default();
        owners.iter().filter_map(|index| self.served.get(*index))
    }
}

const PARTS: &str = "select whole.oid, whole.oid from (select distinct unnest($1::oid[])) as whole (oid) \
     union select whole.oid, part.relid::oid from (select distinct unnest($1::oid[])) as whole (oid), \
         pg_partition_tree(whole.oid) as part";
