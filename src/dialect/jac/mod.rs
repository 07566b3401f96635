//! The dialect of pushes: JSON objects with a `type`. What a client sends is read here, what it is answered is written
//! here; what it is pushed is whatever a sender wrote, and passes as it is.
//!
//! ```text
//! ← {"type":"connection","data":{"client_id":"1795248764:a61a…","root_id":"n::672b…","channel_id":"room1"}}
//! → {"type":"channel","channel_ids":["room1"],"data":{"val":1}}
//! ← {"val":1}
//! → {"type":"walker","walker":"name","response":true,"context":{}}
//! ← {"status":200,"reports":["do something 1"]}
//! ```

pub mod body;
pub mod context;
pub mod decode;
pub mod encode;
pub mod finding;
mod json;
pub mod root;
#[cfg(test)]
mod tests;
