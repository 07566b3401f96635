//! What the MongoDB store and the MongoDB source share: addresses and connections, which collection a resource is,
//! what BSON becomes on the wire, what collections there are, and the doctor. Knows no query and no feed.

pub mod address;
pub mod collection;
pub mod connect;
pub mod discover;
pub mod doctor;
pub mod failure;
pub mod form;
pub mod images;
