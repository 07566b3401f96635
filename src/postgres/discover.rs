//! Which tables of a database can be served: every one with a primary key.

use crate::error::Result;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use crate::postgres::name::TableName;
use std::time::Duration;

/// A table that can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The resource's name: the table's, with its schema where that is needed to tell it apart.
    pub resource: String,
    pub table: TableName,
    /// The columns of the primary key.
    pub key: Vec<String>,
}

/// A table that cannot be served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub table: TableName,
    pub reason: &'static str,
}

/// Every table of a database, in order of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    pub served: Vec<Discovered>,
    pub left_out: Vec<LeftOut>,
}

/// Lists the tables: ordinary and partitioned ones, no partitions, no system tables, none of extensions.
///
/// # Errors
/// `Unreachable` or `Refused` when the database cannot be asked.
pub async fn discover(address: &Address) -> Result<Tables> {
    let (client, _task) = connect(address, Duration::from_secs(30), None).await?;
    let rows = client.query(TABLES, &[]).await.map_err(|error| failure("listing the tables", error))?;
    let mut tables = Tables::default();
    for row in &rows {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let visible: bool = row.get(2);
        let key: Vec<String> = row.get(4);
        let resource = if visible { name.clone() } else { format!("{schema}.{name}") };
        let table = TableName { schema: Some(schema), name };
        if key.is_empty() {
            tables.left_out.push(LeftOut { table, reason: "it has no primary key" });
        } else if !row.get::<_, bool>(3) {
            tables.left_out.push(LeftOut { table, reason: "this user may not read it" });
        } else {
            tables.served.push(Discovered { resource, table, key });
        }
    }
    Ok(tables)
}

const TABLES: &str = "select n.nspname::text, c.relname::text, pg_table_is_visible(c.oid), \
         has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'), \
         coalesce((select array_agg(a.attname::text order by k.nth) from pg_index i, \
             unnest(i.indkey::int2[]) with ordinality as k (attnum, nth), pg_attribute a \
             where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.attnum), '{}') \
     from pg_class c join pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't' \
         and n.nspname not in ('pg_catalog', 'information_schema', 'tidings') and n.nspname !~ '^pg_' \
         and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid \
             and d.deptype = 'e') \
     order by 1, 2";
