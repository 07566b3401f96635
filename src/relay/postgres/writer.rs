//! Writes what this node pushes into the table, for the others.
//!
//! Each push is written once, also when the connection ends while a batch is being committed: a transaction's number
//! is known before its commit is asked for, and the database is asked later what became of it.

use crate::error::Result;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use crate::relay::keep::{Standing, Way};
use crate::relay::waiting::{Batch, Parcel, Waiting};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

/// A transaction writes at most so many pushes, and about so many bytes.
const BATCH: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// How long a statement may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a transaction is asked after that has not ended yet.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The one who writes for this node.
pub struct Writer {
    address: Address,
    node: Arc<str>,
    waiting: Arc<Waiting>,
    /// A batch and the transaction that it was in when the connection ended.
    unsure: Option<(String, Batch)>,
    /// So many are written one by one, for one of them is refused.
    singly: usize,
}

/// What became of a batch.
enum Written {
    Yes,
    No(tokio_postgres::Error),
    /// Its transaction, whose commit was not answered.
    Perhaps(String, tokio_postgres::Error),
}

impl Writer {
    /// A writer of this node's pushes, as they wait in the line.
    pub fn new(address: Address, node: Arc<str>, waiting: Arc<Waiting>) -> Writer {
        Writer { address, node, waiting, unsure: None, singly: 0 }
    }

    async fn write_on(&mut self, client: &Client, standing: &mut Standing) -> Result<()> {
        self.settle(client).await?;
        let insert = client.prepare(INSERT).await.map_err(|error| failure(DOING, error))?;
        standing.found();
        self.waiting.found();
        loop {
            let most = if self.singly > 0 { 1 } else { BATCH };
            let batch = tokio::select! {
                batch = self.waiting.take(most, BATCH_BYTES) => batch,
                () = standing.stopped() => return self.write_rest(client, &insert).await,
            };
            self.write(client, &insert, batch).await?;
        }
    }

    /// What waits when the program goes down.
    async fn write_rest(&mut self, client: &Client, insert: &Statement) -> Result<()> {
        loop {
            let most = if self.singly > 0 { 1 } else { BATCH };
            let Some(batch) = self.waiting.try_take(most, BATCH_BYTES) else { return Ok(()) };
            self.write(client, insert, batch).await?;
        }
    }

    async fn write(&mut self, client: &Client, insert: &Statement, batch: Batch) -> Result<()> {
        self.singly = self.singly.saturating_sub(batch.parcels().len());
        match insert_all(client, insert, &self.node, batch.parcels()).await {
            Written::Yes => batch.gone(),
            Written::No(error) if is_of_the_data(&error) => {
                client.batch_execute("rollback").await.map_err(|error| failure(DOING, error))?;
                self.set_aside(batch, &error);
            }
            Written::No(error) => return Err(failure(DOING, error)),
            Written::Perhaps(xid, error) => {
                self.unsure = Some((xid, batch));
                return Err(failure(DOING, error));
            }
        }
        Ok(())
    }

    /// One push among these cannot be stored: a text that the database's encoding has no letters for. It must not keep
    /// the others.
    fn set_aside(&mut self, batch: Batch, error: &tokio_postgres::Error) {
        let count = batch.parcels().len();
        if count > 1 {
            self.singly = count;
        } else {
            let sqlstate = error.code().map_or("", |code| code.code());
            tracing::warn!(database = self.address.shown(), sqlstate, "a push cannot be stored; other nodes miss it");
            batch.discard("unwritable");
        }
    }

    /// Finds out what became of a batch whose commit was not answered.
    async fn settle(&mut self, client: &Client) -> Result<()> {
        let Some((xid, _)) = &self.unsure else { return Ok(()) };
        let was_committed = was_committed(client, xid).await?;
        if let Some((_, batch)) = self.unsure.take()
            && was_committed
        {
            batch.gone();
        }
        Ok(())
    }
}

#[async_trait]
impl Way for Writer {
    async fn follow(&mut self, standing: &mut Standing) -> Result<()> {
        let (client, connection) = connect(&self.address, STATEMENT_TIMEOUT, None).await?;
        let end = self.write_on(&client, standing).await;
        drop(client);
        connection.abort();
        if let Some((_, batch)) = &mut self.unsure {
            batch.refuse_awaited();
        }
        self.waiting.lost();
        end
    }
}

const DOING: &str = "writing to tidings.push";

/// Asks everything up to the commit at once: two journeys to the server and back for a batch.
async fn insert_all(client: &Client, insert: &Statement, node: &Arc<str>, parcels: &[Parcel]) -> Written {
    let pushes = || parcels.iter().map(|parcel| &parcel.push);
    let kinds: Vec<&str> = pushes().map(|push| push.kind.name()).collect();
    let ids: Vec<&str> = pushes().flat_map(|push| push.ids.iter().map(|id| &**id)).collect();
    let (mut firsts, mut lasts, mut upto) = (Vec::new(), Vec::new(), 0_i32);
    for push in pushes() {
        firsts.push(upto + 1);
        upto = upto.saturating_add(i32::try_from(push.ids.len()).unwrap_or(i32::MAX));
        lasts.push(upto);
    }
    let data: Vec<&str> = pushes().map(|push| &*push.data).collect();
    let origin = &**node;
    let parameters: [&(dyn ToSql + Sync); 6] = [&origin, &kinds, &firsts, &lasts, &ids, &data];
    let begin = client.batch_execute("begin isolation level read committed");
    let xid: Option<String> = match tokio::try_join!(begin, client.query(insert, &parameters)) {
        Ok((_, rows)) => rows.first().map(|row| row.get(0)),
        Err(error) => return Written::No(error),
    };
    match client.batch_execute("commit").await {
        Ok(()) => Written::Yes,
        Err(error) => match xid {
            Some(xid) => Written::Perhaps(xid, error),
            None => Written::No(error),
        },
    }
}

/// Whether a transaction of an earlier connection was committed, once it has ended.
async fn was_committed(client: &Client, xid: &str) -> Result<bool> {
    loop {
        let asked = client.query_one("select pg_xact_status($1::text::xid8)", &[&xid]).await;
        match asked {
            Ok(row) => match row.get::<_, Option<&str>>(0) {
                Some("in progress") => tokio::time::sleep(ASK_AGAIN).await,
                Some("aborted") => return Ok(false),
                // So long ago that it is not known any more: it must not be told twice.
                _ => return Ok(true),
            },
            // The database was set back to a time before it.
            Err(error) if is_of_the_data(&error) => return Ok(false),
            Err(error) => return Err(failure("asking for a transaction", error)),
        }
    }
}

/// Whether the values are what is wrong, and not the table or the connection.
fn is_of_the_data(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("22"))
}

const INSERT: &str = "insert into tidings.push (origin, kind, ids, data) \
     select $1, p.kind, ($5::text[])[p.first:p.last], p.data \
     from unnest($2::text[], $3::int4[], $4::int4[], $6::text[]) with ordinality as p (kind, first, last, data, nth) \
     order by p.nth returning xid::text";
