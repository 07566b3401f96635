//! Rooms and messages as clients know them.

use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;

/// The namespace of the names of new rooms.
const NAMESPACE: Uuid = Uuid::from_u128(0x1872477b_b37d_5a8d_ab4e_02c981b61449);

/// What a room is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Global,
    Workspace,
    User,
    Node,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Kind; 4] = [Kind::Global, Kind::Workspace, Kind::User, Kind::Node];

    /// The name on the wire and in the rows.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Global => "GLOBAL",
            Kind::Workspace => "WORKSPACE",
            Kind::User => "USER",
            Kind::Node => "NODE",
        }
    }

    /// The kind of this name.
    pub fn of(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Of what there is one room only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomKey {
    pub kind: Kind,
    /// A workspace, a node, a user; empty where the kind says it all.
    pub object: Arc<str>,
}

impl RoomKey {
    /// The uuid that every node of the program gives a new room.
    pub fn uuid(&self) -> String {
        Uuid::new_v5(&NAMESPACE, format!("{}:{}", self.kind.name(), self.object).as_bytes()).to_string()
    }
}

/// How a client names a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomName {
    Key(RoomKey),
    Uuid(Arc<str>),
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub uuid: Arc<str>,
    pub key: RoomKey,
    pub label: String,
    /// The logins of who is present, sorted by bytes.
    pub users: Vec<String>,
    pub last_updated: i64,
}

/// A message of a room.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub uuid: Arc<str>,
    pub room: Arc<str>,
    pub text: String,
    pub author: String,
    /// In seconds since 1970.
    pub timestamp: i64,
    /// What became of it: an object, or null.
    pub activity: Value,
    /// Texts by their names.
    pub info: Map<String, Value>,
}
