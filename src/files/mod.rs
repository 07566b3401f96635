//! A file store whose rows live in anybody's database: what its rows say, who has a role on a file, and what is
//! told of each change of a row, whoever wrote it.
//!
//! The rows of each [`rows::Part`] are a resource. The [`replica`] follows them in log order and logs, in a private
//! append-only resource, one entry for each [`message`] that clients are told, with who may see it.

pub mod capabilities;
pub mod echo;
pub mod known;
pub mod message;
pub mod replica;
pub mod rows;
