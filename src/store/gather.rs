//! The rows of an answer, gathered from a stream that may be much longer: never more are held than the answer
//! needs, twice.

use crate::error::{Error, Kind, Result};
use crate::query::{Query, Row};
use crate::store::select::arranged;

/// Rows held beyond what is needed before those that come last are let go.
const SLACK: usize = 1_000;

/// In which order rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In the order of the query, so that the first are the ones.
    Asked,
    /// In any.
    Any,
}

/// Gathers the rows of one query.
pub struct Gather<'a> {
    query: &'a Query,
    order: Order,
    /// Rows that come before the answer, and are still to come.
    skip: usize,
    /// Rows of the answer: one more than it may carry, to know that there are too many.
    wanted: usize,
    held: Vec<Row>,
}

impl<'a> Gather<'a> {
    /// Nothing gathered yet.
    ///
    /// # Errors
    /// `TooMany` when more rows are to be skipped than may be held.
    pub fn new(query: &'a Query, order: Order) -> Result<Gather<'a>> {
        if query.skip > query.max_items && order == Order::Any {
            let sentence = format!("{} rows cannot be skipped in this order", query.skip);
            return Err(Error::new(Kind::TooMany, sentence));
        }
        let wanted = query.limit.unwrap_or(usize::MAX).min(query.max_items.saturating_add(1));
        Ok(Gather { query, order, skip: query.skip, wanted, held: Vec::new() })
    }

    /// Whether no further row can be part of the answer.
    pub fn is_full(&self) -> bool {
        self.wanted == 0 || (self.order == Order::Asked && self.held.len() >= self.wanted)
    }

    /// Takes a row that came, if it matches.
    ///
    /// # Errors
    /// `TooMany` as soon as it is known that there are more than an answer may carry.
    pub fn take(&mut self, row: Row) -> Result<()> {
        if self.is_full() || !self.query.filter.matches(&row.id, row.document.value()) {
            return Ok(());
        }
        if self.order == Order::Asked && self.skip > 0 {
            self.skip -= 1;
            return Ok(());
        }
        self.held.push(row);
        let needed = self.skip.saturating_add(self.wanted);
        if self.query.limit.is_none() && self.held.len() >= needed {
            return Err(self.too_many());
        }
        if self.order == Order::Any && self.held.len() >= needed.saturating_add(needed.max(SLACK)) {
            let held = std::mem::take(&mut self.held);
            self.held = arranged(held, &self.query.sort).take(needed).collect();
        }
        Ok(())
    }

    /// The answer.
    ///
    /// # Errors
    /// `TooMany` when there are more rows than an answer may carry.
    pub fn finish(mut self) -> Result<Vec<Row>> {
        let held = std::mem::take(&mut self.held);
        let rows: Vec<Row> = match self.order {
            Order::Asked => held,
            Order::Any => arranged(held, &self.query.sort).skip(self.skip).take(self.wanted).collect(),
        };
        if rows.len() > self.query.max_items { Err(self.too_many()) } else { Ok(rows) }
    }

    fn too_many(&self) -> Error {
        let sentence = format!("more than {} rows match, the most that can be listed", self.query.max_items);
        Error::new(Kind::TooMany, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::filter::Filter;
    use serde_json::json;
    use std::sync::Arc;

    fn query(skip: usize, limit: Option<usize>, max_items: usize) -> Query {
        let filter = Filter::parse(&json!({"even": true})).unwrap();
        Query { filter: Arc::new(filter), sort: Vec::new(), skip, limit, max_items }
    }

    /// Rows 0 to 9,999, of which the even ones match; the most that were held, and the answer.
    fn gathered(query: &Query, order: Order) -> Result<(usize, Vec<String>)> {
        let mut gather = Gather::new(query, order)?;
        let mut most = 0;
        for number in 0..10_000 {
            // In any order: backwards.
            let number = if order == Order::Any { 9_999 - number } else { number };
            let document = Document::new(json!({"even": number % 2 == 0}));
            gather.take(Row::new(format!("{number:04}"), document))?;
            most = most.max(gather.held.len());
            if gather.is_full() {
                break;
            }
        }
        Ok((most, gather.finish()?.iter().map(|row| row.id.to_string()).collect()))
    }

    #[test]
    fn the_answer_is_the_same_in_any_order_and_little_is_held_for_it() {
        for order in [Order::Asked, Order::Any] {
            let (held, rows) = gathered(&query(2, Some(3), 100), order).unwrap();
            assert_eq!(rows, ["0004", "0006", "0008"]);
            assert!(held <= 5 + SLACK, "{held}");
            assert_eq!(gathered(&query(90, Some(0), 100), order).unwrap().1, Vec::<String>::new());
        }
        assert_eq!(gathered(&query(4_000, Some(1), 100), Order::Asked).unwrap(), (1, vec!["8000".to_owned()]));
    }

    #[test]
    fn too_many_are_told_and_never_cut() {
        for order in [Order::Asked, Order::Any] {
            for limit in [None, Some(101), Some(usize::MAX)] {
                assert_eq!(gathered(&query(0, limit, 100), order).unwrap_err().kind(), Kind::TooMany);
            }
            assert_eq!(gathered(&query(0, Some(100), 100), order).unwrap().1.len(), 100);
            assert_eq!(gathered(&query(0, None, 5_000), order).unwrap().1.len(), 5_000);
        }
        assert_eq!(gathered(&query(101, Some(1), 100), Order::Any).unwrap_err().kind(), Kind::TooMany);
    }
}
