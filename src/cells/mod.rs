//! Serving Pydio Cells: who a browser is and what it may see, in the order of the log, and what it is told.
//!
//! One [`desk`] does all that needs rights: it sees every change in log order, knows who is there, and hands out
//! frames. Beside it every client has a [`talk`] on its own shard's thread. What happens comes to the desk by the
//! [`feed`], is read as a [`change`], and goes its way in the [`flow`].

pub mod change;
pub mod chat;
pub mod coalesce;
pub mod desk;
pub mod feed;
pub mod flow;
pub mod refusals;
mod replay;
pub mod rights;
pub mod rows;
pub mod talk;
