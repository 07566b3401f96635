//! Follows a Postgres database by a logical replication slot: the server streams its log.
//!
//! Exactly once and in the order of the commits, with nothing written by the writers. The documents equal those of
//! the outbox. What was not read is kept by the server, for as long as the slot exists (or up to
//! `max_slot_wal_keep_size`): a slot that nobody reads fills the disk, and `tidings sql remove` takes it away.
//!
//! Whatever breaks the history is noticed and owned up to: a slot that is gone, was made anew or lost its WAL,
//! another server or one that was restored, and a publication or a table that was altered behind our back (within
//! seconds) mean that the watchers concerned start over.
//!
//! Limits. Rows of a table without `replica identity full` have no `before`, and a large value that an update left
//! as it was is read from the row as it is by then. A partition that is detached, attached with rows in it or dropped
//! is not told. Making a slot waits for the transactions that are open. A transaction whose commit waits for a
//! synchronous standby for longer than half a second while a slot is made may be missed by lists that are read in that
//! time. Rows with generated columns, and values of composite types, cost a question to the server each. Only the
//! publications `for table` and `for all tables` are told apart when they are altered and altered back at once.

mod asking;
mod bell;
mod changes;
mod following;
mod guard;
mod messages;
mod place;
mod shape;
mod start;
mod tables;

use crate::error::{Error, Kind, Result};
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::failure::failure;
use crate::postgres::table::Binding;
use crate::reading::Reading;
use crate::source::{End, Feed, Source};
use async_trait::async_trait;
use changes::Changes;
use following::{Following, Gathered, Outcome};
use guard::Guard;
use start::prepare;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::Client;

/// What the source is told to do.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bindings: Vec<Binding>,
    /// Resources that are fed by messages in the WAL.
    pub messages: Vec<(Arc<str>, Reading)>,
    pub slot: String,
    pub publication: String,
    /// Whether a publication that somebody altered may be mended.
    pub install: bool,
    /// How often a message is written into the WAL of an idle database.
    pub heartbeat: Duration,
    /// How often the publication and the slot are looked at.
    pub check: Duration,
    /// At most so many changes are handed over at once.
    pub batch: usize,
}

impl Settings {
    /// The defaults: mends nothing, writes a message every ten seconds, looks every two.
    pub fn new(bindings: Vec<Binding>, slot: &str, publication: &str) -> Settings {
        Settings {
            bindings,
            messages: Vec::new(),
            slot: slot.to_owned(),
            publication: publication.to_owned(),
            install: false,
            heartbeat: Duration::from_secs(10),
            check: Duration::from_secs(2),
            batch: 1000,
        }
    }
}

/// The slot of one database. A run is one stream, with a connection beside it.
pub struct PostgresSlot {
    address: Address,
    settings: Settings,
}

impl PostgresSlot {
    /// Follows the database at this address; connects when it is run.
    pub fn new(address: Address, settings: Settings) -> PostgresSlot {
        PostgresSlot { address, settings }
    }

    async fn stream(&self, client: &Client, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        // A message of ours need not wait for standbys, only for the disk.
        let session = "set synchronous_commit = local";
        client.batch_execute(session).await.map_err(|error| failure("looking at the server", error))?;
        let why = match self.attempt(client, place.clone(), None, feed).await? {
            Outcome::End(end) => return Ok(end),
            Outcome::Broken(why) => why,
        };
        match self.attempt(client, place, Some(why), feed).await? {
            Outcome::End(end) => Ok(end),
            // Not at once again: a new slot each time would tell the watchers to start over for ever.
            Outcome::Broken(why) => Err(Error::new(Kind::Unreachable, why)),
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        place: Option<Vec<u8>>,
        broken: Option<String>,
        feed: &Feed,
    ) -> Result<Outcome> {
        let settings = &self.settings;
        let start = prepare(client, &self.address, settings, place, broken, feed).await?;
        feed.push(start.resets.clone(), Some(start.place.encode()), None).await?;
        let stream = match start.stream(settings).await? {
            Ok(stream) => stream,
            Err(why) => return Ok(Outcome::Broken(why)),
        };
        feed.health().behind();
        let (bell, rung) = bell::bell();
        let (sender, altered) = mpsc::channel(1);
        let guard = Guard {
            client,
            settings,
            feed,
            versions: start.place.versions.clone(),
            unsettled: start.unsettled,
            altered: sender,
        };
        let mut following = Following {
            stream,
            settings,
            feed,
            changes: Changes::new(client, &settings.bindings, start.tables),
            rung,
            altered,
            place: start.place,
            expected: start.expected,
            near: start.near,
            open: None,
            batch: Gathered::default(),
            logging: VecDeque::new(),
            placed: Instant::now(),
        };
        tokio::select! {
            outcome = following.follow() => outcome,
            end = bell.ring(client, settings, feed) => end.map(Outcome::End),
            end = guard.watch() => end.map(Outcome::End),
        }
    }
}

#[async_trait]
impl Source for PostgresSlot {
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        // No statement timeout: making a slot takes as long as the transactions that are open.
        let (client, connection) = connect(&self.address, Duration::ZERO, None).await?;
        let end = self.stream(&client, place, feed).await;
        let lost = client.is_closed();
        drop(client);
        connection.abort();
        End::of(end, lost, feed.health())
    }
}
