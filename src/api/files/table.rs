//! One part of the file store, as a resource: its rows read and written as members, whatever its columns are called.

use crate::document::Document;
use crate::error::{Error, Kind, Result};
use crate::files::rows::{Mapping, Members, Shape};
use crate::filter::{Filter, Path};
use crate::query::{Direction, Query, Row, Sort};
use crate::resource::Resource;
use crate::store::transaction::{Lock, Transaction};
use serde_json::Value;
use std::sync::Arc;

/// A part with its resource.
pub struct Table {
    pub resource: Resource,
    pub mapping: Mapping,
}

/// Reads a typed row; `None`: the members mean nothing.
type Read<T> = fn(Members) -> Option<T>;

impl Table {
    /// One row; `None` also where it cannot be read.
    pub(super) async fn get<T>(
        &self,
        transaction: &mut dyn Transaction,
        id: &str,
        lock: Lock,
        read: Read<T>,
    ) -> Result<Option<T>> {
        let document = transaction.get(&self.resource, id, lock).await?;
        Ok(document.and_then(|document| read(self.mapping.members(id, document.value())?)))
    }

    /// Whether there is a row, readable or not.
    pub(super) async fn has(&self, transaction: &mut dyn Transaction, id: &str) -> Result<bool> {
        Ok(transaction.get(&self.resource, id, Lock::No).await?.is_some())
    }

    /// The rows that a question means, without those that cannot be read.
    pub(super) async fn find<T>(
        &self,
        transaction: &mut dyn Transaction,
        question: Question,
        read: Read<T>,
    ) -> Result<Vec<T>> {
        let query = Query {
            filter: Arc::new(Filter::every(question.filters)),
            sort: question.sort,
            skip: 0,
            limit: question.limit,
            max_items: usize::MAX,
        };
        let rows = transaction.find(&self.resource, &query).await?;
        Ok(rows.into_iter().filter_map(|row: Row| read(self.mapping.members(&row.id, row.document.value())?)).collect())
    }

    /// A new row.
    pub(super) async fn insert(&self, transaction: &mut dyn Transaction, id: &str, members: Members) -> Result<()> {
        transaction.insert(&self.resource, id, self.mapping.row(members)).await
    }

    /// Another version of a row.
    pub(super) async fn update(&self, transaction: &mut dyn Transaction, id: &str, members: Members) -> Result<()> {
        let stored = transaction.get(&self.resource, id, Lock::Change).await?;
        let stored = stored.ok_or_else(|| Error::new(Kind::Missing, "there is no such row"))?;
        transaction.update(&self.resource, id, self.mapping.row_over(Document::into_value(stored), members)).await
    }

    /// A question to be narrowed down.
    pub(super) fn all(&self) -> Question {
        Question { filters: Vec::new(), sort: Vec::new(), limit: None }
    }

    /// What is not deleted. The column of a table must not be null.
    pub(super) fn live(&self) -> Filter {
        let (path, wanted) = (self.path("deleted"), self.mapping.shape() == Shape::Flat);
        match wanted {
            true => Filter::equal(path, &Value::Bool(true)).negated(),
            false => Filter::equal(path, &Value::Bool(false)),
        }
    }

    /// A member is this text.
    pub(super) fn is(&self, member: &str, text: &str) -> Filter {
        Filter::equal(self.path(member), &Value::from(text))
    }

    /// A member is one of these.
    pub(super) fn is_among<'a>(&self, member: &str, texts: impl IntoIterator<Item = &'a str>) -> Filter {
        let texts: Vec<Value> = texts.into_iter().map(Value::from).collect();
        Filter::one_of(self.path(member), &texts)
    }

    /// How a member is called in filters.
    pub(super) fn path(&self, member: &str) -> Path {
        Path::parse(self.mapping.name(member))
    }

    /// A member to sort by.
    pub(super) fn by(&self, member: &str, direction: Direction) -> Sort {
        Sort { path: self.path(member), direction }
    }
}

/// Which rows are wanted, in which order, and how many.
pub(super) struct Question {
    filters: Vec<Filter>,
    sort: Vec<Sort>,
    limit: Option<usize>,
}

impl Question {
    pub(super) fn and(mut self, filter: Filter) -> Question {
        self.filters.push(filter);
        self
    }

    pub(super) fn sorted(self, sort: Sort) -> Question {
        Question { sort: vec![sort], ..self }
    }

    pub(super) fn at_most(self, limit: usize) -> Question {
        Question { limit: Some(limit), ..self }
    }
}
