//! The publication that a slot streams, and the replica identity of the published tables: installing them,
//! removing them, and seeing what is wrong with them.

use crate::error::{Error, Kind, Result};
use crate::postgres::failure::failure;
use crate::postgres::name::{TableName, literal, quote};
use std::fmt;
use tokio_postgres::Client;

const PUBLICATION: &str = include_str!("../../sql/publication.sql");
const PUBLISHED: &str = include_str!("../../sql/published.sql");

/// The publication and the tables that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub name: String,
    /// `None`: there is none.
    pub published: Option<Published>,
    /// In the order in which they were asked for.
    pub tables: Vec<TableState>,
    /// What a transaction has to be older than to have ended before this was looked at.
    pub ended_before: u64,
    /// The first transaction that had not begun when this was looked at.
    pub begun_before: u64,
}

/// What a publication publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Inserts, updates, deletes and truncates.
    pub everything: bool,
    /// Changes of partitions are told as those of the partitioned table, and emptying a partition not at all.
    pub by_root: bool,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    pub name: TableName,
    /// Whether its changes are published.
    pub member: bool,
    /// Whether no row filter and no list of columns leaves out a part of them.
    pub whole: bool,
    pub partitioned: bool,
    /// The tables that hold its rows (itself, or its partitions), quoted, whose updates do not tell the row as it
    /// was before.
    pub without_before: Vec<String>,
    /// Of those, the ones of which it is not told which row was updated or deleted; writing them fails.
    pub without_identity: Vec<String>,
    /// Another one whenever the table or its part of the publication was replaced.
    pub version: String,
}

/// One thing that keeps changes from being streamed as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    Publication(String),
    /// Some operations are not published.
    Operations(String),
    /// Emptying a partition is not published.
    Partitions(String),
    /// The table is not in the publication.
    Table(TableName),
    /// Only some rows or columns of it are.
    Whole(TableName),
    /// Its rows cannot be told apart.
    Identity(TableName),
}

impl State {
    /// Everything that keeps changes from being streamed; nothing when all is well.
    pub fn lacks(&self) -> Vec<Lack> {
        let Some(published) = self.published else {
            return vec![Lack::Publication(self.name.clone())];
        };
        let mut lacks = Vec::new();
        if !published.everything {
            lacks.push(Lack::Operations(self.name.clone()));
        }
        if published.by_root && self.tables.iter().any(|table| table.partitioned) {
            lacks.push(Lack::Partitions(self.name.clone()));
        }
        for table in &self.tables {
            if !table.member {
                lacks.push(Lack::Table(table.name.clone()));
            } else if !table.whole {
                lacks.push(Lack::Whole(table.name.clone()));
            }
            if !table.without_identity.is_empty() {
                lacks.push(Lack::Identity(table.name.clone()));
            }
        }
        lacks
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Publication(name) => write!(f, "there is no publication {name}"),
            Lack::Operations(name) => write!(f, "the publication {name} leaves out some operations"),
            Lack::Partitions(name) => write!(f, "the publication {name} publishes partitions by their root"),
            Lack::Table(table) => write!(f, "{table} is not published"),
            Lack::Whole(table) => write!(f, "only some rows or columns of {table} are published"),
            Lack::Identity(table) => write!(f, "{table} has no replica identity"),
        }
    }
}

/// The SQL that publishes these tables, in the order in which it is run. Each is a transaction of its own, so that
/// no lock on a table is held while another one is waited for. All of it may be run again: what is as it should
/// be stays untouched.
pub fn statements(name: &str, tables: &[TableName]) -> Vec<(String, String)> {
    let fill =
        |sql: &str, table: &str| sql.replace("{publication}", &literal(name)).replace("{table}", &literal(table));
    let mut statements = vec![(format!("making the publication {name}"), fill(PUBLICATION, ""))];
    statements.extend(tables.iter().map(|table| (format!("publishing {table}"), fill(PUBLISHED, &table.quoted()))));
    statements
}

/// Publishes these tables.
///
/// # Errors
/// `Refused` with what this user may not; what was done before that stays.
pub async fn install(client: &Client, name: &str, tables: &[TableName]) -> Result<()> {
    for (doing, statement) in statements(name, tables) {
        client.batch_execute(&statement).await.map_err(|error| failure(&doing, error))?;
    }
    Ok(())
}

/// The SQL that gives a table the replica identity it should have.
pub fn identity_statement(table: &str) -> String {
    format!("alter table {table} replica identity full;")
}

/// The SQL that takes the publication away.
pub fn removal(name: &str) -> String {
    format!("drop publication if exists {};\n", quote(name))
}

/// What is published of these tables.
///
/// # Errors
/// `Unreachable` or `Refused` when the database cannot be asked.
pub async fn state(client: &Client, name: &str, tables: &[TableName]) -> Result<State> {
    let failed = |error| failure("looking at the publication", error);
    let names: Vec<String> = tables.iter().map(TableName::quoted).collect();
    let publication = client.query_one(PUBLICATION_STATE, &[&name]).await.map_err(failed)?;
    let rows = client.query(TABLE_STATES, &[&name, &names]).await.map_err(failed)?;
    let everything: Option<bool> = publication.get(0);
    let number = |index| publication.get::<_, i64>(index).unsigned_abs();
    let mut states = Vec::with_capacity(tables.len());
    for (table, row) in tables.iter().zip(&rows) {
        if row.get::<_, Option<u32>>(0).is_none() {
            return Err(Error::new(Kind::Refused, format!("there is no table {table}")));
        }
        states.push(TableState {
            name: table.clone(),
            partitioned: row.get(1),
            member: row.get(2),
            whole: row.get(3),
            without_before: row.get(4),
            without_identity: row.get(5),
            version: row.get(6),
        });
    }
    Ok(State {
        name: name.to_owned(),
        published: everything.map(|everything| Published { everything, by_root: publication.get(1) }),
        tables: states,
        ended_before: number(2),
        begun_before: number(3),
    })
}

const PUBLICATION_STATE: &str = "select p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate, p.pubviaroot, \
         pg_snapshot_xmin(s.now)::text::bigint, pg_snapshot_xmax(s.now)::text::bigint \
     from pg_current_snapshot() as s (now) left join pg_publication p on p.pubname = $1";

/// Row filters and column lists came with Postgres 15; `to_jsonb` knows whether there are any.
const TABLE_STATES: &str = "with publication as (select p.*, p.xmin as written from pg_publication p where pubname = $1), \
     holders as ( \
         select wanted.nth, part.relid as oid, c.relreplident, \
             format('%I.%I', c.relnamespace::regnamespace::text, c.relname) as shown, \
             exists (select from pg_publication_tables l where l.pubname = $1 \
                 and l.schemaname = c.relnamespace::regnamespace::text and l.tablename = c.relname) as listed, \
             exists (select from pg_index i where i.indrelid = part.relid \
                 and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident end) as indexed \
         from unnest($2::text[]) with ordinality as wanted (name, nth), \
             lateral (select to_regclass(wanted.name)::oid as relid, true as isleaf \
                     where not exists (select from pg_class where oid = to_regclass(wanted.name) and relkind = 'p') \
                 union all select relid, isleaf from pg_partition_tree(to_regclass(wanted.name))  \
                     where exists (select from pg_class where oid = to_regclass(wanted.name) and relkind = 'p')) as part, \
             pg_class c \
         where part.isleaf and c.oid = part.relid) \
     select c.oid, c.relkind = 'p', \
         coalesce(p.puballtables, false) or r.oid is not null \
             or coalesce((select bool_and(h.listed) from holders h where h.nth = wanted.nth), false), \
         (to_jsonb(r) ->> 'prqual') is null and (to_jsonb(r) ->> 'prattrs') is null, \
         array(select h.shown from holders h where h.nth = wanted.nth and h.relreplident <> 'f' order by 1), \
         array(select h.shown from holders h where h.nth = wanted.nth \
             and (h.relreplident = 'n' or h.relreplident in ('d', 'i') and not h.indexed) order by 1), \
         concat_ws('/', c.oid, p.oid, p.written, r.oid, r.xmin) \
     from unnest($2::text[]) with ordinality as wanted (name, nth) \
     left join pg_class c on c.oid = to_regclass(wanted.name) left join publication p on true \
     left join pg_publication_rel r on r.prpubid = p.oid and r.prrelid = c.oid \
     order by wanted.nth";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_wherever_they_stand() {
        let tables = ["\"o'd.d\".x".parse().unwrap()];
        let statements = statements("it's", &tables);
        assert!(statements[0].1.contains("'it''s'"), "{}", statements[0].1);
        assert!(statements[1].1.contains("'\"o''d.d\".\"x\"'"), "{}", statements[1].1);
        assert!(!statements[1].1.contains("{publication}") && !statements[1].1.contains("{table}"));
        assert_eq!(removal("a\"b"), "drop publication if exists \"a\"\"b\";\n");
    }
}
