//! The frames of Pydio Cells: what its browser interface is told of files, tasks, identities and activities, and what
//! it says itself.
//!
//! Every frame is one compact JSON object whose bytes depend on nothing but its content: keys in the order of its
//! [`shape`], what is zero left out.

pub mod activity;
pub mod chat;
pub mod hello;
pub mod idm;
pub mod node;
pub mod refusal;
pub mod resume;
pub mod shape;
pub mod task;
pub mod tree;
