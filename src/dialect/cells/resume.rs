//! What a client is told that asked for positions.

use crate::event::Position;
use serde_json::Value;

/// `{"@type":"subscribed","position":"1:42","resumed":true}`
pub fn subscribed(position: &Position, is_resumed: bool) -> String {
    let position = Value::from(position.to_string());
    format!(r#"{{"@type":"subscribed","position":{position},"resumed":{is_resumed}}}"#)
}

/// `{"@type":"position","position":"1:57"}`
pub fn position(position: &Position) -> String {
    let position = Value::from(position.to_string());
    format!(r#"{{"@type":"position","position":{position}}}"#)
}
