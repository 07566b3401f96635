//! Reads for a client what the log has of what it missed, as fast as the client takes it.

use crate::cells::desk::{Command, Replay, Replayed, Seat};
use crate::cells::feed::{Holds, Logged};
use crate::cells::rows::Part;
use crate::cells::talk::Terms;
use crate::event::{Entry, Offset};
use crate::log::Stretch;
use crate::shard::{Shard, SocketId};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes of the log that are read at once.
const READ: usize = 256 * 1024;

/// Tells a socket what came after a position, until what happens is pushed to it.
///
/// # Errors
/// How far the desk is by now, when what is in between is not known any more.
pub(super) async fn tell(
    terms: &Terms,
    shard: &Rc<Shard>,
    (seat, socket): (Seat, SocketId),
    after: Offset,
) -> Result<(), Offset> {
    let (mut read, mut goal) = (after, after);
    loop {
        let entries = match read < goal {
            true => stretch(shard, read, goal).await,
            false => Some(Vec::new()),
        };
        let is_gone = entries.is_none();
        let entries = entries.unwrap_or_default();
        read = match entries.last() {
            _ if is_gone => Offset::MAX,
            Some(entry) => entry.offset,
            None => goal,
        };
        let mut logged = Vec::new();
        for entry in entries {
            logged.extend(complete(terms, entry).await);
        }
        let (answer, answered) = oneshot::channel();
        terms.desk.send(Command::Replay(Replay { seat, entries: logged, upto: read, answer })).await;
        // The desk is gone when the program ends, and does not answer a socket that has gone.
        let Ok(Replayed { frames, reached, is_live, is_broken }) = answered.await else { return Ok(()) };
        for frame in frames {
            shard.send(socket, &frame);
            if !shard.room(socket).await {
                return Ok(());
            }
        }
        if is_gone || is_broken {
            return Err(reached);
        }
        if is_live {
            return Ok(());
        }
        goal = reached.max(read);
    }
}

/// Entries that were logged; `None`: some of them are not kept any more.
async fn stretch(shard: &Rc<Shard>, after: Offset, upto: Offset) -> Option<Vec<Arc<Entry>>> {
    let log = shard.log.clone();
    let reading = shard.runtime.spawn_blocking(move || log.between(after, upto, READ));
    match reading.await {
        Ok(Ok(Stretch::Entries(entries))) => Some(entries),
        Ok(Ok(Stretch::Gone(_))) | Err(_) => None,
        Ok(Err(error)) => {
            tracing::error!(error = %error.chain(), "the log cannot be read");
            None
        }
    }
}

/// The entry, if it is any of ours, with what only the store knows of it.
async fn complete(terms: &Terms, entry: Arc<Entry>) -> Option<Logged> {
    let (part, holds) = terms.places.at(&entry.event.resource)?;
    let node = match (&terms.tree, part, holds) {
        (Some(tree), Part::TreeNodes, Holds::Events { column }) => tree.of(&entry, column).await,
        _ => None,
    };
    Some(Logged { entry, is_known: false, node })
}
