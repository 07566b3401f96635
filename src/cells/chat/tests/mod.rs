//! The chat over the embedded store, without sockets.

mod clerk;
mod feed;
mod state;

use crate::cells::chat::{Clerk, Place, Settings, Silent, ToldBy};
use crate::cells::rows::{Names, Part};
use crate::dialect::cells::chat::{Kind, RoomKey};
use crate::resource::Resource;
use crate::store::embedded::Embedded;
use crate::store::{Condition, Store, Write};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

fn settings() -> Settings {
    Settings { presence_ttl: Duration::from_secs(20), silent: Silent::Absent, waiting: 4, told_by: ToldBy::Rows }
}

fn key(kind: Kind, object: &str) -> RoomKey {
    RoomKey { kind, object: object.into() }
}

/// One node of a program on a store.
fn clerk(store: &Arc<Embedded>, node: &str) -> Clerk {
    let names = Arc::new(Names::default());
    let place = |part: Part| Place::new(part, &Resource::named(part.name()), store.clone(), names.clone());
    let (rooms, messages, nodes) = (place(Part::ChatRooms), place(Part::ChatMessages), place(Part::TreeNodes));
    Clerk::new(names, rooms, messages, node.into(), 2000).with_nodes(nodes, true)
}

async fn put(store: &Arc<Embedded>, part: Part, id: &str, row: Value) {
    let resource = Resource::named(part.name());
    store.write(&resource, id, Write::Put(row), &Condition::None).await.expect("a row is written");
}

/// A row as it is stored.
async fn row(clerk: &Place, id: &str) -> Value {
    clerk.row(id).await.expect("a store").map(|row| row.document.into_value()).unwrap_or_default()
}
