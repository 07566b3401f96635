//! Who has a role on a file, asked of the store: whoever was given one a moment ago may come in at once.

use crate::audience::Rights;
use crate::catalog::Catalog;
use crate::error::{Error, Kind, Result};
use crate::files::known::{Known, KnownFile, MAX_DEPTH};
use crate::files::rows::{File, Mapping, Permission};
use crate::filter::{Filter, Path};
use crate::query::{Query, Row};
use serde_json::json;
use std::sync::Arc;

/// Where files and permissions are.
pub struct Lookup {
    pub catalog: Arc<Catalog>,
    /// The resource of files, and how its rows are read.
    pub files: (Arc<str>, Mapping),
    pub permissions: Option<(Arc<str>, Mapping)>,
}

impl Lookup {
    /// Who has a role on a file; `None` when there never was such a file.
    ///
    /// # Errors
    /// As those of the store.
    pub async fn rights(&self, key: &str) -> Result<Option<Rights>> {
        let Some(file) = self.file(key).await? else { return Ok(None) };
        let mut known = Known::default();
        let mut next = Some((Arc::from(key), file));
        for _ in 0..MAX_DEPTH {
            let Some((key, file)) = next.take().filter(|(_, file): &(_, KnownFile)| !file.deleted) else { break };
            for permission in self.permissions_of(&key).await? {
                known.put_permission(&permission.key.clone(), Some(permission));
            }
            let parent = file.parent.clone();
            known.put_file(&key, Some(file));
            if let Some(parent) = parent.filter(|parent| known.file(parent).is_none()) {
                next = self.file(&parent).await?.map(|file| (parent, file));
            }
        }
        Ok(Some(known.rights(key)))
    }

    async fn file(&self, key: &str) -> Result<Option<KnownFile>> {
        let (resource, mapping) = &self.files;
        let rows = self.rows(resource, "id", key).await?;
        let row = rows.into_iter().find(|row| *row.id == *key);
        let file = row.and_then(|row| File::read(mapping.members(&row.id, row.document.value())?));
        Ok(file.as_ref().map(KnownFile::from))
    }

    async fn permissions_of(&self, file: &str) -> Result<Vec<Permission>> {
        let Some((resource, mapping)) = &self.permissions else { return Ok(Vec::new()) };
        let rows = self.rows(resource, mapping.name("file"), file).await?;
        let read = |row: Row| Permission::read(mapping.members(&row.id, row.document.value())?);
        Ok(rows.into_iter().filter_map(read).collect())
    }

    async fn rows(&self, resource: &str, member: &str, value: &str) -> Result<Vec<Row>> {
        let missing = || Error::new(Kind::Missing, format!("there is no resource {resource:?}"));
        let served = self.catalog.resource(resource).ok_or_else(missing)?;
        let filter = Arc::new(Filter::equal(Path::parse(member), &json!(value)));
        let query = Query::all(filter);
        Ok(served.store.query(&served.resource, &query).await?.rows)
    }
}
