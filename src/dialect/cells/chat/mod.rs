//! The chat of the dialect: rooms and messages, what clients ask of them, and how they are told of them.

mod decode;
mod encode;
mod nesting;
mod published;
mod room;
mod sanitise;
#[cfg(test)]
mod tests;

pub use decode::{Asked, Draft, Page, Post, decode};
pub use encode::{bare_message, may_have_more, message_deleted, room_update};
pub use published::{Published, published};
pub use room::{Kind, Message, Room, RoomKey, RoomName};
pub use sanitise::sanitised;
