//! Members of encrypted boxes: who is in which box, what each is told of a change, and how many events each has not
//! seen yet.

mod acks;
mod boxes;
mod identities;
mod member;
pub mod recount;
pub mod replica;
mod rows;
mod tables;

pub use acks::Acks;
pub use identities::Identities;
pub use member::Member;
pub use tables::Tables;

/// What a resource holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The events of all boxes; a box is its events.
    BoxEvents,
    Identities,
    /// Which files are saved by whom.
    SavedFiles,
    /// Who has muted which box.
    BoxSettings,
    IdentityNotifications,
    /// How many events of a box somebody has not seen.
    EventCounts,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] = [
        Role::BoxEvents,
        Role::Identities,
        Role::SavedFiles,
        Role::BoxSettings,
        Role::IdentityNotifications,
        Role::EventCounts,
    ];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Role::BoxEvents => "box_events",
            Role::Identities => "identities",
            Role::SavedFiles => "saved_files",
            Role::BoxSettings => "box_settings",
            Role::IdentityNotifications => "identity_notifications",
            Role::EventCounts => "event_counts",
        }
    }
}

/// The events that members have to look at, so that they are counted.
const COUNTED: [&str; 6] = ["member.join", "member.leave", "member.kick", "msg.text", "msg.file", "state.access_mode"];

/// Which types of events are told where nothing else is configured.
pub const PUSHED: [&str; 9] = [
    "create",
    "state.access_mode",
    "msg.text",
    "msg.file",
    "msg.edit",
    "msg.delete",
    "member.join",
    "member.leave",
    "member.kick",
];
