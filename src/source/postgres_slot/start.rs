//! Before the stream: which server this is, whether its slot still has what was not read, and where to go on.

use super::Settings;
use super::guard::{self, Unsettled};
use super::place::{Commit, Place};
use super::tables::Tables;
use crate::error::{Error, Kind, Result};
use crate::event::{Reason, ResourceEvent};
use crate::postgres::address::Address;
use crate::postgres::failure::failure;
use crate::postgres::name::literal;
use crate::postgres::replication::{self, Line, Stretch};
use crate::postgres::slot::{self, Server, Slot};
use crate::source::Feed;
use pgwire_replication::ReplicationClient;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// How long a slot may be in use by an earlier connection of ours, or by somebody who is about to leave.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether something has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long a transaction whose commit is in the WAL may take to become visible.
const VISIBLE: Duration = Duration::from_millis(500);

/// Where the stream begins.
pub(super) struct Start {
    pub(super) line: Line,
    pub(super) tables: Tables,
    pub(super) place: Place,
    /// What the server sends first if its history is the one that was read.
    pub(super) expected: Option<Commit>,
    pub(super) near: u64,
    /// What watchers are told before anything else.
    pub(super) resets: Vec<ResourceEvent>,
    pub(super) unsettled: Vec<Unsettled>,
}

/// Looks at everything, and makes the slot if there is none that has what was not read yet.
///
/// # Errors
/// `Refused` with what is missing, or who has the slot.
pub(super) async fn prepare(
    client: &Client,
    address: &Address,
    settings: &Settings,
    place: Option<Vec<u8>>,
    broken: Option<String>,
    feed: &Feed,
) -> Result<Start> {
    let failed = |error| failure("looking at the server", error);
    let standby = client.query_one("select pg_is_in_recovery()", &[]).await.map_err(failed)?;
    if standby.get(0) {
        return Err(Error::new(Kind::Refused, "this server is a standby: name the primary"));
    }
    let server = slot::server(client).await?;
    if let Some((sentence, fix)) = server.obstacles().into_iter().next() {
        let fix = fix.map(|fix| format!(": {fix}")).unwrap_or_default();
        return Err(Error::new(Kind::Refused, format!("{sentence}{fix}")));
    }
    let tables = Tables::load(client, &settings.bindings).await?;
    let state = guard::provide(client, settings, feed).await?;
    let versions = guard::versions(settings, &state);
    let line = Line::find(address, &server.user, &server.database).await?;
    let identity =
        format!("{}/{}/{}/{}/{}", line.system, line.timeline, server.database_oid, settings.slot, settings.publication);
    let known = place.as_deref().map(Place::decode);
    let reader = match &known {
        Some(Some(place)) => place.reader.clone(),
        _ => format!("tidings-{}", uuid::Uuid::new_v4()),
    };
    let slot = free(client, settings, &reader).await?;
    let judged = match (known, broken) {
        (_, Some(why)) => Err(Some(why)),
        (None, None) => Err(None),
        (Some(place), None) => judge(place, &identity, slot.as_ref(), &server).map_err(Some),
    };
    let reset = |name: &str| ResourceEvent::reset(name.into(), Reason::Epoch);
    let of_messages = settings.messages.iter().map(|(resource, _)| reset(resource));
    let (place, resets, unsettled) = match judged {
        Ok(mut place) => {
            let altered = guard::difference(&place.versions, &versions);
            let resets: Vec<_> = altered.iter().map(|name| reset(name)).collect();
            place.versions = versions;
            (place, resets, Unsettled::of(altered, &state).into_iter().collect())
        }
        Err(why) => {
            let seen = make(client, settings, slot.is_some(), feed).await?;
            let resets = match why {
                None => Vec::new(),
                Some(why) => {
                    tracing::warn!(source = %feed.source(), reason = why, "a new slot is read from now on, watchers start over");
                    versions.keys().map(|name| reset(name)).chain(of_messages).collect()
                }
            };
            (Place { identity, reader, seen, last: None, part: None, versions }, resets, Vec::new())
        }
    };
    Ok(Start { line, tables, expected: place.last, near: server.next_transaction, place, resets, unsettled })
}

/// Whether one can go on from a place; if not, why.
fn judge(
    place: Option<Place>,
    identity: &str,
    slot: Option<&Slot>,
    server: &Server,
) -> std::result::Result<Place, String> {
    let place = place.filter(|place| place.identity == identity);
    let place = place.ok_or("the place belongs to another server, database, slot or publication")?;
    match slot {
        None => Err("the slot is gone".into()),
        Some(slot) if slot.lost => Err("the server removed WAL that was not read yet".into()),
        Some(slot) if slot.confirmed > place.seen => Err("the slot was made anew, or read by somebody else".into()),
        Some(_) if server.position < place.seen => Err("the server was set back".into()),
        Some(_) => Ok(place),
    }
}

/// The slot, when nobody has it. An earlier connection of this reader is ended.
async fn free(client: &Client, settings: &Settings, reader: &str) -> Result<Option<Slot>> {
    let begun = Instant::now();
    loop {
        let found = slot::find(client, &settings.slot).await?;
        let Some(slot) = found else { return Ok(None) };
        if slot.plugin != slot::PLUGIN || slot.database != current_database(client).await? {
            let sentence = format!("the slot {} is somebody else's: name another one with `slot`", settings.slot);
            return Err(Error::new(Kind::Refused, sentence));
        }
        let Some((pid, name)) = &slot.active else { return Ok(Some(slot)) };
        if name == reader {
            let end = format!("select pg_terminate_backend({pid})");
            client.batch_execute(&end).await.map_err(|error| failure("ending an earlier connection", error))?;
        } else if begun.elapsed() >= PATIENCE {
            let sentence = format!(
                "the slot {} is in use by {name:?} (process {pid}): give each program its own `slot`",
                settings.slot
            );
            return Err(Error::new(Kind::Refused, sentence));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn current_database(client: &Client) -> Result<String> {
    let row = client.query_one("select current_database()::text", &[]).await;
    Ok(row.map_err(|error| failure("looking at the server", error))?.get(0))
}

/// A slot that begins now, in place of one that is of no use.
async fn make(client: &Client, settings: &Settings, is_there: bool, feed: &Feed) -> Result<u64> {
    let failed = |error| failure("making the replication slot", error);
    if is_there {
        let drop = format!("select pg_drop_replication_slot({})", literal(&settings.slot));
        match client.batch_execute(&drop).await {
            // Somebody was quicker.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {}
            dropped => dropped.map_err(failed)?,
        }
    }
    let making = slot::create(client, &settings.slot);
    tokio::pin!(making);
    let position = loop {
        tokio::select! {
            made = &mut making => break made?,
            () = tokio::time::sleep(PATIENCE) => {
                tracing::warn!(source = %feed.source(), "the slot can be made once the transactions that are open now have ended");
            }
        }
    };
    // What was committed before that position is not streamed, so every list has to see it.
    let begun = Instant::now();
    let now = client.query_one("select pg_current_snapshot()::text", &[]).await.map_err(failed)?;
    let now: String = now.get(0);
    let visible = "select pg_snapshot_xmin(pg_current_snapshot()) >= pg_snapshot_xmax($1::text::pg_snapshot)";
    while begun.elapsed() < VISIBLE {
        if client.query_one(visible, &[&now]).await.map_err(failed)?.get(0) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(position)
}

impl Start {
    /// Begins to stream; somebody may have been quicker.
    ///
    /// # Errors
    /// `Err(why)` within when the slot can no longer be read from there.
    pub(super) async fn stream(&self, settings: &Settings) -> Result<std::result::Result<ReplicationClient, String>> {
        let stretch = Stretch {
            slot: &settings.slot,
            publication: &settings.publication,
            from: self.place.seen,
            application: &self.place.reader,
        };
        match self.line.stream(&stretch).await {
            Ok(stream) => Ok(Ok(stream)),
            Err(error) => match replication::code(&error) {
                Some("58P01" | "55000" | "42704") => Ok(Err(error.to_string())),
                _ => Err(replication::failure("starting to stream", &error)),
            },
        }
    }
}
