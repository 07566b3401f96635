//! Follows the outbox of a Postgres database: changes that triggers wrote into `tidings.change`.
//!
//! Exactly once, and never held up by a long transaction: each read takes what the previous snapshot did not
//! contain and the new one does. The event's time is the clock at the statement, shortly before the commit.
//!
//! What triggers do not see is not told: rows written under `session_replication_role = replica` (a logical
//! subscription, some restores), a partition that is detached, attached with rows in it or dropped, and virtual
//! generated columns. A row that one statement changes and a trigger of the user changes again, while that
//! statement is not done with it, may be told in the wrong order.

mod change;
mod following;
mod place;
mod rest;

use crate::error::Result;
use crate::postgres::address::Address;
use crate::postgres::connect::connect;
use crate::postgres::table::Binding;
use crate::source::{End, Feed, Source};
use async_trait::async_trait;
use following::Following;
use rest::Rest;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A read that takes longer than this is behind with what it reads.
const SLOW_READ: Duration = Duration::from_secs(1);

/// What the source is told to do.
#[derive(Debug, Clone)]
pub struct Settings {
    pub bindings: Vec<Binding>,
    /// How often to look without having been rung; a bell may be missed.
    pub poll: Duration,
    /// How long changes stay in the database for a reader that is away.
    pub keep: Duration,
    /// At most so many changes are handed over at once.
    pub batch: usize,
}

impl Settings {
    /// The defaults: looks twice a second, keeps an hour, hands over a thousand at once.
    pub fn new(bindings: Vec<Binding>) -> Settings {
        Settings { bindings, poll: Duration::from_millis(500), keep: Duration::from_secs(3600), batch: 1000 }
    }
}

/// The outbox of one database. A run is one connection.
pub struct PostgresOutbox {
    address: Address,
    settings: Settings,
}

impl PostgresOutbox {
    /// Follows the outbox at this address; connects when it is run.
    pub fn new(address: Address, settings: Settings) -> PostgresOutbox {
        PostgresOutbox { address, settings }
    }
}

#[async_trait]
impl Source for PostgresOutbox {
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        let bell = Arc::new(Notify::new());
        // No statement timeout: a read lasts as long as the log needs to take what it finds.
        let (client, connection) = connect(&self.address, Duration::ZERO, Some(bell.clone())).await?;
        let end = follow(&client, &bell, &self.settings, place, feed).await;
        let lost = client.is_closed();
        drop(client);
        connection.abort();
        End::of(end, lost, feed.health())
    }
}

async fn follow(
    client: &tokio_postgres::Client,
    bell: &Notify,
    settings: &Settings,
    place: Option<Vec<u8>>,
    feed: &Feed,
) -> Result<End> {
    let mut following = Following::begin(client, settings, place, feed).await?;
    let mut rest = Rest::new(client, settings.poll);
    loop {
        if feed.health().is_stopping() {
            return Ok(End::Stopped);
        }
        if client.is_closed() {
            return Ok(End::Disconnected);
        }
        if read_in_time(&mut following, feed).await? {
            rest.wake().await?;
        }
        following.purge_if_due().await?;
        let pause = rest.pause().await?;
        tokio::select! {
            () = bell.notified() => {}
            () = feed.health().rung() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One read; a database that keeps it waiting makes the source known to be behind.
async fn read_in_time(following: &mut Following<'_>, feed: &Feed) -> Result<bool> {
    let mut read = pin!(following.read());
    tokio::select! {
        found = &mut read => return found,
        () = tokio::time::sleep(SLOW_READ) => feed.health().behind(),
    }
    read.await
}
