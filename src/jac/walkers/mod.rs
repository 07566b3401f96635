//! What runs operations.

pub mod builtin;
pub mod http;
pub mod postgres;
