//! Records as they are now, for updates that came without an image: all of a batch at once.

use super::change::{Change, What};
use crate::error::Result;
use crate::mongodb::failure::failure;
use crate::mongodb::form;
use futures_util::TryStreamExt;
use mongodb::Database;
use mongodb::bson::{Bson, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use mongodb::options::{ReadPreference, SelectionCriteria};
use std::collections::HashMap;

/// At most so many in one question.
const AT_ONCE: usize = 500;

/// The records that were looked up, by collection and key.
#[derive(Default)]
pub(super) struct Rows(HashMap<String, HashMap<String, RawDocumentBuf>>);

impl Rows {
    /// Looks up what the changes lack. The primary is asked: another member may be behind the change.
    pub(super) async fn of(database: &Database, changes: &[Change<'_>]) -> Result<Rows> {
        let mut lacking: HashMap<&str, HashMap<String, Bson>> = HashMap::new();
        for change in changes {
            if let (Some(key), What::Record { collection, .. }) = (change.lacks(), change.what)
                && let Ok(value) = Bson::try_from(key)
            {
                lacking.entry(collection).or_default().insert(form::key(key), value);
            }
        }
        let mut rows = Rows::default();
        for (collection, keys) in lacking {
            let keys: Vec<Bson> = keys.into_values().collect();
            let found = rows.0.entry(collection.to_owned()).or_default();
            for some in keys.chunks(AT_ONCE) {
                read(database, collection, some, found).await?;
            }
        }
        Ok(rows)
    }

    /// The record that a change lacks, if it is still there.
    pub(super) fn get(&self, change: &Change<'_>) -> Option<&RawDocument> {
        let (Some(key), What::Record { collection, .. }) = (change.lacks(), change.what) else { return None };
        self.0.get(collection)?.get(&form::key(key)).map(|row| &**row)
    }
}

async fn read(
    database: &Database,
    collection: &str,
    keys: &[Bson],
    found: &mut HashMap<String, RawDocumentBuf>,
) -> Result<()> {
    let failed = |error| failure("looking up changed records", &error);
    let records = database.collection::<RawDocumentBuf>(collection);
    let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
    let asked = records.find(doc! { "_id": { "$in": keys } }).selection_criteria(primary);
    let mut rows = asked.await.map_err(failed)?;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let key: Option<RawBsonRef<'_>> = form::get(&row, "_id");
        if let Some(key) = key.map(form::key) {
            found.insert(key, row);
        }
    }
    Ok(())
}
