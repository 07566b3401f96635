//! Asking the server for what the stream does not tell: values that only it can turn into JSON, generated columns,
//! and large values that a change left as they were.

use crate::error::Result;
use crate::postgres::failure::failure;
use std::collections::HashMap;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// A connection beside the stream, with what was prepared on it.
pub(super) struct Asking<'a> {
    pub(super) client: &'a Client,
    statements: HashMap<String, Statement>,
}

/// More statements than this are forgotten together.
const STATEMENTS: usize = 1000;

impl<'a> Asking<'a> {
    pub(super) fn new(client: &'a Client) -> Asking<'a> {
        Asking { client, statements: HashMap::new() }
    }

    /// What `to_json` gives for the text of a value; `None` when the type no longer takes that text.
    pub(super) async fn convert(&mut self, type_name: &str, text: &str) -> Result<Option<String>> {
        let sql = format!("select to_json($1::text::{type_name})::text");
        let rows = self.ask(&sql, &[&text]).await?;
        Ok(rows.and_then(|rows| rows.first()?.get(0)))
    }

    /// The rows of a statement, which is prepared once; `None` when the server refuses it.
    pub(super) async fn ask(&mut self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Vec<Row>>> {
        let doing = "converting a row";
        let statement = match self.statements.get(sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = match self.client.prepare(sql).await {
                    Ok(statement) => statement,
                    Err(error) if error.as_db_error().is_some() => return Ok(refused(&error)),
                    Err(error) => return Err(failure(doing, error)),
                };
                if self.statements.len() >= STATEMENTS {
                    self.statements.clear();
                }
                self.statements.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        match self.client.query(&statement, values).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) if error.as_db_error().is_some() && !self.client.is_closed() => {
                // It may be of a type that has changed since it was prepared.
                self.statements.remove(sql);
                Ok(refused(&error))
            }
            Err(error) => Err(failure(doing, error)),
        }
    }
}

fn refused(error: &tokio_postgres::Error) -> Option<Vec<Row>> {
    let why = error.as_db_error().map(|error| error.code().code().to_owned()).unwrap_or_default();
    tracing::debug!(code = why, "the server could not convert a row of the stream");
    None
}
