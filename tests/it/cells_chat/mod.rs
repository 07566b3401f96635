//! The chat of a Cells server from outside: what people in rooms hear of each other, over every store that it is
//! meant for.

mod chatter;
mod flaws;
mod messages;
mod nodes;
mod presence;
mod rooms;

use crate::cells::world::{CellsWorld, beginning};
use crate::cells::{OUTBOX, Setting};
use crate::server;

/// The room of the workspace `ws-1`.
const WORKSPACE: (&str, &str) = ("WORKSPACE", "ws-1");

/// Its uuid, if the server has made it.
const ROOM: &str = "4a94a6f5-cab6-544f-98ce-4039d7f4865a";

/// Runs a test on the embedded store and on Postgres, with these options of the channels and the usual rows.
async fn each(more: &str, test: impl AsyncFn(&mut CellsWorld)) {
    let settings = [Some(Setting::embedded(more)), Setting::postgres(OUTBOX, more).await];
    for mut setting in settings.into_iter().flatten() {
        // The number of comments is kept where nodes can be written.
        let tree = "table = \"cells_tree_nodes\"\n";
        setting.configuration = setting.configuration.replace(tree, &format!("{tree}writable = true\n"));
        let Setting { configuration, writes, databases, .. } = setting;
        let app = server::start(&configuration).await;
        let mut world = CellsWorld::of(app.address(), writes).await;
        world.make(&beginning()).await;
        test(&mut world).await;
        drop(world);
        app.stop().await;
        drop(databases);
    }
}
