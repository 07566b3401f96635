//! The common tongue: what any client can ask (`Request`) and what it can be told (`Notice`), without a word
//! of any wire format. Dialects translate; sessions and the engine speak only this.

use crate::event::{Entry, Position, Reason, Timestamp};
use crate::filter::{Filter, Path};
use crate::frame::Fault;
use crate::query::{Row, Sort};
use crate::viewer::Token;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// What a client attached to its request to know the answer by: JSON text, given back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(pub Arc<str>);

/// Where a message belongs: the channel as the client wrote it, and the client's reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Empty when no channel was named.
    pub channel: Arc<str>,
    pub reference: Option<Reference>,
}

/// One thing a client asks for.
#[derive(Debug, Clone)]
pub struct Request {
    pub address: Address,
    /// The configured resource or alias that is meant; differs from the channel where a dialect maps it.
    pub resource: Arc<str>,
    pub action: Action,
}

/// What is asked.
#[derive(Debug, Clone)]
pub enum Action {
    /// Tell me my session id.
    Identify,
    /// The rows that match.
    Query { filter: Filter, page: Page },
    /// The first row that matches. `criteria` is given back on a miss, as JSON text.
    Get { filter: Filter, criteria: Arc<str> },
    /// A look-up whose criteria cannot name anything; answered without looking.
    GetNothing,
    /// Changes from now on.
    Watch(Box<Watch>),
    /// Ends watches. `Params` ends every watch of the channel with these params; `One` the referenced one.
    Stop(Stop),
    /// Tell me when everything committed before now has been told. The empty channel means all watches.
    Barrier,
    /// From now on I am who shows this. Answered only when it is not accepted.
    Present { token: Token },
}

impl Action {
    /// What is asked, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Identify => "identify",
            Action::Query { .. } => "query",
            Action::Get { .. } | Action::GetNothing => "get",
            Action::Watch(_) => "watch",
            Action::Stop(_) => "stop",
            Action::Barrier => "barrier",
            Action::Present { .. } => "token",
        }
    }
}

/// A wish to be told of changes.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The params in a canonical text: equal params have equal text.
    pub params: Arc<str>,
    pub filter: Filter,
    /// Whether this watch is told on its own, or the channel's watches are told as one view.
    pub view: View,
    pub initial: Initial,
    /// Go on from an earlier position, without a list.
    pub since: Option<Since>,
    pub positions: bool,
    pub patch: bool,
    pub progress: Option<Duration>,
    /// For the list of a log's watch: how many lines.
    pub page: Page,
}

impl Watch {
    /// Every change from a position on that passes a filter, told on its own.
    pub fn going_on(since: Since, filter: Filter, positions: bool) -> Watch {
        Watch {
            params: "{}".into(),
            filter,
            view: View::Own,
            initial: Initial::None,
            since: Some(since),
            positions,
            patch: false,
            progress: None,
            page: Page::default(),
        }
    }
}

/// From where a watch goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// The client asks, and is told whether that is complete; a text that is no position is `None`.
    Asked(Option<Position>),
    /// Where it came in. It is told nothing of this, so where it cannot be kept the connection ends.
    Entry(Position),
}

/// Whether a watch begins with a list of the matching rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initial {
    /// Only what changes from now on.
    None,
    /// A list that the client did not ask for, so without its position.
    Unasked,
    /// A list with its position.
    Asked,
}

/// Whether watches are told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// One view per connection and channel: judged by the union of the filters, told once per change.
    Shared,
    /// Told on its own.
    Own,
}

/// Which watches end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Params(Arc<str>),
    One,
}

/// Which part of the matching rows, and of each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    pub limit: Option<usize>,
    pub skip: usize,
    pub sort: Vec<Sort>,
    /// Dotted names to keep; `id` always is. Empty: the whole document.
    pub fields: Vec<Path>,
}

/// How a change concerns one watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// There was no such row, and now it matches.
    Created,
    /// The row did not match before and matches now.
    Entered,
    /// It matched before and matches now.
    Updated,
    /// It matched before; now it does not, or is gone. `before` is its last version, if known.
    Left,
    /// A line or message.
    Appended,
}

/// One thing a client is told.
#[derive(Debug)]
pub enum Notice<'a> {
    Session {
        id: &'a str,
    },
    List {
        rows: &'a [Row],
        position: Option<Position>,
    },
    Found {
        row: &'a Row,
    },
    Missed {
        criteria: &'a str,
    },
    /// The answer to `GetNothing`.
    Blank,
    Change {
        entry: &'a Entry,
        transition: Transition,
        shape: Shape<'a>,
        /// Which text, where a dialect tells viewers of one entry differently.
        variant: Variant,
        position: Option<Position>,
    },
    /// The verdict on `since`; `broken` names why what follows is a fresh list instead of what was missed.
    Resumed {
        position: Position,
        broken: Option<Reason>,
    },
    Progress {
        position: Position,
        time: Timestamp,
    },
    Barrier {
        position: Position,
    },
    Refused(&'a Refusal),
    /// What an operator says: JSON, or any text.
    Announced {
        data: &'a str,
    },
}

/// Which of the few texts of an entry a viewer is told, in the dialect's own numbering.
pub type Variant = u8;

/// How an updated document is told.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'a> {
    Whole,
    /// RFC 6902, there and back, as JSON text.
    Patch {
        forward: &'a str,
        revert: &'a str,
    },
}

/// Why a request is not done. A dialect decides whether its clients hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// One sentence for a developer; never a record, a secret, or the text of a statement.
    pub summary: String,
    /// What was being asked.
    pub asked: Asked,
}

/// What kind of request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// `query`, `all`, `get`.
    Read,
    Watch,
    Stop,
    Barrier,
    /// To be somebody else.
    Present,
    /// It could not be told.
    Unknown,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No such request.
    Handler,
    /// No such resource, or none that this viewer may know of.
    Resource,
    /// The request does not have the form it should have.
    Malformed,
    /// A look-up without criteria.
    NoCriteria,
    /// The store failed.
    Store,
    /// More rows than one list may have.
    TooMany,
    /// More watches than a connection may have.
    Limit,
    /// The resource cannot do this.
    Unsupported,
    /// A barrier was not reached in time.
    Barrier,
    /// The credential is not accepted.
    Credential,
    /// Nobody could judge the credential.
    Unavailable,
}

/// Why the server ends a connection; the number is the WebSocket close code (RFC 6455, 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goodbye {
    /// 1001: the server is going down; come back a little later.
    GoingDown,
    /// 1002: the frames are not WebSocket frames; do not repeat that.
    Protocol,
    /// 1007: a text frame is not UTF-8.
    NotUtf8,
    /// 1009: the message is too big.
    TooBig,
    /// 1011: a defect on this side.
    Internal,
    /// 1013: the client did not read; come back and resume.
    Slow,
    /// 4401: the credential has expired; come back with another.
    Expired,
    /// 4401: the credential shows something else by now; come back and begin again.
    Rights,
    /// 1011: nothing was heard for too long.
    Silent,
}

impl Goodbye {
    /// The close code.
    pub fn code(self) -> u16 {
        match self {
            Goodbye::GoingDown => 1001,
            Goodbye::Protocol => 1002,
            Goodbye::NotUtf8 => 1007,
            Goodbye::TooBig => 1009,
            Goodbye::Internal | Goodbye::Silent => 1011,
            Goodbye::Slow => 1013,
            Goodbye::Expired | Goodbye::Rights => 4401,
        }
    }

    /// The reason sent with the code.
    pub fn reason(self) -> &'static str {
        match self {
            Goodbye::GoingDown => "going down",
            Goodbye::Protocol => "protocol error",
            Goodbye::NotUtf8 => "not UTF-8",
            Goodbye::TooBig => "message too big",
            Goodbye::Internal => "internal error",
            Goodbye::Slow => "slow: come back and resume",
            Goodbye::Expired => "credential expired",
            Goodbye::Rights => "rights changed: come back",
            Goodbye::Silent => "nothing was heard for too long",
        }
    }
}

/// How a connection is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Farewell {
    /// By a close frame behind what waits. The reason is at most 123 bytes long.
    Close(u16, Cow<'static, str>),
    /// Without a close frame, once what waits is written.
    End,
    /// At once; what waits is not written.
    BreakOff,
}

impl From<Goodbye> for Farewell {
    /// As most dialects say it. Nobody listens to a goodbye who was not heard for too long.
    fn from(goodbye: Goodbye) -> Farewell {
        match goodbye {
            Goodbye::Silent => Farewell::BreakOff,
            other => Farewell::Close(other.code(), other.reason().into()),
        }
    }
}

impl From<Fault> for Goodbye {
    fn from(fault: Fault) -> Goodbye {
        match fault {
            Fault::TooBig => Goodbye::TooBig,
            Fault::NotUtf8 => Goodbye::NotUtf8,
            Fault::Protocol(_) => Goodbye::Protocol,
        }
    }
}
