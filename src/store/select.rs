//! A query answered from rows in memory: for stores that hold them, and for what a database cannot decide.

use crate::error::{Error, Kind, Result};
use crate::filter::number::Number;
use crate::query::{Direction, Query, Row, Sort};
use serde_json::Value;
use std::cmp::Ordering;

/// The rows that a query asks for, in its order.
///
/// # Errors
/// `TooMany` when there are more than `max_items`.
pub fn select(rows: impl Iterator<Item = Row>, query: &Query) -> Result<Vec<Row>> {
    let matching: Vec<Row> = rows.filter(|row| query.filter.matches(&row.id, row.document.value())).collect();
    let count = matching.len().saturating_sub(query.skip).min(query.limit.unwrap_or(usize::MAX));
    if count > query.max_items {
        return Err(Error::new(
            Kind::TooMany,
            format!("{count} rows match, at most {} can be listed", query.max_items),
        ));
    }
    Ok(arranged(matching, &query.sort).skip(query.skip).take(count).collect())
}

/// Rows in the order of a query; those that are equal in it, and all without one, ascend by key.
pub fn arranged(rows: Vec<Row>, sort: &[Sort]) -> impl Iterator<Item = Row> {
    let ranked = rows.into_iter().map(|row| (sort.iter().map(|sort| Rank::of(&row, sort)).collect(), row));
    let mut ranked: Vec<(Vec<Rank>, Row)> = ranked.collect();
    ranked.sort_by(|(a, row), (b, other)| {
        let fields = sort.iter().zip(a.iter().zip(b));
        let orders = fields.map(|(sort, (a, b))| directed(a.cmp(b), sort.direction));
        orders.fold(Ordering::Equal, Ordering::then).then_with(|| row.id.cmp(&other.id))
    });
    ranked.into_iter().map(|(_, row)| row)
}

fn directed(order: Ordering, direction: Direction) -> Ordering {
    match direction {
        Direction::Ascending => order,
        Direction::Descending => order.reverse(),
    }
}

/// What a row is sorted by, in one field: the variants ascend.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Absent,
    Number(Number),
    Text(String),
    Other(String),
}

impl Rank {
    /// Where the field has several values, because its name passes through an array, the first counts.
    fn of(row: &Row, sort: &Sort) -> Rank {
        let mut rank = Rank::Absent;
        sort.path.reaches(row.document.value(), |value| {
            rank = match value {
                Value::Null => return false,
                Value::Number(number) => Rank::Number(Number::new(number)),
                Value::String(text) => Rank::Text(text.clone()),
                other => Rank::Other(other.to_string()),
            };
            true
        });
        rank
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::filter::{Filter, Path};
    use serde_json::json;
    use std::sync::Arc;

    fn rows() -> Vec<Row> {
        let documents = [
            ("c", json!({"n": 2, "t": "x"})),
            ("a", json!({"n": 10, "t": "x"})),
            ("e", json!({"n": "2", "t": "y"})),
            ("b", json!({"n": null, "t": "y"})),
            ("d", json!({"n": true, "t": [{"u": 5}, {"u": 1}]})),
            ("B", json!({"n": 2.5})),
        ];
        documents.map(|(id, value)| Row::new(id, Document::new(value))).into()
    }

    fn query(filter: Value, sort: &[(&str, Direction)]) -> Query {
        Query {
            filter: Arc::new(Filter::parse(&filter).unwrap()),
            sort: sort
                .iter()
                .map(|(path, direction)| Sort { path: Path::parse(path), direction: *direction })
                .collect(),
            skip: 0,
            limit: None,
            max_items: 100,
        }
    }

    #[track_caller]
    fn ids(query: &Query) -> String {
        select(rows().into_iter(), query).unwrap().iter().map(|row| &*row.id).collect()
    }

    #[test]
    fn rows_come_in_the_order_asked_for_and_ties_ascend_by_key() {
        use Direction::{Ascending, Descending};
        assert_eq!(ids(&query(json!({}), &[])), "Babcde");
        assert_eq!(ids(&query(json!({}), &[("n", Ascending)])), "bcBaed");
        assert_eq!(ids(&query(json!({}), &[("n", Descending)])), "deaBcb");
        assert_eq!(ids(&query(json!({}), &[("t", Ascending), ("n", Descending)])), "Bacebd");
        assert_eq!(ids(&query(json!({}), &[("t.u", Descending)])), "dBabce");
    }

    #[test]
    fn skip_and_limit_cut_after_sorting() {
        let asked = Query { skip: 1, limit: Some(2), ..query(json!({"n": {"$exists": true}}), &[]) };
        assert_eq!(ids(&asked), "ac");
        assert_eq!(ids(&Query { skip: 9, ..asked.clone() }), "");
        assert_eq!(ids(&Query { limit: Some(0), max_items: 0, ..asked }), "");
    }

    #[test]
    fn too_many_rows_are_an_error_and_never_a_cut_list() {
        let asked = Query { max_items: 5, ..query(json!({}), &[]) };
        assert_eq!(select(rows().into_iter(), &asked).unwrap_err().kind(), Kind::TooMany);
        assert_eq!(ids(&Query { skip: 1, ..asked.clone() }), "abcde");
        assert_eq!(ids(&Query { limit: Some(5), ..asked }), "Babcd");
    }
}
