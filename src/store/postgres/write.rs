//! One write: the record is locked, judged, changed in the columns that differ, all in one transaction.

use super::Attempt;
use super::condition::Translator;
use crate::error::{Error, Kind, Result};
use crate::event::Stamp;
use crate::patch::{self, Ops};
use crate::postgres::failure::failure;
use crate::postgres::name::quote;
use crate::postgres::table::{Column, FINGERPRINTS, Record, Table};
use crate::resource::Resource;
use crate::store::transaction::Lock;
use crate::store::{Condition, Write, Written, tag};
use deadpool_postgres::Object;
use serde_json::{Map, Value};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

pub(super) async fn attempt(
    client: &mut Object,
    table: &Table,
    resource: &Resource,
    id: &str,
    write: &Write,
    condition: &Condition,
) -> Result<Attempt<Written>> {
    if matches!(write, Write::Append(_)) {
        return Err(Error::new(Kind::Refused, "a table takes no lines"));
    }
    let transaction = client.transaction().await.map_err(|error| failure("writing", error))?;
    let writing = Writing { client: transaction.client(), table, resource, id };
    if is_outdated(transaction.client(), table).await? {
        return Ok(Attempt::Outdated);
    }
    let before = match writing.get(Lock::Change).await {
        Ok(before) => before,
        Err(Failed::Taken(_) | Failed::Undone(_)) => return Ok(Attempt::Outdated),
        Err(Failed::Other(error)) => return Err(error),
    };
    let shown = before.as_ref().map(|record| resource.present(&record.id, record.value.clone()));
    let holds = match condition {
        Condition::None => true,
        Condition::Exists => shown.is_some(),
        Condition::Absent => shown.is_none(),
        Condition::Tag(tags) => shown.as_ref().is_some_and(|document| tags.contains(&tag(document))),
    };
    if !holds {
        return Err(Error::new(Kind::Conflict, "the record is not as the condition says"));
    }
    let change = match (&before, write) {
        (None, Write::Put(value)) => writing.insert(columns_of(value)?).await.map(Some),
        (None, _) => return Err(Error::new(Kind::Missing, format!("there is no record {id}"))),
        (Some(_), Write::Delete) => writing.delete().await.map(Some),
        (Some(record), write) => {
            let target = writing.target(record, write)?;
            let absent = if matches!(write, Write::Put(_)) { Absent::Default } else { Absent::Null };
            writing.update(record, target, absent).await
        }
    };
    let change = match change {
        Ok(change) => change,
        Err(Failed::Taken(error)) => {
            // Somebody else created it meanwhile, unless it is another column's value that is taken.
            transaction.rollback().await.map_err(|error| failure("writing", error))?;
            let transaction = client.transaction().await.map_err(|error| failure("writing", error))?;
            let again = Writing { client: transaction.client(), table, resource, id };
            let is_there = matches!(again.get(Lock::No).await, Ok(Some(_)));
            return if is_there { Ok(Attempt::Outdated) } else { Err(error) };
        }
        Err(Failed::Undone(_)) => return Ok(Attempt::Outdated),
        Err(Failed::Other(error)) => return Err(error),
    };
    transaction.commit().await.map_err(refused)?;
    let Some(Change { xid, after }) = change else {
        return Ok(Attempt::Done(Written { before: shown.clone(), after: shown, stamp: Stamp::None }));
    };
    let after = after.map(|record| resource.present(&record.id, record.value));
    Ok(Attempt::Done(Written { before: shown, after, stamp: Stamp::Transaction(xid) }))
}

/// Whether the table looks different from what is known of it.
pub(super) async fn is_outdated(client: &Client, table: &Table) -> Result<bool> {
    let oids = vec![table.oid];
    let row = client.query_typed_opt(FINGERPRINTS, &[(&oids, Type::OID_ARRAY)]).await;
    let row = row.map_err(|error| failure("writing", error))?;
    Ok(row.is_none_or(|row| row.get::<_, i64>(1) != table.fingerprint))
}

/// What a statement did.
pub(super) struct Change {
    pub(super) xid: u64,
    after: Option<Record>,
}

/// Why a statement did nothing.
pub(super) enum Failed {
    /// A value that must be unique is taken.
    Taken(Error),
    /// Others were changing the same records, and the database let them go on.
    Undone(Error),
    Other(Error),
}

/// What becomes of a column that the record does not have any more.
#[derive(Clone, Copy)]
pub(super) enum Absent {
    Default,
    Null,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failed::Other(error)
    }
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Failed {
        match error.code().map(SqlState::code) {
            Some("23505") => Failed::Taken(refused(error)),
            // No serialization, a deadlock.
            Some("40001" | "40P01") => Failed::Undone(refused(error)),
            _ => Failed::Other(refused(error)),
        }
    }
}

/// One record being written, within a transaction.
pub(super) struct Writing<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a Table,
    pub(super) resource: &'a Resource,
    pub(super) id: &'a str,
}

type Fields = Map<String, Value>;

impl Writing<'_> {
    /// The record, and what others may do with it until the end.
    pub(super) async fn get(&self, lock: Lock) -> std::result::Result<Option<Record>, Failed> {
        let mut translator = Translator::new(self.table, self.resource);
        let Some(key) = translator.one(self.id) else {
            return Ok(None);
        };
        let lock = match lock {
            Lock::No => "",
            Lock::Share => "for share",
            Lock::Change => "for update",
        };
        let sql = format!("select row_to_json(t.*)::text from {} where {key} {lock}", self.table.from());
        let rows = self.client.query_typed(&sql, &translator.parameters.bound()).await?;
        for row in &rows {
            let record = self.table.read(row.get(0))?;
            if record.id == self.id {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// What the record is to be.
    fn target(&self, record: &Record, write: &Write) -> Result<Fields> {
        let shown = self.resource.present(&record.id, record.value.clone()).into_value();
        let with_id = Resource { hide: Vec::new(), ..self.resource.clone() }.present(&record.id, record.value.clone());
        let whole = with_id.value();
        let has_hidden = shown != *whole;
        let target = match write {
            Write::MergePatch(changes) => patch::merge(whole, changes),
            _ if has_hidden => {
                let sentence = "the record has fields that are hidden, so only a merge patch can change it";
                return Err(Error::new(Kind::Refused, sentence));
            }
            Write::JsonPatch(operations) => patch::apply(whole, &Ops::parse(operations.clone())?)?,
            Write::Put(value) => value.clone(),
            Write::Append(_) | Write::Delete => return Err(Error::new(Kind::Internal, "there is nothing to become")),
        };
        columns_of(&target)
    }

    /// Changes the columns that differ; `None` when there are none.
    pub(super) async fn update(
        &self,
        record: &Record,
        mut target: Fields,
        absent: Absent,
    ) -> std::result::Result<Option<Change>, Failed> {
        self.settle_key(&mut target)?;
        let empty = match absent {
            Absent::Default => "default",
            Absent::Null => "null",
        };
        let mut sets = Vec::new();
        for column in self.table.columns.iter().filter(|column| !column.generated) {
            let is_key = self.table.key.contains(&column.name);
            let (old, new) = (record.value.get(&column.name), target.get(&column.name));
            if is_key || old == new {
                continue;
            }
            let name = quote(&column.name);
            sets.push(if new.is_some() { format!("{name} = r.{name}") } else { format!("{name} = {empty}") });
        }
        if sets.is_empty() {
            return Ok(None);
        }
        let mut translator = Translator::new(self.table, self.resource);
        let json = translator.parameters.text(self.as_postgres_takes_it(target));
        let key = translator.one(self.id).ok_or_else(|| Error::new(Kind::Missing, "there is no such record"))?;
        let sql = format!(
            "update {} set {} from json_populate_record(null::{}, {json}::json) as r where {key} \
             returning pg_current_xact_id()::text, row_to_json(t.*)::text",
            self.table.from(),
            sets.join(", "),
            self.table.name.quoted(),
        );
        self.run(&sql, &translator).await.map(Some)
    }

    pub(super) async fn insert(&self, mut target: Fields) -> std::result::Result<Change, Failed> {
        self.settle_key(&mut target)?;
        let written = |column: &&Column| !column.generated && target.contains_key(&column.name);
        let names: Vec<String> = self.table.columns.iter().filter(written).map(|column| quote(&column.name)).collect();
        let values: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
        let mut translator = Translator::new(self.table, self.resource);
        let json = translator.parameters.text(self.as_postgres_takes_it(target));
        let sql = format!(
            "insert into {} as t ({}) overriding system value \
             select {} from json_populate_record(null::{}, {json}::json) as r \
             returning pg_current_xact_id()::text, row_to_json(t.*)::text",
            self.table.name.quoted(),
            names.join(", "),
            values.join(", "),
            self.table.name.quoted(),
        );
        self.run(&sql, &translator).await
    }

    pub(super) async fn delete(&self) -> std::result::Result<Change, Failed> {
        let mut translator = Translator::new(self.table, self.resource);
        let key = translator.one(self.id).ok_or_else(|| Error::new(Kind::Missing, "there is no such record"))?;
        let sql =
            format!("delete from {} where {key} returning pg_current_xact_id()::text, null::text", self.table.from());
        self.run(&sql, &translator).await
    }

    async fn run(&self, sql: &str, translator: &Translator<'_>) -> std::result::Result<Change, Failed> {
        let bound: Vec<(&(dyn ToSql + Sync), Type)> = translator.parameters.bound();
        let row: Option<Row> = self.client.query_typed_opt(sql, &bound).await?;
        let row = row.ok_or_else(|| Error::new(Kind::Refused, "the database did not let the record be changed"))?;
        let xid: &str = row.get(0);
        let xid = xid.parse().map_err(|error| Error::because(Kind::Malformed, "a transaction has no id", error))?;
        let after = row.get::<_, Option<&str>>(1).map(|json| self.table.read(json)).transpose()?;
        Ok(Change { xid, after })
    }

    /// The key's columns are what the id says; anything else in the record is a mistake, as are columns that
    /// do not exist.
    fn settle_key(&self, target: &mut Fields) -> Result<()> {
        let malformed = |sentence: String| Error::new(Kind::Malformed, sentence);
        if self.table.column("id").is_none()
            && let Some(id) = target.remove("id")
            && id.as_str() != Some(self.id)
        {
            return Err(malformed("the key of a record cannot be changed".to_owned()));
        }
        let parts = self.table.split(self.id).ok_or_else(|| malformed(format!("{} cannot be a key", self.id)))?;
        for (column, part) in self.table.key_columns().zip(parts) {
            let given = target.get(&column.name).map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            if given.is_some_and(|given| given != part) {
                return Err(malformed("the key of a record cannot be changed".to_owned()));
            }
            target.insert(column.name.clone(), Value::String(part));
        }
        match target.keys().find(|name| self.table.column(name).is_none()) {
            Some(name) => Err(malformed(format!("{} has no column {name}", self.table.name))),
            None => Ok(()),
        }
    }

    fn as_postgres_takes_it(&self, target: Fields) -> String {
        let undo = |(name, value): (String, Value)| match self.table.column(&name) {
            Some(column) => (name, column.form.undo(value)),
            None => (name, value),
        };
        Value::Object(target.into_iter().map(undo).collect()).to_string()
    }
}

/// The columns of a record; null is absent.
pub(super) fn columns_of(value: &Value) -> Result<Fields> {
    let fields = value.as_object().ok_or_else(|| Error::new(Kind::Malformed, "a record is a JSON object"))?;
    Ok(fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// A refusal of the database, with the constraint's name where it is one.
pub(super) fn refused(error: tokio_postgres::Error) -> Error {
    let Some(refusal) = error.as_db_error() else {
        return failure("writing", error);
    };
    match (refusal.code().code(), refusal.constraint(), refusal.column()) {
        (code, Some(constraint), _) if code.starts_with("23") => {
            let sentence = format!("the database refuses this: constraint {constraint}");
            Error::because(Kind::Refused, sentence, error)
        }
        ("23502", None, Some(column)) => {
            Error::because(Kind::Refused, format!("the database refuses this: {column} must not be null"), error)
        }
        (code, ..) if code.starts_with("22") => {
            Error::because(Kind::Malformed, "a value does not fit its column", error)
        }
        _ => failure("writing", error),
    }
}
