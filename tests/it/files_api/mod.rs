//! The Files API over the embedded store and over Postgres: every call, status, header and sentence.

mod calls;
mod contents;
mod crowd;
mod failing;
mod lists;
mod mistakes;
mod pushed;
mod rights;
mod sharing;
mod world;
