//! Operations that are functions in a Postgres database: `function(context jsonb, viewer jsonb) returns jsonb`.
//!
//! A call is one transaction. What the function queued by `tidings.notify_…` is read before its commit and pushed
//! after it, so an operation that rolls back pushes nothing; other nodes read it in the table.

use crate::jac::walker::{Call, Done, Failure, Walker};
use crate::postgres::failure::failure;
use crate::postgres::name::TableName;
use crate::postgres::pool::Pool;
use crate::relay::postgres::read;
use crate::relay::{Push, Relay};
use async_trait::async_trait;
use deadpool_postgres::Object;
use serde_json::value::RawValue;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// How much longer than a call may take its database is waited for: it stops a call by itself, and says so.
const GRACE: Duration = Duration::from_secs(5);

/// What stands for a `$1`.
type Bound<'a> = &'a (dyn ToSql + Sync);

/// A function in a database.
pub struct Postgres {
    pool: Arc<Pool>,
    /// The statement that calls it.
    call: String,
    /// This node, whose sockets get its pushes from here.
    node: Arc<str>,
    relay: Option<Arc<dyn Relay>>,
}

impl Postgres {
    /// This function, in the database of the pool. `relay` is the way on which pushes of sockets leave this node.
    pub fn new(pool: Arc<Pool>, function: &TableName, node: Arc<str>, relay: Option<Arc<dyn Relay>>) -> Postgres {
        let call = format!("select {}($1::text::jsonb, $2::text::jsonb)::text", function.quoted());
        Postgres { pool, call, node, relay }
    }

    async fn run_on(&self, client: &Object, call: &Call) -> Result<Done, Stopped> {
        let viewer = serde_json::to_string(&call.viewer).map_err(|_| Stopped::Unwritable)?;
        let (context, milliseconds) = (call.context.get(), call.timeout.as_millis().clamp(1, MOST).to_string());
        let (node, socket) = (&*self.node, call.viewer.client_id.as_deref().unwrap_or_default());
        let (settings, function) = (client.prepare_cached(SETTINGS).await?, client.prepare_cached(&self.call).await?);
        let queued = client.prepare_cached(QUEUED).await?;
        let for_settings: [Bound<'_>; 3] = [&node, &socket, &milliseconds];
        let for_function: [Bound<'_>; 2] = [&context, &viewer];
        // All of it is asked at once: one journey to the server and back, and another for the commit.
        let (begun, set, answer, rows) = tokio::join!(
            client.batch_execute("begin isolation level read committed"),
            client.execute(&settings, &for_settings),
            client.query_one(&function, &for_function),
            client.query(&queued, &[]),
        );
        // The first error is the one that says why: behind it everything fails.
        begun?;
        set?;
        let (answer, rows) = (answer?, rows?);
        let answer: Option<&str> = answer.get(0);
        let reports = reports(answer.unwrap_or("null")).ok_or(Stopped::Unwritable)?;
        client.batch_execute("commit").await?;
        Ok(Done { reports, pushes: rows.iter().filter_map(|row| self.push(row, call)).collect() })
    }

    fn push(&self, row: &Row, call: &Call) -> Option<Push> {
        let push = read(row);
        if push.is_none() {
            tracing::warn!(walker = &*call.name, "a row of tidings.push is no push; it is skipped");
        }
        push
    }
}

#[async_trait]
impl Walker for Postgres {
    async fn run(&self, call: &Call) -> Result<Done, Failure> {
        if let Some(relay) = &self.relay
            && let Err(error) = relay.flushed().await
        {
            tracing::debug!(walker = &*call.name, error = %error.chain(), "earlier pushes are still on their way");
        }
        let connection = timeout(call.timeout, self.pool.get()).await.map_err(|_| Failure::TimedOut)?;
        let loan = Loan(Some(connection.map_err(|error| failed(call, &error.chain()))?));
        let Some(client) = &loan.0 else { return Err(Failure::Failed) };
        match timeout(call.timeout + GRACE, self.run_on(client, call)).await {
            Ok(Ok(done)) => {
                loan.give_back();
                Ok(done)
            }
            Ok(Err(stopped)) => {
                if client.batch_execute("rollback").await.is_ok() {
                    loan.give_back();
                }
                Err(stopped.told(call))
            }
            Err(_) => Err(Failure::TimedOut),
        }
    }

    fn reaches_other_nodes(&self) -> bool {
        true
    }
}

/// A connection in the middle of a transaction. Whoever leaves it there ends it, and the database undoes it.
struct Loan(Option<Object>);

impl Loan {
    /// The transaction is over.
    fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}

/// Why a call was not finished.
enum Stopped {
    ByTheDatabase(tokio_postgres::Error),
    /// Something is not JSON that has to be.
    Unwritable,
}

impl From<tokio_postgres::Error> for Stopped {
    fn from(error: tokio_postgres::Error) -> Stopped {
        Stopped::ByTheDatabase(error)
    }
}

impl Stopped {
    /// What the caller is told; the rest is for the log.
    fn told(self, call: &Call) -> Failure {
        let error = match self {
            Stopped::ByTheDatabase(error) => error,
            Stopped::Unwritable => return failed(call, &"what it was given or gives is no JSON"),
        };
        match error.as_db_error().map(|refusal| (refusal.code().code(), refusal.message())) {
            // `raise exception` without a code of its own.
            Some(("P0001", sentence)) => Failure::Author(sentence.to_owned()),
            Some(("57014", _)) => Failure::TimedOut,
            _ => failed(call, &failure("running its function", error)),
        }
    }
}

fn failed(call: &Call, why: &dyn Display) -> Failure {
    tracing::warn!(walker = &*call.name, why = %why, "an operation failed");
    Failure::Failed
}

/// The reports in an answer; `None`: it is no JSON.
fn reports(answer: &str) -> Option<Vec<Box<RawValue>>> {
    if answer.starts_with('[') {
        return serde_json::from_str(answer).ok();
    }
    let one: Box<RawValue> = serde_json::from_str(answer).ok()?;
    Some(if one.get() == "null" { Vec::new() } else { vec![one] })
}

/// The longest timeout that the database knows, in milliseconds.
const MOST: u128 = i32::MAX as u128;

/// Until the end of the transaction.
const SETTINGS: &str = "select set_config('tidings.node', $1, true), set_config('tidings.client_id', $2, true), \
     set_config('statement_timeout', $3, true)";

/// What this transaction has queued.
const QUEUED: &str =
    "select kind, ids, data from tidings.push where xid = pg_current_xact_id_if_assigned() order by id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_the_reports_and_anything_else_is_one() {
        let texts = |answer: &str| {
            let reports = reports(answer).expect("JSON");
            reports.iter().map(|report| report.get().to_owned()).collect::<Vec<_>>()
        };
        for none in ["null", "[]"] {
            assert!(texts(none).is_empty());
        }
        assert_eq!(texts("[1.50, \"a\", null, [2]]"), ["1.50", "\"a\"", "null", "[2]"]);
        for one in ["{\"a\": [1]}", "\"[]\"", "0", "false", "\"null\""] {
            assert_eq!(texts(one), [one]);
        }
        assert!(reports("[1").is_none() && reports("").is_none());
    }
}
