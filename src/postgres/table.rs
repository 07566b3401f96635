//! What a configured table looks like to the server: its columns with their types, its key, and how a row of it
//! becomes a document.

use crate::error::{Error, Kind, Result};
use crate::postgres::failure::failure;
use crate::postgres::form::{self, Form};
use crate::postgres::name::{TableName, quote};
use crate::postgres::types::{Family, Types};
use crate::resource::{join_key, split_key};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::Client;

/// Which table a resource is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The resource's name in the configuration.
    pub resource: Arc<str>,
    pub table: TableName,
    /// The columns of its key; empty for the primary key.
    pub key: Vec<Box<str>>,
}

/// A table as the server has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub oid: u32,
    pub name: TableName,
    /// The name as the server quotes it, which is how the outbox names it.
    pub full_name: String,
    pub partitioned: bool,
    /// The columns of the key, in order.
    pub key: Vec<String>,
    pub columns: Vec<Column>,
    /// Changes when a column is added, removed, renamed or gets another type.
    pub fingerprint: i64,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    /// The type as SQL writes it, for casts.
    pub type_name: String,
    pub family: Family,
    pub form: Form,
    pub required: bool,
    /// Computed by the server, never written.
    pub generated: bool,
    /// `generated always as identity`.
    pub identity: bool,
}

/// A row as a document, with its key as text.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: String,
    pub value: Value,
}

impl Table {
    /// Turns the text of `row_to_json` into the wire document. Nulls are left out, times are UTC, bytes base64;
    /// a column that is not known (it was dropped since) stays as it is.
    ///
    /// # Errors
    /// `Malformed` when it is no JSON object.
    pub fn read(&self, json: &str) -> Result<Record> {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(|error| {
            Error::because(Kind::Malformed, format!("a row of {} cannot be read", self.name), error)
        })?;
        let mut keys = vec![String::new(); self.key.len()];
        let mut document = Map::new();
        for (name, raw) in fields {
            if raw.get() == "null" {
                continue;
            }
            let value = match self.column(&name) {
                Some(column) => column.form.apply(form::parse(raw)),
                None => form::parse(raw),
            };
            if let Some(place) = self.key.iter().position(|key| *key == name) {
                keys[place] = match &value {
                    Value::String(text) => text.clone(),
                    // A number's own text: a document may round it, a key may not.
                    _ => raw.get().to_owned(),
                };
            }
            document.insert(name, value);
        }
        let id = match keys.len() {
            1 => keys.remove(0),
            _ => join_key(keys.iter().map(String::as_str)),
        };
        Ok(Record { id, value: Value::Object(document) })
    }

    /// The texts of the key's columns in an id; `None` when no row can have it.
    pub fn split(&self, id: &str) -> Option<Vec<String>> {
        if self.key.len() == 1 {
            return Some(vec![id.to_owned()]);
        }
        let parts = split_key(id);
        (parts.len() == self.key.len() && join_key(parts.iter().map(String::as_str)) == id).then_some(parts)
    }

    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|name| self.column(name))
    }

    /// What follows `from`: the table alone, without tables that inherit from it, under the alias `t`.
    pub fn from(&self) -> String {
        format!("{}{} as t", if self.partitioned { "" } else { "only " }, self.name.quoted())
    }
}

/// Looks the tables up.
///
/// # Errors
/// `Refused` when one does not exist, has no key, or may not be read; the sentence says what to do.
pub async fn load(client: &Client, bindings: &[Binding]) -> Result<Vec<Table>> {
    let doing = "looking at the tables";
    let names: Vec<String> = bindings.iter().map(|binding| binding.table.quoted()).collect();
    let found = client.query(FIND, &[&names]).await.map_err(|error| failure(doing, error))?;
    let mut tables = Vec::with_capacity(bindings.len());
    for (binding, row) in bindings.iter().zip(&found) {
        let Some(oid) = row.get::<_, Option<u32>>(0) else {
            return Err(missing(client, &binding.table).await);
        };
        let kind: String = row.get(4);
        if kind != "r" && kind != "p" {
            return Err(Error::new(Kind::Refused, format!("{} is not a table", binding.table)));
        }
        if row.get::<_, bool>(5) {
            let sentence = format!("{} is a partition: name the partitioned table itself", binding.table);
            return Err(Error::new(Kind::Refused, sentence));
        }
        if !row.get::<_, bool>(6) {
            let sentence = format!(
                "{} may not be read by this user: grant select on {} to {};",
                binding.table,
                binding.table.quoted(),
                row.get::<_, String>(9)
            );
            return Err(Error::new(Kind::Refused, sentence));
        }
        tables.push(Table {
            oid,
            name: TableName { schema: Some(row.get(1)), name: row.get(2) },
            full_name: row.get(3),
            partitioned: kind == "p",
            key: row.get(7),
            columns: Vec::new(),
            fingerprint: row.get(8),
        });
    }
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let columns = client.query(COLUMNS, &[&oids]).await.map_err(|error| failure(doing, error))?;
    let kinds: Vec<u32> = columns.iter().map(|row| row.get(2)).collect();
    let types = Types::load(client, &kinds).await.map_err(|error| failure(doing, error))?;
    for row in &columns {
        let owner: u32 = row.get(0);
        let kind: u32 = row.get(2);
        for table in tables.iter_mut().filter(|table| table.oid == owner) {
            table.columns.push(Column {
                name: row.get(1),
                type_name: row.get(3),
                family: types.family(kind, Family::Text { plain: row.get(7), ordered: row.get(8) }),
                form: types.form(kind),
                required: row.get(4),
                generated: row.get(5),
                identity: row.get(6),
            });
        }
    }
    for (binding, table) in bindings.iter().zip(&mut tables) {
        if !binding.key.is_empty() {
            table.key = binding.key.iter().map(|key| key.to_string()).collect();
        }
        check_key(table)?;
    }
    Ok(tables)
}

/// Whether a table still looks as it was loaded: one number per table, to be compared with its fingerprint.
pub const FINGERPRINTS: &str = "select a.attrelid, \
     sum(hashtext(a.attrelid || '/' || a.attname || '/' || a.atttypid)::bigint)::bigint \
     from pg_attribute a where a.attrelid = any($1) group by 1";

const FIND: &str = "select c.oid, n.nspname::text, c.relname::text, case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end, \
     c.relkind::text, c.relispartition, has_table_privilege(c.oid, 'select'), \
     coalesce((select array_agg(a.attname::text order by k.nth) from pg_index i, \
         unnest(i.indkey::int2[]) with ordinality as k (attnum, nth), pg_attribute a \
         where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and a.attnum = k.attnum), '{}'), \
     (select sum(hashtext(a.attrelid || '/' || a.attname || '/' || a.atttypid)::bigint)::bigint \
         from pg_attribute a where a.attrelid = c.oid), quote_ident(current_user) \
     from unnest($1::text[]) with ordinality as wanted (name, nth) \
     left join pg_class c on c.oid = to_regclass(wanted.name) left join pg_namespace n on n.oid = c.relnamespace \
     order by wanted.nth";

const COLUMNS: &str = "select a.attrelid, a.attname::text, a.atttypid, format_type(a.atttypid, a.atttypmod), \
     a.attnotnull, a.attgenerated <> '', a.attidentity = 'a', coalesce(l.collisdeterministic, true), \
     getdatabaseencoding() in ('UTF8', 'LATIN1') \
     from pg_attribute a left join pg_collation l on l.oid = a.attcollation \
     where a.attrelid = any($1) and a.attnum > 0 and not a.attisdropped order by a.attrelid, a.attnum";

/// A key must be there and must not be null.
fn check_key(table: &Table) -> Result<()> {
    if table.key.is_empty() {
        let sentence = format!("{} has no primary key: give it one, or name its key columns with `id`", table.name);
        return Err(Error::new(Kind::Refused, sentence));
    }
    for key in &table.key {
        let Some(column) = table.column(key) else {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let hint = nearest(key, names).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            return Err(Error::new(Kind::Refused, format!("{} has no column {key}{hint}", table.name)));
        };
        if !column.required {
            let sentence = format!(
                "a key must not be null: alter table {} alter column {} set not null",
                table.name.quoted(),
                quote(key)
            );
            return Err(Error::new(Kind::Refused, sentence));
        }
    }
    Ok(())
}

/// The error for a table that is not there, with the name of one that is and looks alike.
async fn missing(client: &Client, name: &TableName) -> Error {
    let known = client
        .query(
            "select case when pg_table_is_visible(oid) then quote_ident(relname) \
             else format('%I.%I', relnamespace::regnamespace::text, relname) end \
             from pg_class where relkind in ('r', 'p') and relnamespace::regnamespace::text \
             not in ('pg_catalog', 'information_schema', 'tidings') and relname !~ '^pg_'",
            &[],
        )
        .await
        .map(|rows| rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>())
        .unwrap_or_default();
    let hint = nearest(&name.to_string(), known.iter().map(String::as_str))
        .map(|name| format!("; did you mean {name}?"))
        .unwrap_or_default();
    Error::new(Kind::Refused, format!("there is no table {name}{hint}"))
}

/// The candidate that looks most like `word`, if one looks like it at all.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = word.rsplit('.').next().unwrap_or(word);
    candidates
        .map(|candidate| {
            let likeness = strsim::jaro_winkler(word, candidate)
                .max(strsim::jaro_winkler(bare, candidate.rsplit('.').next().unwrap_or(candidate)));
            (likeness, candidate)
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
