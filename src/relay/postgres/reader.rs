//! Reads what was pushed by SQL code and by other nodes, and tells it to this one.

use super::purge::Purge;
use super::read;
use crate::error::{Error, Kind, Result};
use crate::metrics::Metrics;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use crate::postgres::snapshot::is_not_contained;
use crate::relay::Deliver;
use crate::relay::keep::{Standing, Way};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How often to look without having been rung.
    pub poll: Duration,
    /// How long rows stay for a node that is away.
    pub keep: Duration,
    /// How often older ones are deleted.
    pub purge: Duration,
}

impl Default for Times {
    fn default() -> Times {
        let seconds = Duration::from_secs;
        Times { poll: seconds(5), keep: seconds(600), purge: seconds(60) }
    }
}

/// One node's view of the table.
pub struct Reader {
    address: Address,
    /// Rows of this origin were delivered here already.
    node: Arc<str>,
    deliver: Arc<dyn Deliver>,
    metrics: Arc<Metrics>,
    times: Times,
    place: Place,
    purge: Purge,
}

/// Everything in the snapshot `seen` has been told; and, in the middle of a read, of what the next one has, in the
/// order of the ids, a part.
#[derive(Debug, Clone, Default)]
struct Place {
    /// A `pg_snapshot` as text.
    seen: String,
    part: Option<Part>,
}

/// Of what `upto` contains and `seen` does not, everything up to the id `last`. That set of rows is fixed once `upto`
/// was taken, so another connection goes on within it.
#[derive(Debug, Clone)]
struct Part {
    upto: String,
    last: i64,
}

impl Reader {
    /// A reader that begins behind the snapshot `seen`.
    pub fn new(
        address: Address,
        node: Arc<str>,
        seen: String,
        deliver: Arc<dyn Deliver>,
        metrics: Arc<Metrics>,
        times: Times,
    ) -> Reader {
        let purge = Purge::new(times, &seen);
        Reader { address, node, deliver, metrics, times, place: Place { seen, part: None }, purge }
    }

    async fn read_on(&mut self, client: &Client, bell: &Notify, standing: &mut Standing) -> Result<()> {
        let failed = |error| failure("reading tidings.push", error);
        // Without statistics the planner would read the whole table.
        let session = "listen tidings_push; set enable_seqscan = off; set jit = off; \
             set plan_cache_mode = force_generic_plan";
        client.batch_execute(session).await.map_err(failed)?;
        self.check_history(client).await?;
        let statement = client.prepare(&unseen()).await.map_err(failed)?;
        standing.found();
        loop {
            self.read(client, &statement).await?;
            self.purge.if_due(client, &self.place.seen).await?;
            if client.is_closed() {
                return Err(Error::new(Kind::Unreachable, "the connection ended"));
            }
            tokio::select! {
                () = bell.notified() => {}
                () = tokio::time::sleep(self.times.poll) => {}
            }
        }
    }

    /// A database that was set back knows nothing of our snapshot: then it is read from now on.
    async fn check_history(&mut self, client: &Client) -> Result<()> {
        let asked = "select pg_current_snapshot()::text, \
             pg_snapshot_xmax($1::text::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot())";
        let row = client.query_one(asked, &[&self.place.seen]).await;
        let row = row.map_err(|error| failure("reading the snapshot", error))?;
        if row.get(1) {
            tracing::warn!(database = self.address.shown(), "the database was set back; pushes are read from now on");
            self.place = Place { seen: row.get(0), part: None };
            self.purge = Purge::new(self.times, &self.place.seen);
        }
        Ok(())
    }

    /// Tells everything that has been committed since the last read.
    async fn read(&mut self, client: &Client, statement: &Statement) -> Result<()> {
        loop {
            let was_interrupted = self.place.part.is_some();
            self.read_part(client, statement).await?;
            if let Some(part) = self.place.part.take() {
                self.place.seen = part.upto;
            }
            // The rest of an interrupted read is followed by what came since.
            if !was_interrupted {
                return Ok(());
            }
        }
    }

    async fn read_part(&mut self, client: &Client, statement: &Statement) -> Result<()> {
        let failed = |error| failure("reading tidings.push", error);
        let (upto, last) = match &self.place.part {
            Some(part) => (Some(part.upto.clone()), part.last),
            None => (None, i64::MIN),
        };
        let seen = self.place.seen.clone();
        let parameters: [&(dyn ToSql + Sync); 4] = [&seen, &upto, &last, &&*self.node];
        let rows = client.query_raw(statement, parameters).await.map_err(failed)?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            // Only then, for a read that is broken off goes on behind what was told.
            let id: Option<i64> = row.get("id");
            if let Some(id) = id {
                self.tell(id, &row).await;
            }
            self.place.part = Some(Part { upto: row.get("snapshot"), last: id.unwrap_or(last) });
        }
        Ok(())
    }

    async fn tell(&self, id: i64, row: &Row) {
        match read(row) {
            Some(push) => self.deliver.deliver(&push).await,
            None => {
                tracing::warn!(database = self.address.shown(), id, "a row of tidings.push is no push; it is skipped");
                self.metrics.relay_dropped("unreadable").inc();
            }
        }
    }
}

#[async_trait]
impl Way for Reader {
    async fn follow(&mut self, standing: &mut Standing) -> Result<()> {
        let bell = Arc::new(Notify::new());
        // No statement timeout: a read lasts as long as those who are told need.
        let (client, connection) = connect(&self.address, Duration::ZERO, Some(bell.clone())).await?;
        let stop = standing.stopped();
        let end = tokio::select! {
            end = self.read_on(&client, &bell, standing) => end,
            () = stop => Ok(()),
        };
        drop(client);
        connection.abort();
        end
    }
}

/// What `$2` (or else this snapshot) contains and `$1` does not, in the order of the ids, each with the snapshot; one
/// row without an id where there is nothing. The `+ 0` keeps the planner from walking the whole table in the order of
/// its primary key.
fn unseen() -> String {
    let unseen = is_not_contained("p.xid");
    format!(
        "select coalesce($2::text, pg_current_snapshot()::text) as snapshot, push.id, push.kind, push.ids, push.data \
         from (select) as once left join (select p.* from tidings.push p where {unseen} \
             and pg_visible_in_snapshot(p.xid, coalesce($2::text::pg_snapshot, pg_current_snapshot())) \
             and p.id + 0 > $3 and p.origin is distinct from $4 offset 0) as push on true \
         order by push.id"
    )
}
