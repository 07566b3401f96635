//! How the rows of one table of the stream become documents.
//!
//! Promise: the document of a row equals the one that the outbox and the store give for it.

use super::asking::Asking;
use super::tables::Tables;
use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::postgres::failure::failure;
use crate::postgres::form::{self, Form};
use crate::postgres::name::quote;
use crate::postgres::notation::Notation;
use crate::postgres::pgoutput::{Relation, Tuple, Value as Cell};
use crate::postgres::types::Types;
use crate::resource::join_key;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::types::ToSql;

/// What is known of a table of the stream.
pub(super) struct Shape {
    relation: Relation,
    columns: Vec<Column>,
    generated: Vec<Generated>,
    /// The names of all columns that are in a key.
    keys: Vec<String>,
    /// The resources that it feeds, each with its key: indexes into `keys`.
    pub(super) fed: Vec<(Arc<str>, Vec<usize>)>,
}

struct Column {
    notation: Notation,
    form: Form,
    /// The type for casts; `None` when it is gone.
    type_name: Option<String>,
    key: Option<usize>,
}

/// A column that the server computes and the stream leaves out.
struct Generated {
    name: String,
    /// SQL, over the other columns.
    value: String,
    form: Form,
    key: Option<usize>,
}

/// A row as a document, with the texts of the columns in `Shape::keys`.
pub(super) struct Row {
    document: Map<String, Value>,
    keys: Vec<Option<String>>,
}

impl Row {
    /// The key, of these columns; `None` when the row does not have it.
    pub(super) fn id(&self, key: &[usize]) -> Option<String> {
        let parts: Option<Vec<&str>> = key.iter().map(|index| self.keys.get(*index)?.as_deref()).collect();
        match parts?[..] {
            [only] => Some(only.to_owned()),
            ref parts => Some(join_key(parts.iter().copied())),
        }
    }

    /// What the row is to whoever it is told to.
    pub(super) fn into_document(self) -> Document {
        Document::new(Value::Object(self.document))
    }

    fn put(&mut self, name: &str, key: Option<usize>, value: Value, text: &str) {
        if let Some(place) = key.and_then(|index| self.keys.get_mut(index)) {
            *place = Some(match &value {
                Value::String(text) => text.clone(),
                // A number's own text: a document may round it, a key may not.
                _ => text.to_owned(),
            });
        }
        self.document.insert(name.to_owned(), value);
    }
}

impl Shape {
    /// Looks up what the columns are made of.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn of(relation: Relation, tables: &Tables, asking: &Asking<'_>) -> Result<Shape> {
        let failed = |error| failure("looking at a table of the stream", error);
        let generated = asking.client.query(GENERATED, &[&relation.oid]).await.map_err(failed)?;
        let mut kinds: Vec<u32> = relation.columns.iter().map(|column| column.kind).collect();
        kinds.extend(generated.iter().map(|row| row.get::<_, u32>(2)));
        let types = Types::load(asking.client, &kinds).await.map_err(failed)?;
        let mut shape =
            Shape { relation, columns: Vec::new(), generated: Vec::new(), keys: Vec::new(), fed: Vec::new() };
        for (resource, table) in tables.fed_by(shape.relation.oid) {
            let key = table.key.iter().map(|name| match shape.keys.iter().position(|known| known == name) {
                Some(index) => index,
                None => {
                    shape.keys.push(name.clone());
                    shape.keys.len() - 1
                }
            });
            shape.fed.push((resource.clone(), key.collect()));
        }
        let key_of = |name: &str| shape.keys.iter().position(|key| key == name);
        for column in &shape.relation.columns {
            let key = key_of(&column.name);
            let notation = match types.notation(column.kind) {
                // In a key it has the text of the server's JSON.
                Notation::Array { .. } if key.is_some() => Notation::Asked,
                notation => notation,
            };
            let type_name = types.name(column.kind).map(str::to_owned);
            shape.columns.push(Column { notation, form: types.form(column.kind), type_name, key });
        }
        for row in &generated {
            let name: String = row.get(0);
            if shape.relation.columns.iter().all(|column| column.name != name) {
                let value = format!("({})::{} as {}", row.get::<_, &str>(1), row.get::<_, &str>(3), quote(&name));
                let (form, key) = (types.form(row.get(2)), key_of(&name));
                shape.generated.push(Generated { name, value, form, key });
            }
        }
        Ok(shape)
    }

    /// Whether every column of every key is there.
    pub(super) fn has_keys(&self) -> bool {
        let is_there = |name: &String| {
            self.relation.columns.iter().any(|column| column.name == *name)
                || self.generated.iter().any(|column| column.name == *name)
        };
        self.keys.iter().all(is_there)
    }

    /// A whole row, or only its key; `None` when a value cannot be read any more, for its type was changed.
    pub(super) async fn read(&self, tuple: &Tuple<'_>, asking: &mut Asking<'_>) -> Result<Option<Row>> {
        if tuple.len() != self.columns.len() {
            return Err(Error::new(Kind::Malformed, "a row of the stream does not fit its table"));
        }
        let mut row = Row { document: Map::new(), keys: vec![None; self.keys.len()] };
        for ((cell, column), described) in tuple.iter().zip(&self.columns).zip(&self.relation.columns) {
            let Cell::Text(text) = *cell else { continue };
            if let Some(value) = column.notation.read(text) {
                row.put(&described.name, column.key, column.form.apply(value), column.notation.key(text));
                continue;
            }
            let Some(type_name) = &column.type_name else { return Ok(None) };
            let Some(json) = asking.convert(type_name, text).await? else { return Ok(None) };
            let Ok(raw) = serde_json::from_str::<&RawValue>(&json) else { return Ok(None) };
            row.put(&described.name, column.key, column.form.apply(form::parse(raw)), &json);
        }
        Ok(Some(row))
    }

    /// Adds the columns that the server computes; false when it cannot.
    pub(super) async fn generate(&self, row: &mut Row, tuple: &Tuple<'_>, asking: &mut Asking<'_>) -> Result<bool> {
        if self.generated.is_empty() {
            return Ok(true);
        }
        let (mut given, mut texts) = (Vec::new(), Vec::<Option<&str>>::new());
        for ((cell, column), described) in tuple.iter().zip(&self.columns).zip(&self.relation.columns) {
            let Some(type_name) = &column.type_name else { return Ok(false) };
            texts.push(if let Cell::Text(text) = cell { Some(text) } else { None });
            given.push(format!("${}::text::{type_name} as {}", texts.len(), quote(&described.name)));
        }
        let values: Vec<&str> = self.generated.iter().map(|column| &*column.value).collect();
        let sql = format!(
            "select row_to_json(g)::text from (select {} from (select {}) as {}) as g",
            values.join(", "),
            given.join(", "),
            quote(&self.relation.name)
        );
        let bound: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as _).collect();
        let Some(rows) = asking.ask(&sql, &bound).await? else { return Ok(false) };
        let Some(json) = rows.first().map(|row| row.get::<_, &str>(0)) else { return Ok(false) };
        let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else { return Ok(false) };
        for column in &self.generated {
            if let Some(raw) = fields.get(&column.name).filter(|raw| raw.get() != "null") {
                row.put(&column.name, column.key, column.form.apply(form::parse(raw)), raw.get());
            }
        }
        Ok(true)
    }

    /// The texts of the columns that a change left as they were, from the row as it is now.
    pub(super) async fn fetch(&self, tuple: &Tuple<'_>, asking: &mut Asking<'_>) -> Result<Fetched> {
        let key = self.fed.first().map(|(_, key)| &key[..]).unwrap_or_default();
        let (mut conditions, mut texts) = (Vec::new(), Vec::<&str>::new());
        for index in key {
            let at = self.columns.iter().position(|column| column.key == Some(*index));
            let (Some(at), Some(name)) = (at, self.keys.get(*index)) else { return Ok(Fetched::Unreadable) };
            let (Some(Cell::Text(text)), Some(type_name)) = (tuple.get(at), &self.columns[at].type_name) else {
                return Ok(Fetched::Unreadable);
            };
            texts.push(text);
            conditions.push(format!("{} = ${}::text::{type_name}", quote(name), texts.len()));
        }
        let unchanged = |(cell, _): &(&Cell<'_>, _)| **cell == Cell::Unchanged;
        let missing = tuple.iter().zip(&self.relation.columns).filter(unchanged);
        // Unlike a cast, this gives the text that the stream would have.
        let wanted: Vec<String> = missing
            .map(|(_, column)| {
                let name = quote(&column.name);
                format!("case when {name} is not null then format('%s', {name}) end")
            })
            .collect();
        let sql = format!(
            "select {} from only {}.{} where {}",
            wanted.join(", "),
            quote(&self.relation.namespace),
            quote(&self.relation.name),
            conditions.join(" and ")
        );
        let bound: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|text| text as _).collect();
        Ok(match asking.ask(&sql, &bound).await? {
            None => Fetched::Unreadable,
            Some(rows) => match rows.first() {
                None => Fetched::Gone,
                Some(row) => Fetched::Texts((0..wanted.len()).map(|index| row.get(index)).collect()),
            },
        })
    }
}

/// What is found of a row that was told in part.
pub(super) enum Fetched {
    /// In the order of the columns that were asked for.
    Texts(Vec<Option<String>>),
    /// There is no such row any more; its removal follows.
    Gone,
    Unreadable,
}

const GENERATED: &str = "select a.attname::text, pg_get_expr(d.adbin, d.adrelid), a.atttypid, \
         format_type(a.atttypid, a.atttypmod) \
     from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
     where a.attrelid = $1 and a.attgenerated = 's' and not a.attisdropped order by a.attnum";
