//! The protocol as its clients meet it: text in, text out.

mod asked;
mod refused;
mod told;
mod torn;

use super::Monorail;
use crate::dialect::{Dialect, Heard};
use crate::message::{Action, Address, Notice, Reference, Request, Watch};
use serde_json::Value;

/// What a message on a channel turns out to be.
fn hear(channel: &str, text: &str) -> Heard {
    Monorail::new().decode(&channel.into(), text)
}

fn request(channel: &str, text: &str) -> Request {
    match hear(channel, text) {
        Heard::Request(request) => request,
        other => panic!("{text} is {other:?}"),
    }
}

fn watch(channel: &str, text: &str) -> Watch {
    match request(channel, text).action {
        Action::Watch(watch) => *watch,
        other => panic!("{text} is {other:?}"),
    }
}

fn address(channel: &str, reference: Option<&str>) -> Address {
    Address { channel: channel.into(), reference: reference.map(|text| Reference(text.into())) }
}

fn tell(address: &Address, notice: &Notice<'_>) -> Option<Value> {
    let text = Monorail::new().encode(address, notice)?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text} is no JSON: {error}")))
}
