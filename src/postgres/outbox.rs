//! Installing, removing and examining the outbox: the schema `tidings` and a trigger on every captured table.

use crate::error::{Error, Kind, Result};
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use crate::postgres::name::{TableName, literal};
use std::fmt;
use std::time::Duration;
use tokio_postgres::Client;

/// The version of `sql/outbox.sql`; it must say the same.
pub const VERSION: i32 = 1;

const OUTBOX: &str = include_str!("../../sql/outbox.sql");
const REMOVE: &str = include_str!("../../sql/remove.sql");

/// How long an installation waits for a table's lock, so that writers don't queue up behind it.
const LOCK_TIMEOUT: &str = "set lock_timeout = '10s';\n";

/// What is installed in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// `None`: nothing.
    pub version: Option<i32>,
    /// The tables that were asked for and have no working trigger.
    pub unattached: Vec<TableName>,
    /// Every table that has one, as the server quotes its name.
    pub attached: Vec<String>,
}

/// One thing that keeps changes from being captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    Outbox,
    /// It is of an older version than this program needs.
    Older(i32),
    /// It is of a newer version than this program knows.
    Newer(i32),
    /// The trigger on this table.
    Trigger(TableName),
}

impl State {
    /// Everything that keeps changes from being captured; nothing when all is well.
    pub fn lacks(&self) -> Vec<Lack> {
        let outbox = match self.version {
            None => Some(Lack::Outbox),
            Some(version) if version < VERSION => Some(Lack::Older(version)),
            Some(version) if version > VERSION => Some(Lack::Newer(version)),
            Some(_) => None,
        };
        outbox.into_iter().chain(self.unattached.iter().cloned().map(Lack::Trigger)).collect()
    }
}

impl Lack {
    /// Whether an installation by this program provides it.
    pub fn is_installable(&self) -> bool {
        !matches!(self, Lack::Newer(_))
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Outbox => f.write_str("the outbox is not installed"),
            Lack::Older(version) => write!(f, "the outbox is of version {version}, this program needs {VERSION}"),
            Lack::Newer(version) => {
                write!(f, "the outbox is of version {version}, this program knows {VERSION}: use a newer program")
            }
            Lack::Trigger(table) => write!(f, "{table} is not captured"),
        }
    }
}

/// The SQL that [`install`] runs, in the order in which it does. `reader` is the role of the source, where it
/// is not the one that installs.
pub fn print(tables: &[TableName], reader: Option<&str>) -> String {
    statements(tables, reader).into_iter().map(|(_, sql)| sql).collect::<Vec<_>>().join("\n")
}

/// Installs the outbox, or brings it up to date, and attaches the tables.
///
/// # Errors
/// `Refused` with the table that cannot be attached, and why: it is gone, it is not this user's, it was locked
/// for more than ten seconds. What was done before that stays; running it again goes on. An outbox of a newer
/// version is left as it is.
pub async fn install(address: &Address, tables: &[TableName], reader: Option<&str>) -> Result<()> {
    let (client, _task) = connect(address, Duration::ZERO, None).await?;
    if let Some(lack) = state_of(&client, &[]).await?.lacks().iter().find(|lack| !lack.is_installable()) {
        return Err(Error::new(Kind::Refused, lack.to_string()));
    }
    for (doing, statement) in statements(tables, reader) {
        client.batch_execute(&statement).await.map_err(|error| failure(&doing, error))?;
    }
    Ok(())
}

/// Detaches these tables; without any, removes the outbox and all it ever made.
///
/// # Errors
/// `Refused` when this user may not, or something foreign stands in the schema.
pub async fn remove(address: &Address, tables: &[TableName]) -> Result<()> {
    let (client, _task) = connect(address, Duration::ZERO, None).await?;
    client.batch_execute(&print_removal(tables)).await.map_err(|error| failure("removing the outbox", error))
}

/// The SQL that [`remove`] runs.
pub fn print_removal(tables: &[TableName]) -> String {
    if tables.is_empty() {
        return format!("{LOCK_TIMEOUT}begin;\n{REMOVE}commit;\n");
    }
    let detach = |table: &TableName| format!("select tidings.detach({});\n", literal(&table.quoted()));
    format!("{LOCK_TIMEOUT}{}", tables.iter().map(detach).collect::<String>())
}

/// What is installed, and which of these tables lack a trigger.
///
/// # Errors
/// `Unreachable` or `Refused` when the database cannot be asked.
pub async fn state(address: &Address, tables: &[TableName]) -> Result<State> {
    let (client, _task) = connect(address, Duration::from_secs(30), None).await?;
    state_of(&client, tables).await
}

/// [`state`], over a connection that is there.
pub async fn state_of(client: &Client, tables: &[TableName]) -> Result<State> {
    let doing = "looking at the outbox";
    let installed = client
        .query_one("select to_regclass('tidings.meta') is not null", &[])
        .await
        .map_err(|error| failure(doing, error))?;
    if !installed.get::<_, bool>(0) {
        return Ok(State { version: None, unattached: tables.to_vec(), attached: Vec::new() });
    }
    let meta = client
        .query_opt("select version from tidings.meta", &[])
        .await
        .map_err(|error| failure(doing, error))?
        .ok_or_else(|| Error::new(Kind::Refused, "tidings.meta is empty: run `tidings sql install` again"))?;
    let attached = client.query(ATTACHED, &[]).await.map_err(|error| failure(doing, error))?;
    let attached: Vec<String> = attached.iter().map(|row| row.get(0)).collect();
    let names: Vec<String> = tables.iter().map(TableName::quoted).collect();
    let wanted = client.query(FULL_NAMES, &[&names]).await.map_err(|error| failure(doing, error))?;
    let unattached = tables
        .iter()
        .zip(&wanted)
        .filter(|(_, row)| row.get::<_, Option<String>>(0).is_none_or(|name| !attached.contains(&name)))
        .map(|(table, _)| table.clone())
        .collect();
    Ok(State { version: Some(meta.get(0)), unattached, attached })
}

/// Tables whose trigger is enabled and still names them as they are called.
const ATTACHED: &str = "select format('%I.%I', n.nspname, c.relname) \
     from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace \
     where t.tgname = '!tidings_capture' and t.tgenabled in ('O', 'A') and not c.relispartition \
         and t.tgargs = convert_to(format('%I.%I', n.nspname, c.relname), getdatabaseencoding()) || '\\x00'::bytea \
     order by 1";

const FULL_NAMES: &str = "select (select format('%I.%I', n.nspname, c.relname) from pg_class c \
         join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(wanted.name)) \
     from unnest($1::text[]) with ordinality as wanted (name, nth) order by wanted.nth";

/// What is done, and the SQL for it. Each is a transaction of its own, so that no lock on a table is held while
/// another one is waited for.
fn statements(tables: &[TableName], reader: Option<&str>) -> Vec<(String, String)> {
    let mut statements = vec![("installing the outbox".to_owned(), format!("{LOCK_TIMEOUT}begin;\n{OUTBOX}commit;\n"))];
    statements.extend(tables.iter().map(|table| {
        let attach = format!("select tidings.attach({});\n", literal(&table.quoted()));
        (format!("making the triggers on {table}"), attach)
    }));
    if let Some(reader) = reader {
        let role = literal(&crate::postgres::name::quote(reader));
        statements.push((format!("letting {reader} read the outbox"), format!("select tidings.allow({role});\n")));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_in_the_sql_is_the_version_in_the_program() {
        assert!(OUTBOX.contains(&format!("insert into tidings.meta (version) values ({VERSION})")));
    }

    #[test]
    fn every_table_is_attached_by_its_quoted_name() {
        let tables = ["public.nodes".parse().unwrap(), "\"o'd.d\".x".parse().unwrap()];
        let sql = print(&tables, Some("reader"));
        assert!(sql.contains("select tidings.attach('\"public\".\"nodes\"');"));
        assert!(sql.contains("select tidings.attach('\"o''d.d\".\"x\"');"));
        assert!(sql.ends_with("select tidings.allow('\"reader\"');\n"));
    }
}
