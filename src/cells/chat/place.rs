//! Where the rows of the chat are, and how they are read and written.

use crate::cells::rows::{Names, Part};
use crate::document::Document;
use crate::error::{Kind, Result};
use crate::event::Mark;
use crate::filter::{Filter, Path};
use crate::query::{Direction, Query, Row, Sort};
use crate::resource::Resource;
use crate::store::{Condition, Store, Write, tag};
use serde_json::Value;
use std::sync::Arc;

/// The rows of one part.
pub struct Place {
    part: Part,
    /// As it is stored: nothing hidden, nothing put in.
    pub resource: Resource,
    pub store: Arc<dyn Store>,
    names: Arc<Names>,
}

/// What a write of one row came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    Written(Document),
    /// Others came between; look again.
    Lost,
}

impl Place {
    /// The rows of a resource.
    pub fn new(part: Part, resource: &Resource, store: Arc<dyn Store>, names: Arc<Names>) -> Place {
        Place { part, resource: resource.bare(), store, names }
    }

    /// Rows in which these columns have these values, in this order, so many; and the state in which they were read.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn rows(
        &self,
        values: &[(&str, &str)],
        sort: &[(&str, Direction)],
        part: Slice,
    ) -> Result<(Vec<Row>, Mark)> {
        let asked = self.query(values, sort, part);
        let snapshot = self.store.query(&self.resource, &asked).await?;
        Ok((snapshot.rows, snapshot.mark))
    }

    /// What is asked for by `rows`.
    pub fn query(&self, values: &[(&str, &str)], sort: &[(&str, Direction)], part: Slice) -> Query {
        let path = |column: &str| Path::parse(self.names.of(self.part, column));
        let equal = |(column, value): &(&str, &str)| Filter::equal(path(column), &Value::from(*value));
        Query {
            filter: Arc::new(Filter::every(values.iter().map(equal).collect())),
            sort: sort.iter().map(|(column, direction)| Sort { path: path(column), direction: *direction }).collect(),
            skip: part.skip,
            limit: part.limit,
            max_items: usize::MAX,
        }
    }

    /// The row with this key.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn row(&self, id: &str) -> Result<Option<Row>> {
        let filter = Arc::new(Filter::equal(Path::parse("id"), &Value::from(id)));
        let asked = Query::all(filter);
        // A record's own `id` may be the key of another one, so the filter can find more than the one meant.
        let rows = self.store.query(&self.resource, &asked).await?.rows;
        Ok(rows.into_iter().find(|row| *row.id == *id))
    }

    /// Writes a row that is new.
    ///
    /// # Errors
    /// As those of the store; `Refused` also where another row has what must be unique.
    pub async fn insert(&self, id: &str, row: Value) -> Result<Done> {
        self.write(id, Write::Put(row), Condition::Absent).await
    }

    /// Changes a row that is still as it was read.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn change(&self, id: &str, before: &Document, write: Write) -> Result<Done> {
        self.write(id, write, Condition::Tag(vec![tag(before)])).await
    }

    async fn write(&self, id: &str, write: Write, condition: Condition) -> Result<Done> {
        match self.store.write(&self.resource, id, write, &condition).await {
            Ok(written) => Ok(Done::Written(written.after.unwrap_or_else(|| Value::Null.into()))),
            Err(error) if matches!(error.kind(), Kind::Conflict | Kind::Missing) => Ok(Done::Lost),
            Err(error) => Err(error),
        }
    }
}

/// Which of the rows that match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slice {
    pub skip: usize,
    /// `None`: all of them.
    pub limit: Option<usize>,
}
