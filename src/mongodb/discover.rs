//! Which collections a database has, and which of them can be served.

use crate::error::Result;
use crate::mongodb::failure::failure;
use mongodb::Database;
use mongodb::bson::{Document, doc};

/// What a database tells of a collection of its.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub name: String,
    kind: String,
    options: Document,
}

impl Listed {
    /// Whether the server keeps what documents were before a change.
    pub fn has_images(&self) -> bool {
        let images = self.options.get_document("changeStreamPreAndPostImages");
        images.is_ok_and(|images| images.get_bool("enabled").unwrap_or(false))
    }

    /// Whether strings in it ascend otherwise than by their bytes.
    pub fn has_own_order(&self) -> bool {
        self.options.contains_key("collation")
    }

    /// Why it cannot be served, if it cannot.
    fn hindrance(&self) -> Option<&'static str> {
        match () {
            () if self.name.starts_with("system.") => Some("it is the server's own"),
            () if self.kind == "view" => Some("it is a view, and nobody tells of changes of one"),
            () if self.kind == "timeseries" || self.options.contains_key("timeseries") => {
                Some("it is a time series, and nobody tells of changes of one")
            }
            () if self.options.get_bool("capped").unwrap_or(false) => {
                Some("it is capped, and nobody tells what falls out of it")
            }
            () if !is_name(&self.name) => Some("its name cannot stand in a path"),
            () => None,
        }
    }
}

/// Whether the name of a collection can be that of a resource.
pub fn is_name(collection: &str) -> bool {
    !collection.contains(['/', '?', '#', '%', ' '])
}

/// A collection that cannot be served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub collection: String,
    pub reason: &'static str,
}

/// Every collection of a database, in order of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collections {
    pub served: Vec<String>,
    pub left_out: Vec<LeftOut>,
}

/// Finds what can be served.
///
/// # Errors
/// `Unreachable` or `Refused` when the database cannot be asked.
pub async fn discover(database: &Database) -> Result<Collections> {
    let mut collections = Collections::default();
    for listed in list(database).await? {
        match listed.hindrance() {
            Some(reason) => collections.left_out.push(LeftOut { collection: listed.name, reason }),
            None => collections.served.push(listed.name),
        }
    }
    Ok(collections)
}

/// What the database tells of its collections, in order of their names.
///
/// # Errors
/// `Unreachable` or `Refused` when the database cannot be asked.
pub async fn list(database: &Database) -> Result<Vec<Listed>> {
    listed(database, doc! {}).await
}

/// What the database tells of one collection; nothing if it does not exist yet.
///
/// # Errors
/// `Unreachable` or `Refused` when the database cannot be asked.
pub async fn find(database: &Database, name: &str) -> Result<Option<Listed>> {
    Ok(listed(database, doc! { "name": {"$eq": name} }).await?.pop())
}

async fn listed(database: &Database, filter: Document) -> Result<Vec<Listed>> {
    let failed = |error| failure("listing the collections", &error);
    let asked = doc! { "listCollections": 1, "filter": filter };
    let mut answers = database.run_cursor_command(asked).await.map_err(failed)?;
    let mut found = Vec::new();
    while answers.advance().await.map_err(failed)? {
        let answer = answers.deserialize_current().map_err(failed)?;
        found.push(Listed {
            name: answer.get_str("name").unwrap_or_default().to_owned(),
            kind: answer.get_str("type").unwrap_or_default().to_owned(),
            options: answer.get_document("options").cloned().unwrap_or_default(),
        });
    }
    found.sort_by(|a: &Listed, b: &Listed| a.name.cmp(&b.name));
    Ok(found)
}
