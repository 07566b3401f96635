//! The order of a query as SQL, where the database sorts exactly as the server would.

use super::condition::Translator;
use crate::postgres::name::quote;
use crate::postgres::table::{Column, Table};
use crate::postgres::types::Family;
use crate::query::{Direction, Query};

/// What follows `order by`; `None` when the server must sort.
pub(super) fn order(translator: &Translator<'_>, query: &Query) -> Option<String> {
    let key = key(translator.table)?;
    let mut terms = Vec::new();
    for sort in &query.sort {
        let [name] = &*sort.path.0 else {
            return None;
        };
        let term = match translator.visible(name) {
            Some(column) => sorted(column)?,
            None if sort.path.is_id() => key.clone(),
            // Absent from every document: it tells no two rows apart.
            None => continue,
        };
        terms.push(match sort.direction {
            Direction::Ascending => format!("{term} asc nulls first"),
            Direction::Descending => format!("{term} desc nulls last"),
        });
    }
    terms.push(key);
    Some(terms.join(", "))
}

/// A column whose values ascend as they do in documents.
fn sorted(column: &Column) -> Option<String> {
    let name = format!("t.{}", quote(&column.name));
    match column.family {
        Family::Text { ordered: true, .. } => Some(format!("{name} collate \"C\"")),
        Family::Integer | Family::Bool | Family::Uuid => Some(name),
        _ => None,
    }
}

/// The key's text by code point.
fn key(table: &Table) -> Option<String> {
    let columns: Vec<&Column> = table.key_columns().collect();
    if let [only] = &*columns {
        let name = format!("t.{}", quote(&only.name));
        return match only.family {
            Family::Uuid => Some(name),
            _ => Some(format!("{} collate \"C\"", text(only)?)),
        };
    }
    let escaped = |column: &&Column| Some(format!("replace(replace({}, '\\', '\\\\'), ',', '\\,')", text(column)?));
    let parts: Option<Vec<String>> = columns.iter().map(escaped).collect();
    Some(format!("({}) collate \"C\"", parts?.join(" || ',' || ")))
}

/// A column's text as it stands in a key.
fn text(column: &Column) -> Option<String> {
    let name = format!("t.{}", quote(&column.name));
    match column.family {
        Family::Text { ordered: true, .. } => Some(name),
        Family::Integer | Family::Uuid | Family::Numeric => Some(format!("{name}::text")),
        _ => None,
    }
}
