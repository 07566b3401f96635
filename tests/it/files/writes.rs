//! What a row of a file store is in its table.

use crate::rows::Place;
use crate::transcript::Change;
use serde_json::Value;
use tidings::files::rows::{Mapping, Part, Shape};

/// Where a change of the flat document of a row is made.
pub fn place(change: &Change, record: Value) -> Result<Place, String> {
    let part = Part::ALL.into_iter().find(|part| part.name() == change.resource).ok_or("no such role")?;
    let (_, table) = super::ROLES.tables.iter().find(|(role, _)| *role == part.name()).ok_or("no such table")?;
    let flat = Mapping::new(part, Shape::Flat, &[]);
    let members = flat.members(&change.id, &record).ok_or("a document is wanted")?;
    let row = Mapping::new(part, Shape::Columns, &[]).row(members);
    Ok(Place { table: (*table).to_owned(), key: part.id(), row })
}
