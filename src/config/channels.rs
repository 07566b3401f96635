//! What the channels of several dialects have in common.

use crate::config::reader::Reader;

/// The resource of a role; `None`: there is none.
pub(super) fn role<R: PartialEq>(roles: &[(R, String)], role: R) -> Option<&str> {
    roles.iter().find(|(of, _)| *of == role).map(|(_, resource)| resource.as_str())
}

/// The private resource of what is told on the channel of this path.
pub(super) fn messages(path: &str) -> String {
    format!("{}:messages", path.trim_start_matches('/'))
}

/// Notes that nobody could come in, for want of `[auth]`.
pub(super) fn needs_auth(key: &str, has_auth: bool, reader: &Reader<'_>) {
    if !has_auth {
        reader.mistake(key, "everybody must show who it is, and there is no [auth] to verify credentials with");
    }
}
