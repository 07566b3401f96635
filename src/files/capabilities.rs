//! What a role allows on a file, in the words of clients. Computed for each reader, never stored.

use crate::audience::Role;
use serde_json::{Value, json};

/// The kind of files that have children and no contents.
pub const SPACE: &str = "Core#Space";

/// `{"canEdit": …}` for somebody with this role on a file of this kind.
pub fn capabilities(kind: &str, role: Role) -> Value {
    let is_space = kind == SPACE;
    let (writes, owns) = (role >= Role::Writer, role >= Role::Owner);
    json!({
        "canEdit": writes,
        "canComment": role >= Role::Commenter,
        "canShare": writes,
        "canCopy": false,
        "canReadRevisions": true,
        "canAddChildren": writes && is_space,
        "canDelete": owns,
        "canListChildren": is_space,
        "canRename": writes,
        "canTrash": owns,
        "canUntrash": owns,
        "canReadMedia": !is_space,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(kind: &str, role: Role) -> Vec<String> {
        let all = capabilities(kind, role);
        let all = all.as_object().expect("an object").iter();
        all.filter(|(_, may)| **may == true).map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn a_role_allows_what_it_says_and_what_lower_ones_say() {
        assert_eq!(granted("Core#Project", Role::Reader), ["canReadMedia", "canReadRevisions"]);
        assert_eq!(granted(SPACE, Role::Reader), ["canListChildren", "canReadRevisions"]);
        assert_eq!(granted("Core#Project", Role::Commenter), ["canComment", "canReadMedia", "canReadRevisions"]);
        assert_eq!(
            granted(SPACE, Role::Writer),
            ["canAddChildren", "canComment", "canEdit", "canListChildren", "canReadRevisions", "canRename", "canShare"]
        );
        assert_eq!(granted("Core#Project", Role::Owner).len(), 9);
    }
}
