//! What the Postgres store and the Postgres source share: addresses and connections, what tables look like, the
//! one form of a row as a document, the outbox's installation, and the doctor. Knows no query and no feed.

pub mod address;
pub mod capture;
pub mod connect;
pub mod discover;
pub mod doctor;
pub mod failure;
pub mod form;
pub mod name;
pub mod notation;
pub mod outbox;
pub mod pgoutput;
pub mod pool;
pub mod publication;
pub mod push;
pub mod replication;
pub mod slot;
pub mod slot_doctor;
pub mod snapshot;
pub mod table;
mod tls;
pub mod types;
