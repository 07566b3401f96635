//! Follows NOTIFY channels that somebody else rings: each payload is a message.
//!
//! At most once: Postgres keeps no notification for who is not connected. After the connection was lost, and after
//! a restart of this program, watchers that asked for a list or a resume are told to start over (`source`). A
//! payload has at most 8,000 bytes.

mod progress;

pub use progress::Asked;

use crate::error::{Error, Kind, Result};
use crate::event::{Mark, Reason, ResourceEvent, Stamp, Timestamp};
use crate::postgres::address::Address;
use crate::postgres::connect::connect_to_hear;
use crate::postgres::failure::failure;
use crate::postgres::name::quote;
use crate::reading::Reading;
use crate::source::{End, Feed, Source};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Notification};

/// So many notifications may wait here; more wait in the connection.
const WAITING: usize = 4096;

/// At most so many are handed over at once.
const BATCH: usize = 256;

/// How often a quiet connection is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// What stands in the log once the channels were listened to.
const PLACE: &[u8] = b"listening";

/// A channel as a resource.
#[derive(Debug, Clone)]
pub struct Channel {
    pub name: String,
    pub resource: Arc<str>,
    pub reading: Reading,
}

/// The channels of one database. A run is one connection.
pub struct PostgresListen {
    address: Address,
    channels: Vec<Channel>,
    asked: Arc<Asked>,
}

impl PostgresListen {
    /// Listens at this address; connects when it is run. `asked` is shared with the stores of its resources.
    pub fn new(address: Address, channels: Vec<Channel>, asked: Arc<Asked>) -> PostgresListen {
        PostgresListen { address, channels, asked }
    }
}

#[async_trait]
impl Source for PostgresListen {
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        let (client, heard, connection) = connect_to_hear(&self.address, WAITING).await?;
        let end = self.follow(&client, heard, place, feed).await;
        let lost = client.is_closed();
        drop(client);
        connection.abort();
        End::of(end, lost, feed.health())
    }
}

impl PostgresListen {
    async fn follow(
        &self,
        client: &Client,
        mut heard: mpsc::Receiver<Notification>,
        place: Option<Vec<u8>>,
        feed: &Feed,
    ) -> Result<End> {
        let own = format!("tidings_{}", uuid::Uuid::new_v4().simple());
        let names = self.channels.iter().map(|channel| channel.name.as_str()).chain([own.as_str()]);
        let listen: Vec<String> = names.map(|name| format!("listen {}", quote(name))).collect();
        client.batch_execute(&listen.join("; ")).await.map_err(|error| failure("listening", error))?;
        let missed = if place.is_some() { self.missed() } else { Vec::new() };
        feed.push(missed, Some(PLACE.to_vec()), None).await?;
        feed.health().caught_up();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                first = heard.recv() => match first {
                    Some(first) => self.take(first, &mut heard, &own, feed).await?,
                    None => return Ok(End::Disconnected),
                },
                () = feed.health().rung() => {
                    if feed.health().is_stopping() {
                        return Ok(End::Stopped);
                    }
                    self.notify(client, &mut heard, &own, feed).await?;
                }
                _ = heartbeat.tick() => self.notify(client, &mut heard, &own, feed).await?,
            }
        }
    }

    /// Tells itself how often it was asked for progress: when that is heard, so is everything that others told
    /// before, for notifications arrive in the order of their commits.
    async fn notify(
        &self,
        client: &Client,
        heard: &mut mpsc::Receiver<Notification>,
        own: &str,
        feed: &Feed,
    ) -> Result<()> {
        let number = self.asked.so_far().to_string();
        let parameters: [&(dyn ToSql + Sync); 2] = [&own, &number];
        let telling = client.execute("select pg_notify($1, $2)", &parameters);
        tokio::pin!(telling);
        loop {
            tokio::select! {
                told = &mut telling => return told.map(|_| ()).map_err(|error| failure("listening", error)),
                // Or the connection would wait for this, and the statement for the connection.
                Some(first) = heard.recv() => self.take(first, heard, own, feed).await?,
            }
        }
    }

    /// Hands over a notification, and those that wait behind it.
    async fn take(
        &self,
        first: Notification,
        heard: &mut mpsc::Receiver<Notification>,
        own: &str,
        feed: &Feed,
    ) -> Result<()> {
        let (mut events, mut reached) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(notification) = next {
            match notification.channel() == own {
                true => reached = Some(Mark::Offset(read_number(notification.payload())?)),
                false => events.extend(self.events(&notification, feed)),
            }
            next = if events.len() < BATCH { heard.try_recv().ok() } else { None };
        }
        if !events.is_empty() || reached.is_some() {
            feed.push(events, None, reached).await?;
        }
        feed.health().caught_up();
        Ok(())
    }

    fn events(&self, notification: &Notification, feed: &Feed) -> Vec<ResourceEvent> {
        let payload = notification.payload();
        let body = || serde_json::from_str(payload).unwrap_or_else(|_| Value::String(payload.to_owned()));
        let meant = self.channels.iter().filter(|channel| channel.name == notification.channel());
        let read = meant.filter_map(|channel| match channel.reading.read(&channel.name, body()) {
            Ok(change) => Some(change.event(channel.resource.clone(), Timestamp::now(), Stamp::None)),
            Err(why) => {
                feed.dropped(why.word());
                None
            }
        });
        read.collect()
    }

    /// What was told while nobody listened is gone.
    fn missed(&self) -> Vec<ResourceEvent> {
        self.channels.iter().map(|channel| ResourceEvent::reset(channel.resource.clone(), Reason::Source)).collect()
    }
}

fn read_number(text: &str) -> Result<u64> {
    text.parse().map_err(|error| Error::because(Kind::Malformed, "somebody else uses our channel", error))
}
