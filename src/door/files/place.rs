//! Which paths there are, and what a socket on each of them hears.

use crate::files::message;
use percent_encoding::percent_decode_str;

/// The paths of a file store: each of its prefixes, then `/files` or `/file`.
#[derive(Debug, Clone)]
pub struct Paths {
    pub prefixes: Vec<String>,
}

/// What a socket hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    List,
    File(String),
    Media(String),
}

/// The parameters that mean something to a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) alt: Option<String>,
    pub(super) positions: bool,
    pub(super) since: Option<String>,
}

impl Paths {
    /// What of a path comes after `/files`: nothing, or `/` and more. `None`: it is none of these paths.
    pub fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.prefixes.iter().find_map(|prefix| {
            let below = path.strip_prefix(prefix.as_str())?;
            let rest = below.strip_prefix("/files").or_else(|| below.strip_prefix("/file"))?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        })
    }

    /// What a socket on this path hears; `None`: there is no such path.
    pub(super) fn heard(&self, path: &str, query: &Query) -> Option<Heard> {
        let rest = self.rest(path)?;
        let Some(key) = rest.strip_prefix('/') else {
            return (rest.is_empty() && query.alt.is_none()).then_some(Heard::List);
        };
        let key = percent_decode_str(key).decode_utf8().ok().filter(|_| !key.is_empty() && !key.contains('/'))?;
        match query.alt.as_deref() {
            None | Some("meta") => Some(Heard::File(key.into_owned())),
            Some("media") => Some(Heard::Media(key.into_owned())),
            Some(_) => None,
        }
    }
}

impl Heard {
    /// The file that is meant, where it is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Heard::List => None,
            Heard::File(key) | Heard::Media(key) => Some(key),
        }
    }

    /// The same in the words of messages.
    pub(super) fn message(&self) -> message::Heard<'_> {
        match self {
            Heard::List => message::Heard::List,
            Heard::File(key) => message::Heard::File(key),
            Heard::Media(key) => message::Heard::Media(key),
        }
    }
}

impl Query {
    /// Reads a query; of a parameter that is given twice the first counts, and unknown ones are nothing.
    pub(super) fn parse(query: Option<&str>) -> Query {
        let mut read = Query::default();
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "alt" => drop(read.alt.get_or_insert(value)),
                "since" => drop(read.since.get_or_insert(value)),
                "positions" => read.positions |= value == "1",
                _ => {}
            }
        }
        read
    }
}

/// Whether a key has the form of a uuid of version 4, in any case.
pub(super) fn is_uuid(key: &str) -> bool {
    let is_hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    key.len() == 36
        && key.bytes().enumerate().all(|(at, byte)| match at {
            at if is_hyphen(at) => byte == b'-',
            14 => byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b' | b'A' | b'B'),
            _ => byte.is_ascii_hexdigit(),
        })
}
