//! Writes of who may not see everything: only what one may see is changed, and into nothing that one could not see.
//!
//! The record is looked at first, and written only as it was seen; if somebody else was faster, it is looked at again.

use crate::api::problem::Problem;
use crate::api::reached::Reached;
use crate::document::Document;
use crate::error::{Error, Kind, Result as Outcome};
use crate::patch::{self, Ops};
use crate::store::{Condition, Write, Written, tag};

/// So often a write is tried again because others change the same record.
const TRIES: usize = 20;

/// Writes, as the asker may.
pub(super) async fn write(
    reached: &Reached,
    id: &str,
    write: Write,
    condition: &Condition,
) -> Result<Written, Problem> {
    let named = |error: Error| Problem::of_store(&error, &reached.served.resource.name);
    if reached.bound.is_everything() {
        return stored(reached, id, write, condition).await.map_err(named);
    }
    if let Write::Append(line) = &write {
        must_be_shown(reached, id, &reached.served.resource.present(id, line.clone()))?;
        return stored(reached, id, write, condition).await.map_err(named);
    }
    for _ in 0..TRIES {
        let before = reached.record(id).await?;
        if !condition.holds(before.as_ref()) {
            return Err(named(conflict()));
        }
        if before.is_none() && (!matches!(write, Write::Put(_)) || exists(reached, id).await.map_err(named)?) {
            return Err(Problem::no_record(id));
        }
        if let Some(after) = outcome(reached, id, before.as_ref(), &write).map_err(named)? {
            must_be_shown(reached, id, &after)?;
        }
        let as_seen = before.map_or(Condition::Absent, |document| Condition::Tag(vec![tag(&document)]));
        match stored(reached, id, write.clone(), &as_seen).await {
            Err(error) if error.kind() == Kind::Conflict => {}
            result => return result.map_err(named),
        }
    }
    Err(named(conflict()))
}

async fn stored(reached: &Reached, id: &str, write: Write, condition: &Condition) -> Outcome<Written> {
    let served = &reached.served;
    served.store.write(&served.resource, id, write, condition).await
}

/// Whether there is such a record, seen or not.
async fn exists(reached: &Reached, id: &str) -> Outcome<bool> {
    Ok(reached.served.record(&reached.served.access.everything(), id).await?.is_some())
}

/// What the record will be, as far as the database adds nothing of its own; `None`: gone.
fn outcome(reached: &Reached, id: &str, before: Option<&Document>, write: &Write) -> Outcome<Option<Document>> {
    let value = match (write, before) {
        (Write::Put(body) | Write::Append(body), _) => body.clone(),
        (Write::JsonPatch(operations), Some(before)) => patch::apply(before.value(), &Ops::parse(operations.clone())?)?,
        (Write::MergePatch(changes), Some(before)) => patch::merge(before.value(), changes),
        (Write::Delete | Write::JsonPatch(_) | Write::MergePatch(_), _) => return Ok(None),
    };
    Ok(Some(reached.served.resource.present(id, value)))
}

fn must_be_shown(reached: &Reached, id: &str, document: &Document) -> Result<(), Problem> {
    match reached.served.shows(&reached.bound, id, document) {
        true => Ok(()),
        false => Err(Problem::out_of_sight()),
    }
}

fn conflict() -> Error {
    Error::new(Kind::Conflict, "the record is not as the condition says")
}
