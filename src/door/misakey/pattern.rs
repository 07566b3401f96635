//! The path of a channel with the place of the identity in it, and the parameters that mean something.

use percent_encoding::percent_decode_str;

/// The word in a path that stands for the identity.
const ID: &str = "{id}";

/// `/box-users/{id}/ws`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
}

/// The parameters that mean something beside the token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) since: Option<String>,
    pub(super) positions: bool,
}

impl Pattern {
    /// Reads a path in which one segment is `{id}`; `None`: it is none.
    pub fn parse(path: &str) -> Option<Pattern> {
        let (before, after) = path.split_once(ID)?;
        let is_plain = |text: &str| !text.contains(['{', '}', '?', '#', '*', ' ']);
        let is_segment =
            before.starts_with('/') && before.ends_with('/') && (after.is_empty() || after.starts_with('/'));
        (is_segment && is_plain(before) && is_plain(after))
            .then(|| Pattern { before: before.to_owned(), after: after.to_owned() })
    }

    /// What stands in a path for the identity; `None`: it is another path.
    pub fn id(&self, path: &str) -> Option<String> {
        let id = path.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let is_segment = !id.is_empty() && !id.contains('/');
        is_segment.then(|| percent_decode_str(id).decode_utf8_lossy().into_owned())
    }
}

impl Query {
    /// Reads a query; of a parameter that is given twice the first counts, and unknown ones are nothing.
    pub(super) fn parse(query: Option<&str>) -> Query {
        let mut read = Query::default();
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "since" => {
                    let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
                    read.since.get_or_insert(value);
                }
                "positions" => read.positions |= value == "1",
                _ => {}
            }
        }
        read
    }
}
