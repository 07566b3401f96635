//! The `params` of the channel `mq`: `{"exchange":E,"routingKey":pattern}`.

use crate::filter::{Filter, Topic};
use serde_json::Value;
use std::sync::Arc;

/// What AMQP allows a name or a routing key to be.
const LONGEST: usize = 255;

/// The resource that stands for every exchange the viewer may watch.
pub const EVERY_EXCHANGE: &str = "mq:*";

/// The messages of one exchange whose routing key matches.
pub struct Subscription {
    pub resource: Arc<str>,
    pub filter: Filter,
}

/// Reads the exchange and the pattern; `Err` is what is wrong with them.
pub fn subscription(params: &Value) -> Result<Subscription, String> {
    let exchange = name(params, "exchange")?;
    let pattern = name(params, "routingKey")?;
    Ok(Subscription { resource: format!("mq:{exchange}").into(), filter: Filter::Topic(Topic::parse(pattern)) })
}

/// Whether an exchange is named at all.
pub fn names_exchange(params: &Value) -> bool {
    params.get("exchange").is_some_and(|exchange| !exchange.is_null())
}

fn name<'a>(params: &'a Value, field: &str) -> Result<&'a str, String> {
    match params.get(field) {
        Some(Value::String(text)) if (1..=LONGEST).contains(&text.len()) => Ok(text),
        _ => Err(format!("params.{field} must be a string of 1 to {LONGEST} bytes")),
    }
}
