//! One operation on who has access: `{"op":"add","type":"user","id":"…","value":"reader"}`.

use crate::api::files::failure::Failure;
use crate::audience::{Role, Who};
use serde_json::Value;

/// What is to be done.
pub(super) enum Operation {
    /// A role for somebody, in place of one that they have.
    Add {
        who: Who,
        role: Role,
        until: Option<i64>,
    },
    Remove {
        who: Who,
    },
}

impl Operation {
    /// Reads the operation at some position of a request.
    pub(super) fn read(position: usize, operation: &Value) -> Result<Operation, Failure> {
        let invalid =
            |what: &str| Failure::malformed(format!("Invalid access definition. {what} at position: {position}."));
        let text = |name: &str| operation.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kind = text("type").filter(|kind| matches!(*kind, "user" | "group" | "anyone"));
        let kind = kind.ok_or_else(|| invalid("Invalid \"type\""))?;
        let op = text("op").filter(|op| matches!(*op, "add" | "remove"));
        let op = op.ok_or_else(|| invalid("Invalid \"op\" value"))?;
        let who = match (kind, text("id")) {
            ("anyone", _) => Who::Anyone,
            (_, None) => return Err(invalid("Missing \"id\"")),
            ("user", Some(id)) => Who::Subject(id.into()),
            (_, Some(id)) => Who::Group(id.into()),
        };
        if op == "remove" {
            return Ok(Operation::Remove { who });
        }
        let role = match operation.get("value") {
            None | Some(Value::Null) => return Err(invalid("Missing \"value\"")),
            Some(value) => value.as_str().and_then(Role::from_word).ok_or_else(|| invalid("Invalid \"value\""))?,
        };
        let until = match operation.get("expirationTime") {
            None | Some(Value::Null) => None,
            Some(time) => Some(time.as_i64().ok_or_else(|| invalid("Invalid \"expirationTime\""))?),
        };
        Ok(Operation::Add { who, role, until })
    }

    /// Whom it is about.
    pub(super) fn who(&self) -> &Who {
        match self {
            Operation::Add { who, .. } | Operation::Remove { who } => who,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_named_with_its_position_in_the_order_type_op_id_value() {
        for (operation, sentence) in [
            (json!(1), "Invalid \"type\" at position: 3."),
            (json!({"type": "team", "op": "zap"}), "Invalid \"type\" at position: 3."),
            (json!({"type": "user", "op": "zap"}), "Invalid \"op\" value at position: 3."),
            (json!({"type": "user", "op": "add"}), "Missing \"id\" at position: 3."),
            (json!({"type": "user", "op": "add", "id": "u"}), "Missing \"value\" at position: 3."),
            (json!({"type": "group", "op": "remove"}), "Missing \"id\" at position: 3."),
            (json!({"type": "anyone", "op": "add"}), "Missing \"value\" at position: 3."),
            (json!({"type": "anyone", "op": "add", "value": "king"}), "Invalid \"value\" at position: 3."),
        ] {
            let failure = Operation::read(3, &operation).err().expect("a failure");
            let expected = Failure::malformed(format!("Invalid access definition. {sentence}"));
            assert_eq!(format!("{failure:?}"), format!("{expected:?}"), "{operation}");
        }
        assert!(Operation::read(0, &json!({"type": "anyone", "op": "remove"})).is_ok());
    }
}
