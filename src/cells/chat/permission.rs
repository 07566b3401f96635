//! Who may be in which room.

use crate::cells::rights::{Profile, Viewer};
use crate::dialect::cells::chat::{Kind, RoomKey};

/// What somebody may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Nothing,
    Read,
    Write,
}

/// What a viewer may do in the room that is about this; `path` is where the node is, if it is about one.
pub fn access(viewer: &Viewer, key: &RoomKey, path: Option<&str>) -> Access {
    let object = &*key.object;
    let is_free = match key.kind {
        Kind::Global => viewer.profile >= Profile::Standard,
        Kind::Workspace => viewer.workspaces.contains_key(object),
        Kind::User => [&*viewer.login, &*viewer.uuid].contains(&object) || viewer.profile == Profile::Admin,
        Kind::Node => {
            let Some(path) = path.filter(|path| !viewer.places(object, path).is_empty()) else {
                return Access::Nothing;
            };
            return if viewer.can_write(object, path) { Access::Write } else { Access::Read };
        }
    };
    if is_free { Access::Write } else { Access::Nothing }
}
