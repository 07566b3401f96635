//! Reading by the difference of two snapshots, and deleting what has been read.
//!
//! `id > last` would lose the changes of transactions that commit out of order; `xid < xmin` would wait for the
//! longest transaction. What the previous snapshot P does not contain is exactly `xid >= xmax(P)` or one of the
//! transactions that were in progress in P, and both are found by the index on `xid`, so a read costs what it
//! finds, however long a transaction stays open.

use super::Settings;
use super::change::Change;
use super::place::{Part, Place};
use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Reason, ResourceEvent};
use crate::postgres::failure::failure;
use crate::postgres::name::TableName;
use crate::postgres::outbox;
use crate::postgres::snapshot::{is_not_contained, mark};
use crate::postgres::table::{self, Binding, Table};
use crate::source::Feed;
use futures_util::TryStreamExt;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, RowStream, Statement};

/// A batch ends after this many bytes of changes, if it was not full before.
const BATCH_BYTES: usize = 4 << 20;

/// How many changes one purge deletes at most, and how soon the next follows when it found that many.
const PURGE_CHANGES: i32 = 5000;
const PURGE_PAUSE: Duration = Duration::from_millis(200);

/// What stands for a `$1`.
type Bound<'a> = &'a (dyn ToSql + Sync);

/// One connection's view of the outbox.
pub(super) struct Following<'a> {
    client: &'a Client,
    settings: &'a Settings,
    feed: &'a Feed,
    tables: Vec<Table>,
    oids: Vec<u32>,
    names: Vec<String>,
    header: Statement,
    fingerprints: Statement,
    changes: Statement,
    place: Place,
    /// The snapshot in the newest place that is in the log.
    logged: String,
    /// The newest snapshot that the feed has been told of.
    reached: String,
    purge_at: Option<Instant>,
}

/// What a read finds out before the changes.
struct Header {
    snapshot: String,
    /// What was not read yet is no longer there, or this is not the history it was read from.
    broken: bool,
}

impl<'a> Following<'a> {
    /// Listens, checks that the outbox is there and complete, and decides where to go on.
    pub(super) async fn begin(
        client: &'a Client,
        settings: &'a Settings,
        place: Option<Vec<u8>>,
        feed: &'a Feed,
    ) -> Result<Following<'a>> {
        let failed = |error| failure("reading the outbox", error);
        let standby = client.query_one("select pg_is_in_recovery()", &[]).await.map_err(failed)?;
        if standby.get(0) {
            return Err(Error::new(Kind::Refused, "this server is a standby: name the primary"));
        }
        // Without statistics the planner would read the whole table; forbidding that makes plans look so dear that
        // it would compile them, which takes 100 ms.
        let session = "listen tidings; set enable_seqscan = off; set jit = off; \
             set plan_cache_mode = force_generic_plan";
        client.batch_execute(session).await.map_err(failed)?;
        let tables = examine(client, settings).await?;
        let identity = identity(client).await.map_err(failed)?;
        let now = client.query_one("select pg_current_snapshot()::text", &[]).await.map_err(failed)?;
        let known = place.as_deref().map(Place::decode);
        let fresh = Place { identity, reader: uuid::Uuid::new_v4().to_string(), seen: now.get(0), part: None };
        let mut following = Following {
            client,
            settings,
            feed,
            oids: tables.iter().map(|table| table.oid).collect(),
            names: tables.iter().map(|table| table.full_name.clone()).collect(),
            tables,
            header: client.prepare(HEADER).await.map_err(failed)?,
            fingerprints: client.prepare(table::FINGERPRINTS).await.map_err(failed)?,
            changes: client.prepare(&changes()).await.map_err(failed)?,
            logged: String::new(),
            reached: String::new(),
            place: fresh,
            purge_at: Some(Instant::now()),
        };
        match known {
            Some(Some(place)) if place.identity == following.place.identity => {
                following.logged.clone_from(&place.seen);
                following.place = place;
            }
            Some(_) => following.start_over("the place belongs to another database or installation").await?,
            None => following.put(Vec::new()).await?,
        }
        Ok(following)
    }

    /// Hands over everything that has been committed since the last read; tells whether there was anything.
    pub(super) async fn read(&mut self) -> Result<bool> {
        let mut found = false;
        loop {
            let part = self.place.part.take();
            let (upto, last) = match &part {
                Some(part) => (Some(part.upto.clone()), part.last),
                None => (None, 0),
            };
            let Some((header, changes)) = self.ask(upto.as_deref(), last).await? else {
                // A table has changed its columns: what was asked is dropped, and asked again knowing them.
                self.place.part = part;
                self.tables = examine(self.client, self.settings).await?;
                self.oids = self.tables.iter().map(|table| table.oid).collect();
                self.names = self.tables.iter().map(|table| table.full_name.clone()).collect();
                continue;
            };
            if header.broken {
                drop(changes);
                self.finish().await?;
                self.place.seen = header.snapshot;
                self.start_over("changes that were not read yet are gone").await?;
                return Ok(true);
            }
            let resumed = upto.is_some();
            let snapshot = upto.unwrap_or(header.snapshot);
            let events = {
                let handed_over = self.hand_over(changes, &snapshot);
                let (events, ()) = tokio::try_join!(handed_over, self.finish())?;
                events
            };
            self.place.seen = snapshot;
            found |= !events.is_empty();
            if !events.is_empty() || resumed {
                self.put(events).await?;
            } else if self.reached != self.place.seen {
                self.feed.push(events, None, Some(mark(&self.place.seen)?)).await?;
                self.reached.clone_from(&self.place.seen);
            }
            // The rest of an interrupted read is followed by what came since.
            if !resumed {
                self.feed.health().caught_up();
                return Ok(found);
            }
        }
    }

    /// Deletes old changes now and then, and tells the others how far this reader is.
    pub(super) async fn purge_if_due(&mut self) -> Result<()> {
        if self.purge_at.is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        if self.logged != self.place.seen {
            self.put(Vec::new()).await?;
        }
        let keep = self.settings.keep.as_secs_f64();
        match self.client.query_one(PURGE, &[&self.place.reader, &self.logged, &keep, &PURGE_CHANGES]).await {
            Ok(row) if row.get::<_, i64>(0) == i64::from(PURGE_CHANGES) => {
                self.purge_at = Some(Instant::now() + PURGE_PAUSE);
            }
            Ok(_) => {
                let pause = (self.settings.keep / 4).clamp(Duration::from_secs(1), Duration::from_secs(30));
                self.purge_at = Some(Instant::now() + pause);
            }
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                tracing::warn!(source = %self.feed.source(), "this user may not purge the outbox: select tidings.allow('<user>')");
                self.purge_at = None;
            }
            Err(error) => return Err(failure("purging the outbox", error)),
        }
        Ok(())
    }

    /// Begins the transaction and asks everything at once: one journey to the server and back. `None`: a table
    /// looks different from what is known of it.
    async fn ask(&self, upto: Option<&str>, last: i64) -> Result<Option<(Header, RowStream)>> {
        let failed = |error| failure("reading the outbox", error);
        let begin = self.client.batch_execute("begin isolation level repeatable read read only");
        let seen = self.place.seen.as_str();
        let (of_header, of_fingerprints): ([Bound<'_>; 1], [Bound<'_>; 1]) = ([&seen], [&self.oids]);
        let of_changes: [Bound<'_>; 4] = [&seen, &upto, &last, &self.names];
        let header = self.client.query_opt(&self.header, &of_header);
        let fingerprints = self.client.query(&self.fingerprints, &of_fingerprints);
        let changes = self.client.query_raw(&self.changes, of_changes);
        let (_, header, fingerprints, changes) =
            tokio::try_join!(begin, header, fingerprints, changes).map_err(failed)?;
        let known = |table: &Table| {
            fingerprints
                .iter()
                .any(|row| row.get::<_, u32>(0) == table.oid && row.get::<_, i64>(1) == table.fingerprint)
        };
        if !self.tables.iter().all(known) {
            drop(changes);
            self.finish().await?;
            return Ok(None);
        }
        let Some(row) = header else {
            return Err(Error::new(Kind::Refused, "tidings.meta is empty: run `tidings sql install` again"));
        };
        let other_install = !self.place.identity.starts_with(row.get::<_, &str>(1));
        Ok(Some((Header { snapshot: row.get(0), broken: row.get::<_, bool>(2) || other_install }, changes)))
    }

    /// Sends full batches on as they come; returns the last one, which is not full.
    async fn hand_over(&self, changes: RowStream, snapshot: &str) -> Result<Vec<ResourceEvent>> {
        let mut changes = pin!(changes);
        let (mut events, mut bytes, mut count) = (Vec::new(), 0, 0);
        let mut last = 0;
        while let Some(row) = changes.try_next().await.map_err(|error| failure("reading the outbox", error))? {
            if count >= self.settings.batch.max(1) || bytes >= BATCH_BYTES {
                self.feed.health().behind();
                let part = Some(Part { upto: snapshot.to_owned(), last });
                let place = Place { part, ..self.place.clone() };
                self.feed.push(std::mem::take(&mut events), Some(place.encode()), None).await?;
                (bytes, count) = (0, 0);
            }
            let change = Change::of(&row)?;
            if change.id <= last {
                return Err(Error::new(Kind::Internal, "the outbox was not read in order"));
            }
            for (binding, table) in self.settings.bindings.iter().zip(&self.tables) {
                if table.full_name == change.table {
                    events.extend(change.events(&binding.resource, table)?);
                }
            }
            last = change.id;
            bytes += change.bytes();
            count += 1;
        }
        Ok(events)
    }

    /// Ends the transaction of a read.
    async fn finish(&self) -> Result<()> {
        self.client.batch_execute("commit").await.map_err(|error| failure("reading the outbox", error))
    }

    /// Tells every watcher to start over, and goes on from the snapshot in the place.
    async fn start_over(&mut self, why: &str) -> Result<()> {
        tracing::warn!(source = %self.feed.source(), reason = why, "the outbox is read from now on, watchers start over");
        let reset = |binding: &Binding| ResourceEvent::reset(binding.resource.clone(), Reason::Epoch);
        let events = self.settings.bindings.iter().map(reset).collect();
        self.place.part = None;
        self.put(events).await
    }

    /// Hands over the last events up to the snapshot in the place, and the place with them.
    async fn put(&mut self, events: Vec<ResourceEvent>) -> Result<()> {
        let reached: Mark = mark(&self.place.seen)?;
        self.feed.push(events, Some(self.place.encode()), Some(reached)).await?;
        self.logged.clone_from(&self.place.seen);
        self.reached.clone_from(&self.place.seen);
        Ok(())
    }
}

/// The tables as they are now, all of them captured by an outbox of our version.
async fn examine(client: &Client, settings: &Settings) -> Result<Vec<Table>> {
    let tables = table::load(client, &settings.bindings).await?;
    let names: Vec<TableName> = tables.iter().map(|table| table.name.clone()).collect();
    let state = outbox::state_of(client, &names).await?;
    match state.lacks().first() {
        None => Ok(tables),
        Some(lack) if lack.is_installable() => {
            Err(Error::new(Kind::Refused, format!("{lack}: run `tidings sql install`")))
        }
        Some(lack) => Err(Error::new(Kind::Refused, lack.to_string())),
    }
}

/// Names this installation, in this database, on this server, in this of its histories (a standby that is
/// promoted begins a new one). Begins with the installation.
async fn identity(client: &Client) -> std::result::Result<String, tokio_postgres::Error> {
    let row = client
        .query_one(
            "select m.install::text, (select oid from pg_database where datname = current_database())::text \
             from tidings.meta m",
            &[],
        )
        .await?;
    let (install, database): (String, String) = (row.get(0), row.get(1));
    let server = client
        .query_one(
            "select system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8) from pg_control_system()",
            &[],
        )
        .await;
    match server {
        Ok(row) => Ok(format!("{install}/{database}/{}/{}", row.get::<_, &str>(0), row.get::<_, &str>(1))),
        // Some hosted servers do not tell; then the installation and the database must do.
        Err(error) if error.as_db_error().is_some() && !client.is_closed() => Ok(format!("{install}/{database}")),
        Err(error) => Err(error),
    }
}

const HEADER: &str = "select pg_current_snapshot()::text, m.install::text, \
     m.purged >= pg_snapshot_xmin($1::text::pg_snapshot) \
         or pg_snapshot_xmax($1::text::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()) \
     from tidings.meta m where m.only_row";

/// What `$2` (or else this snapshot) contains and `$1` does not, in the order of the ids. The `+ 0` keeps the
/// planner from walking the whole table in the order of its primary key.
fn changes() -> String {
    let unseen = is_not_contained("c.xid");
    format!(
        "select id, xid::text, resource, before::text, after::text, floor(extract(epoch from at) * 1000)::bigint \
         from (select c.* from tidings.change c where {unseen} \
             and pg_visible_in_snapshot(c.xid, coalesce($2::text::pg_snapshot, pg_current_snapshot())) \
             and c.id + 0 > $3 and c.resource = any ($4) \
             order by c.id + 0 offset 0) as unseen"
    )
}

const PURGE: &str = "select tidings.purge($1::text::uuid, $2::text::pg_snapshot, $3::float8 * interval '1 second', $4)";
