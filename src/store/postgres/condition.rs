//! A filter as an SQL condition that every matching row fulfils, so that indexes serve. Where the condition says
//! exactly what the filter says, the database may also sort and cut; where it cannot, it lets rows through that
//! `Filter::matches` then drops.
//!
//! Everything a client sent is bound; only identifiers of the table stand in the text.

use super::column::{self, Subject};
use super::parameters::Parameters;
use crate::filter::{Filter, Path, Test};
use crate::postgres::name::quote;
use crate::postgres::table::{Column, Table};
use crate::postgres::types::Family;
use crate::resource::Resource;
use serde_json::{Value, json};

/// A condition, and whether it says the same as the filter or only less.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub(super) sql: String,
    pub(super) exact: bool,
}

impl Condition {
    pub(super) fn exactly(sql: impl Into<String>) -> Condition {
        Condition { sql: sql.into(), exact: true }
    }

    pub(super) fn at_least(sql: impl Into<String>) -> Condition {
        Condition { sql: sql.into(), exact: false }
    }

    pub(super) fn never() -> Condition {
        Condition::exactly("false")
    }

    /// For what only the server can decide.
    pub(super) fn undecided() -> Condition {
        Condition::at_least("true")
    }

    pub(super) fn all(parts: Vec<Condition>) -> Condition {
        join(parts, " and ", "true")
    }

    pub(super) fn any(parts: Vec<Condition>) -> Condition {
        join(parts, " or ", "false")
    }
}

fn join(parts: Vec<Condition>, with: &str, empty: &str) -> Condition {
    let exact = parts.iter().all(|part| part.exact);
    let texts: Vec<String> = parts.into_iter().map(|part| part.sql).collect();
    let sql = if texts.is_empty() { empty.to_owned() } else { format!("({})", texts.join(with)) };
    Condition { sql, exact }
}

/// Past so many values of one `$in` that cannot be bound as an array, the server decides.
const MOST_ALTERNATIVES: usize = 16;

/// Translates filters for one table of one resource.
pub(super) struct Translator<'a> {
    pub(super) table: &'a Table,
    pub(super) resource: &'a Resource,
    pub(super) parameters: Parameters,
}

impl<'a> Translator<'a> {
    pub(super) fn new(table: &'a Table, resource: &'a Resource) -> Translator<'a> {
        Translator { table, resource, parameters: Parameters::default() }
    }

    pub(super) fn translate(&mut self, filter: &Filter) -> Condition {
        match filter {
            Filter::All => Condition::exactly("true"),
            Filter::Nothing => Condition::never(),
            Filter::And(parts) => Condition::all(parts.iter().map(|part| self.translate(part)).collect()),
            Filter::Or(parts) => Condition::any(parts.iter().map(|part| self.translate(part)).collect()),
            Filter::Not(inner) => match self.translate(inner) {
                // What is null counts as false, as it does for a filter.
                Condition { sql, exact: true } => Condition::exactly(format!("({sql}) is not true")),
                _ => Condition::undecided(),
            },
            Filter::Field { path, test } if path.is_id() => self.id(test),
            Filter::Field { path, test } => self.field(path, test),
            Filter::Topic(_) => Condition::undecided(),
        }
    }

    fn field(&mut self, path: &Path, test: &Test) -> Condition {
        let absent = || match test {
            Test::Exists(false) => Condition::exactly("true"),
            _ => Condition::never(),
        };
        let Some(column) = path.0.first().and_then(|name| self.visible(name)) else {
            return absent();
        };
        if path.0.len() > 1 {
            return match column.family {
                Family::Json | Family::Other => Condition::undecided(),
                _ => absent(),
            };
        }
        column::condition(&Subject::field(column), test, &mut self.parameters)
    }

    /// `id` means the key, and the document's own `id` where that is another column.
    fn id(&mut self, test: &Test) -> Condition {
        let by_key = self.key(test);
        let is_key = |name: &str| matches!(&*self.table.key, [only] if only == name);
        match self.visible("id").filter(|column| !is_key(&column.name)) {
            None => by_key,
            Some(column) => {
                let by_column = column::condition(&Subject::id(column), test, &mut self.parameters);
                Condition::any(vec![by_key, by_column])
            }
        }
    }

    /// A test of the key's text.
    fn key(&mut self, test: &Test) -> Condition {
        if let [only] = &*self.table.key {
            return match self.table.column(only) {
                Some(column) => column::condition(&Subject::id(column), test, &mut self.parameters),
                None => Condition::undecided(),
            };
        }
        let texts: Vec<&str> = match test {
            Test::Equal(operand) => operand.as_str().into_iter().collect(),
            Test::In(operands) if operands.len() <= MOST_ALTERNATIVES => {
                operands.iter().filter_map(Value::as_str).collect()
            }
            _ => return Condition::undecided(),
        };
        Condition::any(texts.into_iter().map(|text| self.composite(text)).collect())
    }

    fn composite(&mut self, text: &str) -> Condition {
        let Some(parts) = self.table.split(text) else {
            return Condition::never();
        };
        let table = self.table;
        let columns = table.key_columns().zip(parts);
        Condition::all(
            columns
                .map(|(column, part)| {
                    column::condition(&Subject::id(column), &Test::Equal(json!(part)), &mut self.parameters)
                })
                .collect(),
        )
    }

    /// The row with this key, for a statement that changes it: a key whose type cannot be compared otherwise is
    /// compared by its text. `None` when there can be no such row.
    pub(super) fn one(&mut self, id: &str) -> Option<String> {
        let parts = self.table.split(id).filter(|parts| parts.iter().all(|part| !part.contains('\0')))?;
        let table = self.table;
        let equals = table.key_columns().zip(parts).map(|(column, part)| {
            let test = Test::Equal(json!(part));
            match column::condition(&Subject::id(column), &test, &mut self.parameters) {
                Condition { sql, exact: true } => sql,
                _ => format!("t.{}::text = {}", quote(&column.name), self.parameters.text(part)),
            }
        });
        Some(equals.collect::<Vec<_>>().join(" and "))
    }

    /// The column, unless there is none or the resource hides it: filters see documents after hiding.
    pub(super) fn visible(&self, name: &str) -> Option<&'a Column> {
        let column = self.table.column(name)?;
        let probe = self.resource.present("", json!({ name: 0 }));
        probe.value().get(name).map(|_| column)
    }
}
