//! Pushes between users, channels and clients: who can be reached, who may push, and the operations that push.
//!
//! Nothing here is in the log: a push is told to whoever is there when it comes, at most once.

pub mod feeds;
pub mod identity;
pub mod operations;
pub mod push;
pub mod talk;
pub mod topics;
pub mod walker;
pub mod walkers;
