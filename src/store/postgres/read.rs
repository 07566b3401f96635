//! One query: the snapshot and its rows. What the database cannot decide or sort as the server would, is read
//! row by row, never more of it held than the answer can need.

use super::Attempt;
use super::condition::Translator;
use super::order::order;
use crate::error::Result;
use crate::postgres::failure::failure;
use crate::postgres::snapshot::mark;
use crate::postgres::table::{FINGERPRINTS, Table};
use crate::query::Query;
use crate::resource::Resource;
use crate::store::gather::{Gather, Order};
use crate::store::{Row, Snapshot};
use deadpool_postgres::Object;
use futures_util::TryStreamExt;
use std::pin::pin;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, IsolationLevel, RowStream};

pub(super) async fn attempt(
    client: &mut Object,
    table: &Table,
    resource: &Resource,
    query: &Query,
) -> Result<Attempt<Snapshot>> {
    let doing = format!("reading {}", table.name);
    let failed = |error| failure(&doing, error);
    let plan = Plan::new(table, resource, query);
    let parameters = plan.translator.parameters.bound();
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = builder.start().await.map_err(failed)?;

    let oids = vec![table.oid];
    let of_fingerprint: [(&(dyn ToSql + Sync), Type); 1] = [(&oids, Type::OID_ARRAY)];
    // Asked together, answered by one snapshot.
    let snapshot = transaction.query_typed_one("select pg_current_snapshot()::text", &[]);
    let fingerprint = transaction.query_typed_opt(FINGERPRINTS, &of_fingerprint);
    let rows = transaction.query_typed_raw(&plan.sql, parameters);
    let (snapshot, fingerprint, rows) = tokio::join!(snapshot, fingerprint, rows);
    let (snapshot, fingerprint) = (snapshot.map_err(failed)?, fingerprint.map_err(failed)?);
    if fingerprint.is_none_or(|row| row.get::<_, i64>(1) != table.fingerprint) {
        return Ok(Attempt::Outdated);
    }
    let rows = gather(rows.map_err(failed)?, table, resource, query, &plan, &doing).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(Attempt::Done(Snapshot { rows, mark: mark(snapshot.get(0))? }))
}

/// The rows of a query within a transaction that is under way.
pub(super) async fn rows(client: &Client, table: &Table, resource: &Resource, query: &Query) -> Result<Vec<Row>> {
    let doing = format!("reading {}", table.name);
    let plan = Plan::new(table, resource, query);
    let rows = client.query_typed_raw(&plan.sql, plan.translator.parameters.bound()).await;
    gather(rows.map_err(|error| failure(&doing, error))?, table, resource, query, &plan, &doing).await
}

/// How a query is asked.
struct Plan<'a> {
    translator: Translator<'a>,
    sql: String,
    /// The database sorts and cuts; it answers with one row too many rather than with a full list.
    cut: bool,
}

impl<'a> Plan<'a> {
    fn new(table: &'a Table, resource: &'a Resource, query: &Query) -> Plan<'a> {
        let mut translator = Translator::new(table, resource);
        let condition = translator.translate(&query.filter);
        let mut sql = format!("select row_to_json(t.*)::text from {} where {}", table.from(), condition.sql);
        let order = match (query.limit, condition.exact) {
            (Some(_), true) => order(&translator, query),
            _ => None,
        };
        let cut = order.is_some();
        if let (Some(order), Some(limit)) = (order, query.limit) {
            let most = i64::try_from(limit.min(query.max_items.saturating_add(1))).unwrap_or(i64::MAX);
            let skip = i64::try_from(query.skip).unwrap_or(i64::MAX);
            let (most, skip) = (translator.parameters.integer(most), translator.parameters.integer(skip));
            sql += &format!(" order by {order} limit {most} offset {skip}");
        }
        Plan { translator, sql, cut }
    }
}

async fn gather(
    stream: RowStream,
    table: &Table,
    resource: &Resource,
    query: &Query,
    plan: &Plan<'_>,
    doing: &str,
) -> Result<Vec<Row>> {
    // What the database has cut begins where the answer does.
    let left = Query { skip: if plan.cut { 0 } else { query.skip }, ..query.clone() };
    let mut gather = Gather::new(&left, Order::Any)?;
    let mut stream = pin!(stream);
    while let Some(row) = stream.try_next().await.map_err(|error| failure(doing, error))? {
        let record = table.read(row.get(0))?;
        let document = resource.present(&record.id, record.value);
        gather.take(Row::new(record.id, document))?;
    }
    gather.finish()
}
