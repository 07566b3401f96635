//! Having the server keep what documents were before a change.

use crate::error::Result;
use crate::mongodb::failure::{code, failure};
use mongodb::Database;
use mongodb::bson::doc;

/// The collection is there already.
const EXISTS: i32 = 48;

/// Makes a collection whose documents are kept as they were before each change, or has one that exists do so.
///
/// # Errors
/// `Unreachable` or `Refused`, as the server says.
pub async fn keep(database: &Database, collection: &str) -> Result<()> {
    let failed = |error| failure("having images kept", &error);
    let images = || doc! { "enabled": true };
    let create = doc! { "create": collection, "changeStreamPreAndPostImages": images() };
    match database.run_command(create).await {
        Err(error) if code(&error) == Some(EXISTS) => {
            let change = doc! { "collMod": collection, "changeStreamPreAndPostImages": images() };
            database.run_command(change).await.map(drop).map_err(failed)
        }
        made => made.map(drop).map_err(failed),
    }
}
