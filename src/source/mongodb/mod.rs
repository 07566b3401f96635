//! Follows the change stream of a MongoDB database: one stream, whatever the number of collections.
//!
//! # The record after an update
//!
//! The server keeps the record before a change where `changeStreamPreAndPostImages` is on, and says what an update
//! changed; the record after it is made of these two, exactly. A post-image would be made by the server in the same
//! way, from the same image, and double what is sent, so it is not asked for; and never is one `required`, for then
//! the stream ends at the first update that has none. Without a pre-image the record is looked up: it may be newer
//! than the change, and if it is gone the update is left out, because its removal is told next. What cannot be told
//! at all (which record was removed, where the key is not `_id` and no pre-image is kept) resets its resource.
//! A record that is replaced, with no pre-image, is taken to keep its key.
//!
//! # How far everything has been handed over
//!
//! A request for more is answered at once when there is something, otherwise after 50 ms with an empty reply. The
//! token of an empty reply begins with the time of the last oplog entry that was looked at, so everything up to it
//! has been handed over, and a majority has it, for a change stream reads nothing else. It moves with every entry,
//! of other databases too; nothing here waits for the server's periodic no-op entries, and a barrier on a quiet
//! server takes one request. (Behind a router, which merges shards, changes of that very time may still come.)
//! The operation time of such a reply would prove less: it is taken after the last look at the oplog. Where a
//! token has no time that we can read, that of the reply *before* it counts: it was known before the look.
//!
//! While changes come, each one shows that all with an earlier time are complete. Those of one transaction share
//! their time, so nothing is said of that before an empty reply, or something later, was seen.
//!
//! # What a place is
//!
//! The resume token of the last event that the log has, within a transaction too; on a quiet database the token of
//! an empty reply, written every ten seconds, so that it does not fall out of the oplog. A token that cannot be
//! resumed from, another deployment, or a clock that is behind the place: every watcher is told to start over.

mod change;
mod deployment;
mod following;
mod fragment;
mod image;
mod place;
mod rows;
mod stream;

use crate::error::Result;
use crate::mongodb::address::Address;
use crate::mongodb::collection::Binding;
use crate::mongodb::connect::connect;
use crate::source::{End, Feed, Source};
use async_trait::async_trait;
use following::Following;
use std::sync::Arc;

/// Asked when a change of an unknown collection comes: the resource that it is from now on, or `None` to leave
/// the collection out.
pub type Discover = Arc<dyn Fn(&str) -> Option<Binding> + Send + Sync>;

/// What the source is told to do.
#[derive(Clone)]
pub struct Settings {
    pub bindings: Vec<Binding>,
    /// For a source that serves every collection; without it, only those of `bindings` are asked for.
    pub discover: Option<Discover>,
}

impl Settings {
    /// These collections and no others.
    pub fn new(bindings: Vec<Binding>) -> Settings {
        Settings { bindings, discover: None }
    }
}

/// The change stream of one database. A run is one client.
pub struct MongoSource {
    address: Address,
    settings: Settings,
}

impl MongoSource {
    /// Follows the database at this address; connects when it is run.
    pub fn new(address: Address, settings: Settings) -> MongoSource {
        MongoSource { address, settings }
    }
}

#[async_trait]
impl Source for MongoSource {
    async fn run(&self, place: Option<Vec<u8>>, feed: &Feed) -> Result<End> {
        let database = connect(&self.address).await?;
        let end = match Following::begin(&database, &self.settings, place, feed).await {
            Ok(following) => following.run().await,
            Err(error) => Err(error),
        };
        database.client().clone().shutdown().immediate(true).await;
        end
    }
}
